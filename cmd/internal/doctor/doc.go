// Package doctor looks at a configuration with everything around it, and says what is wrong and what users will not have.
//
//	finding.go   what is found, and how it is printed
//	doctor.go    the order of the visit
//	files.go     the files that the configuration names
//	store.go     Redis: reach, version, durability, clock, keys
//	http.go      http.public_url and http.admin
//	server.go    the XMPP server: each component's login and what it is granted
//	running.go   a gateway that runs, which is never disturbed
//	platform.go  credentials at the platforms, and their webhooks
//	lines.go     lines for Prosody and ejabberd, out of those that package deploy has
//
// It tells what can be seen from outside. Whether a user's archive keeps what a contact writes is known to their server alone
// (XEP-0313 answers the user, nobody else), so that nothing is said about it.
package doctor
