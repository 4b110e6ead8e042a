package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/adapters/internal/sandbox"
)

// Views of the control API.

type stateView struct {
	Revision int64        `json:"revision"`
	Name     string       `json:"name"`
	People   []personView `json:"people"`
	Users    []userView   `json:"users"`
	Codes    []codeView   `json:"codes"`
	Faults   Faults       `json:"faults"`
	Offer    offerView    `json:"offer"`
	Counts   countsView   `json:"counts"`
}

type countsView struct {
	Messages        int   `json:"messages"`
	Posts           int64 `json:"posts"`
	Deliveries      int64 `json:"deliveries"`
	WebhooksWaiting int   `json:"webhooks_waiting"`
	Backlog         int   `json:"backlog"`
	IdempotencyKeys int   `json:"idempotency_keys"`
	// FaultsMet counts what API requests met, as control.Counts.Faults.
	FaultsMet map[string]int64 `json:"faults"`
}

type userView struct {
	enlistmentView
	ClientID string   `json:"client_id"`
	Blocks   []string `json:"blocks"`
}

type personView struct {
	Person
	Presence   *presence  `json:"presence,omitempty"`
	InternalID string     `json:"internal_id"`
	Chats      []chatView `json:"chats"`
}

type chatView struct {
	ID        string        `json:"id"`
	User      string        `json:"user"`
	Value     string        `json:"user_value"`
	Display   string        `json:"user_display"`
	Person    string        `json:"person"`
	Request   string        `json:"request,omitempty"`
	Note      string        `json:"request_message,omitempty"`
	Granted   bool          `json:"granted"`
	Blocked   bool          `json:"blocked"`
	Typing    bool          `json:"typing"`
	Unread    int           `json:"unread"`
	Count     int           `json:"count"`
	Messages  []messageView `json:"messages,omitempty"`
	LastOrder int64         `json:"last_order"`
	Last      *messageView  `json:"last,omitempty"`
}

type messageView struct {
	ID        string              `json:"id"`
	FromUser  bool                `json:"from_user"`
	ClientID  string              `json:"client_id,omitempty"`
	Content   json.RawMessage     `json:"content"`
	ReplyTo   string              `json:"reply_to,omitempty"`
	SentAt    string              `json:"sent_at"`
	Order     int64               `json:"order"`
	Status    string              `json:"status"`
	Revision  int                 `json:"revision"`
	Retracted bool                `json:"retracted"`
	Reactions map[string][]string `json:"reactions,omitempty"`
	Answers   map[string][]string `json:"answers,omitempty"`
}

func (m *message) view() messageView {
	return messageView{
		ID: m.id, FromUser: m.fromUser, ClientID: m.clientID, Content: m.content, ReplyTo: m.replyTo, SentAt: stamp(m.sentAt),
		Order: m.order, Status: m.status, Revision: m.revision, Retracted: m.retracted, Reactions: m.reactions,
		Answers: m.answers,
	}
}

func (c *chat) view(now time.Time, messages bool) chatView {
	v := chatView{
		ID: c.id, User: c.user.internalID, Value: c.user.identifier.Value, Display: orString(c.user.display, c.user.identifier.Value),
		Person: c.person.ID, Granted: c.granted, Blocked: c.blocked, Typing: c.typingNow(now), Count: len(c.messages),
	}
	if c.request != nil {
		v.Request, v.Note = c.request.State, c.request.Message
	}
	for _, m := range c.messages {
		if m.fromUser && m.status != "read" && m.status != "failed" {
			v.Unread++
		}
		if messages {
			v.Messages = append(v.Messages, m.view())
		}
	}
	if n := len(c.messages); n > 0 {
		last := c.messages[n-1].view()
		v.Last, v.LastOrder = &last, last.Order
	}
	return v
}

func (p *person) view(now time.Time) personView {
	v := personView{Person: p.Person, Presence: p.presence, InternalID: p.internalID(), Chats: []chatView{}}
	for _, c := range p.chats {
		v.Chats = append(v.Chats, c.view(now, false))
	}
	slices.SortStableFunc(v.Chats, func(a, b chatView) int { return int(b.LastOrder - a.LastOrder) })
	return v
}

func (s *Server) stateView() stateView {
	now := s.cfg.Now()
	v := stateView{Revision: s.revision, Name: s.cfg.Name, People: []personView{}, Users: []userView{}, Codes: s.codeViews(), Faults: s.faults, Offer: s.offerView()}
	for _, id := range s.personOrder {
		v.People = append(v.People, s.people[id].view(now))
	}
	for _, u := range s.users {
		v.Users = append(v.Users, userView{u.view(), u.partner.ClientID, u.blockedIDs()})
	}
	slices.SortFunc(v.Users, func(a, b userView) int { return strings.Compare(a.InternalID, b.InternalID) })
	v.Counts = countsView{
		Messages: len(s.messages), Posts: s.posts.Total, Deliveries: s.deliveries.Total, IdempotencyKeys: s.remembered.Len(),
		FaultsMet: maps.Clone(s.dice.Drawn),
	}
	for _, p := range s.partners {
		v.Counts.WebhooksWaiting += p.lanes.Waiting()
		v.Counts.Backlog += len(p.log.events)
	}
	return v
}

func getPerson(c *controlCall) (any, error) {
	p, err := c.person()
	if err != nil {
		return nil, err
	}
	return p.view(c.cfg.Now()), nil
}

func getChat(c *controlCall) (any, error) {
	chat := c.chats[c.param("chat")]
	if chat == nil {
		return nil, sandbox.Missing("chat", c.param("chat"))
	}
	return chat.view(c.cfg.Now(), true), nil
}
