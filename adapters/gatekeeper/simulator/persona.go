package simulator

import (
	"encoding/json"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// perform lets the persona of the receiver act on a message of a partner user.
func (s *Server) perform(c *chat, m *message) {
	switch c.person.Persona {
	case PersonaEcho:
		s.advance(m, "delivered")
		s.advance(m, "read")
		s.echo(c, m)
	case PersonaSlow:
		step := s.cfg.SlowDelay
		s.after(step, func() { s.advance(m, "delivered") })
		s.after(2*step, func() {
			s.advance(m, "read")
			s.typing(c, "composing")
		})
		s.after(3*step, func() { s.echo(c, m) })
	case PersonaNone:
		s.advance(m, "delivered")
	}
}

// echo says the same: a text without its spans, else the content as it is. A poll is answered with its first option.
func (s *Server) echo(c *chat, m *message) {
	in := contentIn(m.content)
	if s.chats[c.id] != c || m.retracted {
		return
	}
	switch {
	case in.Poll != nil:
		s.say(c, encoded(map[string]choices{"answer": {in.Poll.Options[:1]}}), m.id)
	case in.Answer != nil:
	case in.members() == 1 && in.Text != "":
		s.say(c, encoded(map[string]string{"text": in.Text}), "")
	default:
		s.say(c, m.content, "")
	}
}

// advance moves the status of a user's message and tells the partner.
func (s *Server) advance(m *message, status string) {
	if !m.fromUser || s.messages[m.id] != m || m.chat.blocked || !m.advance(status) {
		return
	}
	feature := map[string]string{"read": "read_in", "delivered": "delivered"}[status]
	if status == "read" && !on(m.chat.user.settings.ReadReceipts) || !s.has(feature) || m.clientID == "" {
		return // not asked for, not offered, or not sent by the partner
	}
	s.emit(m.chat.user.partner, "message.status", m.chat.user, m.chat, map[string]string{
		"message_id": m.id, "client_id": m.clientID, "conversation": m.chat.id, "status": status, "at": stamp(s.cfg.Now()),
	})
}

// fail ends a user's message without delivery.
func (s *Server) failMessage(m *message, code string) {
	if !m.fromUser || !m.advance("failed") {
		return
	}
	s.emit(m.chat.user.partner, "message.status", m.chat.user, m.chat, map[string]string{
		"message_id": m.id, "client_id": m.clientID, "conversation": m.chat.id, "status": "failed", "reason": code, "at": stamp(s.cfg.Now()),
	})
}

// heard says whether the user takes what the person does: not after a block or a revoked consent.
func (c *chat) heard() bool {
	_, blocked := c.user.blocks[c.person.internalID()]
	revoked := c.consents[byPerson] != nil && c.consents[byPerson].state == "revoked"
	return !blocked && !revoked
}

// say sends a message of the person to the user. Writing is consent to be answered.
func (s *Server) say(c *chat, raw json.RawMessage, replyTo string) (*message, *event) {
	c.granted = true
	if c.request != nil && c.request.State == "pending" {
		s.acceptRequest(c)
	}
	m := &message{id: newID("msg"), content: raw, replyTo: replyTo, sentAt: s.cfg.Now(), status: "queued"}
	s.add(c, m)
	s.note(m)
	s.touch()
	if !c.heard() { // GIA, block: nothing is told to the person
		return m, nil
	}
	data := map[string]any{
		"message_id": m.id, "conversation": c.id, "from": c.person.internalID(), "from_display": c.person.Display, "to": c.user.internalID,
		"sent_at": stamp(m.sentAt), "mode": "plaintext", "content": s.carried(raw),
	}
	if replyTo != "" && s.has("reply_in") {
		data["reply_to"] = replyTo
	}
	return m, s.emit(c.user.partner, "message.received", c.user, c, data)
}

// editAs changes a message for whom it belongs to. A live location that moved on is not told before it ends.
func (s *Server) editAs(m *message, raw json.RawMessage, who string) *event {
	m.content = raw
	m.revision++
	s.note(m)
	s.touch()
	if !m.chat.heard() || s.moving(raw) {
		return nil
	}
	return s.emit(m.chat.user.partner, "message.updated", m.chat.user, m.chat, map[string]any{
		"message_id": m.id, "conversation": m.chat.id, "from": who, "to": m.chat.user.internalID,
		"revision": m.revision, "edited_at": stamp(s.cfg.Now()), "content": s.carried(raw),
	})
}

// moving says whether content is a live location that goes on.
func (s *Server) moving(raw json.RawMessage) bool {
	var in struct {
		Location struct {
			LiveUntil time.Time `json:"live_until"`
		}
	}
	return json.Unmarshal(raw, &in) == nil && s.cfg.Now().Before(in.Location.LiveUntil)
}

func (s *Server) retractAs(m *message, who string) *event {
	m.retracted, m.content = true, json.RawMessage(`{}`)
	s.touch()
	if !m.chat.heard() {
		return nil
	}
	return s.emit(m.chat.user.partner, "message.retracted", m.chat.user, m.chat, map[string]string{
		"message_id": m.id, "conversation": m.chat.id, "from": who, "to": m.chat.user.internalID, "at": stamp(s.cfg.Now()),
	})
}

// reactAs sets all reactions of one side on a message.
func (s *Server) reactAs(m *message, emojis []string, who string) *event {
	m.setReactions(who, emojis)
	s.touch()
	if !m.chat.heard() {
		return nil
	}
	return s.emit(m.chat.user.partner, "reaction.changed", m.chat.user, m.chat, map[string]any{
		"message_id": m.id, "conversation": m.chat.id, "from": who, "reactions": append([]string{}, emojis...), "at": stamp(s.cfg.Now()),
	})
}

func (s *Server) typing(c *chat, state string) {
	if s.chats[c.id] != c || !c.heard() || !on(c.user.settings.Typing) {
		return
	}
	s.emit(c.user.partner, "typing", c.user, c, map[string]string{"conversation": c.id, "from": c.person.internalID(), "state": state})
}

// readAll marks what the user wrote in a chat as read, as when the page shows it. Each message gets its own status.
func (s *Server) readAll(c *chat, upTo string) int {
	n := 0
	for _, m := range c.messages {
		if m.fromUser && m.status != "read" && m.status != "failed" {
			s.advance(m, "delivered")
			s.advance(m, "read")
			n++
		}
		if m.id == upTo {
			break
		}
	}
	return n
}

func (c *chat) typingNow(now time.Time) bool { return now.Before(c.userTyping) }
