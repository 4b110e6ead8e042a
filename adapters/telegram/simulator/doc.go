// Package simulator plays Telegram's Bot API server for tests and for trying out: bots with tokens, people who write to them, updates by
// webhook and by long polling, files, limits. What people do comes by the control API and the page of adapters/internal/sandbox.
//
// Written against https://core.telegram.org/bots/api, version 10.1, and the behaviour of tdlib/telegram-bot-api. Its oddities are kept:
//
//   - An update is posted alone, first again at once, then after 2, 4, 8 ... seconds, for a day; a Retry-After of the answer is obeyed up
//     to an hour; 410 for 23 hours removes the webhook. Chats have queues of their own, and reactions others, so that a reaction can
//     overtake its message. Buttons are worth pressing for 150 seconds.
//   - Reactions and members of groups are told only to bots that asked for these kinds by name (allowed_updates).
//   - getUpdates and a webhook exclude each other (409), and so do two who poll: the older request is ended.
//   - Parameters may come in the query, as a form, as JSON or as multipart/form-data, there with nested objects as JSON in strings.
//   - Answers are {"ok":...}, with the status also as error_code; method names are in any case; a token of a wrong form is 404, a wrong one 401.
//   - A bot may write only to who pressed Start; nothing tells it of delivery, reading, typing or deletion.
//   - Message ids of private chats count through all chats of a bot, those of groups within the group. A file_id is good for one bot only.
//   - A photo that is none is refused; the caption of a file is another thing than the text of a message; an edit that changes nothing is an
//     error; getFile ends at 20 MB, an upload at 50 MB; a download is application/octet-stream, whatever it is.
//
// What is not played: groups' administration and their move to a supergroup, albums and forwards of bots, inline mode, payments, stickers as
// sets, business accounts, methods in answers to webhooks.
package simulator
