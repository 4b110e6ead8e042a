// Package webhook verifies Standard Webhooks signatures on raw request bodies.
//
// Written against the Standard Webhooks specification 1.0.0 (https://www.standardwebhooks.com): scheme v1 is HMAC-SHA256
// with a shared secret, scheme v1a is Ed25519. The project's own Go library knows v1 only, takes one secret and reads the
// clock itself; verification here takes the time as an argument, several secrets during a rotation, and v1a, so it is a few
// lines of its own. The tests hold it against that library.
package webhook
