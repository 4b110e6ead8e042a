//go:build servers

package story

import (
	"fmt"
	"net/http"
	"testing"

	"postern/cmd/internal/user"
)

// TestRoughPlatform talks through a gatekeeper that fails, holds answers back, sends webhooks in parallel, twice, badly signed
// and late: everything arrives once and in order, both ways.
func TestRoughPlatform(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		n := c.Count()
		s.control(http.MethodPut, "/faults", map[string]any{
			"error_rate": 0.1, "timeout_rate": 0.05, "timeout_hold_ms": 200, "latency_ms": 5, "jitter_ms": 20,
			"webhook_parallel": 8, "webhook_replay_rate": 0.3, "webhook_bad_signature_rate": 0.1, "webhook_stale_rate": 0.1,
		}, nil)
		const lines = 40
		where := ""
		ids := map[string]bool{}
		for i := range lines {
			id, err := c.Send(s.ctx, jid, fmt.Sprint("out ", i))
			if err != nil {
				s.Fatal(err)
			}
			ids[id] = true
			where = s.say("nurse", c.JID(), fmt.Sprint("in ", i)).Conversation
		}
		var out []string
		s.until("all of the user's messages are there", func() bool {
			out = nil
			for _, m := range s.chat(where) {
				if m.FromUser && len(m.Content.Text) > 4 && m.Content.Text[:4] == "out " {
					out = append(out, m.Content.Text)
				}
			}
			return len(out) >= lines
		})
		s.see(c, n, "the last text", text(jid, fmt.Sprint("in ", lines-1)))
		s.control(http.MethodPut, "/faults", map[string]any{}, nil)
		s.talks(c, jid, "nurse")
		s.inOrder("to the person", out, "out ", lines)
		s.inOrder("to the user", bodies(c, n, "in "), "in ", lines)
		receipts := map[string]int{}
		for _, m := range c.Stanzas(n) {
			if m.Type == "error" && ids[m.ID] {
				s.Errorf("an error although a later try succeeded: %s", m.XML())
			}
			if ids[m.Received] {
				receipts[m.Received]++
			}
		}
		for id := range ids {
			if receipts[id] != 1 {
				s.Errorf("%s: got %d receipts, want 1", id, receipts[id])
			}
		}
	})
}

// TestSentTwice is a client that sends again what it is not sure of: heard once, also after a restart.
func TestSentTwice(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		m := user.Outgoing{To: jid, Body: "once more", ID: c.NewID(), Receipt: true}
		for range 2 {
			for range 2 {
				if _, err := c.SendMessage(s.ctx, m); err != nil {
					s.Fatal(err)
				}
			}
			s.talks(c, jid, "nurse")
			s.stop()
			s.start()
		}
		s.talks(c, jid, "nurse")
		got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "once more"})
		s.prove(43).That(len(got) == 1, "a message sent four times: arrived %d times, want once", len(got))
	})
}

// TestBlockedOnTheServer is a user who blocks a contact in their client (XEP-0191): nothing loops, and unblocking works.
func TestBlockedOnTheServer(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		set := func(verb string) {
			s.Helper()
			if _, err := c.IQ(s.ctx, "", "set", "<"+verb+" xmlns='urn:xmpp:blocking'><item jid='"+jid+"'/></"+verb+">"); err != nil {
				s.Fatal(err)
			}
		}
		proof := s.prove(94)
		set("block")
		n := c.Count()
		s.say("nurse", c.JID(), "can you hear me?")
		hold[any](s.sandbox, wait{Kind: "idle"})
		echo := s.befriend(c, "echo")
		s.talks(c, echo, "echo") // others are not held up
		set("unblock")
		s.talks(c, jid, "nurse")
		for _, m := range c.Stanzas(n) {
			proof.That(m.Body != "can you hear me?", "a blocked contact got through: %s", m.XML())
		}
	})
}
