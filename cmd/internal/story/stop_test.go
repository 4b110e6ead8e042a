//go:build servers

package story

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/cmd/internal/user"
	"postern/deploy"
)

// processes plays a story on both servers with Postern as a process of its own, which play starts and ends.
func processes(t *testing.T, play func(*stage)) {
	t.Helper()
	for _, kind := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, kind, onRedis)
			s.yaml = s.file("postern.yaml", s.config()+"    limits: {user: \"off\", chat: \"off\"}\n") // they write as fast as no person does
			play(s)
		})
	}
}

// restarts starts the program, and asserts that it goes on at once: it owns its leases again without waiting for them to run out.
func (s *stage) restarts() (signal func(syscall.Signal)) {
	s.Helper()
	began := time.Now()
	signal = s.exec(binary(s.T), s.yaml)
	s.ready()
	if took := time.Since(began); took > 12*time.Second { // a lease lives 15 s
		s.Errorf("until the stream was up: %s, want it at once", took)
	}
	return signal
}

// TestOrderlyStop ends the program with SIGTERM in the middle of traffic both ways.
func TestOrderlyStop(t *testing.T) {
	processes(t, func(s *stage) {
		signal := s.exec(binary(s.T), s.yaml)
		s.ready()
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")

		n := c.Count()
		const lines, stopAt = 240, 80
		var where string
		ids := map[string]string{} // by text
		ended := make(chan struct{})
		for i := range lines {
			line := fmt.Sprint("out ", i)
			id, err := c.Send(s.ctx, jid, line)
			if err != nil {
				s.Fatal(err)
			}
			ids[line] = id
			if i%2 == 0 {
				where = s.say("nurse", c.JID(), fmt.Sprint("in ", i/2)).Conversation
			}
			if i == stopAt {
				go func() {
					defer close(ended)
					signal(syscall.SIGTERM)
				}()
			}
		}
		<-ended
		s.restarts()

		s.see(c, n, "the last text", text(jid, fmt.Sprint("in ", lines/2-1)))
		s.inOrder("to the user", bodies(c, n, "in "), "in ", lines/2)

		var got, lost []string
		account := func() bool {
			got, lost = s.fates(c, n, where, ids)
			return len(lost) == 0
		}
		if s.kind == deploy.Prosody {
			s.until("every message arrived or came back", account)
		} else {
			// ejabberd drops what it has not written yet when it reads our end of stream, and tells nobody: a component has no
			// acknowledgements. What Postern has read is not lost: whatever has a receipt is there.
			s.talks(c, jid, "nurse")
			account()
		}
		s.Logf("of %d messages %d arrived, %d came back, %d were lost by the server", lines, len(got), lines-len(got)-len(lost), len(lost))
		s.increasing(got, "out ")
		s.talks(c, jid, "nurse")
	})
}

// fates returns the lines that reached the person of a conversation, in their order, and those that neither did nor came back.
// It asserts that none did both, and that whatever has a receipt is there. ids are those of the stanzas, by line.
func (s *stage) fates(c *user.Client, n int, where string, ids map[string]string) (got, lost []string) {
	s.Helper()
	for _, m := range s.chat(where) {
		if _, mine := ids[m.Content.Text]; mine && m.FromUser {
			got = append(got, m.Content.Text)
		}
	}
	failed, received := map[string]bool{}, map[string]bool{}
	for _, m := range c.Stanzas(n) {
		if m.Type == "error" {
			failed[m.ID] = true
		}
		received[m.Received] = true
	}
	for line, id := range ids {
		switch arrived := slices.Contains(got, line); {
		case arrived && failed[id]:
			s.Errorf("%s arrived, and its sender was told that it did not", line)
		case received[id] && !arrived:
			s.Errorf("%s has a receipt and did not arrive", line)
		case !arrived && !failed[id]:
			lost = append(lost, line)
		}
	}
	return got, lost
}

// increasing asserts that numbered lines are in order, each once, gaps allowed.
func (s *stage) increasing(got []string, prefix string) {
	s.Helper()
	last := -1
	for _, line := range got {
		i, err := strconv.Atoi(strings.TrimPrefix(line, prefix))
		if err != nil || i <= last {
			s.Errorf("got %q after number %d: want each once and in order", line, last)
		}
		last = i
	}
}

// TestKill ends the program with SIGKILL: what was said before and meanwhile arrives, first arrivals in order, and what comes
// twice has the same id.
func TestKill(t *testing.T) {
	processes(t, func(s *stage) {
		signal := s.exec(binary(s.T), s.yaml)
		s.ready()
		c := s.member("romeo")
		jid := s.befriend(c, "nurse")
		s.talks(c, jid, "nurse")
		n := c.Count()
		const lines = 60
		for i := range lines {
			s.say("nurse", c.JID(), fmt.Sprint("in ", i))
			if i == lines/2 {
				signal(syscall.SIGKILL)
			}
		}
		s.restarts()
		s.see(c, n, "the last text", text(jid, fmt.Sprint("in ", lines-1)))
		s.talks(c, jid, "nurse")
		var first []string
		ids := map[string]string{}
		for _, m := range c.Stanzas(n) {
			if m.Kind != user.Message || !strings.HasPrefix(m.Body, "in ") {
				continue
			}
			if id, again := ids[m.Body]; !again {
				first = append(first, m.Body)
				ids[m.Body] = m.ID
			} else if id != m.ID {
				s.Errorf("%s came twice, with the ids %s and %s", m.Body, id, m.ID)
			}
		}
		s.inOrder("to the user", first, "in ", lines)
	})
}
