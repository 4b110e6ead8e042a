//go:build servers

package story

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// lack is one feature of the gatekeeper's directory, and what is without it.
type lack struct {
	feature string
	// gone is what the contact announces no more in service discovery.
	gone []string
	// told is a part of what the user is told, once in all; empty where nothing of theirs was done in another way.
	told string
	// off is played while the feature is off, twice where something is told; on is the native form, when it is back.
	off, on func(*lacks)
}

// allLacks names every feature that can be switched, and the short names that stand for both directions.
func allLacks() []lack {
	return slices.Concat(lacksOfText(), lacksOfChanges(), lacksOfSignals(), lacksOfContent(), lacksOfPeople())
}

// fixed are the features that are always there or never, with what nobody may announce of the latter.
var fixed = map[string]struct {
	level string
	never []string
}{
	"text": {"native", nil}, "export": {"native", nil}, "erase": {"native", nil}, "contact_requests": {"native", nil}, "lookup": {"native", nil},
	"groups": {"unavailable", []string{"http://jabber.org/protocol/muc"}},
	"keys":   {"unavailable", []string{"eu.siacs.conversations.axolotl", "urn:xmpp:omemo:2", "urn:xmpp:openpgp:0"}},
	"calls":  {"unavailable", []string{"urn:xmpp:jingle:1", nsJMI}},
}

// lacks is a chat whose platform loses one feature at a time.
type lacks struct {
	*stage
	c     *user.Client
	nurse string // the contact
}

// TestLacks takes every feature away from the platform and gives it back: what cannot pass is done in another way, refused in words or not
// told, nothing else is lost, and the contact announces what works.
func TestLacks(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		s.talks(c, nurse, "nurse") // and with it who can read the chat
		var offer struct{ Features map[string]string }
		s.control(http.MethodGet, "/capabilities", nil, &offer)
		table := map[string]bool{}
		base := s.announced(c, nurse)
		for _, l := range allLacks() {
			table[l.feature] = true
			s.act(l.feature, func(s *stage) { (&lacks{s, c, nurse}).play(l, base) })
		}
		s.act("in presence", func(s *stage) { (&lacks{s, c, nurse}).presences(nsReactions) })
		for _, f := range slices.Sorted(maps.Keys(offer.Features)) {
			want, stays := fixed[f]
			switch {
			case !stays && !table[f]:
				t.Errorf("%s: a feature of the directory without a case here", f)
			case stays:
				s.stays(f, want.level, offer.Features[f])
				for _, ns := range want.never {
					s.neverAnnounced(c, nurse, ns)
				}
			}
		}
	})
}

// play takes a feature away and gives it back.
func (l *lacks) play(what lack, base []string) {
	l.Helper()
	n := l.c.Count()
	defer l.control(http.MethodPatch, "/capabilities", object{what.feature: "native"}, nil) // whatever failed costs no other case
	l.switched(what.feature, "unavailable")
	l.announces(base, what.gone)
	for range map[bool]int{true: 2, false: 1}[what.told != ""] {
		what.off(l)
	}
	l.talks(l.c, l.nurse, "nurse")
	if told := l.heard(n, what.told); what.told != "" && told != 1 {
		l.Errorf("told %d times %q, want once", told, what.told)
	}
	l.switched(what.feature, "native")
	l.announces(base, nil)
	what.on(l)
	if told := l.heard(n, what.told); what.told != "" && told != 1 {
		l.Errorf("with the feature back: told %d times %q in all, want once", told, what.told)
	}
}

// switched turns a feature of the platform on or off, and waits until Postern knows.
func (l *lacks) switched(feature, level string) {
	l.Helper()
	know := func(min int) (count int) {
		var got struct {
			OK    bool
			Count int
		}
		l.control(http.MethodPost, "/wait", wait{Kind: "webhooks", Type: "capability.changed", Min: max(min, 1), TimeoutMS: map[bool]int{true: 20_000, false: 0}[min > 0]}, &got)
		if min > 0 && !got.OK {
			l.Fatalf("%s: Postern took %d webhooks about capabilities, want %d", feature, got.Count, min)
		}
		return got.Count
	}
	var before, after struct{ Features map[string]string }
	l.control(http.MethodGet, "/capabilities", nil, &before)
	known := know(0)
	l.control(http.MethodPatch, "/capabilities", object{feature: level}, &after)
	changed := 0
	for f, now := range after.Features {
		if before.Features[f] != now {
			changed++
		}
	}
	know(known + changed)
}

// presences asserts that the hash in presence is that of what works by now (XEP-0115 §5.4), with and without reactions.
func (l *lacks) presences(ns string) {
	l.Helper()
	for _, level := range []string{"unavailable", "native"} {
		l.switched("react_out", level)
		n := l.c.Count()
		if err := l.c.Connect(l.ctx); err != nil {
			l.Fatal(err)
		}
		p := l.see(l.c, n, "presence after a login", presence(l.nurse, ""))
		l.verifies(l.c, p)
		caps := p.Element.Child(nsCaps, "c")
		if has := strings.Contains(l.info(l.c, p.From, caps.Attr("node")+"#"+caps.Attr("ver")).String(), ns); has != (level == "native") {
			l.Errorf("reactions %s: the presence announces them: %v", level, has)
		}
	}
}

// announced is what a contact says that it supports, forms included (XEP-0030, XEP-0128).
func (s *stage) announced(c *user.Client, jid string) (out []string) {
	s.Helper()
	for _, e := range s.info(c, jid+"/gateway", "").Children("") {
		switch {
		case e.Name.Local == "feature":
			out = append(out, e.Attr("var"))
		case e.Name.Space == nsForm:
			out = append(out, formString(e))
		}
	}
	slices.Sort(out)
	return out
}

