//go:build servers

package chaos_test

import (
	"context"
	"fmt"
	"slices"
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

// random plays seeds, each in its cell, and adds up what came of them. The servers of a cell stay up from one seed to its next. Where
// the seeds follow each other, each fault must happen as often as it then has its turn.
func random(t *testing.T, seeds []uint64, follow bool, messages int) {
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
	if !follow {
		return
	}
	for _, missing := range totals.Short(len(seeds)) {
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
	began, over := time.Now(), false
	replay := fmt.Sprintf("%s\nreplay: make chaos SEED=%d MESSAGES=%d", s, s.Seed, messages)
	defer func() {
		if !over { // the test ends here
			c.t.Log(replay)
		}
	}()
	report, err := c.play(ctx, s, set, messages)
	over = true
	totals.Add(s, report)
	c.t.Logf("seed %d, %s: %.1f s, %d of %d answered with an error", s.Seed, s.Cell, time.Since(began).Seconds(), report.Out.Refused, report.Out.Sent)
	if blamed := s.Blames(report); err != nil || len(blamed) > 0 {
		c.t.Errorf("%d violations, %v\n%s\n%s", len(blamed), err, replay, report)
	}
}

// TestRandom is the small run that belongs to all tests: one schedule on each kind of Redis, on both servers, and others every day.
func TestRandom(t *testing.T) {
	random(t, seedsOf(time.Now()), false, smallMessages)
}

// seedsOf are the three seeds of a day (UTC), in one half of the cells or the other. They have no fault that takes long, or that not every machine can have.
func seedsOf(day time.Time) (out []uint64) {
	number := uint64(day.Unix() / (24 * 60 * 60))
	seed := number*perDay + 1 + number%2*smallSeeds
	for len(out) < smallSeeds {
		of := chaos.CellOf(seed)
		plan := chaos.Plan(seed, of)
		not := []string{"takeover", "owner-frozen", "redis-split", "disk-full", "clock-forward", "clock-back"}
		if of.Store == "sentinel" { // after a failover nothing is taken for eight seconds, which is all of so short a run
			not = append(not, "redis-failover", "redis-kill", "redis-freeze", "redis-halfopen", "redis-stall", "redis-reset")
		}
		if slices.ContainsFunc(not, plan.Has) {
			seed += uint64(len(chaos.Cells())) // the next in the same cell
			continue
		}
		out = append(out, seed)
		seed++
	}
	return out
}

// TestSeedsOfDays: each day has both servers and every kind of Redis, and other seeds than the days around it.
func TestSeedsOfDays(t *testing.T) {
	seen, first, cells := map[uint64]bool{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), map[chaos.Cell]bool{}
	for n := range 1000 {
		servers, stores := map[string]bool{}, map[string]bool{}
		for _, seed := range seedsOf(first.AddDate(0, 0, n)) {
			if seen[seed] {
				t.Errorf("day %d: seed %d was another day's", n, seed)
			}
			seen[seed] = true
			of := chaos.CellOf(seed)
			servers[of.Server], stores[of.Store], cells[of] = true, true, true
		}
		if len(servers) != 2 || len(stores) != 3 {
			t.Errorf("day %d: got the servers %v and the stores %v, want both and all three", n, servers, stores)
		}
	}
	if len(cells) != len(chaos.Cells()) {
		t.Errorf("in a thousand days: got %v, want all cells", cells)
	}
}

const (
	perDay        = 600 // a multiple of the cells' number, and far more than a day needs
	smallSeeds    = 3
	smallMessages = 600
)
