// Package user plays an XMPP user with a client of their own, for demonstrations, tests and measurements.
//
// It stands on mellium.im/xmpp (login and reading of the stream) and shares no code with package xmpp, so that what the gateway
// says is read by somebody else. It logs in over plain TCP and is meant for servers on loopback. Stanzas arrive as Stanza
// values: recorded in order, or handed to Config.Sink; Wait finds one that has come or is still to come.
//
// A Client's methods may be called from any goroutine.
package user
