package sandbox

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"postern/adapters/control"
)

// Chat finds one by its ID in the control API; nil when there is none.
func (st *State) Chat(id string) *Chat { return st.chats[id] }

// ChatOf finds a chat of an account by the platform's id of it; nil when there is none.
func (st *State) ChatOf(a *Account, native string) *Chat {
	if c := a.direct[native]; c != nil {
		return c
	}
	for _, c := range st.groups {
		if c.Account == a && c.Native == native {
			return c
		}
	}
	return nil
}

// Direct finds or begins the chat of an account with a person. Whether the account may write there (Granted) is not decided by that.
func (st *State) Direct(a *Account, p *Person) (*Chat, error) {
	native := st.contact(a, p)
	if c := a.direct[native]; c != nil {
		return c, nil
	}
	for _, c := range p.chats { // the id is another now: the chat moves with it
		if c.Account == a && !c.Group() {
			delete(a.direct, c.Native)
			c.Native = native
			a.direct[native] = c
			return c, nil
		}
	}
	c, err := st.begin(&Chat{Native: native, Account: a, Person: p})
	if err != nil {
		return nil, err
	}
	a.direct[native] = c
	p.chats = append(p.chats, c)
	return c, nil
}

// Group makes a group with the account in it.
func (st *State) Group(a *Account, native, title string, members ...*Person) (*Chat, error) {
	if st.ChatOf(a, native) != nil {
		return nil, errors.New("the group is there already")
	}
	c, err := st.begin(&Chat{Native: native, Account: a, Title: title, Members: members, Granted: true})
	if err != nil {
		return nil, err
	}
	or(&c.Native, "-"+Digits(c.ID, 9))
	st.groups = append(st.groups, c)
	for _, p := range members {
		p.chats = append(p.chats, c)
	}
	return c, nil
}

func (st *State) begin(c *Chat) (*Chat, error) {
	if len(st.chats) >= st.s.cfg.Limits.Chats {
		return nil, errors.New("too many chats")
	}
	st.made++
	c.ID = "c" + strconv.FormatInt(st.made, 10)
	c.byNative = map[string]*Message{}
	st.chats[c.ID] = c
	c.Account.chats = append(c.Account.chats, c)
	st.Touch()
	return c, nil
}

// Message finds one by its ID in the control API; nil when there is none any more.
func (st *State) Message(id string) *Message { return st.messages[id] }

// MessageOf finds one of an account by the platform's id; where ids repeat in every chat, use Chat.Message.
func (st *State) MessageOf(a *Account, native string) *Message { return a.byNative[native] }

// add appends a message, gives it its ids, and forgets the oldest one beyond the limit.
func (st *State) add(m *Message) *Message {
	c := m.Chat
	st.order++
	c.Seq++
	c.Account.Seq++
	m.Order, m.Seq, m.ID = st.order, c.Seq, "m"+strconv.FormatInt(st.order, 10)
	or(&m.SentAt, st.Now())
	or(&m.Status, StatusQueued)
	switch {
	case m.Native != "":
	case st.s.spec.MessageID != nil:
		m.Native = st.s.spec.MessageID(st, m)
	default:
		m.Native = m.ID
	}
	c.messages = append(c.messages, m)
	c.byNative[m.Native], c.Account.byNative[m.Native], st.messages[m.ID] = m, m, m
	if len(c.messages) > st.s.cfg.Limits.ChatMessages {
		old := c.messages[0]
		c.messages[0] = nil
		c.messages = c.messages[1:]
		delete(st.messages, old.ID)
		dropSame(c.byNative, old)
		dropSame(c.Account.byNative, old)
	}
	st.Touch()
	return m
}

func dropSame(index map[string]*Message, m *Message) {
	if index[m.Native] == m {
		delete(index, m.Native)
	}
}

// Draft is a message that an account sends through the API.
type Draft struct {
	Content Content
	ReplyTo string // ID of a message
	// Ref is the reference that the caller gave, Key its idempotency key, where the platform has such.
	Ref, Key  string
	UserAgent string
	// Native is the platform's id when Spec.MessageID is not to make it.
	Native string
	// Album is the ID of the first message of the same album.
	Album string
	// Fails is why it will not be delivered although it is taken, for Failed; empty: it will be.
	Fails string
	// Own becomes Message.Own.
	Own any
}

// Accept takes a message of the account, tells what the platform tells of that, and lets the person's persona act.
func (st *State) Accept(c *Chat, d Draft) *Message {
	m := st.add(&Message{
		Native: d.Native, Chat: c, FromUser: true, Content: d.Content, ReplyTo: d.ReplyTo, Album: d.Album, Ref: d.Ref, Status: StatusSent, Own: d.Own,
	})
	c.LastOutbound, c.typingUntil = m.SentAt, time.Time{}
	to := c.Native
	if c.Person != nil {
		to = c.Person.ID
	}
	st.posts.Add(&control.Post{
		N: st.posts.Total + 1, At: m.SentAt, IdempotencyKey: d.Key, ClientID: d.Ref, MessageID: m.ID, Native: m.Native, Conversation: c.ID,
		Sender: c.Account.ID, To: to, Kind: d.Content.Kind(), Text: d.Content.Text, UserAgent: d.UserAgent,
	})
	st.Happen(Accepted{m})
	if d.Fails != "" {
		st.Fail(m, d.Fails)
		return m
	}
	st.perform(m)
	return m
}

// Replayed counts, in the ledger, that the request for a message came again.
func (st *State) Replayed(m *Message) {
	for _, post := range slices.Backward(st.posts.Items) {
		if post.MessageID == m.ID {
			post.Replays++
			st.Touch()
			return
		}
	}
}

// EditOwn changes a message of the account through the API.
func (st *State) EditOwn(m *Message, c Content) { st.revise(m, c) }

// RetractOwn takes a message of the account back through the API.
func (st *State) RetractOwn(m *Message) {
	m.Retracted, m.Content = true, Content{}
	st.Touch()
}

// ReactOwn sets all reactions of the account on a message.
func (st *State) ReactOwn(m *Message, emojis ...string) {
	st.setReactions(m, m.Chat.Account.ID, emojis)
}

// ReadOwn marks what people said in a chat as read by the account: all, or up to a message. It counts them.
func (st *State) ReadOwn(c *Chat, upTo *Message) int {
	return len(st.mark(c, upTo, func(m *Message) bool { return !m.FromUser }))
}

// TypingOwn shows the account as typing for a while; zero ends it.
func (st *State) TypingOwn(c *Chat, d time.Duration) {
	c.typingUntil = st.Now().Add(d)
	st.Touch()
}

// mark sets messages to read and returns those that were not.
func (st *State) mark(c *Chat, upTo *Message, which func(*Message) bool) []*Message {
	var out []*Message
	for _, m := range c.messages {
		if which(m) && m.Status != StatusRead && m.Status != StatusFailed {
			m.Status = StatusRead
			out = append(out, m)
		}
		if m == upTo {
			break
		}
	}
	if len(out) > 0 {
		st.Touch()
	}
	return out
}

func (st *State) revise(m *Message, c Content) {
	m.Content, m.EditedAt = c, st.Now()
	m.Revision++
	st.Touch()
}

func (st *State) setReactions(m *Message, who string, emojis []string) (before []string) {
	before = m.Reactions[who]
	if m.Reactions == nil {
		m.Reactions = map[string][]string{}
	}
	if len(emojis) == 0 {
		delete(m.Reactions, who)
	} else {
		m.Reactions[who] = append([]string(nil), emojis...)
	}
	st.Touch()
	return before
}
