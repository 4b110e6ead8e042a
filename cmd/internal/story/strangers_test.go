//go:build servers

package story

import (
	"errors"
	"strings"
	"testing"

	"postern/cmd/internal/user"
	"postern/xmpp/conformance"
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
		s.findsOnlyTheirs(proof, a, hers, his)
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
			proof.That(bare(st.From) != his || st.Type == "error" || st.Type == "unsubscribed", "A received %s", st.XML())
		}
		for _, st := range a.Stanzas(0) {
			proof.That(!strings.Contains(st.XML(), "for Benvolio alone") && !strings.Contains(st.XML(), b.JID()), "A received %s", st.XML())
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
		{"get", "<query xmlns='" + nsInfo + "' node='http://jabber.org/protocol/commands'/>"},
		{"get", "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"},
		{"get", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"},
		{"set", "<vCard xmlns='vcard-temp'><FN>A</FN></vCard>"},
		{"get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'/></pubsub>"},
		{"get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='http://jabber.org/protocol/nick'/></pubsub>"},
		{"get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'/></pubsub>"},
		{"get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='eu.siacs.conversations.axolotl.devicelist'/></pubsub>"},
		{"set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='urn:xmpp:avatar:metadata' jid='" + a.JID() + "'/></pubsub>"},
		{"set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='urn:xmpp:avatar:metadata'/></pubsub>"},
		{"get", "<query xmlns='jabber:iq:search'/>"},
		{"set", "<query xmlns='jabber:iq:search'><nick>nurse</nick></query>"},
		{"get", "<query xmlns='jabber:iq:gateway'/>"},
		{"set", "<query xmlns='jabber:iq:gateway'><prompt>nurse</prompt></query>"},
		{"get", "<query xmlns='jabber:iq:private'/>"},
		{"get", "<query xmlns='jabber:iq:roster'/>"},
		{"set", "<query xmlns='jabber:iq:roster'/>"},
		{"get", "<time xmlns='urn:xmpp:time'/>"},
		{"get", "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/>"},
		{"get", "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query>"},
		{"set", "<query xmlns='http://jabber.org/protocol/muc#owner'/>"},
		{"set", "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'/>"},
		{"set", "<privileged_iq xmlns='urn:xmpp:privilege:2'/>"},
		{"set", "<command xmlns='http://jabber.org/protocol/commands' node='block' action='execute'/>"},
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
	for _, typ := range []string{"probe", "subscribed", "unsubscribe", "unsubscribed", "unavailable", "", "subscribe"} {
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

// findsOnlyTheirs asks the gateway in every way that names contacts.
func (s *stage) findsOnlyTheirs(proof *conformance.Proof, a *user.Client, hers, his string) {
	s.Helper()
	for _, q := range []string{
		"<query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'><field var='name'><value>nurse</value></field></x></query>",
		"<query xmlns='jabber:iq:search'><nick>" + his + "</nick></query>",
		"<query xmlns='jabber:iq:gateway'><prompt>nurse</prompt></query>",
	} {
		e, err := a.IQ(s.ctx, s.gw, "set", q)
		proof.That(err == nil && !strings.Contains(e.String(), bare(his)), "%s: got %s, %v, want nothing of B", q, e, err)
	}
	for _, node := range []string{"block", "unblock", "unmute", "features"} {
		cmd, err := a.Command(s.ctx, s.gw, node)
		proof.Must(err == nil, "%s: %v", node, err)
		got, err := a.Submit(s.ctx, cmd, "", map[string]string{"contact": his})
		var refused *user.Error
		proof.That(errors.As(err, &refused) && refused.Condition == "item-not-found", "%s of B's contact: got %+v, %v, want item-not-found", node, got, err)
	}
	found := s.tell(a, "search nurse").Body
	proof.That(strings.Contains(found, hers) && !strings.Contains(found, his), "search by chat: got %q, want %s and not %s", found, hers, his)
	n := a.Count()
	if _, err := a.Command(s.ctx, s.gw, "import"); err != nil {
		s.Fatal(err)
	}
	if _, err := a.Ping(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
	for _, st := range a.Stanzas(n) {
		proof.That(!strings.Contains(st.XML(), his), "import: got %s, want nothing of B", st.XML())
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
