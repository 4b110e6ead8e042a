package gateway

// Whether messages that are late still go out.
const (
	TextAskLate     TextKey = "ask_late"
	textLate        TextKey = "desk.late"
	textLateHelp    TextKey = "desk.late.help"
	textLateWords   TextKey = "desk.late.words"
	textLateNone    TextKey = "desk.late.none"
	textLateSend    TextKey = "desk.late.send"
	textLateDrop    TextKey = "desk.late.drop"
	textLateSent    TextKey = "desk.late.sent"
	textLateDropped TextKey = "desk.late.dropped"
)
