package gateway

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// TextKey names one text that a user can read. Texts never hold content of messages.
type TextKey string

// Texts is the catalogue of everything that users read, by language and key: one file for each language in texts/, where
// English is complete and what a language lacks falls back to it.
type Texts struct {
	byLang map[string]map[TextKey]string
}

//go:embed texts/*.json
var textFiles embed.FS

// builtIn is read once: every part of a process shares it, and nobody changes it.
var builtIn = sync.OnceValue(func() map[string]map[TextKey]string {
	files, err := textFiles.ReadDir("texts")
	if err != nil {
		panic("gateway: texts: " + err.Error()) // the files are in the binary
	}
	out := make(map[string]map[TextKey]string, len(files))
	for _, f := range files {
		raw, err := textFiles.ReadFile("texts/" + f.Name())
		lang := make(map[TextKey]string)
		if err == nil {
			err = json.Unmarshal(raw, &lang)
		}
		if err != nil {
			panic("gateway: texts: " + f.Name() + ": " + err.Error())
		}
		out[strings.TrimSuffix(f.Name(), ".json")] = lang
	}
	return out
})

// NewTexts returns the built-in catalogue.
func NewTexts() *Texts { return &Texts{byLang: builtIn()} }

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

// Spoken returns the language in which Say answers a tag.
func (t *Texts) Spoken(lang string) string {
	if _, ok := t.byLang[primary(lang)]; ok {
		return primary(lang)
	}
	return "en"
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
	TextTooFast         TextKey = "too_fast"
	TextManyNew         TextKey = "many_new"
	TextBarred          TextKey = "barred"
	TextCanary          TextKey = "canary"
	TextStopped         TextKey = "stopped"
	TextPlanSpent       TextKey = "plan_spent"
	TextPlanNew         TextKey = "plan_new"
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
	TextUnsupportedEdit TextKey = "unsupported_edit"
	TextUnsupportedAny  TextKey = "unsupported_any"
	TextEdited          TextKey = "edited"
	TextRetracted       TextKey = "retracted"
	TextReacted         TextKey = "reacted"
	TextTookBack        TextKey = "took_back"
	TextSuspended       TextKey = "suspended"
	TextReconsent       TextKey = "reconsent"
	TextAbout           TextKey = "about"
	TextBlocked         TextKey = "blocked"
	TextPaused          TextKey = "paused"
	TextReaders         TextKey = "readers"
	TextReadersBoth     TextKey = "readers_both"
	TextStranger        TextKey = "line.stranger"
	TextInviteOver      TextKey = "line.invite_over"
	TextWhoList         TextKey = "line.who"
	TextLineRefused     TextKey = "line.refused"
	TextWindowHeld      TextKey = "window_held"
	TextWindowAsked     TextKey = "window_asked"
	TextGroups          TextKey = "groups_not_yet"
	textInvite          TextKey = "desk.invite"
	textInviteHelp      TextKey = "desk.invite.help"
	textInviteWords     TextKey = "desk.invite.words"
	textInviteName      TextKey = "desk.invite.name"
	textInviteDone      TextKey = "desk.invite.done"
	textInvitePlain     TextKey = "desk.invite.plain"
	textBrowserDone     TextKey = "desk.browser.done"
	textBrowserMore     TextKey = "desk.browser.more"
	textBrowserOver     TextKey = "desk.browser.over"
	textBrowserAsk      TextKey = "desk.browser.ask"
	textBrowserGo       TextKey = "desk.browser.go"
)
