// Package whatsapp speaks the WhatsApp Business Cloud API: it sends in the name of a business phone number and reads Meta's signed
// webhooks. A number is a user's own, linked by Meta's embedded sign-up or by pasting its id and a system user's token, or it is the
// operator's and serves many users.
//
// Written against WhatsApp Business Platform, Cloud API, Graph API v24.0 and v25.0
// (https://developers.facebook.com/documentation/business-messaging/whatsapp), pages read between November 2025 and August 2026.
//
//	Op            request                                      Event          webhook
//	OpMessage     POST /{number}/messages, type text, image,   Message        messages: text, media, sticker, location, contacts,
//	              video, audio, document, sticker, location,                  button, interactive, order, unsupported; the same in
//	              contacts                                                    smb_message_echoes, which is FromMe
//	OpReact       POST /{number}/messages, type reaction       Reacted        messages, type reaction
//	OpMarkRead    POST /{number}/messages, status read         Edited         messages, type edit
//	OpTyping      the same with typing_indicator               Retracted      messages, type revoke
//	OpReopen      POST /{number}/messages, type template       Status         statuses: sent, delivered, read, played, failed
//	Upload        POST /{number}/media                         ContactUpdate  messages, type system; smb_app_state_sync; an invite
//	Fetch         GET /{media}, GET its url                    Call, Window   calls
//	Block         POST, DELETE /{number}/block_users           AccountState   account_update, phone_number_quality_update, errors
//	Link          GET /{number}, /oauth/access_token,
//	              /debug_token, /{account}/phone_numbers,
//	              POST /{number}/register
//	Register      POST /{account}/subscribed_apps, or /{number}
//
// People have up to three ids: a phone number (wa_id), which may be hidden, a business-scoped user id (user_id), which is the one to
// prefer, and a user name, which changes and is never looked at. Event.Also links them. biz_opaque_callback_data brings our OpID and the
// id that we wrote to back in every status, since the platform rewrites some numbers.
//
// Deliberate omissions: what the API cannot do towards people (edit, delete, polls, presence, pictures), groups (recognised, not
// carried), templates other than the one that asks a person to write, flows and catalogues, the history that a number on a phone
// offers once (field history: what was said before a user linked a number was said to somebody else's system), and user names
// as addresses. A field that is not known is acknowledged and gives no event; a message of a type that is not known is a notice.
package whatsapp
