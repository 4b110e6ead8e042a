//go:build servers

package story

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"postern/cmd/internal/user"
	"postern/xmpp/conformance"
)

const nsSearch = "jabber:iq:search"

// TestDesk is what a user asks of the gateway once they are registered, by chat, command and form.
func TestDesk(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse, echo := s.befriend(c, "nurse"), s.befriend(c, "echo")
		s.talks(c, nurse, "nurse")
		s.anyResource(c, nurse)
		s.searches(c, nurse)
		s.imports(c, nurse, echo)
		s.mutes(c, nurse)
		s.blocks(c, nurse)
		s.reports(c, nurse)
		s.pauses(c, nurse, echo)
		if got := s.tell(c, "features nurse").Body; !strings.Contains(got, "What works with The Nurse") || !strings.Contains(got, "reactions") {
			s.Errorf("features: got %q", got)
		}
		if got := s.tell(c, "move").Body; !strings.Contains(got, "cannot move") {
			s.Errorf("move: got %q, want that people know the user by this address", got)
		}
		s.talks(c, nurse, "nurse")
		s.talks(c, echo, "echo")
	})
}

// anyResource writes to resources that no contact has: clients lock onto what they saw last.
func (s *stage) anyResource(c *user.Client, nurse string) {
	proof := s.prove(27)
	n := c.Count()
	for _, resource := range []string{"gateway", "anything", "Ä b"} {
		line := "to the resource " + resource
		if _, err := c.Send(s.ctx, nurse+"/"+resource, line); err != nil {
			s.Fatal(err)
		}
		got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", User: c.JID(), Direction: "to_person", Text: line})
		proof.That(len(got) == 1, "%s: got %d messages, want one", resource, len(got))
	}
	s.say("nurse", c.JID(), "I have one only")
	m := s.see(c, n, "answer", text(nurse, "I have one only"))
	shown := s.see(c, 0, "presence", presence(nurse, ""))
	proof.That(m.From == shown.From && m.From != nurse, "answer from %s, presence from %s: want the contact's own resource", m.From, shown.From)
}

// searches by XEP-0055: one's own contacts, and nobody else's.
func (s *stage) searches(c *user.Client, nurse string) {
	proof := s.prove(22)
	other, stranger := s.member("benvolio"), s.login("paris")
	his := s.befriend(other, "nurse")
	ask := func(c *user.Client, name string) (string, error) {
		e, err := c.IQ(s.ctx, s.gw, "set", "<query xmlns='"+nsSearch+"'><x xmlns='jabber:x:data' type='submit'><field var='name'><value>"+name+"</value></field></x></query>")
		return e.String(), err
	}
	got, err := ask(c, "nurse")
	proof.That(err == nil && strings.Contains(got, nurse) && strings.Contains(got, "The Nurse") && !strings.Contains(got, his), "search: got %s, %v, want %s and not %s", got, err, nurse, his)
	got, err = ask(c, "")
	proof.That(err == nil && !strings.Contains(got, "<item"), "search for nothing: got %s, %v, want nobody", got, err)
	for _, typ := range []string{"get", "set"} {
		var refused *user.Error
		_, err = stranger.IQ(s.ctx, s.gw, typ, "<query xmlns='"+nsSearch+"'/>")
		proof.That(errors.As(err, &refused) && refused.Condition == "registration-required", "search of a stranger: got %v, want registration-required", err)
	}
	form, err := c.IQ(s.ctx, s.gw, "get", "<query xmlns='"+nsSearch+"'/>")
	proof.That(err == nil && strings.Contains(form.String(), "<value>"+nsSearch+"</value>"), "form: got %s, %v", form, err)
	if line := s.tell(c, "search nur").Body; !strings.Contains(line, nurse) {
		s.Errorf("search by chat: got %q, want %s", line, nurse)
	}
}

