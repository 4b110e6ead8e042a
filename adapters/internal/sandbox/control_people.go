package sandbox

import (
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
)

// peopleRoutes are about people and what they do.
func (s *Server) peopleRoutes(r chi.Router) {
	r.Put("/people/{person}", s.do(putPerson))
	r.Patch("/people/{person}", s.do(patchPerson))
	r.Get("/people/{person}", s.do(getPerson))
	r.Post("/people/{person}/messages", s.do(postSay))
	r.Post("/people/{person}/open", s.do(postOpen))
	r.Post("/people/{person}/typing", s.do(postTyping))
	r.Post("/people/{person}/read", s.do(postRead))
	r.Put("/people/{person}/block", s.do(putBlock))
	r.Post("/people/{person}/calls", s.do(postCall))
	r.Patch("/messages/{message}", s.do(func(c *controlCall) (any, error) { return c.edit(false) }))
	r.Delete("/messages/{message}", s.do(func(c *controlCall) (any, error) { return c.retract(false) }))
	r.Put("/messages/{message}/reactions", s.do(func(c *controlCall) (any, error) { return c.react(false) }))
	r.Put("/messages/{message}/status", s.do(putStatus))
	r.Post("/messages/{message}/fail", s.do(putStatus))
}

func (c *controlCall) person() (*Person, error) {
	if p := c.PersonNamed(c.param("person")); p != nil {
		return p, nil
	}
	return nil, Missing("person", c.param("person"))
}

// chatWith finds or begins the chat of the person of the path with an account, or finds one of its chats by id.
func (c *controlCall) chatWith(to string) (*Chat, *Person, error) {
	p, err := c.person()
	if err != nil {
		return nil, nil, err
	}
	if chat := c.chats[to]; chat != nil && slices.Contains(p.chats, chat) {
		return chat, p, nil
	}
	a, err := c.userNamed(to)
	if err != nil {
		return nil, nil, err
	}
	chat, err := c.Direct(a, p)
	return chat, p, err
}

func putPerson(c *controlCall) (any, error) {
	var in control.Person
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	in.ID = c.param("person")
	p, err := c.PutPerson(in)
	if err != nil {
		return nil, err
	}
	return p.Person, nil
}

// patchPerson changes a few things and tells them where the platform tells such things.
func patchPerson(c *controlCall) (any, error) {
	p, err := c.person()
	if err != nil {
		return nil, err
	}
	next := p.Person
	next.IDs = nil // decoding into the map would change what was before
	if err := c.decode(&next); err != nil {
		return nil, err
	}
	if next.IDs == nil {
		next.IDs = p.IDs
	}
	if next.Display != p.Display && next.First == p.First && next.Last == p.Last {
		next.First, next.Last = "", ""
	}
	if next.Phone != p.Phone && next.Native == p.Native && c.s.spec.Native != nil {
		next.Native = "" // a platform whose ids are numbers makes another one
	}
	next.ID = p.ID
	if next.Avatar != "" && c.Media(next.Avatar) == nil {
		return nil, Missing("media", next.Avatar)
	}
	if err := c.Change(p, next); err != nil {
		return nil, err
	}
	return p.Person, nil
}

func getPerson(c *controlCall) (any, error) {
	p, err := c.person()
	if err != nil {
		return nil, err
	}
	return p.view(c.Now()), nil
}

// sayIn reads what somebody says.
func (c *controlCall) sayIn() (in control.SayIn, content Content, err error) {
	if err := c.decode(&in); err != nil {
		return in, content, err
	}
	if in.ReplyTo != "" && c.messages[in.ReplyTo] == nil {
		return in, content, Missing("message", in.ReplyTo)
	}
	content, err = contentOf(in.Text, in.Content)
	return in, content, err
}

const maxText = 64 << 10 // bytes of a text that a person writes; what the platform allows is less

func contentOf(text string, content *Content) (Content, error) {
	if content != nil {
		return *content, nil
	}
	if text == "" || len(text) > maxText || !utf8.ValidString(text) {
		return Content{}, Wrong("text: want 1 to " + strconv.Itoa(maxText) + " bytes")
	}
	return control.Text(text), nil
}

func said(m *Message) control.Said {
	return control.Said{MessageID: m.ID, Native: m.Native, Conversation: m.Chat.ID}
}

func postSay(c *controlCall) (any, error) {
	in, content, err := c.sayIn()
	if err != nil {
		return nil, err
	}
	chat, p, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	out, err := c.Say(chat, p, content, in.ReplyTo)
	if err != nil {
		return nil, err
	}
	return said(out[0]), nil
}

