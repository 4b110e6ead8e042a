// Package app makes a running Postern from a configuration: it reads and judges postern.yaml, builds the object graph, and
// owns the order in which everything starts and stops.
//
//	config.go    the shape of postern.yaml and its defaults
//	decode.go    YAML to Config, with every mistake named by file, line and column
//	validate.go  what is wrong with the values, without I/O
//	secrets.go   files that hold keys and secrets
//	build.go     Config to App: the object graph
//	run.go       start order, stop order, and who waits for whom
package app
