package sandbox

import (
	"errors"
	"slices"
	"time"

	"postern/adapters/control"
)

// Happen tells the account of the happening's chat what the platform makes of it.
func (st *State) Happen(h Happening) {
	c := h.Where()
	if c == nil {
		return
	}
	for _, u := range st.s.platform.Tell(st, h) {
		or(&u.Chat, c)
		st.Emit(c.Account, u)
	}
	st.Touch()
}

// Say lets a person write; in a group it has to be a member. Several messages come of it where the platform splits content.
func (st *State) Say(c *Chat, author *Person, content Content, replyTo string) ([]*Message, error) {
	if c.Group() && !slices.Contains(c.Members, author) {
		return nil, errors.New("the person is not in the group")
	}
	c.Granted, c.LastInbound = true, st.Now()
	if target := st.messages[replyTo]; content.Answer != nil && target != nil {
		return []*Message{st.answer(target, author, content)}, nil
	}
	pieces := []Content{content}
	if st.s.spec.Split != nil {
		pieces = st.s.spec.Split(content)
	}
	var out []*Message
	for i, piece := range pieces {
		m := &Message{Chat: c, Author: author, Content: piece, ReplyTo: replyTo}
		if i > 0 {
			m.Album = out[0].ID
		}
		out = append(out, st.add(m))
	}
	if len(out) > 1 {
		out[0].Album = out[0].ID
	}
	for _, m := range out {
		st.Happen(Said{m})
	}
	return out, nil
}

// answer books a choice and tells it.
func (st *State) answer(target *Message, author *Person, content Content) *Message {
	reply := st.add(&Message{Chat: target.Chat, Author: author, Content: content, ReplyTo: target.ID})
	if target.Answers == nil {
		target.Answers = map[string][]string{}
	}
	before := target.Answers[author.ID]
	var ids []string
	for _, c := range content.Answer.Choices {
		ids = append(ids, c.ID)
	}
	target.Answers[author.ID] = ids
	st.Happen(Answered{Message: target, Reply: reply, Choices: content.Answer.Choices, Before: before})
	return reply
}

// SayByHand lets the account's owner write in the platform's own app.
func (st *State) SayByHand(c *Chat, content Content, replyTo string) *Message {
	m := st.add(&Message{Chat: c, FromUser: true, ByHand: true, Content: content, ReplyTo: replyTo, Status: StatusDelivered})
	c.LastOutbound = m.SentAt
	st.Happen(Said{m})
	return m
}

// Edit changes a message of a person or of the owner by hand.
func (st *State) Edit(m *Message, content Content) error {
	if m.Retracted {
		return errors.New("the message was taken back")
	}
	before := m.Content
	st.revise(m, content)
	st.Happen(Edited{m, before})
	return nil
}

// Retract takes a message of a person or of the owner back.
func (st *State) Retract(m *Message) {
	if m.Retracted {
		return
	}
	st.RetractOwn(m)
	st.Happen(Retracted{m})
}

// React sets all reactions of a person on a message; of the owner by hand when p is nil.
func (st *State) React(m *Message, p *Person, emojis ...string) {
	who := m.Chat.Account.ID
	if p != nil {
		who = p.ID
	}
	before := st.setReactions(m, who, emojis)
	st.Happen(Reacted{Message: m, Person: p, Before: before, After: append([]string{}, emojis...)})
}

// ReadAll lets a person read what the account wrote: all, or up to a message. It counts them.
func (st *State) ReadAll(c *Chat, upTo *Message) int {
	if fresh := c.between(StatusSent, upTo); len(fresh) > 0 {
		st.deliver(c, fresh)
	}
	read := st.mark(c, upTo, func(m *Message) bool { return m.FromUser })
	if len(read) > 0 && !c.Blocked {
		st.Happen(Read{c, read, st.Now()})
	}
	return len(read)
}

// between are the account's messages of one status, up to a message.
func (c *Chat) between(status string, upTo *Message) (out []*Message) {
	for _, m := range c.messages {
		if m.FromUser && m.Status == status {
			out = append(out, m)
		}
		if m == upTo {
			break
		}
	}
	return out
}

// deliver brings messages of the account to the phone.
func (st *State) deliver(c *Chat, messages []*Message) {
	var out []*Message
	for _, m := range messages {
		if statusRank(m.Status) < statusRank(StatusDelivered) {
			m.Status = StatusDelivered
			out = append(out, m)
		}
	}
	if len(out) > 0 && !c.Blocked {
		st.Happen(Delivered{c, out, st.Now()})
	}
}

// Advance moves a message of the account to a status and tells that alone: read does not imply that delivered was told.
func (st *State) Advance(m *Message, status, code string) error {
	if !m.FromUser || m.ByHand {
		return errors.New("the message is not one that was sent through the API")
	}
	switch status {
	case StatusDelivered:
		st.deliver(m.Chat, []*Message{m})
	case StatusRead:
		m.Status = StatusRead
		st.Happen(Read{m.Chat, []*Message{m}, st.Now()})
	case StatusFailed:
		m.Status, m.Failure = StatusFailed, code
		st.Happen(Failed{m, code})
	default:
		return errors.New("status: want delivered, read or failed")
	}
	return nil
}

// Fail ends a message of the account after it was accepted.
func (st *State) Fail(m *Message, code string) { _ = st.Advance(m, StatusFailed, code) }

// Type shows a person as typing, or not any more.
func (st *State) Type(c *Chat, p *Person, on bool) { st.Happen(Typing{c, p, on}) }

// Block is what a person does to an account.
func (st *State) Block(c *Chat, on bool) {
	if c.Blocked == on {
		return
	}
	c.Blocked = on
	st.Happen(Blocked{c, on})
}

// Open begins a chat or opens it again, with an invite token or bare.
func (st *State) Open(c *Chat, token string) {
	first := c.opened == 0 && len(c.messages) == 0
	c.opened++
	c.Granted, c.LastInbound = true, st.Now()
	st.Happen(Opened{Chat: c, Token: token, First: first})
}

// Join brings a person into a group or out of it; the account itself when p is nil.
func (st *State) Join(c *Chat, p *Person, in bool) error {
	if !c.Group() {
		return errors.New("the chat is not a group")
	}
	switch {
	case p == nil:
		c.Granted = in
	case in && !slices.Contains(c.Members, p):
		c.Members = append(c.Members, p)
		p.chats = append(p.chats, c)
	case !in:
		c.Members, p.chats = without(c.Members, p), without(p.chats, c)
	}
	st.Happen(Joined{c, p, in})
	return nil
}

// Change makes a person another: number, id, name, picture. Its chats move to the new id and are told.
func (st *State) Change(p *Person, next control.Person) error {
	before := *p
	if _, err := st.PutPerson(next); err != nil {
		return err
	}
	for _, c := range slices.Clone(p.chats) {
		if !c.Group() {
			if _, err := st.Direct(c.Account, p); err != nil {
				return err
			}
		}
		st.Happen(Changed{c, p, before})
	}
	return nil
}

// Call is a call of a person.
func (st *State) Call(c *Chat, id, state string, video bool, length time.Duration) {
	c.LastInbound = st.Now()
	st.Happen(Called{Chat: c, ID: id, State: state, Video: video, Length: length})
}
