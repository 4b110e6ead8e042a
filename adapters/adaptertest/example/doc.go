// Package example is the adapter that HACKING.md makes step by step, of a messenger that does not exist: Pigeon Post.
//
// Written against "Pigeon Post API", version 2, of which this comment is all there is:
//
//	GET  /v2/me            whose token it is: {id, name}
//	POST /v2/messages      {to, text}; Idempotency-Key makes a repetition harmless; 201 {id}
//	webhooks               {id, type, to, from, at, ...}, signed by X-Pigeon-Signature: hex of the HMAC-SHA256 of the body
//
// Every call bears a token of the account. Errors are {error: a code}. The operator enters the webhook's address on Pigeon's site.
//
//	feature     out                 in
//	text        POST /v2/messages   message
//	delivered                       arrived
//	read                            read
//
// Left out on purpose: nothing. Everything else is refused before any call.
package example
