//go:build servers

package story

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// watched says what the metrics say of the canary.
func (s *stage) watched(result string) bool {
	s.Helper()
	_, metrics := s.get("http://" + s.site + "/metrics")
	return strings.Contains(string(metrics), fmt.Sprintf("postern_canary_total{adapter=\"gatekeeper\",result=%q} 1\n", result))
}

// TestCanary is the operator's own user whose messages go to a person who says the same: the gateway sends one by itself, and it comes back.
func TestCanary(t *testing.T) {
	both(t, func(s *stage) {
		c, echo, n := s.canary("echo", "echo: true")
		s.until("the canary came back", func() bool { return s.watched("ok") })
		viewer := strings.TrimSpace(s.does("", "token", "create", "anna", "--role", "viewer", "-c", filepath.Base(s.yaml)))
		if out := s.does(viewer, "adapters", "--json"); !strings.Contains(out, `"result": "ok"`) || !strings.Contains(out, `"last_success": "`) {
			s.Errorf("adapters: got\n%s", out)
		}
		if _, err := c.Send(s.ctx, echo, "still there?"); err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "what the person says", text(echo, "still there?"))
		s.unseen(c, n, echo)
	})
}

// TestCanaryDelivered is one whose person says nothing: that it was delivered is enough.
func TestCanaryDelivered(t *testing.T) {
	both(t, func(s *stage) {
		c, nurse, n := s.canary("nurse", "echo: false")
		s.until("the canary was delivered", func() bool { return s.watched("ok") })
		s.talks(c, nurse, "nurse")
		s.unseen(c, n, nurse)
	})
}

// TestCanaryUnanswered is one whose person ought to say the same, and says nothing.
func TestCanaryUnanswered(t *testing.T) {
	both(t, func(s *stage) {
		c, nurse, n := s.canary("nurse", "echo: true, within: 5s")
		s.until("the canary did not come back", func() bool { return s.watched("no_answer") })
		s.talks(c, nurse, "nurse")
		s.unseen(c, n, nurse)
	})
}

// canary registers a user who has a person as contact, and starts the gateway anew with a canary of the one to the other. n is where in
// what the client got that begins.
func (s *stage) canary(person, more string) (c *user.Client, jid string, n int) {
	s.Helper()
	c = s.member("canary")
	jid = s.befriend(c, person)
	n = c.Count()
	if _, err := c.Send(s.ctx, jid, "hello"); err != nil { // after which the user has heard who can read the chat
		s.Fatal(err)
	}
	hold[message](s.sandbox, wait{Kind: "message", Person: person, User: c.JID(), Direction: "to_person", Text: "hello"})
	s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received != "" })
	s.stop()
	n = c.Count()
	s.yaml = s.file("postern.yaml", s.config()+fmt.Sprintf("    canary: {user: %s, to: %s, every: 10m, %s}\n", c.JID(), jid, more))
	s.start()
	return c, jid, n
}

// unseen wants nothing of the canary on the user's client.
func (s *stage) unseen(c *user.Client, n int, jid string) {
	s.Helper()
	for _, m := range c.Stanzas(n) {
		if m.Kind == user.Message && strings.HasPrefix(m.From, jid) && strings.Contains(m.XML(), "canary-") {
			s.Errorf("the client was shown %s", m.XML())
		}
	}
}
