//go:build servers

package story

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// scene is what every bad input meets: a user who talks with the nurse.
type scene struct {
	*stage
	c   *user.Client
	jid string // the nurse
}

// badInput is one thing that goes wrong, and what has to come of it.
type badInput struct {
	name string
	play func(*scene)
}

func TestBadInput(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		for _, b := range append(badStanzas, badWebhooks...) {
			s.act(b.name, func(s *stage) {
				b.play(&scene{stage: s, c: c, jid: jid})
				// Each costs at most itself: a message passes after it, over the same stream.
				s.talks(c, jid, "nurse")
				if n := strings.Count(s.log.String(), "xmpp stream up"); n != 1 {
					s.Errorf("component: connected %d times, want once", n)
				}
				if strings.Contains(s.log.String(), "panic") {
					s.Errorf("the log tells of a panic:\n%s", s.log.tail())
				}
			})
		}
	})
}

var badStanzas = []badInput{
	{"unknown contact", func(s *scene) {
		proof := s.prove(40)
		proof.That(s.bounces(s.c, "nobody@"+s.gw, "item-not-found") != nil, "no error")
	}},
	{"contact that is no address of ours", func(s *scene) { s.bounces(s.c, `+39\20333@`+s.gw+"/phone", "item-not-found") }},
	{"unregistered user", func(s *scene) {
		proof := s.prove(41)
		proof.That(s.bounces(s.login("benvolio"), s.jid, "registration-required") != nil, "no error")
	}},
	{"foreign domain", func(s *scene) {
		stranger := s.login("iago@" + foreign)
		s.bounces(stranger, s.jid, "forbidden")
		s.bounces(stranger, s.gw, "forbidden")
		s.unknown(stranger)
	}},
	{"encrypted", (*scene).encrypted},
	{"illegal characters in names and texts", (*scene).illegalCharacters},
	{"nested body in an unknown payload", (*scene).nestedBody},
	{"prefixed from", (*scene).prefixedFrom},
	{"message inside a message", (*scene).messageInMessage},
	{"priority of 999", func(s *scene) {
		s.send("<presence to='" + s.gw + "'><priority>999</priority></presence>")
		s.send("<presence to='" + s.jid + "'><priority>999</priority></presence>")
	}},
	{"history time with an offset", func(s *scene) {
		n := s.c.Count()
		s.send("<presence to='" + s.jid + "/romeo' id='muc1'><x xmlns='http://jabber.org/protocol/muc'><history since='2026-11-22T16:00:00+02:00'/></x></presence>")
		s.see(s.c, n, "error to who enters a contact", func(p *user.Stanza) bool {
			return p.Kind == user.Presence && p.Type == "error" && bare(p.From) == s.jid
		})
	}},
	{"delay with an offset", func(s *scene) {
		s.arrives("<message to='%s' id='%s' type='chat'><body>%s</body><delay xmlns='urn:xmpp:delay' stamp='2026-11-22T16:00:00+02:00'/></message>")
	}},
	{"200 levels deep", func(s *scene) {
		n := s.c.Count()
		s.send("<message to='" + s.jid + "' id='deep' type='chat'><body>deep</body>" + strings.Repeat("<d xmlns='urn:example:deep'>", 200) + strings.Repeat("</d>", 200) + "</message>")
		s.see(s.c, n, "error", func(m *user.Stanza) bool {
			return m.ID == "deep" && m.Type == "error" && m.Condition == "policy-violation"
		})
	}},
	{"text longer than the platform takes", (*scene).longText},
	{"stanza too long", func(s *scene) {
		// Servers write an apostrophe as &apos;, so that a stanza that the server takes from a client becomes six times as long.
		n := s.c.Count()
		s.send(`<message to="` + s.jid + `" id="long" type="chat"><body>` + strings.Repeat("'", 200_000) + `</body></message>`)
		e := s.see(s.c, n, "error", func(m *user.Stanza) bool { return m.ID == "long" && m.Type == "error" })
		if e.Condition != "policy-violation" || bare(e.From) != s.jid || !strings.Contains(s.log.String(), "reason=too_long") {
			s.Errorf("got %s, want policy-violation, and the log to say so", e.XML())
		}
	}},
	{"answers to questions nobody asked", func(s *scene) {
		n := s.c.Count()
		for _, id := range []string{"1", "ping", "p1", "postern-1"} {
			s.send("<iq type='result' to='" + s.gw + "' id='" + id + "'/><iq type='error' to='" + s.gw + "' id='" + id + "'/><iq type='result' to='" + s.jid + "' id='" + id + "'/>")
		}
		s.ping()
		s.silent(n)
	}},
	{"requests with no or two payloads", func(s *scene) {
		n := s.c.Count()
		s.send("<iq type='get' to='" + s.gw + "' id='none'/><iq type='get' to='" + s.gw + "' id='two'><ping xmlns='urn:xmpp:ping'/><query xmlns='jabber:iq:version'/></iq>")
		for _, id := range []string{"none", "two"} {
			// The server may refuse it itself; either way the sender hears.
			s.see(s.c, n, "error for "+id, func(q *user.Stanza) bool { return q.Kind == user.IQ && q.ID == id && q.Type == "error" })
		}
	}},
	{"group message and headline to a contact", func(s *scene) {
		before, n := s.posts(), s.c.Count()
		s.send("<message to='" + s.jid + "' id='gc1' type='groupchat'><body>hello all</body></message><message to='" + s.jid + "' id='hl1' type='headline'><body>news</body></message>")
		for _, id := range []string{"gc1", "hl1"} {
			s.see(s.c, n, "error for "+id, func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
		}
		s.unchanged(before)
	}},
	{"what nobody here understands", func(s *scene) {
		proof, before, n := s.prove(51), s.posts(), s.c.Count()
		s.send("<message to='" + s.jid + "' id='odd' type='chat'><thing xmlns='urn:example:thing'><body>evil</body></thing><store xmlns='urn:xmpp:hints'/></message>")
		s.ping()
		s.silent(n)
		s.unchanged(before)
		proof.That(len(s.asked("urn:example:thing")) == 0, "the platform was asked about it")
	}},
	{"presence of a type that does not exist", func(s *scene) {
		s.send("<presence to='" + s.jid + "' type='subscribed'/>") // never asked for
		s.ping()
	}},
}

// send puts XML on the user's stream as it is.
func (s *scene) send(xml string) {
	s.Helper()
	if err := s.c.SendXML(s.ctx, xml); err != nil {
		s.Fatal(err)
	}
}

// ping returns once the gateway has seen everything that was sent before.
func (s *scene) ping() {
	s.Helper()
	if _, err := s.c.Ping(s.ctx, s.gw); err != nil {
		s.Fatal(err)
	}
}

// silent asserts that nothing came from the gateway's domain.
func (s *scene) silent(n int) {
	s.Helper()
	for _, st := range s.c.Stanzas(n) {
		if strings.HasSuffix(bare(st.From), s.gw) {
			s.Errorf("got %s, want silence", st.XML())
		}
	}
}

// unchanged asserts that no message reached the sandbox.
func (s *scene) unchanged(before int) {
	s.Helper()
	s.ping()
	if after := s.posts(); after != before {
		s.Errorf("messages at the sandbox: got %d, want %d as before", after, before)
	}
}

// bounces asserts that a message comes back with a condition: to the full JID that sent, under its id, from whom it was for.
func (s *scene) bounces(c *user.Client, to, condition string) *user.Stanza {
	s.Helper()
	before, n := s.posts(), c.Count()
	id, err := c.Send(s.ctx, to, "this goes nowhere")
	if err != nil {
		s.Fatal(err)
	}
	e := s.see(c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
	if e.Condition != condition || e.To != c.FullJID() || bare(e.From) != bare(to) || e.ErrorText == "" {
		s.Errorf("message to %s: got %s, want %s with a text", to, e.XML(), condition)
	}
	s.unchanged(before)
	return e
}

// arrives sends a message from a pattern of address, id and text, and returns what the sandbox was posted.
func (s *scene) arrives(pattern string) string {
	s.Helper()
	line := "line " + s.c.NewID()
	s.send(fmt.Sprintf(pattern, s.jid, s.c.NewID(), line))
	got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: line})
	if len(got) != 1 {
		s.Errorf("%s: got %d times, want once", line, len(got))
	}
	posted := s.asked(line)
	if len(posted) == 0 {
		s.Fatalf("%s: no request holds it", line)
	}
	return posted[0]
}

