//go:build servers

package story

import (
	"errors"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// TestUsersAreApart has two users of one gateway: neither sees, commands or receives anything of the other.
func TestUsersAreApart(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(23, 95)
		a, b := s.member("romeo"), s.member("benvolio")
		hers := s.befriend(a, "nurse")
		his := s.befriend(b, "nurse")
		if his == hers {
			s.Fatalf("both users have the address %s for the same person", his)
		}
		secretLine := s.say("nurse", b.JID(), "for Benvolio alone")
		m := s.see(b, 0, "text to B", text(his, "for Benvolio alone"))
		s.talks(b, his, "nurse")
		n := a.Count()

		for _, to := range []string{his, his + "/anything"} {
			s.looksEmpty(a, to)
		}
		s.cannotWrite(a, his, m.ID, secretLine)
		s.cannotCommand(a, b)
		for _, node := range []string{"", "http://jabber.org/protocol/commands"} {
			items, err := a.Items(s.ctx, s.gw, node)
			proof.That(err == nil && !strings.Contains(items.String(), bare(his)) && !strings.Contains(items.String(), b.JID()),
				"items of the gateway for A: got %s, %v, want nothing of B", items, err)
		}
		list, err := a.Command(s.ctx, s.gw, "contacts")
		if err != nil || !strings.Contains(list.Text(), hers) || strings.Contains(list.Text(), his) {
			s.Errorf("contacts of A: got %q, %v, want %s and not %s", list.Text(), err, hers, his)
		}

		s.talks(a, hers, "nurse")
		s.talks(b, his, "nurse")
		for _, st := range a.Stanzas(n) {
			if bare(st.From) == his && st.Type != "error" && st.Type != "unsubscribed" {
				s.Errorf("A received %s", st.XML())
			}
		}
		for _, c := range []struct {
			of      *user.Client
			foreign string
		}{{a, his}, {b, hers}} {
			for _, st := range c.of.Stanzas(0) {
				if bare(st.From) == c.foreign && st.Kind == user.Message && st.Type != "error" {
					s.Errorf("%s received %s", c.of.JID(), st.XML())
				}
			}
		}
	})
}

// looksEmpty asks everything that can be asked of a contact that is somebody else's: the answers are those for an address
// that never existed.
func (s *stage) looksEmpty(a *user.Client, to string) {
	s.Helper()
	never := strings.Repeat("z", 26) + "@" + s.gw
	for _, q := range []struct{ typ, payload string }{
		{"get", "<query xmlns='" + nsInfo + "'/>"},
		{"get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"},
		{"get", "<vCard xmlns='vcard-temp'/>"},
		{"get", "<query xmlns='jabber:iq:last'/>"},
		{"get", "<query xmlns='jabber:iq:register'/>"},
		{"set", "<query xmlns='jabber:iq:register'><remove/></query>"},
		{"get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>"},
		{"set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:data'><item/></publish></pubsub>"},
		{"set", "<command xmlns='http://jabber.org/protocol/commands' node='status' action='execute'/>"},
		{"get", "<query xmlns='urn:xmpp:mam:2'/>"},
		{"set", "<query xmlns='urn:xmpp:mam:2'/>"},
		{"set", "<block xmlns='urn:xmpp:blocking'/>"},
	} {
		var got, want *user.Error
		if _, err := a.IQ(s.ctx, to, q.typ, q.payload); !errors.As(err, &got) {
			s.Errorf("%s to B's %s: got %v, want an error", q.payload, to, err)
			continue
		}
		if _, err := a.IQ(s.ctx, never, q.typ, q.payload); !errors.As(err, &want) {
			s.Errorf("%s to nobody: got %v, want an error", q.payload, err)
			continue
		}
		if got.Condition != want.Condition || got.Text != want.Text {
			s.Errorf("%s: got %v for B's contact, %v for nobody: they can be told apart", q.payload, got, want)
		}
	}
	n := a.Count()
	for _, typ := range []string{"probe", "subscribe"} {
		if err := a.SendPresence(s.ctx, bare(to), typ); err != nil {
			s.Fatal(err)
		}
	}
	s.see(a, n, "unsubscribed from B's contact", presence(bare(to), "unsubscribed"))
}

// cannotWrite tries what messages can do with B's contact, and with B's message.
func (s *stage) cannotWrite(a *user.Client, his, id string, said said) {
	s.Helper()
	posts := s.posts()
	before := s.chat(said.Conversation)
	for _, m := range []user.Outgoing{
		{To: his, Body: "let me in"},
		{To: his, Body: "changed", Extra: "<replace xmlns='" + nsReplace + "' id='" + id + "'/>"},
		{To: his, Extra: "<reactions xmlns='" + nsReactions + "' id='" + id + "'><reaction>👎</reaction></reactions>"},
		{To: his, Extra: "<retract xmlns='" + nsRetract + "' id='" + id + "'/>"},
	} {
		n := a.Count()
		sent, err := a.SendMessage(s.ctx, m)
		if err != nil {
			s.Fatal(err)
		}
		got := s.see(a, n, "error", func(e *user.Stanza) bool { return e.ID == sent && e.Type == "error" })
		if got.Condition != "item-not-found" {
			s.Errorf("%q %s: got %s, want item-not-found", m.Body, m.Extra, got.XML())
		}
	}
	for _, extra := range []string{"<displayed xmlns='urn:xmpp:chat-markers:0' id='" + id + "'/>", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"} {
		if _, err := a.SendMessage(s.ctx, user.Outgoing{To: his, Extra: extra}); err != nil {
			s.Fatal(err)
		}
	}
	if _, err := a.Ping(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
	after := s.chat(said.Conversation)
	if s.posts() != posts || len(after) != len(before) {
		s.Errorf("messages of B's chat: got %d, want %d as before", len(after), len(before))
	}
	for i, m := range after {
		if m.Status != before[i].Status || m.Revision != 0 || m.Retracted || len(m.Reactions) > 0 {
			s.Errorf("message of B's chat: got %+v, was %+v", m, before[i])
		}
	}
}

// cannotCommand goes on with B's dialogue as A (XEP-0050 §4.4).
func (s *stage) cannotCommand(a, b *user.Client) {
	s.Helper()
	theirs, err := b.Command(s.ctx, s.gw, "unregister")
	if err != nil {
		s.Fatal(err)
	}
	for _, action := range []string{"complete", "next", "cancel", "prev"} {
		if got, err := a.Submit(s.ctx, theirs, action, theirs.Form.Agree()); err == nil {
			s.Errorf("%s in B's dialogue: got %q, want an error", action, got.Text())
		}
	}
	if r, err := b.Registration(s.ctx, s.gw); err != nil || !r.Registered {
		s.Errorf("B after A's attempts: got %+v, %v, want registered", r, err)
	}
	if _, err := b.Submit(s.ctx, theirs, "cancel", nil); err != nil {
		s.Errorf("B's own cancel: %v", err)
	}
}
