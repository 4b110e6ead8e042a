package simulator

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// person is a user of the gatekeeper and what happened to it.
type person struct {
	Person
	presence *presence // nil: never told
	chats    []*chat   // in the order of their first contact
}

func (p *person) internalID() string { return "gku_" + p.ID }

// user is a partner user while it is enlisted.
type user struct {
	partner    *partner
	enlistment string
	internalID string
	identifier Identifier
	display    string
	state      string // pending, active, suspended, lapsed, withdrawn
	settings   settings
	terms      termsAccepted
	created    time.Time
	expires    time.Time
	version    int
	blocks     map[string]time.Time // by internal id
	chats      []*chat
	quota      window
}

type settings struct {
	ReadReceipts *bool `json:"read_receipts,omitempty"`
	Typing       *bool `json:"typing,omitempty"`
}

func on(b *bool) bool { return b == nil || *b }

type termsAccepted struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// chat is the direct conversation of one partner user and one person, with the consents between them.
type chat struct {
	id         string
	user       *user
	person     *person
	granted    bool // the person lets the user write
	welcomed   bool // the user lets the person write
	blocked    bool // by the person
	request    *contactRequest
	asked      *contactRequest // asked by the person
	consents   [2]*consent     // requester user, requester person
	messages   []*message
	seq        int64
	userTyping time.Time // composing until then
}

type contactRequest struct {
	ID      string
	Message string
	State   string // pending, accepted, declined, cancelled; declined shows as pending unless told
	Created time.Time
	Expires time.Time
}

type consent struct {
	id      string
	state   string
	updated time.Time
}

// message is one message of a chat. Status is about its way to the receiver.
type message struct {
	id        string
	chat      *chat
	fromUser  bool
	clientID  string
	content   json.RawMessage
	replyTo   string
	sentAt    time.Time
	order     int64 // of acceptance, over all chats
	status    string
	revision  int
	retracted bool
	reactions map[string][]string // internal id to emojis, oldest first
	answers   map[string][]string // internal id to choices, of a poll or buttons
}

// window is a fixed one-minute window of a quota.
type window struct {
	start time.Time
	used  int
}

// newID makes an identifier with the given prefix; identifiers sort by time.
func newID(prefix string) string { return prefix + "_" + ulid.Make().String() }

// derivedID is an identifier that depends on nothing but its parts, so that it outlives a restart.
func derivedID(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + "_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))[:24]
}

// fold makes identifiers comparable (GIA, Identifier: case-insensitive except phone).
func (i Identifier) fold() Identifier {
	if i.Type == "phone" {
		return i
	}
	return Identifier{i.Type, strings.ToLower(i.Value)}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// chatOf finds or begins the conversation of a pair; nil when there are too many.
func (s *Server) chatOf(u *user, p *person) *chat {
	id := derivedID("cnv", u.internalID, p.internalID())
	if c := s.chats[id]; c != nil {
		return c
	}
	if len(s.chats) >= s.cfg.Limits.Chats {
		return nil
	}
	c := &chat{id: id, user: u, person: p}
	s.chats[id] = c
	u.chats = append(u.chats, c)
	p.chats = append(p.chats, c)
	return c
}

// add appends a message and forgets the oldest one beyond the limit.
func (s *Server) add(c *chat, m *message) {
	s.order++
	m.chat, m.order = c, s.order
	c.messages = append(c.messages, m)
	s.messages[m.id] = m
	if len(c.messages) > s.cfg.Limits.ChatMessages {
		delete(s.messages, c.messages[0].id)
		c.messages[0] = nil
		c.messages = c.messages[1:]
	}
}

// forget removes a user and all that belongs to it.
func (s *Server) forget(u *user) {
	for _, c := range u.chats {
		for _, m := range c.messages {
			delete(s.messages, m.id)
		}
		delete(s.chats, c.id)
		c.person.chats = without(c.person.chats, c)
		if c.request != nil {
			delete(s.requests, c.request.ID)
		}
	}
	u.chats = nil
	if s.users[u.internalID] == u {
		delete(s.users, u.internalID)
	}
	delete(s.enlistments, u.enlistment)
}

func without(list []*chat, c *chat) []*chat {
	out := make([]*chat, 0, len(list))
	for _, x := range list {
		if x != c {
			out = append(out, x)
		}
	}
	return out
}

// personBy finds a person by internal id or bare id.
func (s *Server) personBy(id string) *person { return s.people[strings.TrimPrefix(id, "gku_")] }

// userBy finds an enlisted user by internal id, enlistment id or user-visible id.
func (s *Server) userBy(id string) *user {
	if u := s.users[id]; u != nil {
		return u
	}
	if u := s.enlistments[id]; u != nil {
		return u
	}
	for _, u := range s.users {
		if strings.EqualFold(u.identifier.Value, id) {
			return u
		}
	}
	return nil
}

// reachable says whether the person can be told anything by the user: one answer for unknown, opted out and blocked.
func reachable(p *person, u *user) bool {
	if p == nil || !p.OptedIn {
		return false
	}
	for _, c := range p.chats {
		if c.user == u {
			return !c.blocked
		}
	}
	return true
}
