//go:build servers && chaos

package chaos_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
)

var seed = flag.Uint64("seed", 1, "of the order of messages and of the platform's dice")

const (
	quota     = 2000 // messages each way at least
	runLimit  = 6 * time.Minute
	redLimit  = 2 * time.Minute
	lastWords = 60 * time.Second // for what is under way at the end
)

// TestChaosKill kills Postern at every point of the path, restarts what stands around it, and checks that nothing is lost.
func TestChaosKill(t *testing.T) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	r := newRig(t, *seed)
	p := r.process("postern")
	all := kills()
	if err := p.Start(ctx, all[0].armed()); err != nil {
		t.Fatal(err)
	}
	r.Hook(p)
	if err := r.login(ctx); err != nil {
		t.Fatal(err)
	}
	r.slow(latencyMS)
	r.available.Store(true)
	least := chaos.Minimum{
		Messages: quota, Rate: 200, Pending: minPending, Twice: quota / 50, Refused: 0.2,
		Faults: map[string]int{prosodyRestart: 1, redisRestart: 1, ownerStopped: 1},
	}
	for n, k := range all {
		least.Faults[k.point] = 1
		var next []string
		if n+1 < len(all) {
			next = []string{all[n+1].armed()}
		}
		t.Logf("%5.1f s  kill at %s", time.Since(began).Seconds(), k.point)
		if err := r.strike(ctx, p, k, next...); err != nil {
			t.Fatalf("%s: %v\n%s", k.point, err, p.Tail())
		}
	}
	t.Logf("%5.1f s  restart of Prosody", time.Since(began).Seconds())
	if err := r.restartProsody(ctx); err != nil {
		t.Fatalf("%v\n%s", err, p.Tail())
	}
	t.Logf("%5.1f s  restart of Redis", time.Since(began).Seconds())
	if err := r.restartRedis(ctx); err != nil {
		t.Fatalf("%v\n%s", err, p.Tail())
	}
	stop := r.talk(ctx)
	err := r.waitCount(ctx, chaos.Out, quota)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%5.1f s  the owner of all leases stands still", time.Since(began).Seconds())
	if err := r.stopOwner(ctx, p, r.process("second")); err != nil {
		t.Fatalf("%v\n%s", err, p.Tail())
	}
	t.Logf("%5.1f s  what is under way arrives", time.Since(began).Seconds())
	report := r.finish(ctx, least)
	t.Logf("seed %d, %.0f s\n%s", *seed, time.Since(began).Seconds(), report)
	if len(report.Violations) > 0 {
		t.Errorf("got %d violations, want none", len(report.Violations))
	}
}

// finish lets everything arrive and judges the run.
func (r *rig) finish(ctx context.Context, least chaos.Minimum) chaos.Report {
	r.t.Helper()
	r.slow(0)
	if err := r.settle(ctx, lastWords); err != nil {
		r.t.Logf("not settled: %v", err)
	}
	h, err := r.collect(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return chaos.Judge(h, least)
}
