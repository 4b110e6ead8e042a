package messenger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

var errBadJSON = errors.New("messenger: parse: body is not a webhook of the document")

// payloadStart is what our Get Started button says.
const payloadStart = "GET_STARTED"

var (
	// opForm is an OpID, as our metadata bears it.
	opForm = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}(\.[0-9]{1,3})?$`)
	// inviteForm is a token of the core's invites.
	inviteForm = regexp.MustCompile(`^[a-z2-7]{26}$`)
)

// Challenge answers the GET by which Meta checks an address.
func (a *Adapter) Challenge(r gateway.Request) ([]byte, bool) {
	return graph.Challenge(r.Query, a.verifyToken)
}

// Verify checks the signature over the raw body against every configured app secret. It holds no time: what comes again, up to 36 hours
// later, is known by its ids.
func (a *Adapter) Verify(r gateway.Request) error { return a.secrets.Verify(r.Header, r.Body) }

// Parse turns one webhook body, which may carry up to a thousand updates, into events in the order of their times: "the order is not
// guaranteed". Where something in it cannot be read it is an error as well.
func (a *Adapter) Parse(r gateway.Request) ([]gateway.Event, error) {
	var e envelope
	object := "page"
	if a.cfg.Platform == Instagram {
		object = "instagram"
	}
	if graph.Decode(r.Body, &e) != nil || e.Object != object || len(e.Entry) == 0 {
		return nil, errBadJSON
	}
	p := &parser{app: a.cfg.AppID, platform: a.cfg.Platform, window: a.cfg.caps(gateway.ChatFacts{}).Window.For}
	for _, entry := range e.Entry {
		p.entry(entry)
	}
	slices.SortStableFunc(p.events, func(a, b gateway.Event) int { return a.At.Compare(b.At) })
	if p.bad {
		return p.events, errBadJSON
	}
	return p.events, nil
}

// parser collects the events of one body.
type parser struct {
	app      string
	platform Platform
	window   time.Duration // after a message

	// Of the entry at hand.
	endpoint gateway.Endpoint
	at       time.Time

	events []gateway.Event
	bad    bool
}

func (p *parser) entry(e entry) {
	if !idForm.MatchString(string(e.ID)) {
		p.bad = true
		return
	}
	p.endpoint, p.at = gateway.Endpoint(e.ID), graph.Unix(json.Number(e.Time))
	// What is told while another app has the conversation is as much the user's to see.
	for _, raw := range slices.Concat(e.Messaging, e.Standby) {
		p.item(raw)
	}
	for _, c := range append(e.Changes, change{e.Field, e.Value}) {
		switch c.Field {
		case "messages", "message_echoes", "message_reactions", "messaging_postbacks", "message_edit", "message_edits", "messaging_seen", "message_reads",
			"message_deliveries", "messaging_referral", "messaging_referrals":
			p.item(c.Value)
		default:
			// Comments, mentions and the like are no part of a chat.
		}
	}
}

// known are the members of an item that are read here, or that say nothing that a user could want: who holds the conversation, and copies
// of what stands elsewhere.
var known = []string{
	"sender", "recipient", "timestamp", "message", "postback", "reaction", "read", "delivery", "message_edit", "referral", "policy_enforcement", "optin",
	"pass_thread_control", "take_thread_control", "request_thread_control", "app_roles", "prior_message", "hop_context", "is_echo",
}

// item reads an element of messaging.
func (p *parser) item(raw json.RawMessage) {
	var it item
	if graph.Decode(raw, &it) != nil {
		p.bad = true
		return
	}
	e := gateway.Event{At: graph.Unix(json.Number(it.Timestamp)), FromMe: string(it.Sender.ID) == string(p.endpoint)}
	who := it.Sender.ID
	if e.FromMe {
		who = it.Recipient.ID
	}
	if it.Policy != nil { // about the page as a whole
		p.policy(e, *it.Policy, raw)
		return
	}
	switch {
	case !idForm.MatchString(string(who)):
		// A guest of a plugin has a user_ref alone, whom nobody could answer.
		p.bad = true
		return
	case string(who) == string(p.endpoint): // is_self: the owner's notes to themselves
		return
	}
	e.Chat = gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(who)}
	switch {
	case it.Message != nil:
		p.message(e, *it.Message, raw)
	case it.Postback != nil:
		p.postback(e, *it.Postback, raw)
	case it.Reaction != nil:
		p.reaction(e, *it.Reaction)
	case it.Edit != nil:
		p.edit(e, *it.Edit)
	case it.Read != nil:
		p.receipt(e, *it.Read, gateway.StatusRead)
	case it.Delivery != nil:
		p.receipt(e, *it.Delivery, gateway.StatusDelivered)
	case it.Referral != nil:
		p.referral(e, *it.Referral, raw)
	default:
		p.unknown(e, it, raw)
	}
}

// add appends an event. The same update has the same key when it comes again.
func (p *parser) add(e gateway.Event, kind string, parts ...string) {
	e.Endpoint, e.Dedupe = p.endpoint, kind+":"+strings.Join(parts, ":")
	if e.At.IsZero() {
		e.At = p.at
	}
	if e.At.IsZero() {
		p.bad = true
		return
	}
	if !e.FromMe {
		e.From = e.Chat.Contact
	}
	p.events = append(p.events, e)
}

func (p *parser) message(e gateway.Event, m wireMessage, raw json.RawMessage) {
	id := string(m.MID)
	if id == "" {
		p.bad = true
		return
	}
	e.FromMe = e.FromMe || m.Echo
	switch {
	case m.Deleted:
		e.Body = gateway.Retracted{Target: target(m.MID, e.FromMe)}
		p.add(e, "d", id)
		return
	case e.FromMe && p.ours(m):
		s := gateway.Status{IDs: []gateway.MessageID{gateway.MessageID(id)}, State: gateway.StatusAccepted}
		if p.platform == Messenger && opForm.MatchString(m.Metadata) {
			s.Ref = gateway.OpID(m.Metadata)
		}
		e.FromMe, e.Body = false, s
		p.add(e, "s", id)
		return
	}
	out := gateway.Message{ID: gateway.MessageID(id), Content: p.content(m, raw)}
	if m.ReplyTo != nil && m.ReplyTo.MID != "" {
		out.ReplyTo = new(target(m.ReplyTo.MID, false))
	}
	if !e.FromMe {
		e.Invite = invite(m.Referral)
	}
	e.Body = out
	p.add(e, "m", id)
}

// ours reports whether an echo is of what we sent. Instagram brings metadata back at times only, and then perhaps another's.
func (p *parser) ours(m wireMessage) bool {
	if m.AppID != "" && p.app != "" {
		return string(m.AppID) == p.app
	}
	return opForm.MatchString(m.Metadata)
}

// invite is the token that a link brought.
func invite(r *referral) string {
	if r == nil || !inviteForm.MatchString(r.Ref) {
		return ""
	}
	return r.Ref
}

// postback is a button that a person pressed: ours, by which a chat begins, or one of another app's making, which says its title.
func (p *parser) postback(e gateway.Event, b postback, raw json.RawMessage) {
	id := string(b.MID)
	if id == "" {
		id = digest(string(raw))
	}
	e.Invite = invite(b.Referral)
	if b.Payload == payloadStart {
		e.Body = gateway.ContactUpdate{Consent: gateway.ConsentAccepted}
		p.add(e, "p", id)
		// It opens the window as a message does ("a user clicks a call-to-action button like Get Started").
		if e.At.IsZero() {
			e.At = p.at
		}
		e.Body, e.Invite = gateway.Window{OpenUntil: e.At.Add(p.window)}, ""
		p.add(e, "w", id)
		return
	}
	said := gateway.PlainText(first(b.Title, b.Payload))
	if strings.TrimSpace(b.Title+b.Payload) == "" { // in standby its words are left out
		said = gateway.Content{Parts: []gateway.Part{gateway.UnsupportedPart{Type: "postback"}}}
	}
	e.Body = gateway.Message{ID: gateway.MessageID(id), Content: said}
	p.add(e, "p", id)
}

// referral is a link that a person opened in a chat that there is. Without an invite of ours nothing was said by it.
func (p *parser) referral(e gateway.Event, r referral, raw json.RawMessage) {
	if e.Invite = invite(&r); e.Invite == "" {
		return
	}
	e.Body = gateway.ContactUpdate{Consent: gateway.ConsentAccepted}
	p.add(e, "f", digest(string(raw)))
}

// emojis of the names that reactions have where they bear no emoji.
var emojis = map[string]string{
	"smile": "😆", "laugh": "😆", "haha": "😆", "angry": "😠", "sad": "😢", "wow": "😮", "love": heart, "like": "👍", "dislike": "👎",
}

func (p *parser) reaction(e gateway.Event, r reaction) {
	if r.MID == "" {
		p.bad = true
		return
	}
	body := gateway.Reacted{Target: target(r.MID, false)}
	if emoji := first(r.Emoji, emojis[r.Reaction]); r.Action != "unreact" && emoji != "" {
		body.Emojis = []string{emoji}
	}
	who := string(e.Chat.Contact)
	if e.FromMe {
		who = string(p.endpoint)
	}
	e.Body = body
	p.add(e, "r", string(r.MID), digest(who, r.Action, r.Emoji, r.Reaction, e.At.String()))
}

func (p *parser) edit(e gateway.Event, m messageEdit) {
	if m.MID == "" || strings.TrimSpace(m.Text) == "" {
		p.bad = true
		return
	}
	e.Body = gateway.Edited{Target: target(m.MID, e.FromMe), Content: gateway.PlainText(m.Text)}
	p.add(e, "e", string(m.MID), first(string(m.Num), digest(m.Text)))
}

// receipt is a delivery or a read: of messages by id where it has such, else of everything up to a time. What the page itself read elsewhere
// comes as one too.
func (p *parser) receipt(e gateway.Event, r receipt, state gateway.StatusState) {
	var ids []gateway.MessageID
	for _, id := range append(r.MIDs, r.MID) {
		if id != "" && !slices.Contains(ids, gateway.MessageID(id)) {
			ids = append(ids, gateway.MessageID(id))
		}
	}
	through := graph.Unix(json.Number(r.Watermark))
	switch {
	case e.FromMe && state == gateway.StatusRead && len(ids) > 0:
		e.Body = gateway.Seen{UpTo: gateway.Target{IDs: ids[len(ids)-1:]}}
	case e.FromMe:
		return
	case len(ids) > 0:
		e.Body = gateway.Status{IDs: ids, State: state}
	case !through.IsZero():
		e.Body = gateway.Status{Through: through, State: state}
	default:
		p.bad = true
		return
	}
	p.add(e, "t", string(e.Chat.Contact), string(state), digest(string(r.Watermark), string(r.MID), joined(r.MIDs)))
}

// policies say what Meta enforces against a page (Policy Enforcement).
var policies = map[string]gateway.AccountStanding{
	"block": gateway.AccountSuspended, "warning": gateway.AccountExpiring, "unblock": gateway.AccountActive,
}

func (p *parser) policy(e gateway.Event, b policy, raw json.RawMessage) {
	state, known := policies[b.Action]
	if !known {
		p.bad = true
		return
	}
	e.FromMe, e.Body = false, gateway.AccountState{State: state, Reason: rest.Code("policy_" + b.Action)}
	p.add(e, "a", digest(string(raw)))
}

// unknown carries an item of a kind that has no name here as a notice, so that nothing is dropped in silence. Who holds the conversation is
// no such thing.
func (p *parser) unknown(e gateway.Event, it item, raw json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		p.bad = true
		return
	}
	name := ""
	for _, k := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, k) {
			name = k
			break
		}
	}
	said := string(members[name])
	if name == "" && it.Optin != nil { // its token is nothing to show
		name, said = "optin", it.Optin.Title
	}
	if name == "" {
		return
	}
	id := digest(string(raw))
	e.Body = gateway.Message{ID: gateway.MessageID("x-" + id), Content: gateway.Content{Parts: []gateway.Part{
		gateway.UnsupportedPart{Type: cut(name, maxExcerpt), Excerpt: excerpt(said)},
	}}}
	p.add(e, "x", id)
}

func target(id loose, mine bool) gateway.Target {
	return gateway.Target{IDs: []gateway.MessageID{gateway.MessageID(id)}, Mine: mine}
}

func joined(ids []loose) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(string(id) + "\x00")
	}
	return b.String()
}

// digest names an update that has no id of its own.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
