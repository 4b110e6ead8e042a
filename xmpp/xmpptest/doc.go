// Package xmpptest plays the server's side of a component stream (XEP-0114)
// under the control of a test.
//
// A Server hands out connections through Dial, over net.Pipe, so that it works
// in a testing/synctest bubble; DialTCP gives loopback TCP for tests outside.
// Accept returns the next connection with the handshake done or refused; the
// Conn it returns sends raw XML and waits for what the component sends.
package xmpptest
