package gateway

import "maps"

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
	textDiscTextOut     TextKey = "desk.disc.text_out"
	textDiscTextIn      TextKey = "desk.disc.text_in"
	textDiscMedia       TextKey = "desk.disc.media"
	textDiscMetadata    TextKey = "desk.disc.metadata"
	textDiscSeenDefault TextKey = "desk.disc.seen_default"
	textDiscKept        TextKey = "desk.disc.kept"
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

// englishDesk holds the texts of the front desk: registration, consent, contacts, help.
func englishDesk() map[TextKey]string {
	all := map[TextKey]string{
		textRegister:            "Register",
		textRegisterHelp:        "connect your account, or renew the connection",
		textRegisterWords:       "register|login|sign up",
		textStatus:              "Status",
		textStatusHelp:          "show how your connection stands",
		textStatusWords:         "status",
		textUnregister:          "Unregister",
		textUnregisterHelp:      "leave and erase what is kept about your connection",
		textUnregisterWords:     "unregister|logout|leave",
		textAdd:                 "Add a contact",
		textAddHelp:             "add a contact, such as \"add +49 30 123456\"",
		textAddWords:            "add|find",
		textContacts:            "Contacts",
		textContactsHelp:        "list your contacts and their addresses",
		textContactsWords:       "contacts|list",
		textHelp:                "Help",
		textHelpHelp:            "show this list",
		textHelpWords:           "help|?",
		textWordsYes:            "yes|y|ok|i agree",
		textWordsNo:             "no|n",
		textWordsCancel:         "cancel|stop",
		textWordsBack:           "back",
		textWordsNext:           "next|done|continue|ok|yes",
		textWordsSkip:           "skip|-",
		textAskConsent:          "Do you agree? By answering yes you confirm each of these:",
		textAskYesNo:            "(yes or no)",
		textAskNumber:           "(answer with a number)",
		textAskSecret:           "(Your answer stays in the history of this chat. Delete it there afterwards, or register through your client's form instead.)",
		textAskSkip:             "(or \"skip\")",
		textAskNext:             "Answer \"next\" to go on, or \"cancel\".",
		textOpenPage:            "Open this page in your browser: %s",
		textNotUnderstood:       "I did not understand this. Send \"help\" to see what I can do.",
		textNothingToCancel:     "There is nothing to cancel.",
		textCanceled:            "Cancelled. Nothing was changed.",
		textConsentNo:           "Nothing happens without your agreement. Answer \"yes\" to agree, or \"cancel\".",
		textHelpIntro:           "This is the gateway to %s. You can send me:",
		textHelpCancel:          "While I ask you something: \"back\" for the question before, \"cancel\" to stop.",
		textAnswerMissing:       "An answer is missing: %s",
		textAnswerLong:          "This answer is too long: %s",
		textAnswerBool:          "Please answer yes or no: %s",
		textAnswerChoice:        "Please choose one of the options: %s",
		textMustAgree:           "Registration needs your agreement to this: %s",
		textBadAction:           "There is no such action.",
		textNoBack:              "This is the first question: there is nothing to go back to.",
		textBadSession:          "There is no such dialogue. Please start again.",
		textSessionExpired:      "This dialogue is over. Please start again.",
		textNoCommand:           "There is no such command here.",
		textRenewIntro:          "You are registered as %s. Going on renews your connection; your contacts stay.",
		textRegistered:          "You are registered with %s as %s.",
		textRenewed:             "Your connection to %s as %s is renewed.",
		textConflict:            "This %s account is already linked by another user of this gateway.",
		textReceipt:             "Receipt of your consent to the terms of the gateway to %s, given %s (version %d).\nReceipt: %s\nSHA-256 of the text below: %s",
		textLeaveAsk:            "This ends your connection to %s as %s. Your contacts leave your list, and what the gateway keeps about the connection is erased. Messages that others already received stay with them.",
		textLeaveConfirm:        "End the connection?",
		textLeaveNot:            "Nothing was changed. You are still registered.",
		textLeft:                "You are no longer registered with the gateway to %s.",
		textLeavePending:        "%s has not confirmed the withdrawal yet. It is pending: the gateway keeps trying and tells you when it is confirmed.",
		textLeaveConfirmed:      "Your withdrawal from %s is confirmed.",
		textAddAsk:              "Whom do you want to reach on %s? Give their %s.",
		textAdded:               "Added %s: %s",
		textAddedPending:        "%s has to accept before you can talk.",
		textNobody:              "Nobody can be reached under this on %s.",
		textLookups:             "You have looked for many people in a short time. Please try again later.",
		textOr:                  " or ",
		textContactsNone:        "You have no contacts here yet. Send \"add\" to add one.",
		textContactsMore:        "Only %d of your contacts are shown.",
		textContactPending:      "(has not accepted yet)",
		textStatusAccount:       "%s account: %s",
		textStatusStanding:      "State: %s",
		textStatusContacts:      "Contacts: %d",
		textStatusMode:          "Who can read, texts you write: %s Texts you get: %s Media: %s",
		textPlatformDown:        "%s cannot be reached at the moment. Please try again in a few minutes.",
		textPlatformLimit:       "%s asks for patience. Please try again in %s.",
		textPlatformAuth:        "%s did not accept these credentials.",
		textPlatformUnsupported: "%s does not allow this.",
		textPlatformUnreachable: "%s is not available for you.",
		textPlatformRefused:     "%s refused this (%s).",
		textDiscTitle:           "What you agree to when you register with the gateway to %s",
		textDiscChanged:         "The text has changed since you opened it. Please read it again.",
		textDiscUnknown:         "not stated",
		textDiscUnnamed:         "the operator of this server",
		textDiscNothing:         "none known",
		textDiscOperator:        "%s runs this gateway (%s).",
		textDiscPlatform:        "%s. Interface: %s. Terms: %s.",
		textDiscIdentifier:      "People on %s see this of you: %s.",
		textDiscMetadata:        "These learn who writes to whom and when: %s",
		textDiscSeenDefault:     "the operator of this gateway, %s",
		textDiscKept:            "Messages are kept encrypted, only until they are delivered, at most for this long: %s. Your contacts and your connection are kept encrypted until you leave, the receipts of your consent until your account on this server is erased.",
		textDiscKeptThere:       "%s keeps undelivered messages for %s.",
		textDiscKeptUnknown:     "%s does not state how long it keeps messages.",
		textDiscRegion:          "Only for people who live in: %s. You state this yourself.",
		textDiscNoRegion:        "No condition.",
		textDiscLeave:           "Send \"unregister\" to %s at any time. Blocking a contact in your client stops their messages. %s is told that you left.",
		textDiscReport:          "To report abuse, to get a copy of what is kept about you or to have it erased, write to %s.",
		textDiscUndone:          "What reached others on %s stays with them, even when you leave.",
		textDiscTold:            "Your contacts on %s may be told that you use another service.",
		textAgreeTerms:          "I accept the terms of %s (%s).",
		textAgreeReading:        "I understand who can read what I write to and get from %s.",
		textAgreeMetadata:       "I agree that the named identifier is shown on %s and that the named parties learn whom I write to and when.",
		textAgreeRegion:         "I live in: %s.",
		textModeRelay:           "only you and your contact; neither this gateway's operator nor %s can.",
		textModeSelfHosted:      "you, your contact, and the gateway that you run yourself; %s cannot.",
		textModeTerminate:       "you, your contact, and the operator of this gateway, where the encryption of %s ends.",
		textModeCleartext:       "you, your contact, the operator of this gateway, and %s: there is no end-to-end encryption.",
		textLimitText:           "texts up to %d characters",
		textLimitMedia:          "files up to %d MiB",
		textLimitEdit:           "corrections within %s",
		textLimitRetract:        "taking back within %s",
		textLimitWindow:         "you can write for %s after your contact last wrote",
		textLimitRate:           "at most %d messages per minute",
		textLimitIdle:           "%s ends connections that were unused for %s",
		textDays:                "%d days",
		textHours:               "%d hours",
		textMinutes:             "%d min",
		textSeconds:             "%d s",
	}
	for _, more := range []map[TextKey]string{englishLabels(), englishFeatures(), englishNames()} {
		maps.Copy(all, more)
	}
	return all
}