// imports offers contacts to the client (XEP-0144), never unasked, and not where the server lets the gateway keep the roster.
func (s *stage) imports(c *user.Client, contacts ...string) {
	const ns = "http://jabber.org/protocol/rosterx"
	proof := s.prove(36)
	for _, m := range c.Stanzas(0) {
		proof.That(m.Element.Child(ns, "x") == nil, "before the user asked: got %s", m.XML())
	}
	n := c.Count()
	if strings.Contains(s.tell(c, "import").Body, "already") {
		proof.That(s.rosterHas(c, contacts[0], "both"), "the gateway says that contacts are in the roster, and they are not")
		return
	}
	m := s.see(c, n, "list of contacts", func(m *user.Stanza) bool { return m.Element.Child(ns, "x") != nil })
	items := m.Element.Child(ns, "x").Children("item")
	proof.That(m.From == s.gw && len(items) == len(contacts), "got %s, want %d items from the gateway", m.XML(), len(contacts))
	for _, want := range contacts {
		proof.That(strings.Contains(m.XML(), "jid='"+want+"'"), "got %s, want %s among it", m.XML(), want)
	}
}

// mutes a contact: messages come, and nothing else.
func (s *stage) mutes(c *user.Client, nurse string) {
	if got := s.tell(c, "mute nurse").Body; !strings.Contains(got, "For how long") {
		s.Errorf("mute: got %q, want the question for how long", got)
	}
	if got := s.tell(c, "1").Body; !strings.Contains(got, "is muted") {
		s.Errorf("mute: got %q", got)
	}
	n := c.Count()
	id, err := c.Send(s.ctx, nurse, "can you hear me?")
	if err != nil {
		s.Fatal(err)
	}
	got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", User: c.JID(), Text: "can you hear me?"})
	s.control("PUT", "/messages/"+url.PathEscape(got[0].ID)+"/reactions", map[string]any{"emojis": []string{"👍"}}, nil)
	s.say("nurse", c.JID(), "loud and clear")
	s.see(c, n, "message of a muted contact", text(nurse, "loud and clear"))
	for _, m := range c.Stanzas(n) {
		if m.Displayed == id || m.State == "composing" || m.Element.Child(nsReactions, "reactions") != nil {
			s.Errorf("of a muted contact: got %s", m.XML())
		}
	}
	if got := s.tell(c, "unmute nurse").Body; !strings.Contains(got, "not muted any more") {
		s.Errorf("unmute: got %q", got)
	}
}

