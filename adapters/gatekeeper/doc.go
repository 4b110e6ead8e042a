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
//	OpAnswer     POST /v1/messages, content answer          Message        message.received, content answer
//	OpTyping     POST /v1/conversations/{c}/typing          Typing         typing
//	Upload       POST /v1/media, PUT .../content            Status         media.rejected
//	Fetch        GET /v1/media/{id}/content                 Seen           conversation.read
//	Profile      GET /v1/users/{id}/profile                 ContactUpdate  profile.updated
//	Block        PUT, DELETE /v1/blocks/{id}                Presence       presence.changed
//	Report       POST /v1/reports                           Call           call.changed
//	Link         POST /v1/enlistments, with proof of a code AccountState   enlistment.*
//	Unlink       DELETE /v1/enlistments/{id}                ContactUpdate  contact.*, consent.changed
//	Resolve      POST /v1/directory:lookup, /v1/contact-requests
//	Register     PUT /v1/webhook
//	Missing      GET /v1/events?conversation=&after_seq=
//
// What the user does in the gatekeeper's own app comes as the same events with FromMe set. capability.changed is no event: it changes Caps.
//
// Deliberate omissions: relay mode and keys (an envelope that comes in becomes a notice), media that the partner holds, buttons towards
// people, groups, privacy jobs and starting calls. Events about those, types that the document adds later, and message.status retry_requested, which
// exists in relay mode only, parse to no event and are no error. There is no Reconciler: the API cannot be asked by client_id, and a repeat
// under the same Idempotency-Key gives the first answer, so that an uncertain send is sent again. The directory's endpoint URLs
// are not followed: base_url is what the operator agreed on, and the paths below it are the document's.
package gatekeeper
