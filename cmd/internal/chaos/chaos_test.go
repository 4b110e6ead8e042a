//go:build servers && chaos

package chaos_test

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
	"postern/deploy"
)

var seed = flag.Uint64("seed", 1, "of the order of messages and of the platform's dice")

const (
	quota     = 2000 // messages each way at least
	files     = 25   // of these, files
	runLimit  = 6 * time.Minute
	redLimit  = 3 * time.Minute
	lastWords = 60 * time.Second // for what is under way at the end
	redWords  = 12 * time.Second // the same where something will be missing
)

// TestChaosKill kills Postern at every point of the path, restarts what stands around it, and checks that nothing is lost.
func TestChaosKill(t *testing.T) {
	for _, server := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		t.Run(string(server), func(t *testing.T) { killEverywhere(t, server) })
	}
}

func killEverywhere(t *testing.T, server deploy.Server) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	r := newRig(t, setup{seed: *seed, server: server})
	all := kills()
	p, err := r.ready(ctx, all[0].armed())
	if err != nil {
		t.Fatal(err)
	}
	least := chaos.Minimum{
		Messages: quota, Files: files, Rate: 200, Pending: minPending, Twice: quota / 50, Refused: 0.2,
		Faults: map[string]int{serverRestart: 1, redisRestart: 1},
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
	t.Logf("%5.1f s  restart of the server", time.Since(began).Seconds())
	if err := r.restartXMPP(ctx); err != nil {
		t.Fatalf("%v\n%s", err, p.Tail())
	}
	t.Logf("%5.1f s  restart of Redis", time.Since(began).Seconds())
	if err := r.restartRedis(ctx); err != nil {
		t.Fatalf("%v\n%s", err, p.Tail())
	}
	stop := r.talk(ctx)
	err = r.waitCount(ctx, chaos.Out, quota+quota/4) // some are refused
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if server == deploy.Prosody { // ejabberd goes on handing stanzas to an owner that stands still: the schedules count that apart
		least.Faults[ownerStopped] = 1
		t.Logf("%5.1f s  the owner of all leases stands still", time.Since(began).Seconds())
		if err := r.stopOwner(ctx, p, r.process(ctx, "second")); err != nil {
			t.Fatalf("%v\n%s", err, p.Tail())
		}
	}
	t.Logf("%5.1f s  what is under way arrives", time.Since(began).Seconds())
	report := r.finish(ctx, least, lastWords)
	t.Logf("seed %d, %s, %.0f s\n%s", *seed, server, time.Since(began).Seconds(), report)
	if len(report.Violations) > 0 {
		t.Errorf("got %d violations, want none", len(report.Violations))
	}
}

// TestChaosTurnsRed switches one safeguard off at a time and checks that the same faults and the same checker then find what it
// guards against. With all of them on, the same seed and the same faults must find nothing: here, but for the owner that stands still,
// which takes a minute and is what TestChaosKill ends with.
func TestChaosTurnsRed(t *testing.T) {
	if _, err := gateway(); err != nil { // before the clocks start
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, off string
		want      []chaos.Kind // any of them
		run       func(ctx context.Context, r *rig, env ...string) error
		long      bool
	}{
		// Prosody stops with stanzas in its socket that nobody has proved it took.
		{"barrier", "barrier", []chaos.Kind{chaos.TakenMissing}, func(ctx context.Context, r *rig, env ...string) error {
			if _, err := r.ready(ctx, env...); err != nil {
				return err
			}
			return r.restartXMPP(ctx)
		}, false},
		// What a client sends twice becomes two messages with two idempotency keys.
		{"dedupe", "dedupe", []chaos.Kind{chaos.OtherIdentity}, func(ctx context.Context, r *rig, env ...string) error {
			if _, err := r.ready(ctx, env...); err != nil {
				return err
			}
			defer r.talk(ctx)()
			return r.waitCount(ctx, chaos.Out, 3*perFault)
		}, false},
		// A process that lost its leases while it stood still goes on beside the one that took them: what lies in its stream comes
		// behind what users have written to the other since. It is the clock that keeps this out. That scripts refuse it too is not
		// what shows here, since what it does again has the ids that it had: the kit of stores asks for that.
		{"fence", "fence,clock", []chaos.Kind{chaos.Disorder}, func(ctx context.Context, r *rig, env ...string) error {
			p, err := r.ready(ctx, env...)
			if err != nil {
				return err
			}
			return r.stopOwner(ctx, p, r.process(ctx, "second"), env...)
		}, true},
	} {
		judged := func(t *testing.T, words time.Duration, env ...string) chaos.Report {
			ctx, cancel := context.WithTimeout(t.Context(), redLimit)
			defer cancel()
			r := newRig(t, setup{seed: *seed})
			if err := c.run(ctx, r, env...); err != nil {
				t.Fatal(err)
			}
			report := r.finish(ctx, chaos.Minimum{}, words)
			t.Logf("%s", report)
			return report
		}
		t.Run(c.name+" off", func(t *testing.T) {
			kinds := judged(t, redWords, "POSTERN_CHAOS_OFF="+c.off).Kinds()
			if !slices.ContainsFunc(c.want, func(k chaos.Kind) bool { return kinds[k] > 0 }) {
				t.Errorf("violations: got %v, want some of %v", kinds, c.want)
			}
		})
		if c.long {
			continue
		}
		t.Run(c.name+" on", func(t *testing.T) {
			if kinds := judged(t, lastWords).Kinds(); len(kinds) > 0 {
				t.Errorf("violations: got %v, want none", kinds)
			}
		})
	}
}
