// Package conformance keeps the list of what a gateway must and should do on XMPP, and which test proves it on which server.
//
// A test registers itself with Prove and then checks through the Proof:
//
//	proof := conformance.Prove(t, conformance.Prosody, 14, 15)
//	proof.Must(err == nil, "ask for the form: %v", err)
//	proof.That(!form.Has("registered"), "form before registration: got <registered/>, want none")
//
// A Proof without a check fails its test; one of a test that passed is written to the file that POSTERN_CONFORMANCE names.
// `make conformance` turns the proofs of a run into xmpp/CONFORMANCE.md, so the table says what a run has shown and nothing else.
package conformance
