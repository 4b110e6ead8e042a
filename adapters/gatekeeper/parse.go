package gatekeeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"postern/gateway"
)

// maxExcerpt bounds what a notice about unknown content repeats, in code points.
const maxExcerpt = 200

var errBadJSON = errors.New("gatekeeper: parse: body is not an event of the document")

// Challenge reports that the API checks addresses by a webhook.test event, never by a GET.
func (a *Adapter) Challenge(gateway.Request) ([]byte, bool) { return nil, false }

// Verify checks the Standard Webhooks signature over the raw body against every configured key, and the age.
func (a *Adapter) Verify(r gateway.Request) error {
	_, err := a.verifier.Verify(r.Header, r.Body, time.Unix(r.Now, 0))
	return err
}

// Parse turns one webhook body into events. A type that the gateway has no words for gives none (see the package comment).
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) { return parse(r.Body) }

func parse(body []byte) ([]gateway.Event, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, errBadJSON
	}
	if e.ID == "" || e.Type == "" {
		return nil, errBadJSON
	}
	parseBody, ok := eventParsers[e.Type]
	if !ok {
		// "A receiver ignores types it does not know."
		return nil, nil
	}
	var d eventData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return nil, errBadJSON
	}
	// The event id is the document's "key for dropping duplicates", the same in a webhook, its repetition and the backlog.
	out := gateway.Event{
		Dedupe: e.ID, Endpoint: gateway.Endpoint(first(e.Subject.To, d.To, d.Enlistment.InternalID)), Seq: e.Seq,
		At: firstTime(d.SentAt, d.EditedAt, d.At, d.Consent.UpdatedAt, e.OccurredAt),
	}
	var err error
	if out.Body, err = parseBody(d); err != nil || out.Body == nil {
		return nil, err
	}
	if out.Endpoint == "" {
		return nil, fmt.Errorf("gatekeeper: parse: %s names no user", e.Type)
	}
	if _, ok := out.Body.(gateway.AccountState); ok {
		return []gateway.Event{out}, nil
	}
	if out.Chat, err = parseChat(e, d); err != nil {
		return nil, err
	}
	out.From, out.FromMe = parseFrom(d, out)
	return []gateway.Event{out}, nil
}

// parseChat names the chat; a direct one always by its person, because the lane is computed from that.
func parseChat(e event, d eventData) (gateway.Chat, error) {
	id := first(d.Conversation, e.Subject.Conversation)
	if strings.HasPrefix(id, "grp_") {
		return gateway.Chat{ID: gateway.ChatID(id), Kind: gateway.ChatGroup}, nil
	}
	for _, who := range []string{e.Subject.Peer, d.From, d.Consent.Requester, d.Consent.Target} {
		if strings.HasPrefix(who, "gku_") {
			return gateway.Chat{ID: gateway.ChatID(id), Kind: gateway.ChatDirect, Contact: gateway.ContactID(who)}, nil
		}
	}
	return gateway.Chat{}, fmt.Errorf("gatekeeper: parse: %s of a direct conversation names no person", e.Type)
}

// parseFrom says who did it: the user when the event names them, else the named person, else the peer of a direct chat.
func parseFrom(d eventData, e gateway.Event) (who gateway.ContactID, me bool) {
	named := first(d.From, d.By)
	if named != "" && named == string(e.Endpoint) {
		return "", true
	}
	return gateway.ContactID(first(named, string(e.Chat.Contact))), false
}

// eventParsers holds the types that become events; a parser that returns neither body nor error drops the event.
var eventParsers = map[string]func(eventData) (gateway.EventBody, error){
	"message.received":  parseMessage,
	"message.updated":   parseUpdated,
	"message.retracted": parseRetracted,
	"message.status":    parseStatus,
	"reaction.changed":  parseReaction,
	"typing":            parseTyping,
	"contact.requested": consent(gateway.ConsentRequested),
	"contact.accepted":  consent(gateway.ConsentAccepted),
	"contact.declined":  consent(gateway.ConsentDeclined),
	"consent.changed":   parseConsent,

	"enlistment.expiring": standing(gateway.AccountExpiring),
	// Enlisting again is the cure, the same dialogue as for lost credentials.
	"enlistment.lapsed":        standing(gateway.AccountReauthNeeded),
	"enlistment.suspended":     standing(gateway.AccountSuspended),
	"enlistment.terms_changed": standing(gateway.AccountReconsentNeeded),
}

func parseMessage(d eventData) (gateway.EventBody, error) {
	if d.MessageID == "" {
		return nil, errBadJSON
	}
	c, err := parseContent(d)
	m := gateway.Message{ID: gateway.MessageID(d.MessageID), Content: c, Name: d.FromDisplay}
	if d.ReplyTo != "" {
		m.ReplyTo = &gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(d.ReplyTo)}}
	}
	return m, err
}

func parseUpdated(d eventData) (gateway.EventBody, error) {
	c, err := parseContent(d)
	return gateway.Edited{Target: target(d, false), Content: c}, err
}

func parseRetracted(d eventData) (gateway.EventBody, error) {
	return gateway.Retracted{Target: target(d, false)}, nil
}

var statusStates = map[string]gateway.StatusState{
	"queued": gateway.StatusAccepted, "delivered": gateway.StatusDelivered, "read": gateway.StatusRead, "failed": gateway.StatusFailed,
}

