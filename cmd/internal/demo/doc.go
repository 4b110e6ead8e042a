// Package demo plays a conversation between an XMPP user and a person inside a gatekeeper, on real servers and before one's eyes.
//
// Run starts Prosody, a Redis, the sandbox that plays the gatekeeper or another platform, and Postern as a child process, which the play kills and starts
// again. The XMPP user speaks through package user, the person through the sandbox's control API. Every line that is printed was
// read from one of the two.
//
//	demo.go      Run, its configuration, and what is said when the play is over
//	stage.go     the servers
//	sandbox.go   the sandbox and its control API
//	play.go      steps, what they wait for, and what is said when one fails
//	acts.go      the script, and what all platforms have of it
//	wall.go      a platform other than the gatekeeper
//	wallacts.go  the script there
//	narrator.go  how it looks
package demo
