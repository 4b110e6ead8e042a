package gateway

// What stands beside messages of a contact.
const (
	TextPollOne   TextKey = "poll.one"
	TextPollMany  TextKey = "poll.many"
	TextViewOnce  TextKey = "view_once"
	TextLiveUntil TextKey = "live_until"
	TextEarlier   TextKey = "earlier"
)

// Calls, which end where Postern begins.
const (
	TextCallVoice       TextKey = "call.voice"
	TextCallVideo       TextKey = "call.video"
	TextCallMissedVoice TextKey = "call.missed_voice"
	TextCallMissedVideo TextKey = "call.missed_video"
	TextCallEnded       TextKey = "call.ended"
	TextCallOver        TextKey = "call.over"
	TextCallDeclined    TextKey = "call.declined"
)

// Why something that a user asked of a message was not done.
const (
	TextNotAChat       TextKey = "not_a_chat"
	TextUnknownMessage TextKey = "unknown_message"
	TextNotYours       TextKey = "not_yours"
	TextRetractLate    TextKey = "retract_late"
	TextReactionsList  TextKey = "reactions_list"
	TextReactionsMax   TextKey = "reactions_max"
)

// textUnit is followed by what a platform counts in texts.
const textUnit TextKey = "unit."

// textDegraded is followed by the feature that a chat lacks: what was done instead.
const textDegraded TextKey = "degraded."