// announces asserts that the contact announces all but what is gone, and nothing else.
func (l *lacks) announces(base, gone []string) {
	l.Helper()
	var want []string
	for _, f := range base {
		if !slices.ContainsFunc(gone, func(g string) bool { return strings.HasPrefix(f, g) }) { // a form belongs to its namespace
			want = append(want, f)
		}
	}
	if len(gone) > 0 && len(want) == len(base) {
		l.Errorf("%q was never announced", gone)
	}
	if got := l.announced(l.c, l.nurse); !slices.Equal(got, want) {
		l.Errorf("announced %q, want %q", got, want)
	}
}

// neverAnnounced asserts that neither gateway nor contact announces what never works.
func (s *stage) neverAnnounced(c *user.Client, jid, ns string) {
	s.Helper()
	for _, who := range []string{s.gw, jid, jid + "/gateway"} {
		if info := s.info(c, who, "").String(); strings.Contains(info, ns) {
			s.Errorf("%s announces %s: %s", who, ns, info)
		}
	}
}

// stays asserts the level of a feature that nobody can switch.
func (s *stage) stays(feature, want, got string) {
	s.Helper()
	raw, err := json.Marshal(object{feature: "unavailable"})
	if err != nil {
		s.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPatch, s.url+"/sandbox/v1/capabilities", bytes.NewReader(raw))
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if got != want || resp.StatusCode != http.StatusBadRequest {
		s.Errorf("%s: got %s, and %s when it is switched; want %s for good", feature, got, resp.Status, want)
	}
}

// line is a text that nobody wrote before.
func (l *lacks) line(words string) string { return words + " " + l.c.NewID() }

// hears waits until the person has a text, once.
func (l *lacks) hears(line string) richMessage {
	l.Helper()
	got := hold[richMessage](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: line})
	if len(got) != 1 {
		l.Errorf("the person got %q %d times, want once", line, len(got))
	}
	return got[len(got)-1]
}

// kinds waits until the person has so many messages that hold something, and returns the last.
func (l *lacks) kinds(has string, min int) richMessage {
	l.Helper()
	got := hold[richMessage](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Has: has, Min: min})
	return got[len(got)-1]
}

// count is how many messages of a kind the person has by now.
func (l *lacks) count(has string) int {
	l.Helper()
	var got struct{ Count int }
	l.control(http.MethodPost, "/wait", wait{Kind: "message", Person: "nurse", Direction: "to_person", Has: has, Min: 1}, &got)
	return got.Count
}

// heard is how many messages of the contact since the n-th stanza hold a part.
func (l *lacks) heard(n int, part string) (times int) {
	for _, m := range l.c.Stanzas(n) {
		if m.Kind == user.Message && m.Carbon == "" && strings.Contains(m.Body, part) {
			times++
		}
	}
	return times
}

// without asserts that nothing of the kind came since the n-th stanza: what the person says afterwards is here, and it is not.
func (l *lacks) without(n int, what string, match func(*user.Stanza) bool) {
	l.Helper()
	line := l.line("after " + what)
	l.say("nurse", l.c.JID(), line)
	l.see(l.c, n, line, text(l.nurse, line))
	for _, m := range l.c.Stanzas(n) {
		if bare(m.From) == l.nurse && match(m) {
			l.Errorf("without it, got a %s: %s", what, m.XML())
		}
	}
}

// notCarried asserts that the user reads in words that something came which is not carried.
func (l *lacks) notCarried(kind string, content object) {
	l.Helper()
	n := l.c.Count()
	l.tells("nurse", l.c.JID(), content)
	l.see(l.c, n, "notice about "+kind, saysOf(l.nurse, "["+kind+": not supported here]"))
}

// refused asserts that what the client sent is answered with an error in words, and that it costs the platform no request.
func (l *lacks) refused(extra, condition, words string) {
	l.Helper()
	n, before := l.c.Count(), len(l.asked("/v1/messages/"))
	id := l.writes(l.c, l.nurse, "", extra)
	e := l.see(l.c, n, "error", func(m *user.Stanza) bool { return m.ID == id && m.Type == "error" })
	if e.Condition != condition || !strings.Contains(e.ErrorText, words) || e.To != l.c.FullJID() {
		l.Errorf("got %s, want %s with %q", e.XML(), condition, words)
	}
	if after := len(l.asked("/v1/messages/")); after != before {
		l.Errorf("the platform was asked %d times for what it lacks", after-before)
	}
}

// theirs is something that the person said, as both sides know it.
func (l *lacks) theirs(words string) (said, *user.Stanza, string) {
	l.Helper()
	line, n := l.line(words), l.c.Count()
	told := l.say("nurse", l.c.JID(), line)
	return told, l.see(l.c, n, line, text(l.nurse, line)), line
}

// mine is something that the user said.
func (l *lacks) mine(words string) (id string, got richMessage) {
	l.Helper()
	line := l.line(words)
	id = l.writes(l.c, l.nurse, line, "")
	return id, l.hears(line)
}

// counted is a counter of degradations by now.
func (l *lacks) counted(feature string) (value float64) {
	l.Helper()
	_, rest, found := strings.Cut(l.metrics(), `postern_degraded_total{adapter="gatekeeper",feature="`+feature+`"} `)
	if _, err := fmt.Sscan(rest, &value); !found || err != nil {
		l.Fatalf("no counter of degradations of %s", feature)
	}
	return value
}
