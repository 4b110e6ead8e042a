//go:build servers

package story

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
	"postern/deploy"
)

const nsRoster = "jabber:iq:roster"

// withRights plays a story on both servers at once, with a gateway that has the rights of XEP-0356, as far as each has them.
func withRights(t *testing.T, play func(*stage)) {
	t.Helper()
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := prepare(t, kind, onRedis, true)
			s.start()
			s.said("privileges granted", 1)
			play(s)
			s.discreet()
		})
	}
}

// entry is what a user's roster holds of a contact; nil when it holds nothing.
func (s *stage) entry(c *user.Client, jid string) *user.Element {
	s.Helper()
	e, err := c.IQ(s.ctx, "", "get", "<query xmlns='"+nsRoster+"'/>")
	if err != nil {
		s.Fatal(err)
	}
	for _, i := range e.Child(nsRoster, "query").Children("item") {
		if i.Attr("jid") == jid {
			return i
		}
	}
	return nil
}

// edit is what a user's own client writes into the roster.
func (s *stage) edit(c *user.Client, jid, attrs, children string) {
	s.Helper()
	_, err := c.IQ(s.ctx, "", "set", "<query xmlns='"+nsRoster+"'><item jid='"+jid+"' "+attrs+">"+children+"</item></query>")
	if err != nil {
		s.Fatal(err)
	}
}

// asked counts the subscription requests that a client has seen from a contact.
func asked(c *user.Client, n int, jid string) int {
	count := 0
	for _, p := range c.Stanzas(n) {
		if presence(jid, "subscribe")(p) {
			count++
		}
	}
	return count
}

func TestRosterByRight(t *testing.T) { withRights(t, (*stage).rosters) }

