//go:build servers

package story

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// postern runs the program as an operator does, in the stage's folder, and returns what it prints to standard output and error.
func (s *stage) command(in, token string, args ...string) (out, errs string, ok bool) {
	s.Helper()
	cmd := exec.CommandContext(s.ctx, binary(s.T), args...)
	cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(in)
	cmd.Env = []string{"POSTERN_URL=http://" + s.site, "POSTERN_TOKEN=" + token}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String(), stderr.String(), err == nil
}

// does runs the program and wants it to succeed.
func (s *stage) does(token string, args ...string) string {
	s.Helper()
	out, errs, ok := s.command("", token, args...)
	if !ok || errs != "" {
		s.Fatalf("postern %s: %s", strings.Join(args, " "), errs)
	}
	return out
}

// TestOperator is the operator at the command line, beside a running gateway: tokens and what each may do, queues, dead letters and
// the audit log.
func TestOperator(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		scene := &scene{stage: s, c: c, jid: s.befriend(c, "nurse")}
		for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
			scene.hooked(http.StatusOK, scene.signed(id, time.Now(), "no json "+id), "no json "+id)
		}
		conf := []string{"-c", filepath.Base(s.yaml)}
		viewer := strings.TrimSpace(s.does("", append([]string{"token", "create", "grafana", "--role", "viewer"}, conf...)...))
		operator := strings.TrimSpace(s.does("", append([]string{"token", "create", "anna", "--role", "operator", "--lasts", "1h"}, conf...)...))
		admin := strings.TrimSpace(s.does("", append([]string{"token", "create", "boss", "--role", "admin"}, conf...)...))

		if out := s.does(viewer, "adapters"); !strings.Contains(out, "gatekeeper") || !strings.Contains(out, s.gw) {
			s.Errorf("adapters: got\n%s", out)
		}
		if out := s.does(viewer, "queues"); !regexp.MustCompile(`(?m)^outbox +gatekeeper +0 +-$`).MatchString(out) {
			s.Errorf("queues: got\n%s", out)
		}
		var chats []struct{ Adapter, Alias string }
		raw := s.does(operator, "chats", c.JID(), "--json")
		if err := json.Unmarshal([]byte(raw), &chats); err != nil || len(chats) != 1 || chats[0].Adapter != "gatekeeper" || !strings.HasPrefix(scene.jid, chats[0].Alias+"@") || strings.Contains(raw, "nurse") {
			s.Errorf("chats: got %v and\n%s", err, raw)
		}
		if out := s.does(operator, "chats", c.JID()); !strings.Contains(out, chats[0].Alias) || !strings.Contains(out, "LAST FROM THEM") {
			s.Errorf("chats: got\n%s", out)
		}
		if out := s.does(operator, "invites", "list", c.JID(), "--json"); out != "[]\n" {
			s.Errorf("invites: got %q, want none: this platform has no line", out)
		}
		letters := func() (ids []string) {
			var all []struct{ ID, Adapter, Where, Code string }
			if err := json.Unmarshal([]byte(s.does(viewer, "dead-letters", "list", "--json")), &all); err != nil {
				s.Fatal(err)
			}
			for _, l := range all {
				if l.Adapter != "gatekeeper" || l.Where != "webhook" || l.Code != "malformed" {
					s.Errorf("dead letter: got %+v", l)
				}
				ids = append(ids, l.ID)
			}
			return ids
		}
		ids := letters()
		if out := s.does(viewer, "dead-letters", "list"); len(ids) != 3 || !strings.Contains(out, ids[0]) || strings.Contains(out, "no json") {
			s.Fatalf("dead letters %q, as a table:\n%s", ids, out)
		}

		for what, try := range map[string][]string{
			"This needs the role operator.":                {viewer, "dead-letters", "drop", ids[0]},
			"This needs the role admin.":                   {operator, "audit", "list"},
			"not there any more":                           {operator, "invites", "revoke", c.JID(), "abc"},
			"jid: It is no bare JID":                       {operator, "chats", "romeo"},
			"The token is unknown or over.":                {"postern_anna_x", "queues"},
			"all: It is true for all dead letters":         {operator, "dead-letters", "drop"},
			"adapter: No adapter has this name.":           {operator, "dead-letters", "replay", "--adapter", "telegram"},
			"It is not there, or not there any more.":      {operator, "dead-letters", "drop", "s01/9-9"},
			"this is no id of a dead letter":               {operator, "dead-letters", "drop", "this"},
			"this needs a token":                           {"", "queues"},
			"there is a token anna already":                append([]string{"", "token", "create", "anna"}, conf...),
			"there is no token eve":                        append([]string{"", "token", "revoke", "eve"}, conf...),
			"a token's name has 1 to 32 characters of a-z": append([]string{"", "token", "create", "Eve!"}, conf...),
		} {
			if out, errs, ok := s.command("", try[0], try[1:]...); ok || !strings.Contains(errs, what) {
				s.Errorf("postern %s: got %q and %q, want a failure that says %q", strings.Join(try[1:], " "), out, errs, what)
			}
		}

		s.does(operator, "dead-letters", "drop", ids[0])
		if got := letters(); len(got) != 2 {
			s.Errorf("after one was dropped: got %q, want two", got)
		}
		// What is replayed is as broken as before, and comes back under another id.
		if out := s.does(operator, "dead-letters", "replay", "--where", "webhook"); out != "2\n" {
			s.Errorf("replay: got %q, want 2", out)
		}
		s.until("both are back", func() bool { got := letters(); return len(got) == 2 && got[0] != ids[1] && got[1] != ids[2] })
		if out := s.does(operator, "dead-letters", "drop", "--all"); out != "2\n" || len(letters()) != 0 {
			s.Errorf("drop of all: got %q and %q left", out, letters())
		}

		s.does("", append([]string{"token", "revoke", "grafana"}, conf...)...)
		if _, errs, ok := s.command("", viewer, "queues"); ok || !strings.Contains(errs, "unknown or over") {
			s.Errorf("after the token was revoked: got %q", errs)
		}
		if out := s.does("", append([]string{"token", "list"}, conf...)...); strings.Contains(out, "grafana") || !strings.Contains(out, "anna") || strings.Contains(out, operator) {
			s.Errorf("tokens: got\n%s", out)
		}
		log := s.does(admin, "audit", "list", "--json")
		out, errs, ok := s.command(log, "", "audit", "verify", "-")
		if !ok || !strings.Contains(out, "lines hold together") {
			s.Errorf("audit verify: got %q, %q", out, errs)
		}
		for _, line := range []string{`"actor":"anna","action":"dead-letters.drop","object":"all"`, `"actor":"cli","action":"token.revoke","object":"grafana"`} {
			if !strings.Contains(log, line) {
				s.Errorf("the audit log lacks %s:\n%s", line, log)
			}
		}
		if _, errs, ok := s.command(strings.Replace(log, `"anna"`, `"eve"`, 1), "", "audit", "verify", "-"); ok || !strings.Contains(errs, "was changed") {
			s.Errorf("a changed log: got %q, want a failure", errs)
		}
		s.talks(c, scene.jid, "nurse")
	})
}
