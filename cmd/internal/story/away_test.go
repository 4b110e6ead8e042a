//go:build servers

package story

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
	"postern/deploy"
)

const nsDelay = "urn:xmpp:delay"

func TestUserIsAway(t *testing.T) {
	both(t, func(s *stage) {
		proof := s.prove(35)
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		// A second client of the same user looks into the archive; without presence it is handed no messages.
		watch := s.loginAs(user.Config{JID: "romeo", Resource: "watch", Silent: true})
		if err := c.Disconnect(); err != nil {
			s.Fatal(err)
		}
		n := c.Count()
		const lines = 5
		for i := range lines {
			s.say("nurse", c.JID(), fmt.Sprint("away ", i))
		}
		var kept []string
		s.until("the archive holds all", func() bool {
			kept = nil
			all, err := watch.Archive(s.ctx, time.Time{})
			if err != nil {
				s.Fatal(err)
			}
			for _, m := range all {
				if strings.HasPrefix(m.Body, "away ") {
					kept = append(kept, m.Body)
				}
			}
			return len(kept) >= lines
		})
		s.inOrder("in the archive", kept, "away ", lines)
		if err := c.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "the last line", text(jid, fmt.Sprint("away ", lines-1)))
		s.talks(c, jid, "nurse")
		s.inOrder("at the next login", bodies(c, n, "away "), "away ", lines)
		proof.That(len(kept) == lines && len(bodies(c, n, "away ")) == lines, "archived %q, shown %q, want %d each", kept, bodies(c, n, "away "), lines)
	})
}

// bodies are the texts with a prefix that a client was handed after its n-th stanza.
func bodies(c *user.Client, n int, prefix string) (out []string) {
	for _, m := range c.Stanzas(n) {
		if m.Kind == user.Message && m.Carbon == "" && strings.HasPrefix(m.Body, prefix) {
			out = append(out, m.Body)
		}
	}
	return out
}

// heldLong is an outage that is no blip, and longer than what is shown without a stamp (XEP-0203).
const heldLong = time.Minute

// TestServerIsAway is two stories over one outage, since an outage takes its time: what a person says meanwhile arrives once
// and in order, and a gateway with a wrong secret stays up until the secret is right.
func TestServerIsAway(t *testing.T) {
	both(t, func(s *stage) {
		secrets, outage := s.prove(1), s.prove(2, 50)
		refused := newStage(s.T, s.kind, onRedis)
		refused.file("component.secret", "another secret\n")
		refused.run(refused.yaml)

		c := s.loginAs(user.Config{JID: "romeo", Accept: true, Receipts: true, Reconnect: true})
		s.enrol(c)
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		n := c.Count()

		refused.said("the server refused the component secret for "+refused.gw, 1)
		secrets.That(s.health(refused.site) == http.StatusOK, "healthz of the refused gateway: got %d, want 200", s.health(refused.site))
		secrets.That(!strings.Contains(refused.log.String(), "another secret"), "the log holds the secret")

		if err := s.xmpp.Stop(s.ctx); err != nil {
			s.Fatal(err)
		}
		refused.secretOnServer("another secret")
		const lines = 30
		began := time.Now()
		for i := range lines {
			s.say("nurse", c.JID(), fmt.Sprint("held ", i))
		}
		hold[any](s.sandbox, wait{Kind: "idle"}) // each was answered 200
		said := time.Now()
		select {
		case <-time.After(heldLong): // of this the story tells
		case <-s.ctx.Done():
			s.Fatal(s.ctx.Err())
		}
		if err := s.xmpp.Start(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.until("the user is back", func() bool { return c.Logins() > 1 })
		s.said("xmpp stream up", 2)
		s.see(c, n, "the last line", text(jid, fmt.Sprint("held ", lines-1)))
		s.talks(c, jid, "nurse")
		s.inOrder("after the outage", bodies(c, n, "held "), "held ", lines)
		outage.That(len(bodies(c, n, "held ")) == lines, "after the outage: got %q, want %d lines", bodies(c, n, "held "), lines)
		for _, m := range c.Stanzas(n) {
			if strings.HasPrefix(m.Body, "held ") {
				outage.That(stamped(m, began.Add(-2*time.Second), said.Add(2*time.Second)), "got %s, want a stamp of when it was said", m.XML())
			}
		}

		refused.said("xmpp stream up", 1)
		secrets.That(strings.Count(refused.log.String(), "xmpp stream up") == 1, "with the right secret: want one stream\n%s", refused.log.tail())
		other := refused.member("benvolio")
		refused.talks(other, refused.befriend(other, "nurse"), "nurse")
	})
}

// stamped reports whether a message carries a time between two others; servers may add stamps of their own.
func stamped(m *user.Stanza, from, to time.Time) bool {
	for _, d := range m.Element.Children("delay") {
		at, err := time.Parse(time.RFC3339, d.Attr("stamp"))
		if err == nil && d.Name.Space == nsDelay && at.After(from) && at.Before(to) {
			return true
		}
	}
	return false
}

func (s *stage) health(addr string) int {
	s.Helper()
	status, _ := s.get("http://" + addr + "/healthz")
	return status
}

// secretOnServer changes the secret of this stage's component in the server's configuration.
func (s *stage) secretOnServer(now string) {
	s.Helper()
	s.keep()
	file := filepath.Join(s.xmpp.Dir(), "postern.cfg.lua")
	pattern := `(Component "` + regexp.QuoteMeta(s.gw) + `"\s+component_secret = ")([^"]*)`
	if s.kind == deploy.Ejabberd {
		file = filepath.Join(s.xmpp.Dir(), "conf", "postern.yml")
		pattern = `("?` + regexp.QuoteMeta(s.gw) + `"?:\s+password: ")([^"]*)`
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	text := regexp.MustCompile(pattern).ReplaceAllString(string(raw), "${1}"+now)
	if text == string(raw) {
		s.Fatalf("%s: no secret of %s found", file, s.gw)
	}
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		s.Fatal(err)
	}
}
