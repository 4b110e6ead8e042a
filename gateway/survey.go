package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	surveyEvery   = 15 * time.Second // as often as monitoring usually asks
	surveyLookups = 200              // accounts of which one survey asks the store whose they are
	censusEvery   = 5 * time.Minute
	censusPace    = 20 * time.Millisecond // between two accounts, so that a count of many is no load
)

// place is where entries wait, and for which adapter.
type place struct {
	where   string
	adapter AdapterID
}

// survey tells in metrics, again and again until ctx ends, what waits in what this replica owns. The sum over all replicas is the whole.
func (g *Gateway) survey(ctx context.Context) {
	for ok := true; ok; ok = sleep(ctx, surveyEvery) {
		if err := g.surveyOnce(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("queues not surveyed", "err", err)
		}
	}
}

func (g *Gateway) surveyOnce(ctx context.Context) error {
	seen := queueSurvey{g: g, waits: map[place]*QueueState{}, parked: map[string]map[ParkReason]int{"in": {}, "out": {}}}
	for a := range g.instances {
		for _, where := range places {
			seen.waits[place{where, a}] = &QueueState{}
		}
		if !g.balance.carries(a) {
			continue
		}
		n, oldest, err := g.store.Depth(ctx, OutboxPartition(a), QueueXMPP)
		if err != nil {
			return err
		}
		seen.waits[place{"outbox", a}].add(n, oldest)
	}
	seen.waits[place{"in", ""}], seen.waits[place{"out", ""}] = &QueueState{}, &QueueState{}
	var failed error
	g.owners.Range(func(_, v any) bool {
		if o, ok := v.(*ownership); ok {
			failed = seen.shard(ctx, o)
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	now := time.Now()
	for p, w := range seen.waits {
		age := 0.0
		if !w.Oldest.IsZero() {
			age = max(now.Sub(w.Oldest).Seconds(), 0)
		}
		g.metrics.queued.WithLabelValues(p.where, string(p.adapter)).Set(float64(w.Entries))
		g.metrics.oldest.WithLabelValues(p.where, string(p.adapter)).Set(age)
	}
	for where, lanes := range seen.parked {
		for _, r := range parkReasons {
			g.metrics.parked.WithLabelValues(where, string(r)).Set(float64(lanes[r]))
		}
	}
	return nil
}

// queueSurvey is what one look at everything has found so far.
type queueSurvey struct {
	g      *Gateway
	waits  map[place]*QueueState
	parked map[string]map[ParkReason]int
	asked  int
}

// shard adds what one shard holds: what its owner has read, by adapter, and of a queue that is longer than that the rest.
func (s *queueSurvey) shard(ctx context.Context, o *ownership) error {
	read, behind := o.inMemory(s.parked)
	for _, q := range behind {
		n, oldest, err := s.g.store.Depth(ctx, o.part, q)
		if err != nil {
			return err
		}
		for c, r := range read {
			if c.queue == q {
				n -= r.Entries
			}
		}
		if n > 0 {
			s.waits[place{direction(q), ""}].add(n, oldest)
		}
	}
	for c, r := range read {
		w, ok := s.waits[place{direction(c.queue), s.adapter(ctx, c.account)}]
		if !ok { // of an adapter that is not in the configuration any more
			w = s.waits[place{direction(c.queue), ""}]
		}
		w.add(r.Entries, r.Oldest)
	}
	return nil
}

// adapter returns whose an account is; empty when that is not known at once.
func (s *queueSurvey) adapter(ctx context.Context, id AccountID) AdapterID {
	if id == "" { // sealed with the operator's key, such as a webhook that nobody understood
		return ""
	}
	a, known := s.g.identity.accounts.load(id)
	if !known {
		if s.asked++; s.asked > surveyLookups {
			return ""
		}
		var err error
		if a, err = s.g.identity.ByID(ctx, id); err != nil {
			return ""
		}
	}
	return a.Adapter
}

// inMemory returns what has been read and is not done, by account, and the queues of which there may be more to read. It counts the
// parked lanes.
func (o *ownership) inMemory(parked map[string]map[ParkReason]int) (read map[crowd]*QueueState, behind []Queue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	read = map[crowd]*QueueState{}
	add := func(q Queue, it *item) {
		c := crowd{q, it.Account}
		if read[c] == nil {
			read[c] = &QueueState{}
		}
		read[c].add(1, it.At)
	}
	for id, l := range o.byID {
		if l.now != nil {
			add(id.queue, l.now)
		}
		for _, it := range l.waiting {
			add(id.queue, it)
		}
	}
	for _, p := range o.parked {
		parked[direction(p.From)][p.Reason]++
	}
	for q, n := range o.pending {
		if n >= readResume {
			behind = append(behind, q)
		}
	}
	return read, behind
}

// census counts, every few minutes until ctx ends, the accounts of each adapter whose component this replica carries.
func (g *Gateway) census(ctx context.Context) {
	counted := map[AdapterID]time.Time{}
	for sleep(ctx, surveyEvery) {
		for _, a := range slices.Sorted(maps.Keys(g.instances)) {
			last, before := counted[a]
			switch {
			case !g.balance.carries(a):
				if before {
					delete(counted, a)
					g.tellAccounts(a, nil)
				}
			case !before || time.Since(last) >= censusEvery:
				counts, err := g.countAccounts(ctx, a)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					g.log.Warn("accounts not counted", "adapter", string(a), "err", err)
					continue
				}
				counted[a] = time.Now()
				g.tellAccounts(a, counts)
			}
		}
	}
}

func (g *Gateway) tellAccounts(a AdapterID, counts map[AccountStanding]int) {
	for _, s := range accountStandings {
		g.metrics.accounts.WithLabelValues(string(a), string(s)).Set(float64(counts[s]))
	}
}

// countAccounts looks at each account once.
func (g *Gateway) countAccounts(ctx context.Context, a AdapterID) (map[AccountStanding]int, error) {
	d := g.instances[a].Adapter.Descriptor()
	counts := map[AccountStanding]int{}
	err := g.identity.Members(ctx, a, func(_ UserID, id AccountID) error {
		account, ok := g.identity.accounts.load(id)
		if !ok {
			if !sleep(ctx, censusPace) {
				return ctx.Err()
			}
			var err error
			account, err = g.identity.ByID(ctx, id)
			g.identity.accounts.forget(id) // it is not in use
			if errors.Is(err, ErrNoAccount) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		counts[account.StandingUnder(d)]++
		return nil
	})
	return counts, err
}
