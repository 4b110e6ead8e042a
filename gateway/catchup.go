package gateway

import (
	"context"
	"hash/fnv"
	"sync"
	"time"
)

// CatchUp is the pace at which what is late goes on after an outage, so that what waited for hours does not come down on users, their server
// and the platform at once. Who is in time waits for nobody who is late but in the same chat, where order holds.
type CatchUp struct {
	// After is the age from which something is late, by when it happened or was written. 0 is DefaultCatchUp's; below 0 nothing is.
	After time.Duration
	// PerSecond is how many late messages of an adapter go on in a second in each direction, on all replicas together; UserPerSecond how
	// many of them are one user's.
	PerSecond, UserPerSecond int
}

// DefaultCatchUp returns a pace at which a user reads along and a server of any size keeps up: a million messages take half an hour.
func DefaultCatchUp() CatchUp {
	return CatchUp{After: 5 * time.Minute, PerSecond: 500, UserPerSecond: 10}
}

func (c CatchUp) withDefaults() CatchUp {
	d := DefaultCatchUp()
	if c.After == 0 {
		c.After = d.After
	}
	if c.PerSecond <= 0 {
		c.PerSecond = d.PerSecond
	}
	if c.UserPerSecond <= 0 {
		c.UserPerSecond = d.UserPerSecond
	}
	return c
}

const (
	// lateAsks is how many times more often late chats of an adapter ask for a turn, all together, than there are turns: some ask in
	// vain, since their user or their adapter had theirs, and no turn is to be lost for that.
	lateAsks = 4
	// lateMost is how long one chat waits at most before it asks again: so many that it would be longer have no turn for half an hour.
	lateMost = 5 * time.Minute
)

// pace is what turns are given by.
type pace struct {
	queue   Queue
	adapter AdapterID
}

// backlogs is how many chats of this replica wait for their turn at each pace, and how many shards they are in.
type backlogs struct {
	mu     sync.Mutex
	chats  map[pace]int
	shards int
}

// change counts other chats of a shard than were counted, and more or fewer shards.
func (l *backlogs) change(was, now map[pace]int, shards int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chats == nil {
		l.chats = map[pace]int{}
	}
	for p, n := range was {
		l.chats[p] -= n
	}
	for p, n := range now {
		l.chats[p] += n
	}
	l.shards += shards
}

// everywhere is how many wait at a pace on all replicas: chats spread evenly over their shards.
func (l *backlogs) everywhere(p pace) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.chats[p] * Shards / max(l.shards, 1)
}

// isLate notes which chats of a shard wait for their turn; o.mu is held.
func (o *ownership) isLate(now map[pace]int) {
	if len(o.late)+len(now) > 0 {
		o.g.late.change(o.late, now, 0)
		o.late = now
	}
}

// leaveLate forgets them when the shard is not this replica's any more.
func (o *ownership) leaveLate() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.g.late.change(o.late, nil, -1)
	o.late = nil
}

// nextAsk is when a chat asks again that had no turn within a wait. Each has its own place, by its name, in a round that is the longer the
// more of its pace wait, so that they neither come all at once nor more often than is of use.
func (g *Gateway) nextAsk(p pace, lane string, wait time.Duration) time.Duration {
	all := g.late.everywhere(p)
	round := min(max(time.Duration(all)*time.Second/time.Duration(lateAsks*g.cfg.CatchUp.PerSecond), time.Second), lateMost).Milliseconds()
	h := fnv.New32a()
	_, _ = h.Write([]byte(lane)) // never fails
	place := round * int64(h.Sum32()) >> 32
	past := (time.Now().Add(wait).UnixMilli() - place) % round
	return wait + time.Duration(round-past)*time.Millisecond
}