func (s *stage) rosters() {
	proof := s.prove(33, 34)
	c := s.member("romeo")
	n := c.Count()
	jid := s.befriend(c, "nurse")
	if s.kind == deploy.Ejabberd {
		// 23.01 lets a component read rosters and does not let it make subscriptions: contacts ask for themselves.
		proof.Degraded("ejabberd 23.01 writes no rosters for a component: contacts ask for the subscription")
		s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") })
		proof.That(asked(c, n, jid) == 1, "got %d requests, want one", asked(c, n, jid))
		s.talks(c, jid, "nurse")
		return
	}
	s.until("the roster shows both", func() bool { return s.rosterHas(c, jid, "both") })
	item := s.entry(c, jid)
	proof.Must(item != nil && item.Attr("name") == "The Nurse" && item.Child(nsRoster, "group").Text() != "", "entry: got %v, want a name and a group", item)
	s.talks(c, jid, "nurse")
	proof.That(asked(c, n, jid) == 0, "got %d requests of the contact, want none: a request is a window in the user's way", asked(c, n, jid))

	// A name follows the platform until the user has chosen one.
	s.control(http.MethodPatch, "/people/nurse", map[string]any{"display": "Nurse Angelica"}, nil)
	s.until("the entry has the new name", func() bool { return s.entry(c, jid).Attr("name") == "Nurse Angelica" })
	s.edit(c, jid, "name='Nanny'", "<group>Family</group><group>Verona</group>")
	s.control(http.MethodPatch, "/people/nurse", map[string]any{"display": "The Nurse"}, nil)
	s.talks(c, jid, "nurse")
	s.again(c)
	item = s.entry(c, jid)
	proof.That(item.Attr("name") == "Nanny" && item.Attr("subscription") == "both" && len(item.Children("group")) == 2, "after a restart: got %v, want what the user chose", item)

	// Who is taken out stays out until there is news of them.
	s.edit(c, jid, "subscription='remove'", "")
	s.until("the entry is gone", func() bool { return s.entry(c, jid) == nil })
	s.again(c)
	other := s.befriend(c, "echo")
	s.until("another contact comes", func() bool { return s.rosterHas(c, other, "both") })
	proof.That(s.entry(c, jid) == nil, "after a restart: the contact that was taken out is back")
	n = c.Count()
	s.say("nurse", c.JID(), "have you forgotten me?")
	m := s.see(c, n, "news", text(jid, "have you forgotten me?"))
	push := s.see(c, n, "the entry again", func(i *user.Stanza) bool {
		return i.Kind == user.IQ && i.Type == "set" && i.Element.Child(nsRoster, "query").Child(nsRoster, "item").Attr("jid") == jid
	})
	proof.That(push.N < m.N && s.rosterHas(c, jid, "both") && asked(c, n, jid) == 0, "news of a contact that was taken out: entry %s", push.XML())

	// Taken out while the gateway was away: nobody told it, and it does not come back.
	s.stop()
	s.edit(c, other, "subscription='remove'", "")
	s.start()
	s.again(c)
	proof.That(s.entry(c, other) == nil, "taken out while the gateway was away: back")
	proof.That(s.rosterHas(c, jid, "both"), "the other contact is not in the roster any more")

	// Leaving cleans up.
	if err := c.Unregister(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
	s.until("the roster holds nobody any more", func() bool { return s.entry(c, jid) == nil })
}

// again restarts the gateway and waits until it has looked after the user's roster.
func (s *stage) again(c *user.Client) {
	s.Helper()
	n := c.Count()
	s.stop()
	s.start()
	s.said("privileges granted", 1)
	s.see(c, n, "presence of the gateway", presence(s.gw, ""))
	s.said("roster looked after", 1)
}

// natively is what the user does in the platform's own app.
func (s *stage) natively(method, path, who string, body any, out any) {
	s.Helper()
	s.control(method, "/users/"+url.PathEscape(who)+path, body, out)
}

func TestOwnMessages(t *testing.T) { withRights(t, (*stage).ownMessages) }

func (s *stage) ownMessages() {
	proof := s.prove(71, 72, 73)
	c := s.member("romeo")
	jid := s.befriend(c, "nurse")
	desk := s.loginAs(user.Config{JID: "romeo", Resource: "desk", Carbons: true})
	told := s.say("nurse", c.JID(), "anon, good nurse")
	theirs := s.see(desk, 0, "text", text(jid, "anon, good nurse"))
	before, n := s.posts(), desk.Count()

	var first said
	s.natively(http.MethodPost, "/messages", c.JID(), map[string]any{"to": "nurse", "text": "from my <telephone> & pocket", "reply_to": told.MessageID}, &first)
	s.natively(http.MethodPatch, "/messages/"+first.MessageID, c.JID(), map[string]any{"text": "from my pocket"}, nil)
	s.natively(http.MethodPut, "/messages/"+told.MessageID+"/reactions", c.JID(), map[string]any{"emojis": []string{"🌹"}}, nil)
	s.natively(http.MethodPost, "/read", c.JID(), map[string]any{"to": "nurse", "up_to": told.MessageID}, nil)
	s.natively(http.MethodDelete, "/messages/"+first.MessageID, c.JID(), nil, nil)
	s.say("nurse", c.JID(), "that is all")
	s.see(desk, n, "a text after all that", text(jid, "that is all"))

	if s.kind == deploy.Ejabberd {
		// 23.01 hands such a message to the contact, which is us, and to nobody else: it is neither copied nor archived.
		proof.Degraded("ejabberd 23.01 neither copies nor archives what is said in a user's name: it is not shown")
		for _, m := range desk.Stanzas(n) {
			proof.That(m.Kind != user.Message || m.Carbon == "" || m.Received != "", "got %s, want nothing", m.XML())
		}
		s.neverSentBack(proof.That, before, first.Conversation)
		return
	}
	own := func(what string, match func(*user.Stanza) bool) *user.Stanza {
		s.Helper()
		m := s.see(desk, n, what, func(m *user.Stanza) bool { return m.Carbon == "sent" && match(m) })
		proof.That(bare(m.From) == c.JID() && bare(m.To) == jid && m.Type == "chat" && m.ID != "" && m.ID == m.OriginID, "%s: got %s, want it from the user to the contact", what, m.XML())
		return m
	}
	m := own("text", func(m *user.Stanza) bool { return strings.HasSuffix(m.Body, "from my <telephone> & pocket") })
	proof.That(m.Body == "> anon, good nurse\nfrom my <telephone> & pocket" || m.Element.Child(nsReply, "reply").Attr("id") == theirs.ID, "reply: got %s, want to %s", m.XML(), theirs.ID)
	edit := own("edit", func(m *user.Stanza) bool { return m.Body == "from my pocket" })
	react := own("reaction", func(m *user.Stanza) bool { return m.Element.Child(nsReactions, "reactions") != nil })
	read := own("marker", func(m *user.Stanza) bool { return m.Displayed != "" })
	gone := own("retraction", func(m *user.Stanza) bool { return m.Element.Child(nsRetract, "retract") != nil })
	proof.That(edit.Element.Child(nsReplace, "replace").Attr("id") == m.ID, "edit: got %s, want of %s", edit.XML(), m.ID)
	proof.That(react.Element.Child(nsReactions, "reactions").Attr("id") == theirs.ID, "reaction: got %s, want to %s", react.XML(), theirs.ID)
	proof.That(read.Displayed == theirs.ID, "marker: got %s, want up to %s", read.XML(), theirs.ID)
	proof.That(gone.Element.Child(nsRetract, "retract").Attr("id") == m.ID, "retraction: got %s, want of %s", gone.XML(), m.ID)
	proof.That(slices.IsSorted([]int{m.N, edit.N, react.N, read.N, gone.N}), "order: got %v", []int{m.N, edit.N, react.N, read.N, gone.N})

	archive, err := c.Archive(s.ctx, time.Time{})
	if err != nil {
		s.Fatal(err)
	}
	for _, want := range []*user.Stanza{m, edit, react, read, gone} {
		var kept []*user.Stanza
		for _, a := range archive {
			if a.ID == want.ID {
				kept = append(kept, a)
			}
		}
		proof.That(len(kept) == 1 && bare(kept[0].From) == c.JID() && bare(kept[0].To) == jid, "archive: got %d of %s, want one from the user", len(kept), want.XML())
	}
	s.neverSentBack(proof.That, before, first.Conversation)

	// From either side such a message is found like any other.
	n = desk.Count()
	var second said
	s.natively(http.MethodPost, "/messages", c.JID(), map[string]any{"to": "nurse", "text": "what's in a name"}, &second)
	m = own("text", func(m *user.Stanza) bool { return m.Body == "what's in a name" })
	s.control(http.MethodPut, "/messages/"+second.MessageID+"/reactions", map[string]any{"emojis": []string{"♥"}}, nil)
	heart := s.see(desk, n, "reaction of the contact", func(r *user.Stanza) bool {
		return r.Kind == user.Message && r.Carbon == "" && bare(r.From) == jid && r.Element.Child(nsReactions, "reactions") != nil
	})
	proof.That(heart.Element.Child(nsReactions, "reactions").Attr("id") == m.ID, "reaction: got %s, want to %s", heart.XML(), m.ID)
	if _, err := desk.SendMessage(s.ctx, user.Outgoing{To: jid, Body: "what is in a name?", Extra: "<replace xmlns='" + nsReplace + "' id='" + m.ID + "'/>"}); err != nil {
		s.Fatal(err)
	}
	hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "what is in a name?", Edited: true})
}