// blocks a contact here and at the gatekeeper.
func (s *stage) blocks(c *user.Client, nurse string) {
	n := c.Count()
	if got := s.tell(c, "block "+nurse).Body; !strings.Contains(got, "is blocked") {
		s.Fatalf("block: got %q", got)
	}
	hold[any](s.sandbox, wait{Kind: "block", Person: "nurse", User: c.JID(), Min: 1})
	s.see(c, n, "presence of a blocked contact", presence(nurse, "unavailable"))
	id, err := c.Send(s.ctx, nurse, "to a blocked contact")
	if err != nil {
		s.Fatal(err)
	}
	e := s.see(c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
	if e.Condition != "not-acceptable" || !strings.Contains(e.ErrorText, "unblock") {
		s.Errorf("writing to a blocked contact: got %s, want not-acceptable with the way out", e.XML())
	}
	if got := s.tell(c, "unblock "+nurse).Body; !strings.Contains(got, "not blocked any more") {
		s.Fatalf("unblock: got %q", got)
	}
	s.talks(c, nurse, "nurse")
}

// reports a contact to the gatekeeper, by command.
func (s *stage) reports(c *user.Client, nurse string) {
	cmd, err := c.Command(s.ctx, s.gw, "report")
	if err != nil {
		s.Fatal(err)
	}
	done, err := c.Submit(s.ctx, cmd, "", map[string]string{"contact": "the nurse", "reason": "spam", "statement": "Too many proverbs."})
	if err != nil || done.Status != "completed" || !strings.Contains(done.Text(), "passed to") {
		s.Fatalf("report: got %+v, %v", done, err)
	}
	hold[any](s.sandbox, wait{Kind: "report", Person: "nurse", Min: 1})
	s.talks(c, nurse, "nurse") // a report alone blocks nobody
}

// pauses the account: messages of all contacts wait, in order, and come when it goes on.
func (s *stage) pauses(c *user.Client, nurse, echo string) {
	n := c.Count()
	if got := s.tell(c, "pause").Body; !strings.Contains(got, "messages wait") {
		s.Fatalf("pause: got %q", got)
	}
	s.see(c, n, "presence of the gateway", func(p *user.Stanza) bool {
		return presence(s.gw, "")(p) && strings.Contains(p.XML(), "<show>xa</show>") && strings.Contains(p.XML(), "<status>Paused")
	})
	for _, line := range []string{"one", "two", "three"} {
		s.say("nurse", c.JID(), line)
	}
	s.say("echo", c.JID(), "echo waits")
	hold[any](s.sandbox, wait{Kind: "idle"})
	if _, err := c.Ping(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
	for _, m := range c.Stanzas(n) {
		if bare(m.From) == nurse || bare(m.From) == echo {
			s.Errorf("while paused: got %s", m.XML())
		}
	}
	if got := s.tell(c, "resume").Body; !strings.Contains(got, "going on") {
		s.Fatalf("resume: got %q", got)
	}
	last := n
	for _, line := range []string{"one", "two", "three"} {
		m := s.see(c, n, line, text(nurse, line))
		if m.N < last {
			s.Errorf("%q came before the message before it", line)
		}
		last = m.N
	}
	s.see(c, n, "the other contact's", text(echo, "echo waits"))
}

// TestOperatorIsKnown: who runs the gateway and what happens to data stands in service discovery, and the hash in presence
// is of all of it.
func TestOperatorIsKnown(t *testing.T) {
	bothAs(t, func(s *stage) {
		s.yaml = s.file("postern.yaml", s.config()+"operator: {name: Example, abuse: abuse@example.org, security: \"https://example.org/security\"}\n")
	}, func(s *stage) {
		proof := s.prove(24)
		c := s.member("romeo")
		gw := s.see(c, 0, "presence of the gateway", presence(s.gw, ""))
		s.verifies(c, gw)
		info := s.info(c, s.gw, "")
		forms := map[string]string{}
		for _, f := range info.Children("x") {
			for _, field := range f.Children("field") {
				if field.Attr("var") == "FORM_TYPE" {
					forms[field.Children("value")[0].Text()] = f.String()
				}
			}
		}
		typ := info.Child(nsInfo, "identity").Attr("type")
		for form, want := range map[string][]string{
			"http://jabber.org/network/serverinfo":                {"'abuse-addresses'", "mailto:abuse@example.org", "https://example.org/security"},
			"urn:xmpp:data-policy:0":                              {"'data_transmission'", "<value>encrypted</value>", "<value>72</value>"},
			"urn:xmpp:data-policy:identity:gateway:" + typ + ":0": {"'data_transmission'", "<value>encrypted</value>"},
		} {
			for _, w := range want {
				proof.That(strings.Contains(forms[form], w), "form %s: got %q, want %s in it", form, forms[form], w)
			}
		}
		// The same descriptor speaks before the consent, in the chat's first line and here.
		r, err := s.login("paris").Registration(s.ctx, s.gw)
		const said = "there is no end-to-end encryption"
		proof.That(err == nil && strings.Contains(r.Form.Text(), said), "consent form: got %v, want %q in it", err, said)
		nurse := s.befriend(c, "nurse")
		n := c.Count()
		s.talks(c, nurse, "nurse")
		notices := 0
		for _, m := range c.Stanzas(n) {
			if bare(m.From) == nurse && strings.Contains(m.Body, "Who can read this chat") && strings.Contains(m.Body, said) {
				notices++
			}
		}
		proof.That(notices == 1, "first-message notices: got %d, want one", notices)
	})
}

// TestDialogue goes through a command of two steps, forward, back and to every kind of end (XEP-0050 §3.4, §4.4).
func TestDialogue(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(19, 20)
		c, other := s.member("romeo"), s.member("benvolio")
		s.befriend(c, "nurse")
		s.befriend(c, "echo")
		submit := func(cmd *user.Command, action string, answers map[string]string) *user.Command {
			s.Helper()
			next, err := c.Submit(s.ctx, cmd, action, answers)
			proof.Must(err == nil, "%s: %v", action, err)
			proof.That(next.Status != "executing" || next.Default != "", "actions without a default: %s", next.Element)
			return next
		}
		first, err := c.Command(s.ctx, s.gw, "mute")
		proof.Must(err == nil && first.Default != "", "first step: got %+v, %v", first, err)
		answers := map[string]string{"contact": "e", "for": "3600"} // fits both
		second := submit(first, "next", answers)
		proof.Must(second.Status == "executing" && second.Form.Field("contact").Type == "list-single", "second step: got %s, want a choice", second.Element)
		back := submit(second, "prev", nil)
		proof.That(back.Form.Field("for") != nil, "back: got %s, want the first step", back.Element)
		second = submit(back, "", answers)
		pick := map[string]string{}
		for _, id := range second.Form.Field("contact").Options {
			pick["contact"] = id
		}
		_, err = other.Submit(s.ctx, second, "complete", pick)
		s.fails(proof, err, "bad-request", "bad-sessionid")
		done := submit(second, "complete", pick)
		proof.That(done.Status == "completed" && strings.Contains(done.Text(), "is muted"), "end: got %s %q", done.Status, done.Text())
		_, err = c.Submit(s.ctx, second, "complete", nil)
		s.fails(proof, err, "not-allowed", "session-expired")
		_, err = c.Submit(s.ctx, &user.Command{To: s.gw, Node: "mute", Session: "made-up"}, "next", nil)
		s.fails(proof, err, "bad-request", "bad-sessionid")
		again, err := c.Command(s.ctx, s.gw, "mute")
		proof.Must(err == nil, "again: %v", err)
		proof.That(submit(again, "cancel", nil).Status == "canceled", "cancel: want canceled")
	})
}

