// Package gateway is the domain of Postern: it carries conversations between the users of an XMPP provider
// and people inside walled-garden messengers, keeps their order, loses nothing in silence and says what it cannot do.
//
// # Glossary (one noun per concept, used with this meaning everywhere)
//
//   - User: a person with an account on our XMPP server, named by a bare JID.
//   - Account: what lets a user act on a platform: an enlistment, a bot token, a phone number id. Personal, or
//     shared: one operator-owned bot, number or page that serves many users.
//   - Endpoint: the platform's own id of an account, as its webhooks name it.
//   - Line: an operator's own bot, number or page: one endpoint that the accounts of many users share.
//   - Guest: a platform person as a line sees them: which accounts they are connected with, and to whom they write now.
//   - Invite: a token that connects the person who comes with it with the account that gave it out.
//   - Window: the time after a contact's message in which a platform lets our user write to them.
//   - Contact: a platform person as seen by one account.
//   - Alias: the contact's stable opaque localpart, computed, never looked up.
//   - Chat: a conversation as seen by one account, direct or group.
//   - Content: what a message says: parts such as text with spans, media handle, location, contact card.
//   - Op: what a user asks of the platform (outbound, closed set).
//   - Event: what happened on the platform (inbound, closed set).
//   - Sent: what the platform said when it took an op: its ids. Receipt means XEP-0184/0333 only; ConsentReceipt is its own.
//   - Caps: what a chat supports, graded. Descriptor: what an adapter declares about itself.
//   - Lane: the ordered queue of one chat and direction. Shard: the lanes that one replica owns.
//   - Outbox: the rendered stanzas that wait for one component's stream.
//   - Case: a user's report of a contact and what became of it. Deed: a line of the audit log about a user.
//   - Class: the kind of a failure, each with one fixed reaction.
//   - Parked: a lane that waits for something other than a short retry. Dead letter: an entry given up on, replayable.
//
// # The two walks
//
// A webhook becomes Events, which are ingested into the shard of their chat before the platform hears 200. The owner of
// the shard resolves, renders and appends stanzas to the component's outbox; the owner of the outbox writes them, asks the
// server to confirm by a ping, and only then forgets them. A stanza becomes an Op, is ingested the same way, and the owner
// of the shard plans it against Caps, sends it and records the ids.
package gateway
