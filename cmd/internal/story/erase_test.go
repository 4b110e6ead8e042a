//go:build servers

package story

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/internal/user"
	"postern/deploy/lab"
	"postern/gateway"
)

// TestErase is the operator who answers a user's wish to know and to be forgotten: the export says what is held, and after the erasure
// Redis holds nothing of it, the platform has no enlistment and the clients no contacts. Another user is as before, and then does the
// same to themselves.
func TestErase(t *testing.T) {
	both(t, func(s *stage) {
		c, other := s.member("romeo"), s.member("juliet")
		nurse, kept := s.befriend(c, "nurse"), s.befriend(other, "nurse")
		s.talks(c, nurse, "nurse")
		s.talks(other, kept, "nurse")
		admin := strings.TrimSpace(s.does("", "token", "create", "boss", "--role", "admin", "-c", filepath.Base(s.yaml)))

		var account string
		for line := range strings.Lines(s.does(admin, "accounts", c.JID())) {
			if f := strings.Fields(line); len(f) > 2 && f[1] == "gatekeeper" && f[2] == string(gateway.AccountActive) {
				account = f[0]
			}
		}
		if account == "" {
			s.Fatal("no account is listed")
		}
		s.does(admin, "export", c.JID(), "--out", "romeo.jsonl")
		raw, err := os.ReadFile(filepath.Join(s.dir, "romeo.jsonl"))
		if err != nil {
			s.Fatal(err)
		}
		local, _, _ := strings.Cut(nurse, "@")
		for _, want := range []string{account, c.JID(), gateway.ExportSchema, local, `"gku_nurse"`, `"kind":"consent"`} {
			if !strings.Contains(string(raw), want) {
				s.Errorf("the export lacks %s:\n%s", want, raw)
			}
		}

		romeo := &scene{stage: s, c: c}
		s.forgets(romeo, nurse, account, func() { s.does(admin, "erase", c.JID(), "--yes") })

		for _, verb := range [][]string{{"export", c.JID()}, {"erase", c.JID(), "--yes"}} {
			if _, errs, ok := s.command("", admin, verb...); ok || !strings.Contains(errs, "It is not there") {
				s.Errorf("postern %s of who is forgotten: got %q", verb[0], errs)
			}
		}
		n := c.Count()
		id, err := c.Send(s.ctx, nurse, "still there?")
		if err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "refusal", func(m *user.Stanza) bool {
			return m.ID == id && m.Type == "error" && m.Condition == "registration-required"
		})
		s.talks(other, kept, "nurse")
		s.erasesThemselves(admin, other, kept)
	})
}

// forgets is an erasure: of the user's identifiers Redis knew before, and holds nothing afterwards.
func (s *stage) forgets(who *scene, contact, account string, erase func()) {
	s.Helper()
	local, _, _ := strings.Cut(contact, "@")
	ids := []string{who.c.JID(), local, account, "gku_nurse", who.endpoint()}
	before := s.held(ids)
	n := who.c.Count()
	erase()
	for _, from := range []string{contact, s.gw} {
		s.see(who.c, n, "unsubscribed from "+from, presence(from, "unsubscribed"))
	}
	s.until("the enlistment is gone", func() bool { return !s.enlisted(who.c.JID()) })
	s.until("nothing is held", func() bool { return len(s.held(ids)) == 0 })
	s.Logf("places in Redis with the user's identifiers: %v before, %v after", before, s.held(ids))
	if before[account] == 0 {
		s.Error("Redis knew nothing of the account before: the scan proves nothing")
	}
	for _, clear := range []string{who.c.JID(), "gku_nurse"} {
		if before[clear] > 0 {
			s.Errorf("%s stood in Redis in the clear", clear)
		}
	}
}

// erasesThemselves is a user who has all of it erased in the chat with the gateway: the same happens, and the salt that they get shows which
// line of the audit log is about it.
func (s *stage) erasesThemselves(admin string, c *user.Client, nurse string) {
	s.Helper()
	var account string
	for line := range strings.Lines(s.does(admin, "accounts", c.JID())) {
		if f := strings.Fields(line); len(f) > 2 && f[1] == "gatekeeper" {
			account = f[0]
		}
	}
	if asked := s.tell(c, "erase").Body; !strings.Contains(asked, "Erase everything?") || !strings.Contains(asked, "Nobody can undo this") {
		s.Fatalf("erase: got %q, want a question", asked)
	}
	var salt string
	s.forgets(&scene{stage: s, c: c}, nurse, account, func() {
		done := s.tell(c, "yes").Body
		if !strings.Contains(done, "is erased") {
			s.Errorf("got %q, want that it is done", done)
		}
		salt = done[strings.LastIndex(done, "\n")+1:]
	})
	s.file("audit.jsonl", s.does(admin, "audit", "list", "--json"))
	proved := s.does("", "audit", "verify", "--jid", c.JID(), "--salt", salt, "audit.jsonl")
	if !strings.Contains(proved, "user.erase") {
		s.Errorf("the salt shows %q", proved)
	}
	if _, errs, ok := s.command("", admin, "export", c.JID()); ok || !strings.Contains(errs, "It is not there") {
		s.Errorf("postern export of who is forgotten: got %q", errs)
	}
	if got := s.tell(c, "erase").Body; !strings.Contains(got, "register") {
		s.Errorf("again: got %q, want that nothing is held", got)
	}
}

// held counts the keys of the stage in whose name or value each text stands; what stands nowhere is left out.
func (s *stage) held(texts []string) map[string]int {
	s.Helper()
	r := ground.redis.use(s.T, func(context.Context) (*lab.Redis, error) { return nil, fmt.Errorf("no Redis runs") })
	found := map[string]int{}
	do := func(args ...string) any {
		v, err := r.Do(s.ctx, args...)
		if err != nil {
			s.Fatal(err)
		}
		return v
	}
	keys, _ := do("KEYS", s.prefix+"*").([]any)
	for _, k := range keys {
		key := fmt.Sprint(k)
		all := key
		switch typ := fmt.Sprint(do("TYPE", key)); typ {
		case "string":
			all += fmt.Sprint(do("GET", key))
		case "hash":
			all += fmt.Sprint(do("HGETALL", key))
		case "stream":
			all += fmt.Sprint(do("XRANGE", key, "-", "+"))
		case "set":
			all += fmt.Sprint(do("SMEMBERS", key))
		case "zset":
			all += fmt.Sprint(do("ZRANGE", key, "0", "-1"))
		case "list":
			all += fmt.Sprint(do("LRANGE", key, "0", "-1"))
		case "none": // it has ended meanwhile
		default:
			s.Fatalf("%s: a key of type %s", key, typ)
		}
		for _, text := range texts {
			if strings.Contains(all, text) {
				found[text]++
			}
		}
	}
	return found
}
