//go:build servers

package chaos_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/cmd/internal/chaos"
)

// from lists so many seeds that follow each other.
func from(first uint64, seeds int) []uint64 {
	var out []uint64
	for n := range uint64(seeds) {
		out = append(out, first+n)
	}
	return out
}

// random plays seeds, each in its cell, and adds up what came of them. The servers of a cell stay up from one seed to its next. Each
// fault must happen floor times.
func random(t *testing.T, seeds []uint64, floor, messages int) {
	if _, err := gateway(); err != nil { // before the clocks of the cells start
		t.Fatal(err)
	}
	var totals chaos.Totals
	for _, of := range chaos.Cells() {
		var mine []chaos.Schedule
		for _, seed := range seeds {
			if chaos.CellOf(seed) == of {
				mine = append(mine, chaos.Plan(seed, of))
			}
		}
		if len(mine) == 0 {
			continue
		}
		t.Run(of.Server+"-"+of.Store, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(2+len(mine))*2*time.Minute)
			defer cancel()
			c := newCell(ctx, t, mine)
			for set, s := range mine {
				c.seed(ctx, s, set, messages, &totals)
				if t.Failed() && set > 0 {
					t.Logf("with those before it: make chaos SEED=%s MESSAGES=%d", list(mine[:set+1]), messages)
				}
			}
		})
	}
	t.Logf("\n%s", totals)
	for _, missing := range totals.Short(floor) {
		t.Error(missing)
	}
}

// list is the seeds of schedules as SEED has them.
func list(plays []chaos.Schedule) string {
	var out []string
	for _, s := range plays {
		out = append(out, strconv.FormatUint(s.Seed, 10))
	}
	return strings.Join(out, ",")
}

// seed plays one schedule. Where something is wrong it shows the schedule and how to replay it.
func (c *cell) seed(ctx context.Context, s chaos.Schedule, set, messages int, totals *chaos.Totals) {
	began := time.Now()
	report, err := c.play(ctx, s, set, messages)
	totals.Add(s, report)
	c.t.Logf("seed %d, %s: %.1f s", s.Seed, s.Cell, time.Since(began).Seconds())
	if blamed := s.Blames(report); err != nil || len(blamed) > 0 {
		c.t.Errorf("%d violations, %v\n%s\nreplay: make chaos SEED=%d MESSAGES=%d\n%s", len(blamed), err, s, s.Seed, messages, report)
	}
}

// TestRandom is the small run that belongs to all tests: one schedule on each kind of Redis, on both servers. Its seeds have no
// fault that takes long, or that not every machine can have.
func TestRandom(t *testing.T) {
	seeds := from(smallFirst, smallSeeds)
	for _, seed := range seeds {
		for _, kind := range []string{"takeover", "owner-frozen", "disk-full", "clock-forward", "clock-back"} {
			if chaos.Plan(seed, chaos.CellOf(seed)).Has(kind) {
				t.Errorf("seed %d has %s: choose others", seed, kind)
			}
		}
	}
	random(t, seeds, chaos.Floor(smallSeeds), smallMessages)
}

const (
	smallFirst    = 43
	smallSeeds    = 3
	smallMessages = 600
)
