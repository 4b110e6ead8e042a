package gateway

import (
	"fmt"
	"maps"
	"strings"
)

// TextKey names one text that a user can read. Texts never hold content of messages.
type TextKey string

// Texts is the catalogue of everything that users read, by language and key. English is complete; a language that lacks
// a text falls back to it.
type Texts struct {
	byLang map[string]map[TextKey]string
}

// NewTexts returns the built-in catalogue.
func NewTexts() *Texts {
	return &Texts{byLang: map[string]map[TextKey]string{"en": english()}}
}

// Say returns a text in the best language for an xml:lang tag (RFC 5646), with fmt verbs filled in.
func (t *Texts) Say(lang string, key TextKey, args ...any) string {
	text, ok := t.byLang[primary(lang)][key]
	if !ok {
		text, ok = t.byLang["en"][key]
	}
	if !ok {
		return string(key)
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

func primary(lang string) string {
	lang, _, _ = strings.Cut(lang, "-")
	return strings.ToLower(lang)
}

// Keys of the catalogue that the delivery path uses; the front desk adds its own in texts_desk.go.
const (
	TextNotRegistered   TextKey = "not_registered"
	TextNoContact       TextKey = "no_contact"
	TextForeign         TextKey = "foreign"
	TextEncrypted       TextKey = "encrypted"
	TextEmpty           TextKey = "empty"
	TextTooLong         TextKey = "too_long"
	TextBusy            TextKey = "busy"
	TextStoreDown       TextKey = "store_down"
	TextGaveUp          TextKey = "gave_up"
	TextUncertain       TextKey = "uncertain"
	TextReauth          TextKey = "reauth"
	TextWindow          TextKey = "window"
	TextUnsupported     TextKey = "unsupported"
	TextNotReachable    TextKey = "not_reachable"
	TextPermanent       TextKey = "permanent"
	TextInternal        TextKey = "internal"
	TextLate            TextKey = "late"
	TextUnsupportedPart TextKey = "unsupported_part"
	TextEdited          TextKey = "edited"
	TextRetracted       TextKey = "retracted"
	TextReacted         TextKey = "reacted"
	TextTookBack        TextKey = "took_back"
	TextCall            TextKey = "call"
	TextSuspended       TextKey = "suspended"
	TextReconsent       TextKey = "reconsent"
)

func english() map[TextKey]string {
	all := map[TextKey]string{
		TextNotRegistered:   "You are not registered with this gateway. Send \"register\" to %s to begin.",
		TextNoContact:       "There is no such contact here. Send \"add\" to %s to add somebody.",
		TextForeign:         "This gateway serves the users of its own provider only.",
		TextEncrypted:       "Encrypted messages cannot cross this gateway: turn off encryption for this chat and resend.",
		TextEmpty:           "This message has nothing in it that can cross the gateway.",
		TextTooLong:         "This message is too long for %s: at most %d %s.",
		TextBusy:            "Too many messages are waiting in this chat. Please try again in a moment.",
		TextStoreDown:       "The gateway cannot take messages at the moment. Please try again in a moment.",
		TextGaveUp:          "Not delivered: %s could not be reached for too long.",
		TextUncertain:       "This message may or may not have been delivered: %s did not answer.",
		TextReauth:          "Your connection to %s needs to be renewed. Send \"register\" to %s.",
		TextWindow:          "%s lets you write only for some time after this person wrote to you. Wait for their next message.",
		TextUnsupported:     "%s does not support this: %s.",
		TextNotReachable:    "This person cannot be reached on %s.",
		TextPermanent:       "%s refused this message (%s).",
		TextInternal:        "Something went wrong in the gateway. The operator has been told.",
		TextLate:            "Not delivered: your message of %s. %s",
		TextUnsupportedPart: "[%s: not supported here] %s",
		TextEdited:          "Edited: %s",
		TextRetracted:       "Took back: %s",
		TextReacted:         "Reacted with %s",
		TextTookBack:        "/me took back an earlier message, but this app cannot hide it.",
		TextCall:            "Incoming call on %s: answer it there.",
		TextSuspended:       "Your account on %s is suspended there.",
		TextReconsent:       "The terms of %s have changed. Send \"register\" to %s to read and accept them.",
	}
	maps.Copy(all, englishDesk())
	return all
}
