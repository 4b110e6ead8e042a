package sandbox

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"postern/adapters/control"
)

// lane and shipment are those of an account's updates: what goes into one request is an update, or several when there is batching.
type (
	lane     = Lane[[]*Update]
	shipment = Shipment[[]*Update]
)

// Run sends webhooks and lets personas act until ctx ends, then waits for what is in flight.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop.Do(func() { close(s.stopped) })
	Loop(ctx, s.wake, func(flying *sync.WaitGroup) (next time.Duration) {
		s.Do(func(st *State) { next = st.step(ctx, flying) })
		return next
	})
	return nil
}

// Loop takes steps until ctx ends, then waits for what they started. A step says how long nothing will be to do unless something wakes it.
func Loop(ctx context.Context, wake <-chan struct{}, step func(flying *sync.WaitGroup) time.Duration) {
	var flying sync.WaitGroup
	defer flying.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(step(&flying))
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
	}
}

// step starts all that is due and says how long nothing else will be.
func (st *State) step(ctx context.Context, flying *sync.WaitGroup) time.Duration {
	now := st.Now()
	next := time.Hour
	if d := st.tasks.RunDue(now); d > 0 {
		next = min(next, d)
	}
	for _, a := range st.accounts {
		if d := st.launch(ctx, a, now, flying); d > 0 {
			next = min(next, d)
		}
	}
	return next
}

// listening says whether webhooks go out to an account.
func (a *Account) listening() bool { return a.Subscribed && !a.Hook.Disabled }

func (st *State) parallel(a *Account) int {
	if a.Hook.MaxParallel > 0 {
		return a.Hook.MaxParallel
	}
	return st.s.spec.Parallel
}

// launch sends the account's due shipments as far as its parallelism allows and says when the next is due; 0 when something else will
// wake the loop.
func (st *State) launch(ctx context.Context, a *Account, now time.Time, flying *sync.WaitGroup) time.Duration {
	for a.listening() && a.lanes.Flying < st.parallel(a) && a.lanes.First() != nil {
		if d := a.lanes.First().NotBefore.Sub(now); d > 0 {
			return d
		}
		l := a.lanes.Next()
		ship := l.Take()
		st.fill(a, l, ship, now)
		at, gone := st.prepare(a, ship, now)
		if gone != "" {
			st.record(ship, control.Delivery{Result: gone, At: now})
			a.waiting -= len(ship.Load)
			st.settle(a, l)
			st.Touch()
			continue
		}
		l.Flying++
		a.lanes.Flying++
		st.settle(a, l)
		s := st.s
		flying.Go(func() {
			answer, out := s.send(ctx, at)
			s.Do(func(st *State) { st.landed(a, l, ship, at.delivery, answer, out) })
		})
	}
	return 0
}

// fill lets other updates that are due travel in the same request: those that follow in the lane, then the heads of other lanes.
func (st *State) fill(a *Account, l *lane, ship *shipment, now time.Time) {
	room := min(st.batching.Max, st.s.spec.Batch)
	fresh := func(x *shipment) bool { return x.Attempt == 0 && !x.Replay && !x.NotBefore.After(now) }
	if !fresh(ship) {
		return
	}
	for len(ship.Load) < room && len(l.Queue) > 0 && fresh(l.Queue[0]) {
		ship.Load = append(ship.Load, l.Take().Load...)
	}
	for len(ship.Load) < room && a.lanes.First() != nil && fresh(a.lanes.First()) {
		other := a.lanes.Next()
		ship.Load = append(ship.Load, other.Take().Load...)
		st.settle(a, other)
	}
}

// settle puts a lane where it belongs after it was changed.
func (st *State) settle(a *Account, l *lane) { a.lanes.Settle(l, st.faults.WebhookParallel) }

// Emit gives an update to the account, unless it does not want that type or nobody keeps it.
func (st *State) Emit(a *Account, u Update) {
	if len(a.Hook.Events) > 0 && !slices.Contains(a.Hook.Events, u.Type) {
		return
	}
	if !st.s.spec.Ladder.Hold && !a.listening() {
		st.record(&shipment{Load: []*Update{{Type: u.Type, Account: a, Chat: u.Chat, At: st.Now()}}}, control.Delivery{Result: "withdrawn", At: st.Now()})
		return
	}
	u.N, u.At, u.Account = a.next, st.Now(), a
	a.next++
	key := u.Key
	or(&key, "#"+strconv.FormatInt(u.N, 10))
	l := a.lanes.Lane(key)
	if a.waiting >= st.s.cfg.Limits.Updates {
		st.forgotten++
		if len(l.Queue) == 0 {
			st.settle(a, l)
			return
		}
		a.waiting -= len(l.Take().Load)
	}
	due := u.At
	if st.batching.Max > 1 && st.s.spec.Batch > 1 {
		due = due.Add(time.Duration(st.batching.LingerMS) * time.Millisecond)
	}
	l.Add(&shipment{Load: []*Update{&u}, NotBefore: due})
	a.waiting++
	st.settle(a, l)
	st.Touch()
}

// Redeliver makes everything that waits due now, as when a hook was set again.
func (st *State) Redeliver(a *Account) {
	a.failing, a.gone = time.Time{}, time.Time{}
	a.lanes.Redeliver(st.Now(), st.faults.WebhookParallel)
	st.s.nudge()
}

// Waiting counts the updates that the account has not taken yet.
func (a *Account) Waiting() int { return a.waiting }
