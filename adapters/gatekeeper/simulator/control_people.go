package simulator

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"postern/adapters/internal/sandbox"
)

func putPerson(c *controlCall) (any, error) {
	var in Person
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	in.ID = c.param("person")
	if err := in.validate(); err != nil {
		return nil, err
	}
	if c.people[in.ID] == nil && len(c.people) >= c.cfg.Limits.People {
		return nil, sandbox.Wrong("too many people")
	}
	for _, i := range in.Identifiers {
		if other := c.personNamed(i); other != nil && other.ID != in.ID {
			return nil, sandbox.Wrong("an identifier belongs to somebody else")
		}
	}
	c.addPerson(in)
	c.touch()
	return c.people[in.ID].Person, nil
}

// patchPerson changes a few things; opting in or out is one of them.
func patchPerson(c *controlCall) (any, error) {
	p, err := c.person()
	if err != nil {
		return nil, err
	}
	next := p.Person
	if err := c.decode(&next); err != nil {
		return nil, err
	}
	next.ID = p.ID
	if err := next.validate(); err != nil {
		return nil, err
	}
	if next.Avatar != "" && c.media[next.Avatar] == nil {
		return nil, sandbox.Missing("media object", next.Avatar)
	}
	looks := p.Display != next.Display || p.Avatar != next.Avatar
	p.Person = next
	if looks {
		c.tellProfile(p)
	}
	c.touch()
	return next, nil
}

func postSay(c *controlCall) (any, error) {
	chat, raw, replyTo, err := c.said(c.chatWith)
	if err != nil {
		return nil, err
	}
	if !chat.person.OptedIn {
		return nil, sandbox.Wrong("the person has not opted in")
	}
	m, e := c.say(chat, raw, replyTo)
	return said(m, e), nil
}

