package gateway

import (
	"errors"
	"slices"
	"strings"
)

// maxAnswer bounds one answer, in bytes.
const maxAnswer = 4096

// checkAnswers holds answers against the fields that were asked: what was not asked is dropped, choices are among those
// offered, truth values become "true" and "false". The error is a bad-payload *SessionError that names the field.
func (d *Desk) checkAnswers(v Visitor, fields []Field, answers map[string]string) (map[string]string, error) {
	clean := map[string]string{}
	for _, f := range fields {
		if f.Kind == FieldDisplay {
			continue
		}
		value, err := d.checkAnswer(v, f, answers[f.Name])
		if err != nil {
			return nil, err
		}
		if value != "" {
			clean[f.Name] = value
		}
	}
	return clean, nil
}

func (d *Desk) checkAnswer(v Visitor, f Field, value string) (string, error) {
	bad := func(key TextKey) error { return d.sessionError(v, BadPayload, NotAcceptable, key, f.Label) }
	if f.Kind != FieldSecret { // a password may begin with a space
		value = strings.TrimSpace(value)
	}
	if len(value) > maxAnswer {
		return "", bad(textAnswerLong)
	}
	if isConsent(f) {
		if yes, ok := d.truth(v, value); !ok || !yes {
			return "", bad(textMustAgree)
		}
		return "true", nil
	}
	if value == "" {
		if f.Required {
			return "", bad(textAnswerMissing)
		}
		return "", nil
	}
	switch f.Kind {
	case FieldBool:
		yes, ok := d.truth(v, value)
		if !ok {
			return "", bad(textAnswerBool)
		}
		if yes {
			return "true", nil
		}
		return "false", nil
	case FieldChoice:
		if !slices.ContainsFunc(f.Options, func(c Choice) bool { return c.ID == value }) {
			return "", bad(textAnswerChoice)
		}
	case FieldText, FieldSecret, FieldDisplay:
	}
	return value, nil
}

// truth reads a yes or no: XEP-0004 §3.3 booleans, or a word of the visitor's language.
func (d *Desk) truth(v Visitor, value string) (yes, ok bool) {
	switch {
	case value == "1", value == "true", d.isWord(v, textWordsYes, value):
		return true, true
	case value == "0", value == "false", d.isWord(v, textWordsNo, value):
		return false, true
	}
	return false, false
}

// isWord reports whether a text is one of the words that a key lists, in the visitor's language or in English.
func (d *Desk) isWord(v Visitor, key TextKey, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, lang := range []string{v.Lang, "en"} {
		if slices.Contains(strings.Split(d.cfg.Texts.Say(lang, key), "|"), text) {
			return true
		}
	}
	return false
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}
