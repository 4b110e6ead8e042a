// Package gatekeeper speaks the Gatekeeper Interop API, mode plaintext: it vouches for enlisted users, sends what they ask
// and reads the gatekeeper's signed webhooks.
//
// Written against adapters/gatekeeper/openapi/openapi.yaml, version 2026-11-01.
//
//	Op           request                                    Event          webhook type
//	OpMessage    POST /v1/messages                          Message        message.received
//	OpEdit       PATCH /v1/messages/{id}                    Edited         message.updated
//	OpRetract    DELETE /v1/messages/{id}                   Retracted      message.retracted
//	OpReact      PUT /v1/messages/{id}/reactions            Reacted        reaction.changed
//	OpMarkRead   POST /v1/receipts, state read              Status         message.status
//	OpTyping     POST /v1/conversations/{c}/typing          Typing         typing
//	Link         POST /v1/enlistments                       AccountState   enlistment.*
//	Unlink       DELETE /v1/enlistments/{id}                ContactUpdate  contact.*, consent.changed
//	Resolve      POST /v1/directory:lookup, /v1/contact-requests
//	Register     PUT /v1/webhook
//	Missing      GET /v1/events?conversation=&after_seq=
//
// Deliberate omissions: relay mode and keys (an envelope that comes in becomes a notice), media, groups, blocks, reports,
// privacy jobs and calls. Events about those, types that the document adds later, and message.status retry_requested, which
// exists in relay mode only, parse to no event and are no error. There is no Reconciler: the API cannot be asked by client_id, and a repeat
// under the same Idempotency-Key gives the first answer, so that an uncertain send is sent again. The directory's endpoint URLs
// are not followed: base_url is what the operator agreed on, and the paths below it are the document's.
package gatekeeper
