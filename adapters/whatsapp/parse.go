package whatsapp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/adapters/internal/graph"
	"postern/gateway"
)

var errBadJSON = errors.New("whatsapp: parse: body is not a webhook of the document")

// Challenge answers the GET by which Meta checks an address.
func (a *Adapter) Challenge(r gateway.Request) ([]byte, bool) {
	return graph.Challenge(r.Query, a.verifyToken)
}

// Verify checks the signature over the raw body against every configured app secret. It holds no time: what comes again, up to seven
// days later, is known by its ids.
func (a *Adapter) Verify(r gateway.Request) error { return a.secrets.Verify(r.Header, r.Body) }

// Parse turns one webhook body, which may carry up to a thousand updates, into events. Where nothing in it can be read it is an error, else
// what can be read counts.
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) {
	var e envelope
	if graph.Decode(r.Body, &e) != nil || e.Object != "whatsapp_business_account" || len(e.Entry) == 0 {
		return nil, errBadJSON
	}
	p := &parser{address: a.numberOf(r), invite: a.invite}
	if a.cfg.AccountID != "" {
		p.lineAccount, p.line = a.cfg.AccountID, gateway.Endpoint(a.cfg.PhoneNumberID)
	}
	for _, entry := range e.Entry {
		for _, c := range entry.Changes {
			p.change(entry, c)
		}
	}
	if p.bad {
		return p.events, errBadJSON
	}
	return p.events, nil
}

// parser collects the events of one body.
type parser struct {
	address     gateway.Endpoint // of the call, empty where it names no number
	lineAccount string
	line        gateway.Endpoint
	invite      *inviteText

	// Of the change at hand.
	endpoint gateway.Endpoint
	at       time.Time
	senders  []sender

	events []gateway.Event
	bad    bool
}

func (p *parser) change(e entry, c change) {
	p.at = graph.Unix(json.Number(e.Time))
	switch c.Field {
	case "messages", "standby", "smb_message_echoes", "calls", "smb_app_state_sync":
		p.conversation(c)
	case "account_update", "phone_number_quality_update":
		p.account(e, c)
	case "history":
		// What was said before the number was linked (see the package comment).
	default:
		// "Unknown fields must be acknowledged and ignored", as those about templates, groups, flows and payments.
	}
}

// conversation reads the value that messages and their kin share. It "carries either messages or statuses or errors"; all at once are read
// as well.
func (p *parser) conversation(c change) {
	var v value
	if graph.Decode(c.Value, &v) != nil || v.Metadata.PhoneNumberID == "" {
		p.bad = true
		return
	}
	p.endpoint, p.senders = gateway.Endpoint(v.Metadata.PhoneNumberID), v.Contacts
	for _, raw := range v.Messages {
		p.message(raw, false)
	}
	for _, raw := range v.Echoes {
		p.message(raw, true)
	}
	for _, s := range v.Statuses {
		p.status(s)
	}
	for _, one := range v.Calls {
		p.call(one)
	}
	for _, s := range v.StateSync {
		p.name(s)
	}
	for _, e := range v.Errors {
		p.numberError(e, c)
	}
}

// add appends an event of a direct chat, or of a group.
func (p *parser) add(e gateway.Event, who person) {
	e.Endpoint = p.endpoint
	if e.At.IsZero() {
		e.At = p.at
	}
	if e.Chat.ID == "" {
		if who.id == "" {
			p.bad = true
			return
		}
		e.Chat = gateway.Chat{Kind: gateway.ChatDirect, Contact: who.id}
		e.Also = who.also
	}
	if !e.FromMe {
		e.From = who.id
	}
	p.events = append(p.events, e)
}

// person is one under all ids that an event tells: the business-scoped one first, because the phone number may be hidden next time.
type person struct {
	id   gateway.ContactID
	also []gateway.ContactID
	name string
}