// neverSentBack asserts that what the user did elsewhere did not reach the platform once more.
func (s *stage) neverSentBack(that func(bool, string, ...any), before int, conversation string) {
	s.Helper()
	that(s.posts() == before, "the platform got %d messages of what the user had done there", s.posts()-before)
	mine := 0
	for _, m := range s.chat(conversation) {
		if m.FromUser {
			mine++
		}
	}
	that(mine == 1, "the chat holds %d messages of the user, want the one from the platform's own app", mine)
}

func TestWithoutRights(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(74)
		c := s.member("romeo")
		n := c.Count()
		jid := s.befriend(c, "nurse")
		desk := s.loginAs(user.Config{JID: "romeo", Resource: "desk", Carbons: true})
		before := s.posts()
		var mine said
		s.natively(http.MethodPost, "/messages", c.JID(), map[string]any{"to": "nurse", "text": "from my pocket"}, &mine)
		s.natively(http.MethodPost, "/read", c.JID(), map[string]any{"to": "nurse"}, nil)
		s.until("the message is left out", func() bool {
			return strings.Contains(s.metrics(), `postern_stanza_faults_total{adapter="gatekeeper",fault="own_dropped"} 1`)
		})
		s.talks(c, jid, "nurse")
		proof.That(asked(c, n, jid) == 1, "got %d subscription requests, want one: without rights contacts ask", asked(c, n, jid))
		for _, m := range desk.Stanzas(0) {
			proof.That(m.Body != "from my pocket", "got %s, want it left out", m.XML())
		}
		proof.That(strings.Contains(s.metrics(), `fault="own_refused"} 0`), "the server was asked for what it has not granted")
		proof.That(s.posts() == before+1, "the platform got %d messages, want the one that was sent from here", s.posts()-before)
	})
}

// metrics is what Postern tells of itself.
func (s *stage) metrics() string {
	s.Helper()
	_, body := s.get("http://" + s.site + "/metrics")
	return string(body)
}

func TestTwoHosts(t *testing.T) {
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := prepare(t, kind, onRedis, true)
			s.yaml = s.file("postern.yaml", s.config()+"access: {domains: [localhost, "+foreign+"]}\n")
			s.start()
			s.said("privileges granted", 1)
			s.twoHosts()
			s.discreet()
		})
	}
}

// twoHosts: one host grants, the other says nothing.
func (s *stage) twoHosts() {
	proof := s.prove(75)
	here, there := s.member("romeo"), s.loginAs(user.Config{JID: "juliet@" + foreign, Accept: true, Receipts: true})
	s.enrol(there)
	proof.That(strings.Count(s.log.String(), "privileges granted") == 1, "want one host to grant, the other to say nothing")
	n, m := here.Count(), there.Count()
	mine, hers := s.befriend(here, "nurse"), s.befriend(there, "nurse")
	proof.That(asked(there, m, hers) == 1, "the host that grants nothing: got %d requests, want one", asked(there, m, hers))
	if s.kind == deploy.Prosody {
		proof.That(asked(here, n, mine) == 0, "the host that grants: got %d requests, want none", asked(here, n, mine))
	}
	for _, c := range []*user.Client{here, there} {
		s.natively(http.MethodPost, "/messages", c.JID(), map[string]any{"to": "nurse", "text": "from my pocket"}, nil)
	}
	s.until("one is left out", func() bool { return strings.Contains(s.metrics(), `fault="own_dropped"} 1`) })
	s.talks(here, mine, "nurse")
	s.talks(there, hers, "nurse")
	proof.That(strings.Contains(s.metrics(), `fault="own_dropped"} 1`) && strings.Contains(s.metrics(), `fault="own_refused"} 0`), "the host that grants nothing was asked")
}