// postOpen begins a chat, by its name, with an invite token, or by a link.
func postOpen(c *controlCall) (any, error) {
	var in control.OpenIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	link := Link{Token: in.Token}
	if in.URL != "" {
		u, err := url.Parse(in.URL)
		if err != nil || c.s.spec.ReadLink == nil {
			return nil, Wrong("url: not a link of this platform")
		}
		if link, err = c.s.spec.ReadLink(c.State, u); err != nil {
			return nil, err
		}
		if link.Account == nil {
			return nil, Wrong("url: it leads to nobody here")
		}
		in.To = link.Account.ID
	}
	chat, p, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	var out control.Opened
	switch {
	case link.Text == "":
		if !in.Draft || link.Token != "" { // looking at a chat is not opening it
			c.Open(chat, link.Token)
		}
	case in.Draft:
		out.Draft = link.Text
	default:
		sent, err := c.Say(chat, p, control.Text(link.Text), "")
		if err != nil {
			return nil, err
		}
		out.MessageID = sent[0].ID
	}
	out.Chat = chat.view(c.Now(), false, p.ID)
	return out, nil
}

func postTyping(c *controlCall) (any, error) {
	var in struct {
		To    string `json:"to"`
		State string `json:"state"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.State != "composing" && in.State != "paused" {
		return nil, Wrong("state: want composing or paused")
	}
	chat, p, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	c.Type(chat, p, in.State == "composing")
	return empty{}, nil
}

func postRead(c *controlCall) (any, error) {
	var in control.ReadIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, _, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	return map[string]int{"read": c.ReadAll(chat, c.messages[in.UpTo])}, nil
}

func putBlock(c *controlCall) (any, error) {
	var in struct {
		To      string `json:"to"`
		Blocked bool   `json:"blocked"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat, _, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	c.Block(chat, in.Blocked)
	return empty{}, nil
}

func postCall(c *controlCall) (any, error) {
	var in control.CallIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"ringing", "missed", "ended"}, in.State) {
		return nil, Wrong("state: want ringing, missed or ended")
	}
	chat, _, err := c.chatWith(in.To)
	if err != nil {
		return nil, err
	}
	c.made++
	or(&in.CallID, "call"+strconv.FormatInt(c.made, 10))
	c.Call(chat, in.CallID, in.State, in.Video, time.Duration(in.DurationS)*time.Second)
	return map[string]string{"call_id": in.CallID}, nil
}

// own finds a message that its author may change: one of the owner by hand, or of a person.
func (c *controlCall) own(byHand bool) (*Message, error) {
	m := c.messages[c.param("message")]
	switch {
	case m == nil:
		return nil, Missing("message", c.param("message"))
	case byHand && !m.ByHand:
		return nil, Wrong("the message was not written by hand")
	case !byHand && m.FromUser:
		return nil, Wrong("the message is not the person's")
	}
	return m, nil
}

func (c *controlCall) edit(byHand bool) (any, error) {
	var in struct {
		Text    string   `json:"text"`
		Content *Content `json:"content"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m, err := c.own(byHand)
	if err != nil {
		return nil, err
	}
	content, err := contentOf(in.Text, in.Content)
	if err != nil {
		return nil, err
	}
	if in.Content == nil { // another text under the same files
		content.Media = m.Content.Media
	}
	return said(m), c.Edit(m, content)
}

func (c *controlCall) retract(byHand bool) (any, error) {
	m, err := c.own(byHand)
	if err != nil {
		return nil, err
	}
	c.Retract(m)
	return said(m), nil
}

func (c *controlCall) react(byHand bool) (any, error) {
	var in struct {
		Emojis []string `json:"emojis"`
		Person string   `json:"person"` // in a group
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m := c.messages[c.param("message")]
	if m == nil {
		return nil, Missing("message", c.param("message"))
	}
	if len(in.Emojis) > 20 || slices.Contains(in.Emojis, "") {
		return nil, Wrong("emojis: want at most 20")
	}
	p := m.Chat.Person
	if in.Person != "" {
		p = c.PersonNamed(in.Person)
	}
	if byHand {
		p = nil
	} else if p == nil {
		return nil, Missing("person", in.Person)
	}
	c.React(m, p, in.Emojis...)
	return said(m), nil
}

// putStatus moves a message of an account; on the path of failing, to failed.
func putStatus(c *controlCall) (any, error) {
	in := struct {
		Status string `json:"status"`
		Code   string `json:"code"`
	}{Status: StatusFailed}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	m := c.messages[c.param("message")]
	if m == nil {
		return nil, Missing("message", c.param("message"))
	}
	return empty{}, c.Advance(m, in.Status, in.Code)
}
