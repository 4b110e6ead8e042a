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
// Redis holds nothing of it, the platform has no enlistment and the clients no contacts. Another user is as before.
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

		ids := []string{c.JID(), local, account, "gku_nurse", (&scene{stage: s, c: c}).endpoint()}
		before := s.held(ids)
		n := c.Count()
		s.does(admin, "erase", c.JID(), "--yes")
		for _, who := range []string{nurse, s.gw} {
			s.see(c, n, "unsubscribed from "+who, presence(who, "unsubscribed"))
		}
		s.until("the enlistment is gone", func() bool { return !s.enlisted(c.JID()) })
		s.until("nothing is held", func() bool { return fmt.Sprint(s.held(ids)) == fmt.Sprint(map[string]int{}) })
		s.Logf("places in Redis with the user's identifiers: %v before, %v after", before, s.held(ids))
		if before[account] == 0 {
			s.Error("Redis knew nothing of the account before: the scan proves nothing")
		}
		for _, clear := range []string{c.JID(), "gku_nurse"} {
			if before[clear] > 0 {
				s.Errorf("%s stood in Redis in the clear", clear)
			}
		}

		for _, verb := range [][]string{{"export", c.JID()}, {"erase", c.JID(), "--yes"}} {
			if _, errs, ok := s.command("", admin, verb...); ok || !strings.Contains(errs, "It is not there") {
				s.Errorf("postern %s of who is forgotten: got %q", verb[0], errs)
			}
		}
		id, err := c.Send(s.ctx, nurse, "still there?")
		if err != nil {
			s.Fatal(err)
		}
		s.see(c, n, "refusal", func(m *user.Stanza) bool {
			return m.ID == id && m.Type == "error" && m.Condition == "registration-required"
		})
		s.talks(other, kept, "nurse")
	})
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
