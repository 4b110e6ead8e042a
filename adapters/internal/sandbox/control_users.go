package sandbox

import (
	"encoding/json"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
)

// userRoutes are about accounts and what their owners do by hand.
func (s *Server) userRoutes(r chi.Router) {
	r.Put("/users/{user}", s.do(putUser))
	r.Patch("/users/{user}", s.do(patchUser))
	r.Put("/users/{user}/state", s.do(putUserState))
	r.Post("/users/{user}/updates", s.do(postUpdate))
	r.Post("/users/{user}/messages", s.do(postByHand))
	r.Patch("/users/{user}/messages/{message}", s.do(func(c *controlCall) (any, error) { return c.edit(true) }))
	r.Delete("/users/{user}/messages/{message}", s.do(func(c *controlCall) (any, error) { return c.retract(true) }))
	r.Put("/users/{user}/messages/{message}/reactions", s.do(func(c *controlCall) (any, error) { return c.react(true) }))
	r.Post("/users/{user}/read", s.do(postReadByHand))
	r.Post("/groups", s.do(postGroup))
	r.Put("/groups/{chat}/members", s.do(putMember))
}

func putUser(c *controlCall) (any, error) {
	var in control.Account
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	in.ID = c.param("user")
	a, err := c.PutAccount(in)
	if err != nil {
		return nil, err
	}
	return a.Account, nil
}

func patchUser(c *controlCall) (any, error) {
	a, err := c.userNamed(c.param("user"))
	if err != nil {
		return nil, err
	}
	next := a.Account
	if err := c.decode(&next); err != nil {
		return nil, err
	}
	next.ID = a.ID
	if _, err := c.PutAccount(next); err != nil {
		return nil, err
	}
	return a.Account, nil
}

// putUserState revokes a token, or makes the platform forget or renew a subscription.
func putUserState(c *controlCall) (any, error) {
	var in struct{ State string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	a, err := c.userNamed(c.param("user"))
	if err != nil {
		return nil, err
	}
	switch in.State {
	case "active":
		a.Revoked = false
	case "revoked":
		a.Revoked = true
	case "subscribed":
		a.Subscribed, a.Hook.Disabled = true, false
		c.Redeliver(a)
	case "unsubscribed":
		a.Subscribed = false
	default:
		return nil, Wrong("state: want active, revoked, subscribed or unsubscribed")
	}
	c.Touch()
	return a.Account, nil
}

// postUpdate tells an account something as it is.
func postUpdate(c *controlCall) (any, error) {
	var in struct {
		Type string          `json:"type"`
		Key  string          `json:"key"`
		Body json.RawMessage `json:"body"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	a, err := c.userNamed(c.param("user"))
	if err != nil {
		return nil, err
	}
	if in.Type == "" || len(in.Body) == 0 {
		return nil, Wrong("want type and body")
	}
	c.Emit(a, Update{Type: in.Type, Key: in.Key, Body: Raw{in.Type, in.Body}})
	return empty{}, nil
}

// chatOfUser finds the chat of an account with a person, or a chat by its id.
func (c *controlCall) chatOfUser(a *Account, to string) (*Chat, error) {
	if chat := c.chats[to]; chat != nil && chat.Account == a {
		return chat, nil
	}
	p := c.PersonNamed(to)
	if p == nil {
		return nil, Missing("person", to)
	}
	return c.Direct(a, p)
}

func postByHand(c *controlCall) (any, error) {
	in, content, err := c.sayIn()
	if err != nil {
		return nil, err
	}
	a, err := c.userNamed(c.param("user"))
	if err != nil {
		return nil, err
	}
	chat, err := c.chatOfUser(a, in.To)
	if err != nil {
		return nil, err
	}
	return said(c.SayByHand(chat, content, in.ReplyTo)), nil
}

func postReadByHand(c *controlCall) (any, error) {
	var in control.ReadIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	a, err := c.userNamed(c.param("user"))
	if err != nil {
		return nil, err
	}
	chat, err := c.chatOfUser(a, in.To)
	if err != nil {
		return nil, err
	}
	read := c.mark(chat, c.messages[in.UpTo], func(m *Message) bool { return !m.FromUser })
	if len(read) > 0 {
		c.Happen(SeenByHand{chat, read})
	}
	return map[string]int{"read": len(read)}, nil
}

func postGroup(c *controlCall) (any, error) {
	var in control.GroupIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	a, err := c.userNamed(in.To)
	if err != nil {
		return nil, err
	}
	var members []*Person
	for _, id := range in.Members {
		p := c.PersonNamed(id)
		if p == nil {
			return nil, Missing("person", id)
		}
		members = append(members, p)
	}
	chat, err := c.Group(a, in.Native, in.Title, members...)
	if err != nil {
		return nil, err
	}
	c.Happen(Joined{chat, nil, true})
	return chat.view(c.Now(), false, ""), nil
}

func putMember(c *controlCall) (any, error) {
	var in struct {
		Person string `json:"person"`
		In     bool   `json:"in"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	chat := c.chats[c.param("chat")]
	if chat == nil {
		return nil, Missing("chat", c.param("chat"))
	}
	p := c.PersonNamed(in.Person)
	if in.Person != "" && p == nil {
		return nil, Missing("person", in.Person)
	}
	return empty{}, c.Join(chat, p, in.In)
}