// person finds out who somebody is from the ids beside a message and from the contacts beside all messages. In a batch the order of the two
// says nothing.
func (p *parser) person(phone, user loose) person {
	who := person{}
	for _, s := range p.senders {
		if phone != "" && s.WaID == phone || user != "" && s.UserID == user {
			phone, user, who.name = loose(first(string(phone), string(s.WaID))), loose(first(string(user), string(s.UserID))), s.Profile.Name
			break
		}
	}
	who.add(user)
	who.add(phone)
	return who
}

// add links a further id to a person.
func (w *person) add(id loose) {
	c := gateway.ContactID(strings.TrimPrefix(string(id), "+"))
	switch {
	case c == "" || c == w.id || slices.Contains(w.also, c):
	case w.id == "":
		w.id = c
	default:
		w.also = append(w.also, c)
	}
}

func (p *parser) message(raw json.RawMessage, echo bool) {
	var m inbound
	if graph.Decode(raw, &m) != nil || m.ID == "" {
		p.bad = true
		return
	}
	who := p.person(m.From, m.FromUserID)
	if echo {
		who = p.person(m.To, m.ToUserID)
	}
	e := gateway.Event{Dedupe: "m:" + string(m.ID), FromMe: echo, At: graph.Unix(json.Number(m.Timestamp))}
	if m.GroupID != "" {
		e.Chat = gateway.Chat{ID: gateway.ChatID(m.GroupID), Kind: gateway.ChatGroup}
	}
	switch m.Type {
	case "reaction":
		if m.Reaction != nil && m.Reaction.MessageID != "" {
			r := gateway.Reacted{Target: target(m.Reaction.MessageID, false)}
			if m.Reaction.Emoji != "" {
				r.Emojis = []string{m.Reaction.Emoji}
			}
			e.Body = r
		}
	case "edit":
		var changed inbound
		if m.Edit != nil && m.Edit.Original != "" && graph.Decode(m.Edit.Message, &changed) == nil {
			e.Body = gateway.Edited{Target: target(m.Edit.Original, echo), Content: parseContent(changed, m.Edit.Message)}
		}
	case "revoke":
		if m.Revoke != nil && m.Revoke.Original != "" {
			e.Body = gateway.Retracted{Target: target(m.Revoke.Original, echo)}
		}
	case "system":
		if m.System != nil {
			var known bool
			if e.Body, who, known = parseSystem(m, who); known && e.Body == nil {
				return
			}
		}
	case "request_welcome":
		// "The first time that a person opens the chat", without a word; it "does not function as intended".
		return
	}
	if e.Body == nil {
		e.Body = p.said(&e, m, raw, who)
	}
	p.add(e, who)
}

// said is a message, or the bare opening of an invite.
func (p *parser) said(e *gateway.Event, m inbound, raw json.RawMessage, who person) gateway.EventBody {
	out := gateway.Message{ID: gateway.MessageID(m.ID), Name: who.name}
	if e.FromMe {
		out.Name = ""
	}
	if m.Context != nil && m.Context.ID != "" {
		out.ReplyTo = new(target(m.Context.ID, false))
	}
	if m.Type == "text" && m.Text != nil && !e.FromMe && m.GroupID == "" {
		token, rest, bare := p.invite.read(m.Text.Body)
		e.Invite = token
		if bare {
			u := gateway.ContactUpdate{Consent: gateway.ConsentAccepted}
			if who.name != "" {
				u.Name = &who.name
			}
			return u
		}
		m.Text.Body = rest
	}
	out.Content = parseContent(m, raw)
	return out
}

// parseSystem reads a change of a person's ids; known is false for a type that is not in the document, which becomes a notice. The body's
// prose is never read ("free text").
func parseSystem(m inbound, who person) (body gateway.EventBody, now person, known bool) {
	s := m.System
	switch s.Type {
	case "user_changed_number", "customer_changed_number", "user_changed_user_id":
		now.add(s.UserID)
		now.add(loose(first(string(s.WaID), string(s.NewID))))
		now.add(s.OldID)
		now.add(m.FromUserID)
		now.add(m.From)
		if len(now.also) == 0 {
			return nil, who, true
		}
		return gateway.ContactUpdate{}, now, true
	case "customer_identity_changed", "user_identity_changed":
		// A new device or installation, told where the identity check is on.
		return nil, who, true
	}
	return nil, who, false
}

