//go:build servers

package story

import (
	"fmt"
	"net/http"
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

// fromContact finds what a client got from a contact besides presence.
func fromContact(c *user.Client, n int, jid string) (out []string) {
	for _, m := range c.Stanzas(n) {
		if m.Kind == user.Message && strings.HasPrefix(m.From, jid) {
			out = append(out, m.XML())
		}
	}
	return out
}

// TestCanary is the operator's own user whose messages go to a person who says the same: the gateway sends one by itself, the operator sees that
// it came back, the user's client nothing of it. It sees as well when it does not come back.
func TestCanary(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("canary")
		echo := s.befriend(c, "echo")
		n := c.Count()
		if _, err := c.Send(s.ctx, echo, "is there anybody?"); err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "what the person says", text(echo, "is there anybody?"))
		s.stop()
		n = c.Count()
		adapter := s.config() + fmt.Sprintf("    canary: {user: %s, to: %s, every: 10m, within: 30s, echo: true}\n", c.JID(), echo)
		s.yaml = s.file("postern.yaml", adapter)
		s.start()
		s.until("the canary came back", func() bool { return s.watched("ok") })
		viewer := strings.TrimSpace(s.does("", "token", "create", "anna", "--role", "viewer", "-c", filepath.Base(s.yaml)))
		if out := s.does(viewer, "adapters", "--json"); !strings.Contains(out, `"result":"ok"`) || !strings.Contains(out, `"last_success":"`) {
			s.Errorf("adapters: got\n%s", out)
		}
		hold[message](s.sandbox, wait{Kind: "message", Person: "echo", User: c.JID(), Direction: "to_person"})
		s.talksTo(c, echo, "still there?")
		for _, m := range fromContact(c, n, echo) {
			if strings.Contains(m, "canary-") || strings.Contains(m, "urn:xmpp:receipts' id='canary") {
				s.Errorf("the client was shown %s", m)
			}
		}
		s.stop()
		s.control(http.MethodPut, "/faults", map[string]any{"error_rate": 1}, nil)
		s.yaml = s.file("postern.yaml", strings.Replace(adapter, "every: 10m, within: 30s", "every: 1m, within: 5s", 1))
		s.start()
		s.until("the canary did not come back", func() bool { return s.watched("no_answer") })
		s.control(http.MethodPut, "/faults", map[string]any{}, nil)
	})
}

// talksTo sends a line to a person who says the same, and waits for that.
func (s *stage) talksTo(c *user.Client, jid, line string) {
	s.Helper()
	n := c.Count()
	if _, err := c.Send(s.ctx, jid, line); err != nil {
		s.Fatal(err)
	}
	s.see(c, n, "what the person says", text(jid, line))
}
