// Package simulator plays the Messenger Platform, and Instagram's messaging in both of its flavours, for tests and for trying out: pages or
// accounts with tokens, people who write to them, signed webhooks, files, logins. What people do comes by the control API and the page of
// adapters/internal/sandbox.
//
// Written against the documents that package messenger names. Their oddities are kept:
//
//   - A webhook is JSON with \uXXXX and \/ under the signature, has to be answered within five seconds, and is repeated for 36 hours; who
//     answers none for an hour is unsubscribed, and what happens from then on is lost.
//   - Messenger echoes what was sent, with app_id and metadata, tells of delivery by a time without ids, and of reading by a time. Instagram
//     echoes in the field messages, without metadata and at times without app_id, tells nothing of delivery, and of reading by one id.
//   - The window is 24 hours, seven days with the tag HUMAN_AGENT where the account's id "human_agent" is "true"; violations are 10/2018278
//     and 10/2534022.
//   - An injected time-out answers 1/1357046 although the message was sent; a limit is 613, without Retry-After, with usage headers.
//   - A person has another id for every page; the id of another page is 100/2018001. Text ends at 2000 characters, or at 1000 bytes.
//   - A link with a ref tells the page of it when the chat is there already; for a new one only where the page has Get Started.
//   - Files come by links that end, without a token, and are asked for anew by GET /{message}?fields=attachments.
//   - Instagram Login has hosts, an app secret and tokens of its own: an hour, exchanged for sixty days, refreshed after a day.
//
// Ids of an account (control.Account.IDs) switch what one has to provoke: human_agent; old_stickers, pictures with a sticker_id; inbox,
// another app holds the conversations and items come as standby; messages_off, the owner has switched access off; any_reaction; page_id, the
// page behind an Instagram account. A person with no_profile shows nothing of themselves.
//
// What is not played: comments, templates, quick replies of our own, marketing messages.
package simulator
