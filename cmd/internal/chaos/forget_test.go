//go:build servers

package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
	"postern/deploy"
)

// forgetTries is how often the server may be lucky and work off everything before it ends.
const forgetTries = 5

// TestForgetfulServer stops ejabberd in order, as an upgrade does, the moment it has answered for what one user gets: it hands stanzas
// to the user's process, answers the ping behind them, and drops at its end what that process has not shown or archived yet. It is
// stopped until it has forgotten something; each time the gateway must have written again what it had just taken.
func TestForgetfulServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r := newRig(t, setup{seed: 1, server: deploy.Ejabberd})
	p := r.process(ctx, "postern")
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	r.Hook(p)
	if err := r.login(ctx); err != nil {
		t.Fatal(err)
	}
	r.slow(ctx, 0)
	if err := r.settle(ctx, cellWords); err != nil {
		t.Fatal(err)
	}
	r.began = time.Now()
	forgotten := 0
	for try := 1; try <= forgetTries && forgotten == 0 && !t.Failed(); try++ {
		r.load(ctx)
		before := recalls(t, p)
		ended := r.restart(ctx)
		if err := r.flush(ctx); err != nil { // goes behind what is written again
			t.Fatal(err)
		}
		if recalls(t, p) == before {
			t.Errorf("try %d: the gateway wrote nothing again", try)
		}
		forgotten = r.shownOnlySince(ended)
		t.Logf("try %d: the server forgot %d messages", try, forgotten)
	}
	if forgotten == 0 && !t.Failed() {
		t.Errorf("the server forgot nothing in %d tries, so that nothing was tested", forgetTries)
	}
	report := r.finish(ctx, chaos.Minimum{}, cellWords)
	t.Logf("\n%s", report)
	if len(report.Violations) > 0 {
		t.Errorf("got %d violations, want none", len(report.Violations))
	}
}

// load gives one user's process in the server much to do, and returns the moment the server has answered for it.
func (r *rig) load(ctx context.Context) {
	const messages = 250                   // in one batch of the outbox, for one user
	if err := r.XMPP.Pause(); err != nil { //nolint:contextcheck // it waits a moment at most
		r.t.Fatal(err)
	}
	for n := range messages {
		if !r.sayNext(ctx, n%people, false) { // the first chats are those of the first user
			r.t.FailNow()
		}
	}
	if err := r.waitOutbox(ctx, messages); err != nil {
		r.t.Fatal(err)
	}
	if err := r.XMPP.Resume(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.waitOutbox(ctx, 0); err != nil {
		r.t.Fatal(err)
	}
}

// restart stops the server in order and starts it again. It tells when it had ended.
func (r *rig) restart(ctx context.Context) (ended time.Time) {
	if err := r.XMPP.Stop(ctx); err != nil {
		r.t.Fatal(err)
	}
	ended = time.Now()
	if err := r.XMPP.Start(ctx); err != nil {
		r.t.Fatal(err)
	}
	if err := r.up(ctx); err != nil {
		r.t.Fatal(err)
	}
	return ended
}

// recalls counts how often a gateway has written again what a server had just taken.
func recalls(t *testing.T, p *stand.Process) int {
	t.Helper()
	log, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(log, []byte("what it had just taken is written again"))
}

// shownOnlySince counts the messages that users saw once, after a server had ended, and that it had not put away before: it had
// forgotten them.
func (r *rig) shownOnlySince(ended time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	times, after := map[chaos.Key]int{}, map[chaos.Key]bool{}
	for _, a := range r.live {
		times[a.Key]++
		after[a.Key] = a.At.After(ended) && (a.Kept.IsZero() || a.Kept.After(ended))
	}
	n := 0
	for k, late := range after {
		if late && times[k] == 1 {
			n++
		}
	}
	return n
}

// waitOutbox waits until so many stanzas wait for the XMPP server, and nothing else waits.
func (r *rig) waitOutbox(ctx context.Context, n int) error {
	return stand.Poll(ctx, func() error {
		have, err := r.pending(ctx)
		if err == nil && (have["xo"] != n || (chaos.Fault{Pending: have}).Total() != n) {
			err = fmt.Errorf("%v in queues, want %d for the server", have, n)
		}
		return err
	})
}
