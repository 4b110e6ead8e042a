package gateway

// Texts of a user who gets out what is held of them.
const (
	textExport        TextKey = "desk.export"
	textExportHelp    TextKey = "desk.export.help"
	textExportWords   TextKey = "desk.export.words"
	textExportAsk     TextKey = "desk.export.ask"
	textExportConfirm TextKey = "desk.export.confirm"
	textExportNot     TextKey = "desk.export.not"
	textExportLately  TextKey = "desk.export.lately"
	textExportFile    TextKey = "desk.export.file"
	textExportShown   TextKey = "desk.export.shown"
	textExportLarge   TextKey = "desk.export.large"
)
