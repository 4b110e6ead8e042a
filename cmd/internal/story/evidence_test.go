//go:build servers

package story

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/gateway"
)

// TestEvidence is what a provider shows an authority: what a gateway noted while it worked is in the store once it has ended in order, is
// signed beside it, and is verified without it. Nobody is in it.
func TestEvidence(t *testing.T) {
	processes(t, func(s *stage) {
		signal := s.exec(binary(s.T), s.yaml)
		s.ready()
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		signal(syscall.SIGTERM)

		public := strings.TrimSpace(s.does("", "evidence", "key", "evidence.key"))
		day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
		var e gateway.Evidence
		s.until("the evidence has what was said", func() bool {
			s.does("", "evidence", "--from", day(-1), "--to", day(1), "--key", "evidence.key", "--out", "days.jsonl", "-c", filepath.Base(s.yaml))
			if err := json.Unmarshal([]byte(s.does("", "evidence", "verify", "days.jsonl", "--key", public, "--json")), &e); err != nil {
				s.Fatal(err)
			}
			return len(e.Days) > 0
		})
		var messages, refused int64
		for _, d := range e.Days {
			if d.Adapter != "gatekeeper" || d.Type != "gatekeeper" || d.Minutes.Answered == 0 || len(d.Outages) > 0 {
				s.Errorf("got %+v", d)
			}
			for _, m := range d.Methods {
				if m.Requests > 0 && (m.P50 <= 0 || m.P99 < m.P50) {
					s.Errorf("times of %s: got %+v", m.Method, m)
				}
				for _, n := range m.Refused {
					refused += n
				}
				if m.Method == "message" {
					messages += m.Requests
				}
			}
		}
		if messages == 0 || refused > 0 {
			s.Errorf("got %d messages and %d refused", messages, refused)
		}
		file := filepath.Join(s.dir, "days.jsonl")
		raw, err := os.ReadFile(file)
		if err != nil {
			s.Fatal(err)
		}
		for _, word := range []string{c.JID(), jid, "gku_nurse"} {
			if strings.Contains(string(raw), word) {
				s.Errorf("the evidence holds %s", word)
			}
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(raw), `"requests":`, `"requests":1`, 1)), 0o600); err != nil {
			s.Fatal(err)
		}
		if _, errs, ok := s.command("", "", "evidence", "verify", "days.jsonl", "--key", public); ok || !strings.Contains(errs, "was changed") {
			s.Errorf("a changed file: got %q, want a failure", errs)
		}
	})
}
