//go:build servers

package story

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// member logs a user in and registers them.
func (s *stage) member(name string) *user.Client {
	s.Helper()
	c := s.login(name)
	s.enrol(c)
	return c
}

// enrol registers a user by the form, and waits until the gateway has shown itself.
func (s *stage) enrol(c *user.Client) {
	s.Helper()
	n := c.Count()
	r, err := c.Registration(s.ctx, s.gw)
	if err != nil {
		s.Fatal(err)
	}
	if err := c.Register(s.ctx, s.gw, r, r.Form.Agree()); err != nil {
		s.Fatal(err)
	}
	s.see(c, n, "presence of the gateway", presence(s.gw, ""))
}

var address = regexp.MustCompile(`[a-z0-9]+@gw[0-9]+\.localhost`)

// add asks the gateway for a person by command and returns the contact's address and the answer.
func (s *stage) add(c *user.Client, query string) (jid, answer string) {
	s.Helper()
	cmd, err := c.Command(s.ctx, s.gw, "add")
	if err != nil {
		s.Fatal(err)
	}
	done, err := c.Submit(s.ctx, cmd, "", map[string]string{"query": query})
	if err != nil {
		s.Fatal(err)
	}
	if jid = address.FindString(done.Text()); done.Status != "completed" || jid == "" {
		s.Fatalf("add %s: got %s %q, want an address", query, done.Status, done.Text())
	}
	return jid, done.Text()
}

// befriend adds a person who takes messages from everybody, and waits for the presence of the new contact.
func (s *stage) befriend(c *user.Client, person string) (jid string) {
	s.Helper()
	n := c.Count()
	jid, _ = s.add(c, person)
	s.see(c, n, "presence of "+person, presence(jid, ""))
	return jid
}

func TestContacts(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		s.opens(c)
		s.asksFirst(c)
		s.isAskedFirst(c)

		for _, nobody := range []string{"nobody@capulet.example", "tybalt@capulet.example", "+1"} {
			cmd, err := c.Command(s.ctx, s.gw, "add")
			if err != nil {
				s.Fatal(err)
			}
			var refused *user.Error
			if _, err := c.Submit(s.ctx, cmd, "", map[string]string{"query": nobody}); !errors.As(err, &refused) || refused.Condition != "item-not-found" {
				s.Errorf("add %s: got %v, want item-not-found", nobody, err)
			}
		}
	})
}

// opens adds somebody who takes messages from everybody: both see each other at once.
func (s *stage) opens(c *user.Client) {
	n := c.Count()
	jid, answer := s.add(c, "nurse@capulet.example")
	if strings.Contains(answer, "has to accept") {
		s.Errorf("nurse: got %q, want no wait", answer)
	}
	ask := s.see(c, n, "subscription request", presence(jid, "subscribe"))
	if nick := ask.Element.Child("http://jabber.org/protocol/nick", "nick").Text(); nick != "The Nurse" {
		s.Errorf("nick in the request: got %q, want The Nurse (XEP-0172 §4.2)", nick)
	}
	s.see(c, n, "subscribed", presence(jid, "subscribed"))
	here := s.see(c, n, "presence", presence(jid, ""))
	if here.Element.Child("http://jabber.org/protocol/caps", "c") == nil || !strings.Contains(here.From, "/") {
		s.Errorf("presence: got %s, want capabilities, from a resource", here.XML())
	}
	s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") })

	// XEP-0100 §6.3: the same by jabber:iq:gateway, which gives the same address.
	e, err := c.IQ(s.ctx, s.gw, "set", "<query xmlns='jabber:iq:gateway'><prompt>@nurse</prompt></query>")
	if err != nil {
		s.Fatal(err)
	}
	proof := s.prove(21)
	got := e.Child("jabber:iq:gateway", "query").Child("jabber:iq:gateway", "jid").Text()
	proof.That(got == jid, "the same person by user name: got %q, want %q", got, jid)
	e, err = c.IQ(s.ctx, s.gw, "get", "<query xmlns='jabber:iq:gateway'/>")
	proof.That(err == nil && strings.Contains(e.String(), "phone number"), "prompt: got %s, %v", e, err)
	for _, garbage := range []string{"nobody@capulet.example", "+1", "a b c"} {
		var refused *user.Error
		_, err := c.IQ(s.ctx, s.gw, "set", "<query xmlns='jabber:iq:gateway'><prompt>"+garbage+"</prompt></query>")
		proof.That(errors.As(err, &refused) && refused.Text != "", "%s: got %v, want an error with a text", garbage, err)
	}
}

// asksFirst adds somebody who wants to be asked.
func (s *stage) asksFirst(c *user.Client) {
	n := c.Count()
	jid, answer := s.add(c, "juliet@capulet.example")
	if !strings.Contains(answer, "has to accept") {
		s.Errorf("juliet: got %q, want that she has to accept", answer)
	}
	hold[any](s.sandbox, wait{Kind: "request", Person: "juliet", User: c.JID(), State: "pending"})
	id, err := c.Send(s.ctx, jid, "too early")
	if err != nil {
		s.Fatal(err)
	}
	s.see(c, n, "error to who writes too early", func(m *user.Stanza) bool { return m.Type == "error" && m.ID == id })
	before := s.posts()
	s.control(http.MethodPost, "/people/juliet/answer", map[string]any{"to": c.JID(), "accept": true}, nil)
	s.see(c, n, "presence of juliet", presence(jid, ""))
	s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") })
	if s.posts() != before {
		s.Error("the refused message reached the person after all")
	}
	s.talks(c, jid, "juliet")
}

// isAskedFirst is a person who writes to our user first: a contact by itself.
func (s *stage) isAskedFirst(c *user.Client) {
	n := c.Count()
	s.say("echo", c.JID(), "we have not met")
	m := s.see(c, n, "first words", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Body == "we have not met" })
	ask := s.see(c, n, "subscription request", presence(bare(m.From), "subscribe"))
	if nick := m.Element.Child("http://jabber.org/protocol/nick", "nick").Text(); nick != "Echo" {
		s.Errorf("nick of somebody new: got %q, want Echo", nick)
	}
	if ask.N > m.N {
		s.Error("the request came after the message, want before")
	}
}

// talks sends a line each way: what every other story ends with, to show that nothing is broken.
func (s *stage) talks(c *user.Client, jid, person string) {
	s.Helper()
	s.talksAs(c, c.JID(), jid, person)
}

// talksAs is talks of a user whom the platform knows by another name than their JID.
func (s *stage) talksAs(c *user.Client, known, jid, person string) {
	s.Helper()
	n := c.Count()
	line := "line " + c.NewID()
	id, err := c.Send(s.ctx, jid, line)
	if err != nil {
		s.Fatal(err)
	}
	hold[message](s.sandbox, wait{Kind: "message", Person: person, User: known, Direction: "to_person", Text: line})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
	s.say(person, known, "re: "+line)
	s.see(c, n, "answer", text(jid, "re: "+line))
}
