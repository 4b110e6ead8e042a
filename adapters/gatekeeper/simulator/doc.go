// Package simulator plays the gatekeeper of the Gatekeeper Interop API: a sandbox server with people, personas, faults and a page on
// which one is a person of the gatekeeper.
//
// Written against the Gatekeeper Interop API, version 2026-11-01 (package openapi). Every request is held against that document before
// anything else happens; what it does not describe is refused with a problem that names the field. Keys, groups
// and calls answer 501 feature_unavailable, as the directory says, and so does every feature that is switched off (see /capabilities).
//
// # Parts
//
// New builds a Server from a Config. Server.API serves the API, Server.Control the control API and the page, Server.Handler both on one
// address. Server.Run sends the webhooks and lets the personas act; it blocks until its context ends and what it started has stopped.
//
// # Control API
//
// JSON in and out, below /sandbox/v1, for tests and for the page. It is not authenticated: bind it to loopback. Requests that a browser
// makes for another origin are refused. Errors are {"error": "..."} with 400 or 404. A person is named by its id, with or without "gku_"; a
// user by internal id ("usr_..."), by user-visible id ("romeo@montague.example") or by a conversation.
//
//	GET    /state                     people with chats, users, faults, counts
//	POST   /reset                     back to the configuration; tokens and enlistments are gone too
//	GET    /faults, PUT /faults       Faults; PUT replaces all of them
//	PUT    /terms                     {version, sha256}: new terms, every user has to accept them
//	PUT    /partners/{client_id}      {jwks | jwks_url, webhook_url, webhook_secret}: register a partner
//	PUT    /users/{user}/state        {state: active | suspended | lapsed | expiring}
//	PUT    /people/{id}               Person: add or replace
//	PATCH  /people/{id}               part of a Person: opted_in, accepts, persona, display, avatar (a media id), tells_decline
//	GET    /people/{id}               the person with its chats
//	GET    /codes                     what was sent to prove a number or an address, and can still be used, oldest first
//	GET    /chats/{conversation}      one chat with its messages in order of acceptance
//	POST   /people/{id}/messages      {to, text | content, reply_to}: say something; {message_id, conversation, event_id, seq}
//	POST   /people/{id}/open          {to}: the chat with a user, begun when there is none
//	POST   /people/{id}/typing        {to, state: composing | paused}
//	POST   /people/{id}/read          {to, up_to}: read what the user wrote, all or up to a message
//	POST   /people/{id}/answer        {to, accept}: answer the contact request of a user
//	POST   /people/{id}/ask           {to, message}: ask a user for contact (contact.requested)
//	PUT    /people/{id}/block         {to, blocked}
//	PATCH  /messages/{id}             {text | content}: edit what a person said
//	DELETE /messages/{id}             take it back
//	PUT    /messages/{id}/reactions   {emojis}: all reactions of the person
//	POST   /messages/{id}/fail        {code}: a message of a user fails after it was accepted
//	POST   /messages/{id}/reject      {code}: its media is thrown away (media.rejected)
//	PUT    /people/{id}/presence      {available, last_seen}: tells everybody who knows the person
//	POST   /people/{id}/calls         {to, state: ringing | missed | ended, call_id, video, duration_s}; {call_id}
//	POST   /media                     a file, as bytes with a Content-Type and ?name=, or as JSON {type, name, base64} or made: {type, size},
//	                                  {width, height, noise}, each with {kind, seed, duration_ms, emoji, thumb, view_once}; a part for content.media.
//	                                  Its downloads are spoiled by {cut: bytes}, {length: what Content-Length says}, {endless}, {slow_ms}, {redirect}
//	GET    /media/{id}                the bytes of any file, also of those that users uploaded
//	POST   /users/{user}/messages     {to, text | content, reply_to}: the user writes in the gatekeeper's own app
//	PATCH  /users/{user}/messages/{id}, DELETE, PUT .../reactions   as for people, by the user's own hand
//	POST   /users/{user}/read         {to, up_to}: the user reads there (conversation.read)
//	GET    /capabilities              features with their levels, which can be switched, limits
//	PATCH  /capabilities              {feature: native | unavailable, ...}: announced by capability.changed; what is off is refused, and not told.
//	                                  reply, edit, retract, react, read and typing without _out or _in switch both directions
//	PATCH  /limits                    Offer: text_bytes, media_bytes, media_types, edit_window_s, retract_window_s, reactions_per_user, reactions
//	GET    /reports                   what users complained of
//	GET    /ledger/messages           ?after=&limit=: accepted POST /v1/messages in order of arrival, with idempotency key, client_id,
//	                                  number of replays, files as {media_id, name}, time and User-Agent; {items, next, total, forgotten}
//	GET    /ledger/webhooks           ?after=&limit=: every delivery attempt with its result and injected fault
//	POST   /wait                      long poll until a condition holds or timeout_ms passed; {ok, count, items}
//	GET    /changes                   server-sent events, one per change of the state
//
// The conditions of /wait have a kind: message (person, user, direction to_person or to_user, has, text, contains, status, edited, retracted,
// reaction), block (person, user), report (person), request (person, user, state), enlistment (user, state), code (user), typing (person, user), posts, webhooks (type; those that were taken) and
// idle (no webhook waits). min says how many.
//
// # Repeatable faults
//
// The dice of the faults are seeded by Config.Seed; the same requests in the same order meet the same faults. What runs concurrently draws in
// the order in which it happens to come.
package simulator
