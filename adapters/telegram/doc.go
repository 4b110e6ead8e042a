// Package telegram speaks the Telegram Bot API: a bot of the user's own, or one of the operator's that serves many users. It sends
// what they ask and reads the bot's updates, by webhook or by long polling.
//
// Written against https://core.telegram.org/bots/api, version 10.1 (11 June 2026), and what its server telegram-bot-api does.
//
//	Op           method                                     Event          update
//	OpMessage    sendMessage, sendPhoto, sendVideo,         Message        message, channel_post, callback_query, poll_answer
//	             sendAnimation, sendAudio, sendVoice,
//	             sendDocument, sendSticker, sendLocation,
//	             sendVenue, sendContact, sendPoll
//	OpEdit       editMessageText, editMessageCaption        Edited         edited_message, edited_channel_post
//	OpRetract    deleteMessage                              Reacted        message_reaction
//	OpReact      setMessageReaction                         ContactUpdate  message /start, my_chat_member in private
//	OpTyping     sendChatAction                             MemberUpdate   my_chat_member, chat_member, new_chat_members,
//	SendMedia    the above as multipart/form-data                          left_chat_member, new_chat_title
//	Fetch        getFile, then /file/bot<token>/<path>
//	Profile      getChat, getUserProfilePhotos
//	Resolve      getChat by number
//	Link         getMe, setWebhook or deleteWebhook
//	Unlink       deleteWebhook
//	Register     setWebhook
//	Run          getUpdates
//	Acknowledge  answerCallbackQuery
//
// A bot hears neither of delivery nor of reading, typing, presence or deletion, and has no way to say that it read, to vote, to block
// or to report. Its messages count as received when the API took them. A bot may write to a person only after that person pressed Start.
// The bot's token stands in the path of every request: no error and no log line tells an address.
//
// A webhook's body does not name the bot. Its address does: /hooks/<instance>/<bot id>-<proof>, where proof and the secret of the header
// X-Telegram-Bot-Api-Secret-Token follow from the instance's webhook secret and the bot id (see hook.go).
//
// Deliberate omissions, updates that parse to no event and are no error: message_reaction_count, which names nobody; inline queries,
// payments, boosts, gifts, polls' counts, managed bots, guest messages, which a chat does not show; chat_join_request; business
// connections and their messages, which are not asked for, because they belong to chats of a person's own account that a bot's chat id
// does not name. What other bots write is dropped, so that two gateways cannot answer each other for ever; anonymous administrators and
// channels, which write in the name of a bot, are not. A button that is pressed becomes a message with the button's text.
// Albums arrive as the messages that they are and are not sent. There is no Reconciler: nobody can
// ask whether a message was sent, and no key makes a repeat harmless.
package telegram
