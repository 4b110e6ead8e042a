package gateway

// Names of the commands, what each does, and the words that start them in a chat: the first is shown, all are understood.
const (
	textRegister        TextKey = "desk.register"
	textRegisterHelp    TextKey = "desk.register.help"
	textRegisterWords   TextKey = "desk.register.words"
	textStatus          TextKey = "desk.status"
	textStatusHelp      TextKey = "desk.status.help"
	textStatusWords     TextKey = "desk.status.words"
	textUnregister      TextKey = "desk.unregister"
	textUnregisterHelp  TextKey = "desk.unregister.help"
	textUnregisterWords TextKey = "desk.unregister.words"
	textAdd             TextKey = "desk.add"
	textAddHelp         TextKey = "desk.add.help"
	textAddWords        TextKey = "desk.add.words"
	textContacts        TextKey = "desk.contacts"
	textContactsHelp    TextKey = "desk.contacts.help"
	textContactsWords   TextKey = "desk.contacts.words"
	textHelp            TextKey = "desk.help"
	textHelpHelp        TextKey = "desk.help.help"
	textHelpWords       TextKey = "desk.help.words"
)

// Words of a dialogue, separated by bars; the English ones are understood in every language.
const (
	textWordsYes    TextKey = "desk.words.yes"
	textWordsNo     TextKey = "desk.words.no"
	textWordsCancel TextKey = "desk.words.cancel"
	textWordsBack   TextKey = "desk.words.back"
	textWordsNext   TextKey = "desk.words.next"
	textWordsSkip   TextKey = "desk.words.skip"
)

// How a chat asks.
const (
	textAskConsent      TextKey = "desk.ask.consent"
	textAskYesNo        TextKey = "desk.ask.yes_no"
	textAskNumber       TextKey = "desk.ask.number"
	textAskSecret       TextKey = "desk.ask.secret"
	textAskSkip         TextKey = "desk.ask.skip"
	textAskNext         TextKey = "desk.ask.next"
	textOpenPage        TextKey = "desk.ask.page"
	textNotUnderstood   TextKey = "desk.not_understood"
	textNothingToCancel TextKey = "desk.nothing_to_cancel"
	textCanceled        TextKey = "desk.canceled"
	textConsentNo       TextKey = "desk.consent_no"
	textHelpIntro       TextKey = "desk.help.intro"
	textHelpCancel      TextKey = "desk.help.cancel"
)

// What is wrong with an answer or a dialogue. Those about an answer name its field.
const (
	textAnswerMissing  TextKey = "desk.answer.missing"
	textAnswerLong     TextKey = "desk.answer.long"
	textAnswerBool     TextKey = "desk.answer.bool"
	textAnswerChoice   TextKey = "desk.answer.choice"
	textMustAgree      TextKey = "desk.answer.agree"
	textBadAction      TextKey = "desk.session.action"
	textNoBack         TextKey = "desk.session.no_back"
	textBadSession     TextKey = "desk.session.unknown"
	textSessionExpired TextKey = "desk.session.expired"
	textNoCommand      TextKey = "desk.no_command"
)

// Registration.
const (
	textRenewIntro TextKey = "desk.register.renew"
	textRegistered TextKey = "desk.register.done"
	textRenewed    TextKey = "desk.register.renewed"
	textConflict   TextKey = "desk.register.conflict"
	textReceipt    TextKey = "desk.register.receipt"
)

// Leaving.
const (
	textLeaveAsk       TextKey = "desk.leave.ask"
	textLeaveConfirm   TextKey = "desk.leave.confirm"
	textLeaveNot       TextKey = "desk.leave.not"
	textLeft           TextKey = "desk.leave.done"
	textLeavePending   TextKey = "desk.leave.pending"
	textLeaveConfirmed TextKey = "desk.leave.confirmed"
)

