//go:build servers

package story

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

// withPolicy makes a stage that refuses tybalt, and lets everybody else write five messages a day.
func withPolicy(s *stage) {
	s.yaml = s.file("postern.yaml", s.config()+fmt.Sprintf(`
policy:
  plans:
    small: {messages: 5/24h}
  rules:
    - {user: tybalt%s@localhost, refuse: "Your account is suspended."}
    - {plan: small}
`, s.n))
}

// errorTo matches the error that comes back for a message.
func errorTo(id string) func(*user.Stanza) bool {
	return func(m *user.Stanza) bool { return m.Kind == user.Message && m.Type == "error" && m.ID == id }
}

// isRefused sends a message and wants it back with a condition and a text.
func (s *stage) isRefused(c *user.Client, to, condition, want string) {
	s.Helper()
	n := c.Count()
	id, err := c.Send(s.ctx, to, "refused")
	if err != nil {
		s.Fatal(err)
	}
	if e := s.see(c, n, "refusal", errorTo(id)); e.Condition != condition || !strings.Contains(e.ErrorText, want) {
		s.Errorf("got %s %q, want %s: %s", e.Condition, e.ErrorText, condition, want)
	}
}

// TestPolicy is the operator's policy on real servers: who is refused cannot register, a plan runs out, a stopped adapter takes and sends
// nothing and goes on where it was, a block holds until it is taken back.
func TestPolicy(t *testing.T) {
	bothAs(t, withPolicy, func(s *stage) {
		admin := strings.TrimSpace(s.does("", "token", "create", "boss", "--role", "admin", "-c", filepath.Base(s.yaml)))
		s.act("refused", func(s *stage) {
			var refused *user.Error
			if _, err := s.login("tybalt").Registration(s.ctx, s.gw); !errors.As(err, &refused) || refused.Condition != "policy-violation" || refused.Text != "Your account is suspended." {
				s.Errorf("registration: got %v, want the operator's reason", err)
			}
		})
		s.act("plan", func(s *stage) {
			c := s.member("romeo")
			nurse := s.befriend(c, "nurse")
			for range 5 {
				s.talks(c, nurse, "nurse")
			}
			s.isRefused(c, nurse, "policy-violation", "Please wait 5 hours")
			s.say("nurse", c.JID(), "still there?")
			s.see(c, 0, "what is written to them", text(nurse, "still there?"))
			if out := s.does(admin, "policy", "test", c.JID()); !regexp.MustCompile(`(?m)^gatekeeper +yes +rule 2 +small +plan_messages +0 +5/24h0m0s +2[34]h`).MatchString(out) {
				s.Errorf("policy test: got\n%s", out)
			}
		})
		c := s.member("juliet")
		nurse := s.befriend(c, "nurse")
		s.act("stopped", func(s *stage) {
			n := c.Count()
			s.does(admin, "adapters", "stop", "gatekeeper", "--reason", "Back at noon.")
			away := s.see(c, n, "presence of the stopped gateway", func(p *user.Stanza) bool {
				return presence(s.gw, "")(p) && strings.Contains(p.XML(), "Back at noon.")
			})
			if !strings.Contains(away.XML(), ">xa<") {
				s.Errorf("presence: got %s, want xa", away.XML())
			}
			s.isRefused(c, nurse, "service-unavailable", "Back at noon.")
			s.say("nurse", c.JID(), "while it is stopped")
			s.until("the platform was asked to send again", func() bool {
				_, metrics := s.get("http://" + s.site + "/metrics")
				return regexp.MustCompile(`(?m)^postern_webhooks_total\{adapter="gatekeeper",result="stopped"\} [1-9]`).Match(metrics) &&
					strings.Contains(string(metrics), `postern_adapter_stopped{adapter="gatekeeper"} 1`)
			})
			if out := s.does(admin, "adapters"); !strings.Contains(out, "by boss: Back at noon.") {
				s.Errorf("adapters: got\n%s", out)
			}
			if got := bodies(c, n, "while it is stopped"); len(got) != 0 {
				s.Errorf("got %q while it is stopped", got)
			}
			n = c.Count()
			s.does(admin, "adapters", "start", "gatekeeper")
			s.see(c, n, "what the platform repeats", text(nurse, "while it is stopped"))
			s.talks(c, nurse, "nurse")
		})
		s.act("blocked", func(s *stage) {
			s.does(admin, "block", c.JID(), "--reason", "Ask the help desk.")
			s.isRefused(c, nurse, "policy-violation", "Ask the help desk.")
			if out := s.does(admin, "blocks"); !strings.Contains(out, c.JID()) || !strings.Contains(out, "boss") {
				s.Errorf("blocks: got\n%s", out)
			}
			s.does(admin, "unblock", c.JID())
			s.talks(c, nurse, "nurse")
			if log := s.does(admin, "audit", "list", "--json"); strings.Contains(log, "juliet") || !strings.Contains(log, `"action":"user.block"`) || !strings.Contains(log, `"action":"adapter.stop","object":"gatekeeper"`) {
				s.Errorf("audit log: got\n%s", log)
			}
		})
	})
}
