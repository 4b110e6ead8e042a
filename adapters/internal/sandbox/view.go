package sandbox

import (
	"maps"
	"slices"
	"time"

	"postern/adapters/control"
)

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (m *Message) view() control.Message {
	v := control.Message{
		ID: m.ID, Native: m.Native, FromUser: m.FromUser, ByHand: m.ByHand, ClientID: m.Ref, Content: m.Content, ReplyTo: m.ReplyTo,
		SentAt: stamp(m.SentAt), Order: m.Order, Status: m.Status, Failure: m.Failure, Revision: m.Revision, Retracted: m.Retracted,
		Reactions: m.Reactions, Answers: m.Answers,
	}
	if m.Author != nil {
		v.Author = m.Author.ID
	}
	return v
}

// view shows a chat to a person, or to nobody in particular.
func (c *Chat) view(now time.Time, messages bool, person string) control.Chat {
	v := control.Chat{
		ID: c.ID, Native: c.Native, User: c.Account.ID, Value: c.Account.Username, Display: c.Account.Name, Person: person, Title: c.Title,
		Granted: c.Granted, Blocked: c.Blocked, Typing: now.Before(c.typingUntil), Count: len(c.messages),
	}
	or(&v.Value, c.Account.Phone)
	or(&v.Value, c.Account.ID)
	or(&v.Display, v.Value)
	if c.Person != nil {
		v.Person = c.Person.ID
	} else {
		or(&v.Title, c.Native)
	}
	for _, p := range c.Members {
		v.Members = append(v.Members, p.ID)
	}
	for _, m := range c.messages {
		if m.FromUser && m.Status != StatusRead && m.Status != StatusFailed {
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

func (p *Person) view(now time.Time) control.PersonView {
	v := control.PersonView{Person: p.Person, Chats: []control.Chat{}}
	for _, c := range p.chats {
		v.Chats = append(v.Chats, c.view(now, false, p.ID))
	}
	slices.SortStableFunc(v.Chats, func(a, b control.Chat) int { return int(b.LastOrder - a.LastOrder) })
	return v
}

// view is GET /state.
func (st *State) view() control.State {
	now := st.Now()
	v := control.State{
		Revision: st.revision, Platform: st.s.spec.Name, Name: st.s.cfg.Name, AccountWord: st.s.spec.AccountWord, Hint: st.s.spec.Hint,
		People: []control.PersonView{}, Accounts: []control.Account{}, Groups: []control.Chat{},
		Faults: st.faults, Batching: st.batching, Limits: st.limiter.view(),
		Counts: control.Counts{
			Messages: len(st.messages), Posts: st.posts.Total, Deliveries: st.deliveries.Total, Violations: st.limiter.violations(),
			Media: len(st.media.files), MediaBytes: st.media.total, Forgotten: st.forgotten,
			Faults: maps.Clone(st.dice.Drawn),
		},
	}
	for _, p := range st.People() {
		v.People = append(v.People, p.view(now))
	}
	for _, a := range st.Accounts() {
		v.Accounts = append(v.Accounts, a.Account)
		v.Counts.WebhooksWaiting += a.waiting
	}
	for _, c := range st.groups {
		v.Groups = append(v.Groups, c.view(now, false, ""))
	}
	return v
}

func getChat(c *controlCall) (any, error) {
	chat := c.chats[c.param("chat")]
	if chat == nil {
		return nil, Missing("chat", c.param("chat"))
	}
	return chat.view(c.Now(), true, ""), nil
}
