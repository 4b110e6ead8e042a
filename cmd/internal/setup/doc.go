// Package setup writes what a first start needs: a configuration, keys and secrets, and the lines for the XMPP server.
//
//	answers.go   what has to be known, its defaults, and asking for it
//	probe.go     what is there already: the server's component port, Redis
//	files.go     the files, and never one over another
package setup
