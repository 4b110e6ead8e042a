package simulator

import (
	"encoding/json"
	"slices"

	"postern/adapters/internal/sandbox"
)

// The gatekeeper's own app in the hand of a partner user: what is done there is told to the partner as the user's doing.

func (c *controlCall) nativeUser() (*user, error) {
	u := c.userBy(c.param("user"))
	if u == nil || u.state != "active" {
		return nil, sandbox.Missing("enlisted user", c.param("user"))
	}
	return u, nil
}

// nativeMessage finds a message in the user's chats.
func (c *controlCall) nativeMessage(own bool) (*user, *message, error) {
	u, err := c.nativeUser()
	if err != nil {
		return nil, nil, err
	}
	m := c.messages[c.param("message")]
	switch {
	case m == nil || m.chat.user != u:
		return nil, nil, sandbox.Missing("message", c.param("message"))
	case own && !m.fromUser:
		return nil, nil, sandbox.Wrong("the message is not the user's")
	case m.retracted:
		return nil, nil, sandbox.Wrong("the message was taken back")
	}
	return u, m, nil
}

// nativeChat finds or begins the user's chat with a person.
func (c *controlCall) nativeChat(to string) (*chat, error) {
	u, err := c.nativeUser()
	if err != nil {
		return nil, err
	}
	p := c.personBy(to)
	if p == nil {
		return nil, sandbox.Missing("person", to)
	}
	if out := c.chatOf(u, p); out != nil {
		return out, nil
	}
	return nil, sandbox.Wrong("too many conversations")
}

func postNativeSay(c *controlCall) (any, error) {
	chat, raw, replyTo, err := c.said(c.nativeChat)
	if err != nil {
		return nil, err
	}
	chat.granted = true
	m := &message{id: newID("msg"), fromUser: true, content: raw, replyTo: replyTo, sentAt: c.cfg.Now(), status: "queued"}
	c.add(chat, m)
	c.note(m)
	data := map[string]any{
		"message_id": m.id, "conversation": chat.id, "from": chat.user.internalID, "to": chat.user.internalID,
		"sent_at": stamp(m.sentAt), "mode": "plaintext", "content": c.carried(raw),
	}
	if replyTo != "" && c.has("reply_in") {
		data["reply_to"] = replyTo
	}
	e := c.emit(chat.user.partner, "message.received", chat.user, chat, data)
	c.perform(chat, m)
	return said(m, e), nil
}

func patchNativeMessage(c *controlCall) (any, error) {
	var in struct {
		Text    string
		Content json.RawMessage
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	_, m, err := c.nativeMessage(true)
	if err != nil {
		return nil, err
	}
	raw, err := contentOf(in.Text, in.Content)
	if err != nil {
		return nil, err
	}
	return said(m, c.editAs(m, raw, m.chat.user.internalID)), nil
}

func deleteNativeMessage(c *controlCall) (any, error) {
	_, m, err := c.nativeMessage(true)
	if err != nil {
		return nil, err
	}
	return said(m, c.retractAs(m, m.chat.user.internalID)), nil
}

func putNativeReactions(c *controlCall) (any, error) {
	var in struct{ Emojis []string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	u, m, err := c.nativeMessage(false)
	if err != nil {
		return nil, err
	}
	if len(in.Emojis) > 20 || slices.Contains(in.Emojis, "") {
		return nil, sandbox.Wrong("emojis: want at most 20")
	}
	return said(m, c.reactAs(m, in.Emojis, u.internalID)), nil
}

// postNativeRead: the user read what the person wrote, all or up to a message.
func postNativeRead(c *controlCall) (any, error) {
	var in struct {
		To   string `json:"to"`
		UpTo string `json:"up_to"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, err := c.nativeChat(in.To)
	if err != nil {
		return nil, err
	}
	if in.UpTo == "" {
		for _, m := range chat.messages {
			if !m.fromUser {
				in.UpTo = m.id
			}
		}
	}
	ids := chat.upTo(in.UpTo)
	for _, id := range ids {
		c.messages[id].advance("read")
	}
	if len(ids) == 0 {
		return map[string]int{"read": 0}, nil
	}
	c.emit(chat.user.partner, "conversation.read", chat.user, chat, map[string]string{
		"conversation": chat.id, "from": chat.user.internalID, "up_to": in.UpTo, "at": stamp(c.cfg.Now()),
	})
	return map[string]int{"read": len(ids)}, nil
}
