package gateway

// Texts of cases: what a user hears of a report, and says against a decision.
const (
	textCaseOpened    TextKey = "desk.case.opened"
	textCaseFull      TextKey = "desk.case.full"
	textCaseDecided   TextKey = "desk.case.decided"
	textCaseReasons   TextKey = "desk.case.reasons"
	textCaseMayAppeal TextKey = "desk.case.may_appeal"
	textCaseFinal     TextKey = "desk.case.final"
	textAppeal        TextKey = "desk.appeal"
	textAppealHelp    TextKey = "desk.appeal.help"
	textAppealWords   TextKey = "desk.appeal.words"
	textAppealWhich   TextKey = "desk.appeal.which"
	textAppealText    TextKey = "desk.appeal.text"
	textAppealNone    TextKey = "desk.appeal.none"
	textAppealDone    TextKey = "desk.appeal.done"

	// textCaseDecision ends in a Decision.
	textCaseDecision TextKey = "desk.decision."
)