// turnOf returns when something that is late may go on: now, or soon. With a verdict it comes back when it is worth asking again. The
// users who are behind get their turns one after another, whoever has more waiting.
func (o *ownership) turnOf(ctx context.Context, inst Instance, a *Account, q Queue, lane string, at time.Time) (time.Time, *verdict) {
	c := o.g.cfg.CatchUp
	if c.After < 0 || time.Since(at) < c.After {
		return time.Now(), nil
	}
	g, user, where := o.g, string(a.User), string(q)
	if a.isLine() {
		user = string(a.ID)
	}
	got, err := g.store.Take(ctx, inst.ID, waitInLane,
		Bucket{Name: g.keys.Name("catch up", where, string(inst.ID)), Every: time.Second / time.Duration(c.PerSecond), Burst: c.PerSecond, Taker: g.keys.Name("taker", user)},
		Bucket{Name: g.keys.Name("catch up", where, string(inst.ID), user), Every: time.Second / time.Duration(c.UserPerSecond), Burst: c.UserPerSecond},
	)
	if err != nil {
		return time.Time{}, new(o.storeFailed(ctx, err))
	}
	if !got.OK {
		v := askAgain(got.Wait) // a place behind others of the same user, who come one after another
		if v.why, v.late = ParkBacklog, inst.ID; got.Wait > waitInLane && got.Wait < waitInLane+2*time.Second/time.Duration(min(c.PerSecond, c.UserPerSecond)) {
			v.after = g.nextAsk(pace{q, inst.ID}, lane, got.Wait) // no turn for anybody within the wait that is asked for: all are told the same
		}
		return time.Time{}, v
	}
	return time.Now().Add(got.Wait), nil
}

// untilTurn waits for a turn that was given.
func untilTurn(due time.Time) *verdict {
	if left := time.Until(due); left > 0 {
		return &verdict{end: again, after: left, why: ParkBacklog}
	}
	return nil
}

// catchUp holds back an op that is late.
func (w *outWalk) catchUp(ctx context.Context) *verdict {
	if w.due.IsZero() {
		due, v := w.o.turnOf(ctx, w.inst, w.account, QueueOut, w.entry.Lane, w.entry.At)
		if v != nil {
			return v
		}
		w.due = due
	}
	return untilTurn(w.due)
}

// catchUp holds back an event that is late.
func (w *inWalk) catchUp(ctx context.Context) *verdict {
	if w.due.IsZero() {
		due, v := w.o.turnOf(ctx, w.inst, w.account, QueueIn, w.entry.Lane, w.shownAt())
		if v != nil {
			return v
		}
		w.due = due
	}
	return untilTurn(w.due)
}

const (
	// serverPatience is how long events still go into the outbox while no replica reaches the XMPP server; it is about as much that goes
	// to the server at once when it is back.
	serverPatience = 30 * time.Second
	// serverReview is how often a chat looks by itself whether the server is back: replicas tell each other.
	serverReview = time.Minute
)

// server waits while the XMPP server is away: in the outbox, which is one queue, whoever comes new would wait behind all that came before.
func (w *inWalk) server(context.Context) *verdict {
	since, away := w.o.g.balance.unreached(OutboxPartition(w.in.Adapter))
	if !away || time.Since(since) < serverPatience {
		return nil
	}
	return &verdict{end: again, after: jitter(serverReview), why: ParkServer}
}

// serverBack wakes who waits for it.
func (g *Gateway) serverBack() {
	g.owners.Range(func(_, o any) bool {
		if o, ok := o.(*ownership); ok {
			o.due(ParkServer)
		}
		return true
	})
}

// unreached is since when no replica that is known to carry a component reaches its server.
func (b *balance) unreached(p Partition) (since time.Time, away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since, away = b.away[p]
	return since, away
}

// mind notes which components nobody reaches the server of, and reports whether one is reached again. b.mu is held.
func (b *balance) mind(components []Partition, able map[Partition]bool) (back bool) {
	now := map[Partition]time.Time{}
	for _, p := range components {
		if able[p] {
			continue
		}
		if now[p] = b.away[p]; now[p].IsZero() {
			now[p] = time.Now()
		}
	}
	for p := range b.away {
		_, still := now[p]
		back = back || !still
	}
	b.away = now
	return back
}
