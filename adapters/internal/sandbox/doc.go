// Package sandbox is the frame of the simulators: people, chats, messages, files, webhooks with faults, limits, a control API and a page
// on which one is a person. A simulator (adapters/<name>/simulator) is this frame with a Platform: the routes, bodies and oddities of one
// messenger.
//
// # Parts
//
// New builds a Server from a Config and a Platform. Server.API serves the platform's API, Server.Control the control API and the page,
// Server.Handler both on one address. Server.Run sends the webhooks and lets the personas act; it blocks until its context ends and what
// it started has stopped. Everything is in memory and bounded by Limits; what is too old goes first.
//
// One lock guards the State. Platform methods that get a *State run with it held and must not block; HTTP handlers take it with
// Server.Do. State holds what people do (Say, Edit, React ...), what an account does through the platform's API (Accept, EditOwn ...), and
// the clockwork (Now, Scale, After, Spend, Roll).
//
// # A platform
//
//	type Platform interface {
//		Spec() Spec                                    // ids, ladder, rules, page: see there
//		Routes(s *Server, r chi.Router)                // its API; faults are met before, Spec.Refuse words them
//		Tell(st *State, h Happening) []Update          // what an account is told of a happening
//		Request(st *State, d Delivery) Request         // an attempt: method, address, headers, signed body
//	}
//
// A happening on the person's side (or of the account's owner in the platform's own app) goes through Tell and becomes updates of an
// account. An update has a key: updates of one key are sent in order and one at a time, keys in parallel; no key is no order. Each account
// numbers its updates (Update.N, for Telegram the update_id). An attempt that is not taken is repeated by Spec.Ladder. With Batching
// several updates go into one request, where Spec.Batch allows that. Where an account polls, Server.Poll and State.Confirm give what waits
// instead.
//
// Config.Speed makes ladders, windows and lives of links shorter (State.Scale), not the clock.
//
// # Ids
//
// The control API has ids of its own: a person's handle, "c1" for a chat, "m1" for a message. The platform's ids are beside them as
// Native. A chat's Native is what the account calls it; a message's Native comes from Spec.MessageID.
//
// # Control API
//
// JSON in and out, below /sandbox/v1, for tests and for the page; package adapters/control has its types and a client. It is not
// authenticated: bind it to loopback. Requests that a browser makes for another origin are refused. Errors are {"error": "..."} with 400
// or 404. {person} is a handle or any other id of a person; {user} and "to" name an account by id, username, phone or name, or a chat by its id,
// and may be left out (as "-" in a path) where there is one account only. The vocabulary is the one of the gatekeeper's sandbox.
//
//	GET    /state                     people with chats, accounts, groups, faults, limits, counts, those of faults that were met among them
//	POST   /reset                     back to the configuration
//	GET    /faults, PUT /faults       Faults; PUT replaces all of them
//	PUT    /batching                  Batching
//	PUT    /limits                    {enforce}; the counters begin anew
//	PUT    /users/{user}              Account: add or replace
//	PATCH  /users/{user}              part of an Account
//	PUT    /users/{user}/state        {state: active | revoked | subscribed | unsubscribed}
//	POST   /users/{user}/updates      {type, key, body}: tells the account something raw, as an unknown kind
//	PUT    /people/{id}               Person: add or replace
//	PATCH  /people/{id}               part of a Person; a new phone or native id is a change of number
//	GET    /people/{id}               the person with its chats
//	GET    /chats/{chat}              one chat with its messages in order of acceptance
//	POST   /people/{id}/messages      {to, text | content, reply_to}: say something; {message_id, native, conversation}
//	POST   /people/{id}/open          {to, token | url, draft}: begin the chat, with an invite token or link; {id, draft}
//	POST   /people/{id}/typing        {to, state: composing | paused}
//	POST   /people/{id}/read          {to, up_to}: read what the account wrote, all or up to a message
//	PUT    /people/{id}/block         {to, blocked}
//	POST   /people/{id}/calls         {to, state: ringing | missed | ended, call_id, video, duration_s}; {call_id}
//	PATCH  /messages/{id}             {text | content}: edit what a person said
//	DELETE /messages/{id}             take it back
//	PUT    /messages/{id}/reactions   {emojis, person}: all reactions of the person
//	PUT    /messages/{id}/status      {status: delivered | read | failed, code}: of an account's message, and nothing implied
//	POST   /messages/{id}/fail        {code}: the same for failed
//	POST   /groups                    {to, title, native, members}: a group with the account in it; a Chat
//	PUT    /groups/{chat}/members     {person, in}: a person joins or leaves; without a person the account does
//	POST   /media                     a file, as bytes with a Content-Type and ?name=, or as JSON {type, name, base64} or made: {type, size},
//	                                  {width, height, noise}, each with {kind, seed, duration_ms, emoji, cut}; a part for content.media
//	GET    /media/{id}                the bytes of any file, also of those that accounts uploaded
//	POST   /users/{user}/messages     {to, text | content, reply_to}: the owner writes in the platform's own app
//	PATCH  /users/{user}/messages/{id}, DELETE, PUT .../reactions   as for people, by the owner's own hand
//	POST   /users/{user}/read         {to, up_to}: the owner reads there
//	GET    /ledger/messages           ?after=&limit=: messages that the API accepted, in order; {items, next, total, forgotten}
//	GET    /ledger/webhooks           ?after=&limit=: every delivery attempt with its result and injected fault
//	POST   /wait                      Condition: long poll until it holds or timeout_ms passed; {ok, count, items}
//	GET    /changes                   server-sent events, one per change of the state
//
// # Repeatable faults
//
// The dice of the faults are seeded by Config.Seed; the same requests in the same order meet the same faults. What runs concurrently draws in
// the order in which it happens to come.
package sandbox
