//go:build servers && chaos

package chaos_test

import (
	"context"
	"os"
	"slices"
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
// guards against. That schedule is played again, on new servers, with all of them on: then it must find nothing.
func TestChaosRandomTurnsRed(t *testing.T) {
	const tries, messages = 8, 2000
	for _, c := range []struct {
		name, off string
		needs     func(chaos.Schedule) bool
		want      []chaos.Kind
	}{
		{"barrier", "barrier", func(s chaos.Schedule) bool {
			return slices.ContainsFunc(s.Acts, func(a chaos.Act) bool { return a.Kind == "server-restart" && a.For >= 250*time.Millisecond })
		}, []chaos.Kind{chaos.TakenMissing}},
		{"dedupe", "dedupe", func(s chaos.Schedule) bool { return s.Has("kill") }, []chaos.Kind{chaos.OtherIdentity}},
		// The first replica to start is the component.
		{"fence", "fence,clock", func(s chaos.Schedule) bool {
			n := slices.IndexFunc(s.Acts, func(a chaos.Act) bool { return strings.HasPrefix(a.On, "process") })
			return n >= 0 && s.Acts[n].Kind == "owner-frozen" && s.Acts[n].Target == 0 // nothing has made it another before
		}, []chaos.Kind{chaos.Disorder}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := gateway(); err != nil { // before the clock starts
				t.Fatal(err)
			}
			var plays []chaos.Schedule
			for seed := uint64(1); len(plays) < tries; seed++ {
				if s := chaos.Plan(seed, chaos.Cells()[0]); c.needs(s) {
					plays = append(plays, s)
				}
			}
			var red []chaos.Schedule
			t.Run("off", func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				cell := newCell(ctx, t, plays, "POSTERN_CHAOS_OFF="+c.off)
				cell.words = redWords
				for set, s := range plays {
					report, err := cell.play(ctx, s, set, messages)
					if err != nil && cell.unsettled == nil { // without a safeguard it may not come to rest
						t.Fatal(err)
					}
					kinds := report.Kinds()
					t.Logf("seed %d without the %s: %v", s.Seed, c.name, kinds)
					if slices.ContainsFunc(c.want, func(k chaos.Kind) bool { return kinds[k] > 0 }) {
						red = append(red, s)
						return
					}
				}
				t.Errorf("got no violation of %v in %d schedules", c.want, tries)
			})
			if len(red) == 0 {
				return
			}
			t.Run("on", func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				var totals chaos.Totals
				newCell(ctx, t, red).seed(ctx, red[0], 0, messages, &totals)
			})
		})
	}
}