func parseStatus(d eventData) (gateway.EventBody, error) {
	state, ok := statusStates[d.Status]
	if !ok {
		return nil, nil
	}
	s := gateway.Status{IDs: target(d, true).IDs, Ref: gateway.OpID(d.ClientID), State: state}
	if state == gateway.StatusFailed {
		// The message was accepted and will not be delivered: nothing about it is uncertain, and nothing of it can be sent once more.
		class, known := codeClasses[d.Reason]
		if !known || class == gateway.Uncertain || class == gateway.Retryable || class == gateway.RateLimited {
			class = gateway.Permanent
		}
		s.Failure = &gateway.Failure{Class: class}
		if known {
			s.Failure.Code = d.Reason
		}
	}
	return s, nil
}

func parseReaction(d eventData) (gateway.EventBody, error) {
	// Whose message it was is not told; the id map knows.
	return gateway.Reacted{Target: target(d, false), Emojis: d.Reactions}, nil
}

func parseTyping(d eventData) (gateway.EventBody, error) {
	return gateway.Typing{On: d.State == "composing"}, nil
}

func consent(c gateway.Consent) func(eventData) (gateway.EventBody, error) {
	return func(d eventData) (gateway.EventBody, error) {
		u := gateway.ContactUpdate{Consent: c}
		if d.FromDisplay != "" {
			u.Name = &d.FromDisplay
		}
		return u, nil
	}
}

// parseConsent reads a direct consent that a person grants or withdraws. Requests have an event of their own.
func parseConsent(d eventData) (gateway.EventBody, error) {
	switch {
	case d.Consent.Group != "":
	case d.Consent.State == "granted" && strings.HasPrefix(d.Consent.Target, "gku_"):
		return gateway.ContactUpdate{Consent: gateway.ConsentAccepted}, nil
	case d.Consent.State == "revoked":
		return gateway.ContactUpdate{Consent: gateway.ConsentDeclined}, nil
	}
	return nil, nil
}

func standing(s gateway.AccountStanding) func(eventData) (gateway.EventBody, error) {
	return func(d eventData) (gateway.EventBody, error) {
		reason := d.Enlistment.State
		if _, known := codeClasses[d.Reason]; known {
			reason = d.Reason
		}
		return gateway.AccountState{State: s, Reason: reason}, nil
	}
}

func target(d eventData, mine bool) gateway.Target {
	return gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(d.MessageID)}, Mine: mine}
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// firstTime returns the first value that is a time, in UTC; the zero time when none is.
func firstTime(values ...string) time.Time {
	for _, v := range values {
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// parseContent turns a Content object into parts. A member that the document does not describe becomes a notice with an
// excerpt; nothing is dropped. In relay mode the content is an envelope that nobody here can open.
func parseContent(d eventData) (gateway.Content, error) {
	if len(d.Content) == 0 {
		return gateway.Content{Parts: []gateway.Part{gateway.UnsupportedPart{Type: "encrypted"}}}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(d.Content, &members); err != nil {
		return gateway.Content{}, errBadJSON
	}
	names := make([]string, 0, len(members))
	for name := range members {
		if name != "spans" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, byPartOrder)
	var out gateway.Content
	for _, name := range names {
		out.Parts = append(out.Parts, parsePart(name, members[name], members["spans"])...)
	}
	if len(out.Parts) == 0 {
		out.Parts = []gateway.Part{gateway.UnsupportedPart{Type: "empty"}}
	}
	return out, nil
}

// partOrder is how parts follow each other: media before the text that is its caption.
var partOrder = []string{"media", "location", "contact", "unsupported", "text"}

func byPartOrder(a, b string) int {
	if d := slices.Index(partOrder, a) - slices.Index(partOrder, b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func parsePart(name string, raw, spans json.RawMessage) []gateway.Part {
	switch name {
	case "text":
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return []gateway.Part{gateway.Text{Text: text, Spans: parseSpans(spans, utf8.RuneCountInString(text))}}
		}
	case "location":
		var l location
		if json.Unmarshal(raw, &l) == nil {
			return []gateway.Part{gateway.Location{Lat: l.Latitude, Lon: l.Longitude, Accuracy: l.Accuracy, Name: l.Name, Address: l.Address}}
		}
	case "contact":
		var c contactCard
		if json.Unmarshal(raw, &c) == nil {
			return []gateway.Part{gateway.ContactCard{Name: c.Name, Phones: c.Phones, Emails: c.Emails}}
		}
	case "media":
		var media []mediaPart
		if json.Unmarshal(raw, &media) == nil && len(media) > 0 {
			parts := make([]gateway.Part, len(media))
			for i, m := range media {
				parts[i] = gateway.UnsupportedPart{Type: first(m.Kind, "media"), Excerpt: excerpt(m.Name)}
			}
			return parts
		}
	case "unsupported":
		var kind string
		if json.Unmarshal(raw, &kind) == nil {
			return []gateway.Part{gateway.UnsupportedPart{Type: kind}}
		}
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = ""
	}
	return []gateway.Part{gateway.UnsupportedPart{Type: excerpt(name), Excerpt: excerpt(text)}}
}

func excerpt(s string) string {
	n := 0
	for i := range s {
		if n == maxExcerpt {
			return s[:i]
		}
		n++
	}
	return s
}

// parseSpans reads the spans that lie inside a text of that many code points; others and unknown styles are left out.
func parseSpans(raw json.RawMessage, length int) []gateway.Span {
	var spans []span
	if len(raw) == 0 || json.Unmarshal(raw, &spans) != nil {
		return nil
	}
	var out []gateway.Span
	for _, s := range spans {
		if s.Start < 0 || s.Length < 1 || s.Start > length-s.Length {
			continue
		}
		for ours, theirs := range spanStyles {
			if theirs == s.Style {
				out = append(out, gateway.Span{Start: s.Start, Length: s.Length, Style: ours, URL: s.URL})
			}
		}
	}
	return out
}
