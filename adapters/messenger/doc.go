// Package messenger speaks the Messenger Platform of Meta for Facebook Pages (type messenger) and its dialect for professional accounts of
// Instagram (type instagram). A page or account is a user's own, linked by a login in the browser or by pasting its token, or it is the
// operator's and serves many users.
//
// Written against the Messenger Platform and Instagram Messaging documents, Graph API v24.0 and v25.0
// (https://developers.facebook.com/docs/messenger-platform, https://developers.facebook.com/docs/instagram-platform), pages read up to
// November 2026. Instagram is spoken in both flavours: Instagram Login on graph.instagram.com, with tokens of sixty days that are renewed
// here, and Facebook Login on graph.facebook.com, by the token of the linked page.
//
//	Op           request                                         Event          webhook
//	OpMessage    POST /{page}/messages: text, attachment by      Message        message, standby, postback with a title; an echo of
//	             multipart, url or attachment_id, reply_to                      another app or of the inbox, which is FromMe
//	OpReact      POST /{page}/messages, react, unreact           Reacted        reaction
//	OpMarkRead   POST /{page}/messages, mark_seen                Edited         message_edit
//	OpTyping     POST /{page}/messages, typing_on, typing_off    Retracted      message with is_deleted
//	Fetch        GET the signed url; GET /{message}, /{person}   Status         an echo of ours, delivery, read
//	Profile      GET /{person}                                   ContactUpdate  referral and first postback, with an invite or without
//	Link         /dialog/oauth, /oauth/access_token,             Seen           read by the page
//	             GET /me/accounts, POST /{page}/subscribed_apps  AccountState   policy_enforcement
//	Reconcile    GET /{page}/conversations
//	Keep         /refresh_access_token, subscribed_apps
//
// Messenger's echoes bear our metadata, which is the OpID, so that a send whose answer was lost is told from one that never was
// (Caps.Echo); delivery and reading come as times (Caps.Watermarks). Instagram does not bring metadata back reliably: there an echo is
// known by our app's id and the message's own, nothing tells of delivery, reading names a message, and a lost send is looked for in the
// conversation (Reconcile).
//
// Outside of 24 hours after a person's last message nothing may be sent, but with the tag HUMAN_AGENT for seven days where Meta has
// approved that feature for the operator's app; the configuration says so, since nothing else does.
//
// Deliberate omissions: changing what was sent (the platform has no way), templates and menus, comments and mentions outside of chats,
// marketing messages and utility templates, private replies, groups (the platform has none).
package messenger