func englishLabels() map[TextKey]string {
	return map[TextKey]string{
		textDiscOperator + textLabel:   "Operator",
		textDiscPlatform + textLabel:   "Platform",
		textDiscIdentifier + textLabel: "Shown of you",
		textDiscTextOut + textLabel:    "Who can read texts that you write",
		textDiscTextIn + textLabel:     "Who can read texts that you get",
		textDiscMedia + textLabel:      "Who can read files and pictures",
		textDiscMetadata + textLabel:   "Metadata",
		textDiscKept + textLabel:       "Kept here",
		textDiscKeptThere + textLabel:  "Kept there",
		textDiscRegion + textLabel:     "Region",
		textDiscMissing + textLabel:    "Does not work",
		textDiscEmulated + textLabel:   "Works differently",
		textDiscLimits + textLabel:     "Limits",
		textDiscLeave + textLabel:      "Leaving and blocking",
		textDiscReport + textLabel:     "Report, copy, erasure",
		textDiscUndone + textLabel:     "Cannot be undone",
		textDiscTold + textLabel:       "Your contacts",
	}
}

func englishFeatures() map[TextKey]string {
	return map[TextKey]string{
		textFeature + "text":       "texts",
		textFeature + "media":      "files and pictures",
		textFeature + "location":   "locations",
		textFeature + "contact":    "contact cards",
		textFeature + "poll":       "polls",
		textFeature + "sticker":    "stickers",
		textFeature + "reply":      "replies",
		textFeature + "edit":       "corrections",
		textFeature + "retract":    "taking back",
		textFeature + "react":      "reactions",
		textFeature + "delivered":  "delivery receipts",
		textFeature + "read_out":   "telling them that you read",
		textFeature + "read_in":    "telling you that they read",
		textFeature + "typing_out": "telling them that you type",
		textFeature + "typing_in":  "telling you that they type",
		textFeature + "presence":   "presence",
		textFeature + "groups":     "groups",
	}
}

func englishNames() map[TextKey]string {
	return map[TextKey]string{
		textIdentifier + "phone":           "your phone number",
		textIdentifier + "email":           "your email address",
		textIdentifier + "username":        "your user name there",
		textIdentifier + "jid":             "your address on this server",
		textIdentifier + "opaque":          "a number that the platform made up for you",
		textAddressing + "phone":           "phone number",
		textAddressing + "email":           "email address",
		textAddressing + "username":        "user name",
		textAddressing + "jid":             "address",
		textAddressing + "opaque":          "id",
		textStanding + "active":            "active",
		textStanding + "expiring":          "about to expire; send \"register\" to renew it",
		textStanding + "reauth_needed":     "needs to be renewed; send \"register\"",
		textStanding + "reconsent_needed":  "the terms have changed; send \"register\" to read and accept them",
		textStanding + "suspended":         "suspended by the platform",
		textStanding + "withdrawn":         "withdrawn",
		textStanding + "withdrawal_queued": "withdrawal pending",
	}
}
