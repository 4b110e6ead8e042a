package gateway

// Texts of a user who has erased what is held of them.
const (
	textErase            TextKey = "desk.erase"
	textEraseHelp        TextKey = "desk.erase.help"
	textEraseWords       TextKey = "desk.erase.words"
	textEraseAsk         TextKey = "desk.erase.ask"
	textEraseConnections TextKey = "desk.erase.connections"
	textEraseUndone      TextKey = "desk.erase.undone"
	textEraseConfirm     TextKey = "desk.erase.confirm"
	textEraseNot         TextKey = "desk.erase.not"
	textEraseDone        TextKey = "desk.erase.done"
	textErasePending     TextKey = "desk.erase.pending"
)