// longText is cut where the platform's limit asks for it, and refused as a whole where that would be a flood.
func (s *scene) longText() {
	whole := strings.Repeat("long ", 20_000)
	if _, err := s.c.SendMessage(s.ctx, user.Outgoing{To: s.jid, Body: whole}); err != nil {
		s.Fatal(err)
	}
	got := ""
	s.until("all pieces are there", func() bool {
		got = ""
		for _, m := range hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Contains: "long long"}) {
			got += m.Content.Text
		}
		return len(got) >= len(whole)
	})
	if got != whole {
		s.Errorf("pieces: got %d bytes, want the %d of the text", len(got), len(whole))
	}
	before, n := s.posts(), s.c.Count()
	id, err := s.c.SendMessage(s.ctx, user.Outgoing{To: s.jid, Body: strings.Repeat("more ", 40_000)})
	if err != nil {
		s.Fatal(err)
	}
	e := s.see(s.c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
	if e.Condition != "not-acceptable" || !strings.Contains(e.ErrorText, "too long") {
		s.Errorf("a text of a book: got %s, want not-acceptable and the limit", e.XML())
	}
	s.unchanged(before)
}

func (s *scene) encrypted() {
	proof := s.prove(91)
	const omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><key rid='2'>AAAA</key><iv>AAAA</iv></header>"
	for name, payload := range map[string]string{
		"OMEMO 0.3":     omemo + "<payload>AAAA</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>",
		"OMEMO":         "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>AAAA</payload></encrypted>",
		"OpenPGP":       "<openpgp xmlns='urn:xmpp:openpgp:0'>AAAA</openpgp>",
		"named by 0380": "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:example:cipher'/>",
	} {
		before, n := s.posts(), s.c.Count()
		id, err := s.c.SendMessage(s.ctx, user.Outgoing{To: s.jid, Body: "fallback of an encrypted message", Extra: payload})
		if err != nil {
			s.Fatal(err)
		}
		e := s.see(s.c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
		if e.Condition != "not-acceptable" || !strings.Contains(e.ErrorText, "turn off encryption") {
			s.Errorf("%s: got %s, want not-acceptable and what to do", name, e.XML())
		}
		s.unchanged(before)
	}
	n := s.c.Count()
	s.send("<message to='" + s.jid + "' id='keys' type='chat'>" + omemo + "</encrypted><store xmlns='urn:xmpp:hints'/></message>")
	s.ping()
	s.silent(n)
	leaked := s.asked("fallback of an encrypted message")
	proof.That(len(leaked) == 0, "the gatekeeper got %q", leaked)
}

func (s *scene) illegalCharacters() {
	proof, n := s.prove(4), s.c.Count()
	s.control(http.MethodPut, "/people/ghost", map[string]any{
		"display": "Gh\u0000o\u0008st\ufffe ]]> <&", "opted_in": true, "accepts": "open",
	}, nil)
	for _, who := range []string{"nurse", "ghost"} {
		s.control(http.MethodPost, "/people/"+who+"/messages", map[string]any{
			"to": s.c.JID(), "content": map[string]string{"text": who + " \u0000\u0008\u001f\ufffe\uffff]]> <b>&amp;\u202e end"},
		}, nil)
		m := s.see(s.c, n, "text of "+who, func(m *user.Stanza) bool {
			return m.Kind == user.Message && strings.HasPrefix(m.Body, who) && strings.HasSuffix(m.Body, " end")
		})
		proof.That(strings.Contains(m.Body, "]]> <b>&amp;") && !strings.ContainsAny(m.Body, "\u0000\u0008\u001f\ufffe\uffff"),
			"text: got %q, want all of it but the illegal characters", m.Body)
	}
	// Half a surrogate pair is no character at all; only raw JSON can say it.
	s.control(http.MethodPost, "/people/nurse/messages", rawJSON(`{"to": "`+s.c.JID()+`", "content": {"text": "half \ud83d pair"}}`), nil)
	s.see(s.c, n, "text with half a pair", func(m *user.Stanza) bool {
		return m.Kind == user.Message && strings.HasPrefix(m.Body, "half ") && strings.HasSuffix(m.Body, " pair")
	})
}

// rawJSON is written as it is.
type rawJSON string

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func (s *scene) nestedBody() {
	before, n := s.posts(), s.c.Count()
	s.send("<message to='" + s.jid + "' id='nested' type='chat'><x xmlns='urn:example:x'><body xmlns='jabber:client'>evil</body><body>evil</body></x></message>")
	s.unchanged(before)
	s.silent(n)
	s.arrives("<message to='%s' id='%s' type='chat'><x xmlns='urn:example:x'><body xmlns='jabber:client'>evil</body></x><body>%s</body><y xmlns='urn:example:y'><body>evil</body></y></message>")
	if evil := s.asked("evil"); len(evil) > 0 {
		s.Errorf("a nested body was sent: %q", evil)
	}
}

// prefixedFrom claims to be somebody else by an attribute that is not the stanza's from.
func (s *scene) prefixedFrom() {
	other := s.member("mercutio")
	posted := s.arrives("<message xmlns:e='urn:example:e' e:from='" + other.JID() + "' e:type='error' to='%s' id='%s' type='chat'><body>%s</body></message>")
	if !strings.Contains(posted, s.c.JID()) || strings.Contains(posted, other.JID()) {
		s.Errorf("got a request in the name of somebody else than %s:\n%s", s.c.JID(), posted)
	}
	n := other.Count()
	s.send("<iq xmlns:e='urn:example:e' e:from='" + other.JID() + "' type='set' to='" + s.gw + "' id='rm'><query xmlns='jabber:iq:register'><remove/><e:x/></query></iq>")
	s.ping()
	if r, err := other.Registration(s.ctx, s.gw); err != nil || !r.Registered {
		s.Errorf("the other user: got %+v, %v, want still registered", r, err)
	}
	for _, st := range other.Stanzas(n) {
		if bare(st.From) == s.gw && st.Kind != user.Presence {
			s.Errorf("the other user got %s", st.XML())
		}
	}
}

func (s *scene) messageInMessage() {
	other := s.member("tybalt")
	posted := s.arrives("<message to='%s' id='%s' type='chat'><message xmlns='jabber:client' from='" + other.JID() + "' to='" + s.jid +
		"' type='chat'><body>inner</body></message><body>%s</body></message>")
	if !strings.Contains(posted, s.c.JID()) || strings.Contains(posted, other.JID()) {
		s.Errorf("got a request in the name of somebody else than %s:\n%s", s.c.JID(), posted)
	}
	before := s.posts()
	s.send("<message to='" + s.jid + "' id='fwd' type='chat'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='" + other.JID() +
		"'><body>inner</body></message></forwarded></message>")
	s.unchanged(before)
	if inner := s.asked("inner"); len(inner) > 0 {
		s.Errorf("an inner message was sent: %q", inner)
	}
}