// postOpen gives the chat with a user, and begins it when there is none.
func postOpen(c *controlCall) (any, error) {
	var in struct{ To string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	return chat.view(c.cfg.Now(), false), nil
}

// contentOf makes content from a text, or takes it as it is: the control API may send what a gatekeeper should not.
// said reads what somebody says: the chat that it is for, its content and what it answers.
func (c *controlCall) said(chatOf func(to string) (*chat, error)) (to *chat, raw json.RawMessage, replyTo string, err error) {
	var in struct {
		To      string          `json:"to"`
		Text    string          `json:"text"`
		Content json.RawMessage `json:"content"`
		ReplyTo string          `json:"reply_to"`
	}
	if err := c.decode(&in); err != nil {
		return nil, nil, "", err
	}
	if to, err = chatOf(in.To); err != nil {
		return nil, nil, "", err
	}
	raw, err = contentOf(in.Text, in.Content)
	return to, raw, in.ReplyTo, err
}

func contentOf(text string, raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > 0 {
		return raw, nil
	}
	if text == "" || len(text) > textBytes || !utf8.ValidString(text) {
		return nil, sandbox.Wrong("text: want 1 to " + itoa(textBytes) + " bytes")
	}
	out, err := json.Marshal(map[string]string{"text": text})
	return out, err
}

func said(m *message, e *event) map[string]any {
	out := map[string]any{"message_id": m.id, "conversation": m.chat.id}
	if e != nil {
		out["event_id"], out["seq"] = e.id, e.seq
	}
	return out
}

func postTyping(c *controlCall) (any, error) {
	var in struct{ To, State string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.State != "composing" && in.State != "paused" {
		return nil, sandbox.Wrong("state: want composing or paused")
	}
	chat, err := c.chatWith(in.To)
	if err == nil {
		c.typing(chat, in.State)
	}
	return empty{}, err
}

func postRead(c *controlCall) (any, error) {
	var in struct {
		To   string `json:"to"`
		UpTo string `json:"up_to"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	return map[string]int{"read": c.readAll(chat, in.UpTo)}, nil
}

func postAnswer(c *controlCall) (any, error) {
	var in struct {
		To     string
		Accept bool
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	if chat.request == nil || chat.request.State != "pending" {
		return nil, sandbox.Missing("open request", in.To)
	}
	if in.Accept {
		c.acceptRequest(chat)
	} else {
		c.declineRequest(chat)
	}
	return chat.requestView(c.cfg.Now()), nil
}

// postAsk makes the person ask a user for contact.
func postAsk(c *controlCall) (any, error) {
	var in struct{ To, Message string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	now := c.cfg.Now()
	chat.asked = &contactRequest{ID: newID("req"), Message: in.Message, State: "pending", Created: now, Expires: now.Add(requestLife)}
	chat.granted = true
	data := map[string]string{"request_id": chat.asked.ID, "from": chat.person.internalID(), "from_display": chat.person.Display, "to": chat.user.internalID, "at": stamp(now)}
	if in.Message != "" {
		data["message"] = in.Message
	}
	c.emit(chat.user.partner, "contact.requested", chat.user, chat, data)
	return map[string]string{"request_id": chat.asked.ID}, nil
}

func putBlock(c *controlCall) (any, error) {
	var in struct {
		To      string
		Blocked bool
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.chatWith(in.To)
	if err == nil {
		chat.blocked = in.Blocked
		c.touch()
	}
	return empty{}, err
}

// personMessage finds a message that a person sent.
func (c *controlCall) personMessage(own bool) (*message, error) {
	m := c.messages[c.param("message")]
	switch {
	case m == nil:
		return nil, sandbox.Missing("message", c.param("message"))
	case own && m.fromUser:
		return nil, sandbox.Wrong("the message is not the person's")
	}
	return m, nil
}

func patchMessage(c *controlCall) (any, error) {
	var in struct {
		Text    string
		Content json.RawMessage
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m, err := c.personMessage(true)
	if err != nil {
		return nil, err
	}
	raw, err := contentOf(in.Text, in.Content)
	if err != nil {
		return nil, err
	}
	if m.retracted {
		return nil, sandbox.Wrong("the message was taken back")
	}
	return said(m, c.editAs(m, raw, m.chat.person.internalID())), nil
}

func deleteMessage(c *controlCall) (any, error) {
	m, err := c.personMessage(true)
	if err != nil {
		return nil, err
	}
	if m.retracted {
		return said(m, nil), nil
	}
	return said(m, c.retractAs(m, m.chat.person.internalID())), nil
}

func putReactions(c *controlCall) (any, error) {
	var in struct{ Emojis []string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m, err := c.personMessage(false)
	if err != nil {
		return nil, err
	}
	if len(in.Emojis) > 20 || slices.Contains(in.Emojis, "") {
		return nil, sandbox.Wrong("emojis: want at most 20")
	}
	return said(m, c.reactAs(m, in.Emojis, m.chat.person.internalID())), nil
}

// postFail makes a user's message fail after it was accepted.
func postFail(c *controlCall) (any, error) {
	in := struct{ Code string }{Code: "unavailable"}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m, err := c.personMessage(false)
	if err != nil {
		return nil, err
	}
	if codeStatus[in.Code] == 0 {
		return nil, sandbox.Wrong("code: not one of the document")
	}
	c.failMessage(m, in.Code)
	return empty{}, nil
}

// postReject makes the gatekeeper throw away the media of a user's message after it was accepted.
func postReject(c *controlCall) (any, error) {
	in := struct{ Code string }{Code: "unsupported_type"}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m, err := c.personMessage(false)
	if err != nil {
		return nil, err
	}
	if codeStatus[in.Code] == 0 || !m.fromUser || m.clientID == "" {
		return nil, sandbox.Wrong("want a user's message and a code of the document")
	}
	m.status = "failed"
	c.emit(m.chat.user.partner, "media.rejected", m.chat.user, m.chat, map[string]string{
		"message_id": m.id, "client_id": m.clientID, "conversation": m.chat.id, "reason": in.Code, "at": stamp(c.cfg.Now()),
	})
	return empty{}, nil
}
