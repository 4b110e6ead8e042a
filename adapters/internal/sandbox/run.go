package sandbox

import (
	"container/heap"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"postern/adapters/control"
)

// lane holds the updates of one key in their order. With the parallel fault several of them fly at once.
type lane struct {
	key    string
	queue  []*shipment
	flying int
	index  int // in the heap; -1 when it is not there
}

// shipment is what goes into one request: an update, or several when there is batching.
type shipment struct {
	updates   []*Update
	attempt   int // how many there were
	notBefore time.Time
	replay    bool
}

// laneQueue is a heap of lanes by when their first shipment is due.
type laneQueue []*lane

func (q laneQueue) Len() int { return len(q) }
func (q laneQueue) Less(i, j int) bool {
	return q[i].queue[0].notBefore.Before(q[j].queue[0].notBefore)
}
func (q laneQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i]; q[i].index, q[j].index = i, j }
func (q *laneQueue) Push(x any)   { l := x.(*lane); l.index = len(*q); *q = append(*q, l) }
func (q *laneQueue) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	l.index = -1
	*q = old[:len(old)-1]
	return l
}

// Run sends webhooks and lets personas act until ctx ends, then waits for what is in flight.
func (s *Server) Run(ctx context.Context) error {
	var flying sync.WaitGroup
	defer flying.Wait()
	defer s.stop.Do(func() { close(s.stopped) })
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var next time.Duration
		s.Do(func(st *State) { next = st.step(ctx, &flying) })
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
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
	for a.listening() && a.flying < st.parallel(a) && len(a.due) > 0 {
		l := a.due[0]
		if d := l.queue[0].notBefore.Sub(now); d > 0 {
			return d
		}
		heap.Pop(&a.due) // before the queue changes: its order hangs on the first shipment
		ship := l.take()
		st.fill(a, l, ship, now)
		at, gone := st.prepare(a, ship, now)
		if gone != "" {
			st.record(ship, control.Delivery{Result: gone, At: now})
			a.waiting -= len(ship.updates)
			st.settle(a, l)
			st.Touch()
			continue
		}
		l.flying++
		a.flying++
		st.settle(a, l)
		s := st.s
		flying.Go(func() {
			answer, out := s.send(ctx, at)
			s.Do(func(st *State) { st.landed(a, l, ship, at.delivery, answer, out) })
		})
	}
	return 0
}

func (l *lane) take() *shipment {
	ship := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return ship
}

// fill lets other updates that are due travel in the same request: those that follow in the lane, then the heads of other lanes.
func (st *State) fill(a *Account, l *lane, ship *shipment, now time.Time) {
	room := min(st.batching.Max, st.s.spec.Batch)
	fresh := func(x *shipment) bool { return x.attempt == 0 && !x.replay && !x.notBefore.After(now) }
	if !fresh(ship) {
		return
	}
	for len(ship.updates) < room && len(l.queue) > 0 && fresh(l.queue[0]) {
		ship.updates = append(ship.updates, l.take().updates...)
	}
	for len(ship.updates) < room && len(a.due) > 0 && fresh(a.due[0].queue[0]) {
		other := heap.Pop(&a.due).(*lane)
		ship.updates = append(ship.updates, other.take().updates...)
		st.settle(a, other)
	}
}

// settle puts a lane where it belongs: into the heap when it has something to send and room for it, or away when it is empty.
func (st *State) settle(a *Account, l *lane) {
	if l.index >= 0 {
		heap.Remove(&a.due, l.index)
	}
	switch {
	case len(l.queue) > 0 && l.flying < max(st.faults.WebhookParallel, 1):
		heap.Push(&a.due, l)
	case len(l.queue) == 0 && l.flying == 0:
		delete(a.lanes, l.key)
	}
}

// Emit gives an update to the account, unless it does not want that type or nobody keeps it.
func (st *State) Emit(a *Account, u Update) {
	if len(a.Hook.Events) > 0 && !slices.Contains(a.Hook.Events, u.Type) {
		return
	}
	if !st.s.spec.Ladder.Hold && !a.listening() {
		st.record(&shipment{updates: []*Update{{Type: u.Type, Account: a, Chat: u.Chat, At: st.Now()}}}, control.Delivery{Result: "withdrawn", At: st.Now()})
		return
	}
	u.N, u.At, u.Account = a.next, st.Now(), a
	a.next++
	key := u.Key
	or(&key, "#"+strconv.FormatInt(u.N, 10))
	l := a.lanes[key]
	if l == nil {
		l = &lane{key: key, index: -1}
		a.lanes[key] = l
	}
	if a.waiting >= st.s.cfg.Limits.Updates {
		st.forgotten++
		if len(l.queue) == 0 {
			st.settle(a, l)
			return
		}
		a.waiting -= len(l.take().updates)
	}
	due := u.At
	if st.batching.Max > 1 && st.s.spec.Batch > 1 {
		due = due.Add(time.Duration(st.batching.LingerMS) * time.Millisecond)
	}
	l.queue = append(l.queue, &shipment{updates: []*Update{&u}, notBefore: due})
	a.waiting++
	st.settle(a, l)
	st.Touch()
}

// Redeliver makes everything that waits due now, as when a hook was set again.
func (st *State) Redeliver(a *Account) {
	now := st.Now()
	a.failing, a.gone = time.Time{}, time.Time{}
	for _, l := range a.lanes {
		for _, ship := range l.queue {
			ship.notBefore = now
		}
		st.settle(a, l)
	}
	st.s.nudge()
}

// Waiting counts the updates that the account has not taken yet.
func (a *Account) Waiting() int { return a.waiting }
