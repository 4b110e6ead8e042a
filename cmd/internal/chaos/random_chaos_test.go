//go:build servers && chaos

package chaos_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
)

// TestChaosRandom plays random schedules of faults in every cell: SEEDS of them from FIRST on, with MESSAGES
// each, or those that SEED lists alone.
func TestChaosRandom(t *testing.T) {
	seeds := from(uint64(setting(t, "FIRST", 1)), setting(t, "SEEDS", 50))
	follow := true
	if list := os.Getenv("POSTERN_SEED"); list != "" {
		seeds, follow = nil, false
		for text := range strings.SplitSeq(list, ",") {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil || n == 0 {
				t.Fatalf("SEED: got %q, want numbers from 1 on, with commas between them", list)
			}
			seeds = append(seeds, n)
		}
	}
	random(t, seeds, follow, setting(t, "MESSAGES", 2000))
}

// setting reads a number from the environment, where make puts it.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv("POSTERN_" + name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s: got %q, want a number", name, text)
	}
	return n
}

// TestChaosRandomTurnsRed switches one safeguard off at a time and plays schedules that need it until the checker finds what it
// guards against; the same schedules are green with it.
func TestChaosRandomTurnsRed(t *testing.T) {
	const tries = 3
	for _, c := range []struct {
		off, fault string
		want       []chaos.Kind
	}{
		{"barrier", "server-restart", []chaos.Kind{chaos.TakenMissing}},
		{"dedupe", "kill", []chaos.Kind{chaos.OtherIdentity}},
		{"fence", "owner-frozen", []chaos.Kind{chaos.Disorder, chaos.OtherIdentity, chaos.Repeated}},
	} {
		t.Run(c.off, func(t *testing.T) {
			if _, err := gateway(); err != nil { // before the clock starts
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var plays []chaos.Schedule
			for seed := uint64(1); len(plays) < tries; seed++ {
				if s := chaos.Plan(seed, chaos.Cells()[0]); s.Has(c.fault) {
					plays = append(plays, s)
				}
			}
			cell := newCell(ctx, t, plays, "POSTERN_CHAOS_OFF="+c.off)
			cell.words = redWords
			for set, s := range plays {
				report, err := cell.play(ctx, s, set, 1000)
				if err != nil && cell.unsettled == nil { // without a safeguard it may not come to rest
					t.Fatal(err)
				}
				for _, kind := range c.want {
					if n := report.Kinds()[kind]; n > 0 {
						t.Logf("seed %d without the %s: %s %d", s.Seed, c.off, kind, n)
						return
					}
				}
			}
			t.Errorf("without the %s: got no violation of %v in %d schedules with %s", c.off, c.want, tries, c.fault)
		})
	}
}
