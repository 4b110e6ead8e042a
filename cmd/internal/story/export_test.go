//go:build servers

package story

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExportByUser is a user who asks for their data: they get an address at which the very lines are that postern export prints, once an hour.
func TestExportByUser(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		if got := s.tell(c, "export").Body; !strings.Contains(got, "Get the copy?") {
			s.Fatalf("export: got %q, want a question", got)
		}
		url := regexp.MustCompile(`https?://\S+`).FindString(s.tell(c, "yes").Body)
		req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
		if err != nil {
			s.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			s.Fatalf("get %s: %s, %v", url, resp.Status, err)
		}
		admin := strings.TrimSpace(s.does("", "token", "create", "boss", "--role", "admin", "-c", filepath.Base(s.yaml)))
		all := s.does(admin, "export", c.JID())
		if own := string(raw); !strings.HasPrefix(own, `{"schema":"postern-export/1","user":"`+c.JID()) || !strings.Contains(own, strings.Split(nurse, "@")[0]) || strings.Count(own, "\n") < 5 {
			s.Errorf("got\n%s", own)
		}
		for line := range strings.Lines(string(raw)) {
			if !strings.Contains(all, line) {
				s.Errorf("postern export does not say %s", line)
			}
		}
		if got := s.tell(c, "export").Body; !strings.Contains(got, "a short while ago") {
			s.Errorf("again: got %q, want that it is too soon", got)
		}
		if out := s.does(admin, "audit", "about", c.JID()); !regexp.MustCompile(`(?m)^\d+ .* user +user\.export +gatekeeper `).MatchString(out) {
			s.Errorf("the lines about the user:\n%s", out)
		}
		s.talks(c, nurse, "nurse")
	})
}
