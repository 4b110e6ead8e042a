package gatekeeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/gateway"
)

var errBadJSON = errors.New("gatekeeper: parse: body is not an event of the document")

// Challenge reports that the API checks addresses by a webhook.test event, never by a GET.
func (a *Adapter) Challenge(gateway.Request) ([]byte, bool) { return nil, false }

// Verify checks the Standard Webhooks signature over the raw body against every configured key, and the age.
func (a *Adapter) Verify(r gateway.Request) error {
	_, err := a.verifier.Verify(r.Header, r.Body, time.Unix(r.Now, 0))
	return err
}

// Parse turns one webhook body into events. A type that the gateway has no words for gives none (see the package comment); a
// changed capability changes Caps at once.
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) {
	events, err := parse(r.Body)
	if err == nil && len(events) == 0 {
		a.client.learn(r.Body)
	}
	return events, err
}

func parse(body []byte) ([]gateway.Event, error) {
	e, d, err := decodeEvent(body)
	if err != nil || e.ID == "" || e.Type == "" {
		return nil, errBadJSON
	}
	parseBody, ok := eventParsers[e.Type]
	if !ok {
		// "A receiver ignores types it does not know."
		return nil, nil
	}
	if d == nil {
		return nil, errBadJSON
	}
	// The event id is the document's "key for dropping duplicates", the same in a webhook, its repetition and the backlog.
	out := gateway.Event{
		Dedupe: e.ID, Endpoint: gateway.Endpoint(first(e.Subject.To, d.To, d.Enlistment.InternalID)), Seq: e.Seq,
		At: firstTime(d.SentAt, d.EditedAt, d.At, d.Consent.UpdatedAt, e.OccurredAt),
	}
	if out.Body, err = parseBody(*d); err != nil || out.Body == nil {
		return nil, err
	}
	if out.Endpoint == "" {
		return nil, fmt.Errorf("gatekeeper: parse: %s names no user", e.Type)
	}
	if _, ok := out.Body.(gateway.AccountState); ok {
		return []gateway.Event{out}, nil
	}
	if out.Chat, err = parseChat(e, *d); err != nil {
		return nil, err
	}
	out.From, out.FromMe = parseFrom(*d, out)
	out.Body = owned(out.Body, out.FromMe)
	return []gateway.Event{out}, nil
}

// decodeEvent reads a body in one pass, where its data is of a shape that we know. d is nil where it is not: that is no matter in an
// event of an unknown type.
func decodeEvent(body []byte) (e event, d *eventData, err error) {
	var known struct {
		event
		Data *eventData `json:"data"`
	}
	if json.Unmarshal(body, &known) == nil && known.Data != nil {
		return known.event, known.Data, nil
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, nil, err
	}
	d = new(eventData)
	if json.Unmarshal(e.Data, d) != nil {
		d = nil
	}
	return e, d, nil
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

// owned marks the target of what only a message's writer can do as the user's, when the user did it.
func owned(body gateway.EventBody, mine bool) gateway.EventBody {
	switch b := body.(type) {
	case gateway.Edited:
		b.Target.Mine = mine
		return b
	case gateway.Retracted:
		b.Target.Mine = mine
		return b
	default:
		return body
	}
}

// eventParsers holds the types that become events; a parser that returns neither body nor error drops the event.
var eventParsers = map[string]func(eventData) (gateway.EventBody, error){
	"message.received":  parseMessage,
	"message.updated":   parseUpdated,
	"message.retracted": parseRetracted,
	"message.status":    parseStatus,
	"reaction.changed":  parseReaction,
	"media.rejected":    parseRejected,
	"conversation.read": parseSeen,
	"typing":            parseTyping,
	"presence.changed":  parsePresence,
	"profile.updated":   parseProfile,
	"call.changed":      parseCall,
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
	if d.MessageID == "" {
		return nil, errBadJSON
	}
	c, err := parseContent(d)
	return gateway.Edited{Target: target(d, false), Content: c}, err
}

func parseRetracted(d eventData) (gateway.EventBody, error) {
	if d.MessageID == "" {
		return nil, errBadJSON
	}
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
		s.Failure = failure(d.Reason)
	}
	return s, nil
}

// failure is why an accepted message will not be delivered: nothing about it is uncertain, and nothing of it can be sent once more.
func failure(reason string) *gateway.Failure {
	class, known := codeClasses[reason]
	if !known || class == gateway.Uncertain || class == gateway.Retryable || class == gateway.RateLimited {
		class = gateway.Permanent
	}
	if !known {
		reason = ""
	}
	return &gateway.Failure{Class: class, Code: reason}
}

// parseRejected: the gatekeeper threw the media of an accepted message away, and the message with it.
func parseRejected(d eventData) (gateway.EventBody, error) {
	return gateway.Status{IDs: target(d, true).IDs, Ref: gateway.OpID(d.ClientID), State: gateway.StatusFailed, Failure: failure(d.Reason)}, nil
}

func parseSeen(d eventData) (gateway.EventBody, error) {
	if d.UpTo == "" {
		return nil, errBadJSON
	}
	return gateway.Seen{UpTo: gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(d.UpTo)}}}, nil
}

func parsePresence(d eventData) (gateway.EventBody, error) {
	return gateway.Presence{Available: d.Available, LastSeen: firstTime(d.LastSeen)}, nil
}

// parseProfile: the event tells the whole profile, so that what is absent was taken away. A name is never taken away.
func parseProfile(d eventData) (gateway.EventBody, error) {
	avatar := ""
	if d.Profile.Avatar != nil {
		avatar = d.Profile.Avatar.MediaID
	}
	u := gateway.ContactUpdate{Avatar: &avatar}
	if d.Profile.Display != "" {
		u.Name = &d.Profile.Display
	}
	return u, nil
}

var callStates = map[string]gateway.CallState{"ringing": gateway.CallRinging, "missed": gateway.CallMissed, "ended": gateway.CallEnded}

// maxCall bounds the length of a call that is believed, in seconds.
const maxCall = 7 * 24 * 60 * 60

func parseCall(d eventData) (gateway.EventBody, error) {
	state, ok := callStates[d.State]
	if !ok || d.CallID == "" {
		return nil, errBadJSON
	}
	return gateway.Call{ID: d.CallID, State: state, Video: d.Video, Duration: time.Duration(min(max(d.DurationS, 0), maxCall)) * time.Second}, nil
}

func parseReaction(d eventData) (gateway.EventBody, error) {
	if d.MessageID == "" {
		return nil, errBadJSON
	}
	// Whose message it was is not told; the id map knows.
	return gateway.Reacted{Target: target(d, false), Emojis: d.Reactions[:min(len(d.Reactions), maxReactions)]}, nil
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