// fails asserts a condition, and the condition of XEP-0050 beside it.
func (s *stage) fails(proof *conformance.Proof, err error, condition, own string) {
	s.Helper()
	var refused *user.Error
	ok := errors.As(err, &refused) && refused.Condition == condition && strings.Contains(refused.Element.String(), own)
	proof.That(ok, "got %v, want %s and %s", err, condition, own)
}

// TestByChatAlone registers, looks, renews and leaves in a chat with the gateway: clients without any gateway interface.
func TestByChatAlone(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(18)
		c := s.login("romeo")
		says := func(line, want string) {
			s.Helper()
			n := c.Count()
			if _, err := c.SendMessage(s.ctx, user.Outgoing{To: s.gw, Body: line}); err != nil {
				s.Fatal(err)
			}
			m := s.see(c, n, line+": "+want, func(m *user.Stanza) bool {
				return m.Kind == user.Message && m.From == s.gw && strings.Contains(m.Body, want)
			})
			proof.That(m.Type == "chat", "%s: got %s, want a chat message", line, m.XML())
		}
		byChat(s, c)
		says("status", "State: active")
		says("help", "unregister")
		says("add nurse", "Added The Nurse")
		says("login", "renews your connection")
		says("yes", "Name that people there see")
		says("Romeo", "is renewed")
		says("logout", "End the connection?")
		says("yes", "no longer registered")
		s.until("the enlistment is gone", func() bool { return !s.enlisted(c.JID()) })
		says("status", "not registered")

		// XEP-0144 and the like need nobody's registration to be refused in words.
		says("block nurse", "not registered")
	})
}

// TestNobodySubscribesUnasked has a client that answers no subscription request: neither gateway nor contact ever says
// "subscribed" to it, until it asks.
func TestNobodySubscribesUnasked(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(32)
		c := s.loginAs(user.Config{JID: "romeo", Receipts: true})
		r, err := c.Registration(s.ctx, s.gw)
		proof.Must(err == nil, "registration: %v", err)
		err = c.Register(s.ctx, s.gw, r, r.Form.Agree())
		proof.Must(err == nil, "register: %v", err)
		nurse, _ := s.add(c, "nurse")
		s.say("echo", c.JID(), "we have not met")
		m := s.see(c, 0, "first words", func(m *user.Stanza) bool { return m.Body == "we have not met" })
		echo := bare(m.From)
		for _, who := range []string{s.gw, nurse, echo} {
			s.see(c, 0, "request of "+who, presence(who, "subscribe"))
		}
		if _, err := c.Ping(s.ctx, s.gw); err != nil {
			s.Fatal(err)
		}
		for _, p := range c.Stanzas(0) {
			proof.That(p.Kind != user.Presence || p.Type != "subscribed", "unasked: got %s", p.XML())
		}
		n := c.Count()
		if err := c.Subscribe(s.ctx, nurse); err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "subscribed when asked", presence(nurse, "subscribed"))
		for _, p := range c.Stanzas(0) {
			proof.That(p.Kind != user.Presence || p.Type != "subscribed" || bare(p.From) == nurse, "unasked: got %s", p.XML())
		}
	})
}
