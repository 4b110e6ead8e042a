//go:build servers

package story

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"postern/api"
	"postern/cmd/internal/user"
)

// TestCases is a report from the user to the last decision, on real servers: it is a case, which a viewer sees without persons; the operator
// decides, the user reads the reasons and appeals, it is decided once more, and the audit log proves to who may know whom its lines are
// about.
func TestCases(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		conf := []string{"-c", filepath.Base(s.yaml)}
		viewer := strings.TrimSpace(s.does("", append([]string{"token", "create", "grafana", "--role", "viewer"}, conf...)...))
		operator := strings.TrimSpace(s.does("", append([]string{"token", "create", "anna", "--role", "operator"}, conf...)...))
		admin := strings.TrimSpace(s.does("", append([]string{"token", "create", "boss", "--role", "admin"}, conf...)...))

		s.tell(c, "report nurse")
		s.tell(c, "2")
		s.tell(c, "She talks without end.")
		said := s.tell(c, "no").Body
		list := func(token string, args ...string) (all []api.CaseView) {
			if err := json.Unmarshal([]byte(s.does(token, append([]string{"cases", "--json"}, args...)...)), &all); err != nil {
				s.Fatal(err)
			}
			return all
		}
		all := list(operator)
		if len(all) != 1 || !strings.Contains(said, string(all[0].ID)) || string(all[0].User) != c.JID() || all[0].Statement != "She talks without end." || all[0].Platform != "told" {
			s.Fatalf("got %+v, and the user was told %q", all, said)
		}
		id := string(all[0].ID)
		if out := s.does(operator, "cases"); !strings.Contains(out, id) || !strings.Contains(out, c.JID()) || !strings.Contains(out, "The Nurse") {
			s.Errorf("as a table:\n%s", out)
		}
		for _, args := range [][]string{{"cases"}, {"cases", "show", id}, {"cases", "list", "--state", "waiting"}} {
			if out := s.does(viewer, args...); !strings.Contains(out, id) || strings.Contains(out, c.JID()) || strings.Contains(out, "Nurse") || strings.Contains(out, "talks") {
				s.Errorf("postern %s of a viewer:\n%s", strings.Join(args, " "), out)
			}
		}
		if _, errs, ok := s.command("", viewer, "cases", "decide", id, "--decision", "no_action", "--reasons", "x"); ok || !strings.Contains(errs, "This needs the role operator.") {
			s.Errorf("a viewer decides: got %q", errs)
		}

		n := c.Count()
		s.does(operator, "cases", "decide", id, "--decision", "no_action", "--reasons", "Nurses do.")
		told := s.see(c, n, "decision", func(m *user.Stanza) bool { return m.From == s.gw && strings.Contains(m.Body, id) })
		if !strings.Contains(told.Body, "Reasons: Nurses do.") || !strings.Contains(told.Body, `send "appeal" to `+s.gw) {
			s.Errorf("the user was told %q", told.Body)
		}
		if _, errs, ok := s.command("", operator, "cases", "decide", id, "--decision", "forwarded", "--reasons", "x"); ok || !strings.Contains(errs, "decided already") {
			s.Errorf("decided twice: got %q", errs)
		}
		if got := s.tell(c, "appeal And she drinks.").Body; !strings.Contains(got, id) {
			s.Errorf("appeal: got %q", got)
		}
		if all := list(operator, "--state", "appealed"); len(all) != 1 || all[0].Appeal.Text != "And she drinks." {
			s.Errorf("appealed: got %+v", all)
		}
		n = c.Count()
		s.does(operator, "cases", "decide", id, "--decision", "contact_blocked", "--reasons", "That is too much.")
		s.see(c, n, "second decision", func(m *user.Stanza) bool {
			return m.From == s.gw && strings.Contains(m.Body, "blocked this contact") && strings.Contains(m.Body, "That is too much.")
		})
		s.see(c, n, "the contact goes", presence(nurse, "unavailable"))
		s.isRefused(c, nurse, "not-acceptable", "blocked")
		if out := s.does(operator, "cases", "show", id); !strings.Contains(out, "closed") || !strings.Contains(out, "And she drinks.") {
			s.Errorf("at last:\n%s", out)
		}

		about := s.does(admin, "audit", "about", c.JID())
		for _, want := range []string{"consent.give", "account.add", "case.open", "case.decide", "case.appeal"} {
			if !strings.Contains(about, want) {
				s.Errorf("the lines about the user lack %s:\n%s", want, about)
			}
		}
		log := s.does(admin, "audit", "list", "--json")
		for _, word := range []string{c.JID(), "Nurse", "drinks", "talks"} {
			if strings.Contains(log, word) {
				s.Errorf("the audit log holds %q", word)
			}
		}
		lines := strings.Split(strings.TrimSpace(about), "\n")
		last := strings.Fields(lines[len(lines)-1])
		out, errs, ok := s.command(log, "", "audit", "verify", "-", "--jid", c.JID(), "--salt", last[len(last)-1])
		if !ok || !strings.Contains(out, "is about "+c.JID()) || !strings.Contains(out, "lines hold together") {
			s.Errorf("proof: got %q, %q", out, errs)
		}
		if _, errs, ok := s.command(log, "", "audit", "verify", "-", "--jid", "eve@localhost", "--salt", last[len(last)-1]); ok || !strings.Contains(errs, "no line is about eve@localhost") {
			s.Errorf("proof of another: got %q, want a failure", errs)
		}
		s.does(admin, "erase", c.JID(), "--yes")
		if _, errs, ok := s.command("", operator, "cases", "show", id); ok || !strings.Contains(errs, "It is not there") {
			s.Errorf("the case after the erasure: got %q", errs)
		}
		if out := s.does(admin, "audit", "about", c.JID()); strings.Contains(out, "case.") {
			s.Errorf("lines about who is erased:\n%s", out)
		}
	})
}