var statusStates = map[string]gateway.StatusState{
	"sent": gateway.StatusAccepted, "delivered": gateway.StatusDelivered, "read": gateway.StatusRead, "played": gateway.StatusRead,
	"failed": gateway.StatusFailed,
}

// status reads the fate of a message of ours. An unknown one, and one of a call, says nothing.
func (p *parser) status(s status) {
	state, known := statusStates[s.Status]
	if !known || s.ID == "" || s.Type == "call" {
		return
	}
	participant := first(string(s.Participant), string(s.ParticipantToo))
	e := gateway.Event{
		// "Dedupe statuses by id, status, recipient_participant_id."
		Dedupe: strings.Join([]string{"s", string(s.ID), s.Status, participant}, ":"), At: graph.Unix(json.Number(s.Timestamp)),
	}
	if s.RecipientType == "group" {
		e.Chat = gateway.Chat{ID: gateway.ChatID(s.RecipientID), Kind: gateway.ChatGroup}
		s.RecipientID, s.RecipientUserID = loose(participant), ""
	}
	ref, sentTo, _ := strings.Cut(s.Ref, "/")
	// The id that we wrote to leads: the platform may know the person under a rewritten number.
	who := person{}
	who.add(loose(sentTo))
	for _, id := range p.person(s.RecipientID, s.RecipientUserID).all() {
		who.add(loose(id))
	}
	body := gateway.Status{IDs: []gateway.MessageID{gateway.MessageID(s.ID)}, Ref: gateway.OpID(ref), State: state}
	if state == gateway.StatusFailed {
		body.Failure = failure(s.Errors)
	}
	e.Body = body
	p.add(e, who)
}

func (w person) all() []gateway.ContactID {
	if w.id == "" {
		return nil
	}
	return append([]gateway.ContactID{w.id}, w.also...)
}

// maxCall bounds the length of a call that is believed.
const maxCall = 7 * 24 * time.Hour

// call is a notice of a call that a person made. Each opens the reply window as a message does ("24 h after the last user message or call").
func (p *parser) call(c call) {
	if c.ID == "" || c.Direction == "BUSINESS_INITIATED" {
		return
	}
	who := p.person(c.From, c.FromUserID)
	at := graph.Unix(json.Number(c.Timestamp))
	body := gateway.Call{ID: string(c.ID)}
	switch c.Event {
	case "connect":
		body.State = gateway.CallRinging
		p.add(gateway.Event{Dedupe: "w:" + string(c.ID), At: at, Body: gateway.Window{OpenUntil: at.Add(windowFor)}}, who)
	case "terminate":
		body.State = gateway.CallMissed
		if d, err := time.ParseDuration(string(c.Duration) + "s"); err == nil && d > 0 {
			body.State, body.Duration = gateway.CallEnded, min(d, maxCall).Truncate(time.Second)
		}
	default:
		return
	}
	p.add(gateway.Event{Dedupe: "c:" + string(c.ID) + ":" + c.Event, At: at, Body: body}, who)
}

// name is what the owner of a number on a phone calls a person in its contacts.
func (p *parser) name(s stateSync) {
	name := first(s.Contact.FullName, s.Contact.FirstName)
	if s.Type != "contact" || s.Action == "remove" || name == "" || s.Contact.Phone == "" {
		return
	}
	at := graph.Unix(json.Number(s.Metadata.Timestamp))
	key := "n:" + string(s.Contact.Phone) + ":" + string(s.Metadata.Timestamp)
	p.add(gateway.Event{Dedupe: key, At: at, Body: gateway.ContactUpdate{Name: &name}}, p.person(s.Contact.Phone, ""))
}

func target(id loose, mine bool) gateway.Target {
	return gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(id)}, Mine: mine}
}

// digest names an update that has no id of its own.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
