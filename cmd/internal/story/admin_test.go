//go:build servers

package story

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/user"
)

// withAdmin makes a stage whose operator may write to the gateway.
func withAdmin(s *stage) {
	s.yaml = s.file("postern.yaml", s.config()+"\naccess: {admins: [\"operator"+s.n+"@localhost\"]}\n")
}

// nodes are the commands that a client is shown.
func (s *stage) nodes(c *user.Client) (nodes []string) {
	s.Helper()
	list, err := c.Items(s.ctx, s.gw, "http://jabber.org/protocol/commands")
	if err != nil {
		s.Fatal(err)
	}
	for _, i := range list.Children("item") {
		nodes = append(nodes, i.Attr("node"))
	}
	return nodes
}

// orders plays a command of one form.
func (s *stage) orders(c *user.Client, node string, answers map[string]string) string {
	s.Helper()
	cmd, err := c.Command(s.ctx, s.gw, node)
	if err == nil {
		cmd, err = c.Submit(s.ctx, cmd, "complete", answers)
	}
	if err != nil {
		s.Fatalf("%s: %v", node, err)
	}
	return cmd.Text()
}

// TestAdminByChat is the operator at a chat client (XEP-0133): what /v1 offers, by commands and by words, in the audit log under a name that is
// not theirs. Nobody else sees it, and who tries it is refused.
func TestAdminByChat(t *testing.T) {
	bothAs(t, withAdmin, func(s *stage) {
		c, boss := s.member("romeo"), s.login("operator")
		scene := &scene{stage: s, c: c, jid: s.befriend(c, "nurse")}
		scene.hooked(http.StatusOK, scene.signed("evt_1", time.Now(), "no json"), "no json")

		const state, disable = "operator/status", "http://jabber.org/protocol/admin#disable-user"
		for _, node := range []string{state, "operator/dead-letters", "operator/adapter", disable} {
			if slices.Contains(s.nodes(c), node) || !slices.Contains(s.nodes(boss), node) {
				s.Errorf("%s: want it seen by the operator alone", node)
			}
			var refused *user.Error
			if _, err := c.Command(s.ctx, s.gw, node); !errors.As(err, &refused) || refused.Condition != "forbidden" {
				s.Errorf("%s by a user: got %v, want forbidden", node, err)
			}
		}
		cmd, err := boss.Command(s.ctx, s.gw, state)
		if err != nil {
			s.Fatal(err)
		}
		_, actor, ok := strings.Cut(cmd.Text(), "In the audit log you are ")
		if actor, _, _ = strings.Cut(actor, "."); !ok || !strings.HasPrefix(actor, "chat-") || !strings.Contains(cmd.Text(), "Dead letters: 1") {
			s.Fatalf("state: got %q", cmd.Text())
		}
		cmd, err = boss.Command(s.ctx, s.gw, "operator/dead-letters")
		if err == nil {
			cmd, err = boss.Submit(s.ctx, cmd, "next", map[string]string{"do": "list"})
		}
		if err != nil || cmd.Form == nil || !strings.Contains(cmd.Form.Text(), "gatekeeper, a platform's call, refused for good, malformed") || strings.Contains(cmd.Form.Text(), "no json") {
			s.Fatalf("dead letters: got %+v, %v", cmd, err)
		}
		if got := s.orders(boss, "operator/dead-letters", map[string]string{"do": "drop", "all": "1"}); !strings.Contains(got, "Forgotten: 1") {
			s.Errorf("drop: got %q", got)
		}
		if got := s.orders(boss, "operator/adapter", map[string]string{"adapter": "gatekeeper", "do": "stop", "reason": "Back at noon."}); !strings.Contains(got, "is stopped") {
			s.Errorf("stop: got %q", got)
		}
		s.isRefused(c, scene.jid, "service-unavailable", "Back at noon.")
		if got := s.orders(boss, "operator/adapter", map[string]string{"adapter": "gatekeeper", "do": "start"}); !strings.Contains(got, "goes on") {
			s.Errorf("start: got %q", got)
		}
		s.talks(c, scene.jid, "nurse")
		if got := s.orders(boss, disable, map[string]string{"accountjid": c.JID(), "reason": "For a week."}); !strings.Contains(got, "is blocked") {
			s.Errorf("block: got %q", got)
		}
		s.isRefused(c, scene.jid, "policy-violation", "For a week.")
		if got := s.orders(boss, "http://jabber.org/protocol/admin#reenable-user", map[string]string{"accountjid": c.JID()}); !strings.Contains(got, "not blocked any more") {
			s.Errorf("unblock: got %q", got)
		}
		n := boss.Count()
		if _, err := boss.Send(s.ctx, s.gw, "operator"); err != nil {
			s.Fatal(err)
		}
		s.see(boss, n, "the state as a chat", func(m *user.Stanza) bool {
			return m.Kind == user.Message && strings.Contains(m.Body, "gatekeeper runs.") && strings.Contains(m.Body, actor)
		})

		admin := strings.TrimSpace(s.does("", "token", "create", "boss", "--role", "admin", "-c", filepath.Base(s.yaml)))
		log := s.does(admin, "audit", "list", "--json")
		for _, action := range []string{"dead-letters.drop", "adapter.stop", "adapter.start", "user.block", "user.unblock"} {
			if !strings.Contains(log, `"actor":"`+actor+`","action":"`+action+`"`) {
				s.Errorf("the audit log lacks %s by %s:\n%s", action, actor, log)
			}
		}
		if strings.Contains(log, "operator"+s.n) || strings.Contains(log, c.JID()) {
			s.Errorf("the audit log names people:\n%s", log)
		}
	})
}
