//go:build servers

package chaos_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
	"postern/deploy"
)

// TestForgetfulServer stops ejabberd in order, as an upgrade does, the moment it has answered for what one user gets: it hands stanzas
// to the user's process, answers the ping behind them, and drops at its end what that process has not shown or archived yet.
func TestForgetfulServer(t *testing.T) {
	const messages = 250 // in one batch of the outbox, for one user
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
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
	if err := r.XMPP.Pause(); err != nil { //nolint:contextcheck // it waits a moment at most
		t.Fatal(err)
	}
	for n := range messages {
		if !r.sayNext(ctx, n%people, false) { // the first chats are those of the first user
			t.FailNow()
		}
	}
	if err := r.waitOutbox(ctx, messages); err != nil {
		t.Fatal(err)
	}
	if err := r.XMPP.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := r.waitOutbox(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.XMPP.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.up(ctx); err != nil {
		t.Fatal(err)
	}
	report := r.finish(ctx, chaos.Minimum{}, cellWords)
	t.Logf("\n%s", report)
	if len(report.Violations) > 0 {
		t.Errorf("got %d violations, want none", len(report.Violations))
	}
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