// Contacts and status.
const (
	textAddAsk         TextKey = "desk.add.ask"
	textAdded          TextKey = "desk.add.done"
	textAddedPending   TextKey = "desk.add.pending"
	textNobody         TextKey = "desk.add.nobody"
	textLookups        TextKey = "desk.add.budget"
	textRegisterOften  TextKey = "desk.register.often"
	textOr             TextKey = "desk.or"
	textContactsNone   TextKey = "desk.contacts.none"
	textContactsMore   TextKey = "desk.contacts.more"
	textContactPending TextKey = "desk.contacts.pending"
	textStatusAccount  TextKey = "desk.status.account"
	textStatusStanding TextKey = "desk.status.standing"
	textStatusContacts TextKey = "desk.status.contacts"
	textStatusMode     TextKey = "desk.status.mode"
)

// Why a platform did not do what was asked.
const (
	textPlatformDown        TextKey = "desk.platform.down"
	textPlatformLimit       TextKey = "desk.platform.limit"
	textPlatformAuth        TextKey = "desk.platform.auth"
	textPlatformUnsupported TextKey = "desk.platform.unsupported"
	textPlatformUnreachable TextKey = "desk.platform.unreachable"
	textPlatformRefused     TextKey = "desk.platform.refused"
)

// The disclosure. A key with .label behind it names the point.
const (
	textDiscTitle       TextKey = "desk.disc.title"
	textDiscChanged     TextKey = "desk.disc.changed"
	textDiscUnknown     TextKey = "desk.disc.unknown"
	textDiscUnnamed     TextKey = "desk.disc.unnamed"
	textDiscNothing     TextKey = "desk.disc.nothing"
	textDiscOperator    TextKey = "desk.disc.operator"
	textDiscPlatform    TextKey = "desk.disc.platform"
	textDiscIdentifier  TextKey = "desk.disc.identifier"
	textDiscShared      TextKey = "desk.disc.identifier_shared"
	textDiscTextOut     TextKey = "desk.disc.text_out"
	textDiscTextIn      TextKey = "desk.disc.text_in"
	textDiscMedia       TextKey = "desk.disc.media"
	textDiscMetadata    TextKey = "desk.disc.metadata"
	textDiscSeenDefault TextKey = "desk.disc.seen_default"
	textDiscKept        TextKey = "desk.disc.kept"
	textDiscFiles       TextKey = "desk.disc.files"
	textDiscKeptThere   TextKey = "desk.disc.kept_there"
	textDiscKeptUnknown TextKey = "desk.disc.kept_unknown"
	textDiscRegion      TextKey = "desk.disc.region"
	textDiscNoRegion    TextKey = "desk.disc.no_region"
	textDiscMissing     TextKey = "desk.disc.missing"
	textDiscEmulated    TextKey = "desk.disc.emulated"
	textDiscLimits      TextKey = "desk.disc.limits"
	textDiscLeave       TextKey = "desk.disc.leave"
	textDiscReport      TextKey = "desk.disc.report"
	textDiscUndone      TextKey = "desk.disc.undone"
	textDiscTold        TextKey = "desk.disc.told"
	textAgreeTerms      TextKey = "desk.agree.terms"
	textAgreeReading    TextKey = "desk.agree.reading"
	textAgreeMetadata   TextKey = "desk.agree.metadata"
	textAgreeRegion     TextKey = "desk.agree.region"
	textModeRelay       TextKey = "desk.mode.relay"
	textModeSelfHosted  TextKey = "desk.mode.self_hosted"
	textModeTerminate   TextKey = "desk.mode.terminate"
	textModeCleartext   TextKey = "desk.mode.cleartext"
	textLimitText       TextKey = "desk.limit.text"
	textLimitMedia      TextKey = "desk.limit.media"
	textLimitEdit       TextKey = "desk.limit.edit"
	textLimitRetract    TextKey = "desk.limit.retract"
	textLimitWindow     TextKey = "desk.limit.window"
	textLimitRate       TextKey = "desk.limit.rate"
	textLimitIdle       TextKey = "desk.limit.idle"
	textDays            TextKey = "desk.days"
	textHours           TextKey = "desk.hours"
	textMinutes         TextKey = "desk.minutes"
	textSeconds         TextKey = "desk.seconds"
)

// Prefixes and suffixes of keys that end in a value of a closed set.
const (
	textLabel      TextKey = ".label"
	textFeature    TextKey = "desk.feature."
	textIdentifier TextKey = "desk.identifier."
	textAddressing TextKey = "desk.addressing."
	textStanding   TextKey = "desk.standing."
)
