package gateway

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	readAhead   = 1000 // unfinished entries of one queue that an owner holds in memory
	readResume  = 500
	shardPoll   = time.Second
	waitInLane  = 5 * time.Second // a longer wait is a park
	parkMinimum = time.Second
	wakeMost    = 100 // parked lanes of one shard that are woken at once for one reason; the next after wakePause
	wakePause   = 100 * time.Millisecond
)

// shard is one shard as this replica sees it, owned or not.
type shard struct {
	g    *Gateway
	part Partition
}

// laneID tells a chat's two lanes apart: a blocked answer never holds up what comes in.
type laneID struct {
	queue Queue
	name  string
}

// lane is the work of one chat and direction that has been read.
type lane struct {
	id        laneID
	waiting   []*item
	active    bool
	drain     bool          // its parked entries come first
	parked    []*item       // of these, a page that its goroutine works on
	paged     EntryID       // the last entry of the page
	inherited bool          // it was there when this replica became the owner, and was not worked on since
	more      chan struct{} // hints that waiting grew
	crowded   bool          // it is to step back (share.go)
	gap       *gap          // its latest search for a missing event
	opened    bool          // its contact has written since it took what it works on (window.go)

	now *item // what it works on, for the survey
}

// parkedLane is a parked lane as its owner knows it.
type parkedLane struct {
	ParkedLane
	// late is whose turn it waits for after an outage. Of one that another owner parked it is known once it has asked, in a place of its
	// own.
	late AdapterID
	gap  *gap // what of its search for a missing event is not to be made again
}

// item is an entry with what the lane has learnt of it.
type item struct {
	Entry
	queue   Queue        // where it stands: its lane's, or its park queue
	in      *Inbound     // decoded early where the platform numbers its events, or never encoded (hand.go)
	out     *Outbound    // never encoded, for the first try
	trace   TraceContext // of the payload, once it was opened
	panics  int          // tries that panicked
	found   bool         // the first of its lane that was there when this replica became the owner, and not tried since: see ownership.found
	suspect bool         // found, and it was there already once when a process died
	starts  int          // how often that was counted, when it became a suspect
	sent    time.Time    // when an op that came back was sent first
	due     time.Time    // when it may go on although it is late, once that is known
	turn    time.Time    // when the op may go under the adapter's limits, once that is known
	looked  Attempt      // of which another look is due, and nothing else
	unsure  int          // sends of uncertain effect so far, as this process knows
	ended   *outWalk     // that came to the op's end, of which the store has not heard
}

// ownership is a shard for as long as this replica holds its lease.
type ownership struct {
	*shard
	lease Lease
	lose  context.CancelFunc
	lanes sync.WaitGroup
	seqs  *cache[string, int64] // last platform sequence number shown, per lane
	sent  *cache[OpID, Sent]    // ops that are with the platform, though their entries do not know (resume.go)

	seeking chan struct{} // held by whoever reads for all quests

	mu      sync.Mutex
	byID    map[laneID]*lane
	parked  map[laneID]parkedLane
	pending map[Queue]int
	crowds  map[crowd]int
	blocked map[Queue]time.Time        // since when there is no room to read
	known   map[Queue]bool             // queues of which everything was read that they held when this replica became the owner
	last    map[Queue]EntryID          // the furthest entry that was read
	handed  map[Queue]map[EntryID]bool // entries that came without being read; true: before the read that is under way
	inherit map[laneID]bool            // lanes that were parked then, and were not worked on since
	quests  map[string]*quest          // lanes that look for what has not been read
	late    map[pace]int               // lanes that wait for their turn after an outage, as they were last counted
	rests   time.Time                  // until when no further parked lane is woken
	freed   chan struct{}              // hints that there is room to read, or that a parked lane is due
	over    bool                       // nothing is handed over any more
}

func (s *shard) own(l Lease, lose context.CancelFunc) *ownership {
	return &ownership{
		shard: s, lease: l, lose: lose, seqs: newCache[string, int64](readAhead, time.Hour), sent: newCache[OpID, Sent](sentKept, time.Hour),
		seeking: make(chan struct{}, 1), quests: map[string]*quest{},
		byID: map[laneID]*lane{}, parked: map[laneID]parkedLane{}, pending: map[Queue]int{}, crowds: map[crowd]int{},
		blocked: map[Queue]time.Time{}, known: map[Queue]bool{}, last: map[Queue]EntryID{},
		handed: map[Queue]map[EntryID]bool{QueueIn: {}, QueueOut: {}}, inherit: map[laneID]bool{}, freed: make(chan struct{}, 1),
	}
}

// read gives entries to their lanes until ctx ends or the lease is lost. A new owner starts at the beginning: whatever a
// queue holds is unfinished.
func (o *ownership) read(ctx context.Context) {
	defer o.lose()
	parked, err := o.g.store.Parked(ctx, o.part)
	for err != nil {
		if !o.later(ctx, err) {
			return
		}
		parked, err = o.g.store.Parked(ctx, o.part)
	}
	for _, p := range parked {
		if p.Reason == ParkReauth || p.Reason == ParkStopped {
			p.Until = time.Time{} // an operator who gives the line another token starts anew; an order may have been taken back
		}
		o.parked[laneID{p.From, p.Lane}], o.inherit[laneID{p.From, p.Lane}] = parkedLane{ParkedLane: p}, true
	}
	o.g.replugged.Store(o.part, o.dueNow)
	defer o.g.replugged.Delete(o.part)
	o.g.owners.Store(o.part, o)
	defer o.g.owners.Delete(o.part)
	o.g.late.change(nil, nil, 1)
	defer o.leaveLate()
	o.g.takers.Store(o.part, func(q Queue, it *item) bool { return o.take(ctx, q, it) })
	defer o.takeNoMore()
	hint := o.g.store.Watch(ctx, o.part)
	cursor := map[Queue]EntryID{}
	for ctx.Err() == nil {
		next := o.wakeDue(ctx)
		more, err := o.fill(ctx, cursor)
		if err != nil && !o.later(ctx, err) {
			return
		}
		if !more && err == nil { // what has come since has left its hint
			o.idle(ctx, hint, next)
		}
	}
}

// later waits a little after the store failed: a short failure costs neither the lease nor what the lanes have begun, a
// long one costs the lease when its time is up. It reports false when work must stop.
func (o *ownership) later(ctx context.Context, err error) bool {
	if fatal(ctx, err) {
		return false
	}
	o.g.log.Warn("shard not read, trying again", "partition", o.part, "err", err)
	return sleep(ctx, jitter(shardPoll))
}

// idle waits for a hint, for room, for the next parked lane, or a poll's time.
func (o *ownership) idle(ctx context.Context, hint <-chan struct{}, next time.Time) {
	d := shardPoll
	if !next.IsZero() {
		d = min(d, max(time.Until(next), time.Millisecond))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-hint:
	case <-o.freed:
	case <-t.C:
	case <-ctx.Done():
	}
}

// fill reads both queues as far as there is room. It reports whether there may be more to read at once.
func (o *ownership) fill(ctx context.Context, cursor map[Queue]EntryID) (more bool, err error) {
	var from []Cursor
	o.mu.Lock()
	for _, q := range []Queue{QueueIn, QueueOut} {
		room := readAhead - o.pending[q]
		o.full(q, room < readAhead-readResume)
		if room >= readAhead-readResume {
			if !o.working(q) {
				// Nothing of the queue is in memory, so it is read from its beginning: after a failover of Redis an entry may be
				// there behind what was read, since the new master never heard of its end, or of what came before it.
				cursor[q] = ""
			}
			from = append(from, Cursor{q, cursor[q], room})
			o.beforeRead(q)
		}
	}
	o.mu.Unlock()
	if len(from) == 0 {
		return false, nil
	}
	read, err := o.g.store.ReadQueues(ctx, o.part, from...)
	if err != nil {
		return false, err
	}
	for i, entries := range read {
		q := from[i].Queue
		for _, e := range entries {
			if err := o.dispatch(ctx, q, e); err != nil {
				return false, err
			}
			cursor[q] = e.ID
		}
		if len(entries) < from[i].N {
			o.mu.Lock()
			o.known[q] = true
			o.afterRead(q)
			o.mu.Unlock()
		}
		more = more || len(entries) == from[i].N
	}
	return more, nil
}

// working tells whether a lane of the queue has work; o.mu is held.
func (o *ownership) working(q Queue) bool {
	for id := range o.byID {
		if id.queue == q {
			return true
		}
	}
	return false
}

// dispatch hands an entry to its lane, or behind what is parked of it.
func (o *ownership) dispatch(ctx context.Context, q Queue, e Entry) error {
	id := laneID{q, e.Lane}
	it, err := o.queued(ctx, q, e)
	if err != nil {
		return err
	}
	o.mu.Lock()
	if o.passed(q, e.ID) {
		o.came(q, e.ID)
		delete(o.handed[q], e.ID) // it is not read again
		o.mu.Unlock()
		return nil
	}
	l := o.byID[id]
	p, isParked := o.parked[id]
	if isParked && l == nil {
		o.mu.Unlock()
		if err := o.g.store.Park(ctx, o.lease, q, e.Lane, []EntryID{e.ID}, time.Until(p.Until), p.Reason); err != nil {
			return err
		}
		o.mu.Lock()
		o.came(q, e.ID)
		o.mu.Unlock()
		if p.Reason != ParkPause {
			return nil
		}
		return o.overflow(ctx, id)
	}
	defer o.mu.Unlock()
	o.came(q, e.ID)
	o.enqueue(ctx, id, it)
	return nil
}

// came notes how far a queue was read, once the entry is where it belongs; o.mu is held.
func (o *ownership) came(q Queue, id EntryID) {
	if o.last[q].Before(id) {
		o.last[q] = id
	}
}

// enqueue puts an entry behind what its lane has to do; o.mu is held.
func (o *ownership) enqueue(ctx context.Context, id laneID, it *item) {
	l := o.byID[id]
	if l == nil {
		l = &lane{id: id, inherited: !o.known[id.queue], more: make(chan struct{}, 1)}
		o.byID[id] = l
	}
	l.waiting = append(l.waiting, it)
	if it.Kind == EntryAgain {
		inOrder(l.waiting)
	}
	o.pending[id.queue]++
	o.joins(l, it.Entry)
	tell(l.more)
	if !l.active {
		o.start(ctx, l)
	}
}

// wakeDue starts the lanes whose parking time is over and returns when the next one's will be. Where many wait for the same, such as a
// server that is back, they are woken some at a time; who waits for something else does not wait for that.
func (o *ownership) wakeDue(ctx context.Context) (next time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.rests) {
		return o.rests
	}
	woken, late := map[ParkReason]int{}, map[pace]int{}
	for id, p := range o.parked {
		if p.late != "" {
			late[pace{id.queue, p.late}]++
		}
		switch {
		case o.byID[id] != nil: // at work on it
		case !p.Until.After(now) && woken[p.Reason] == wakeMost:
			o.rests = now.Add(wakePause)
		case !p.Until.After(now):
			woken[p.Reason]++
			l := &lane{id: id, drain: true, inherited: o.inherit[id], gap: p.gap, more: make(chan struct{}, 1)}
			delete(o.inherit, id)
			o.byID[id] = l
			o.start(ctx, l)
		case next.IsZero() || p.Until.Before(next):
			next = p.Until
		}
	}
	o.isLate(late)
	if now.Before(o.rests) {
		return o.rests
	}
	return next
}

// dueNow ends the waiting of every lane that waits for an account: one whose account still does not work, or is still
// paused, parks again.
func (o *ownership) dueNow() { o.due(ParkReauth, ParkPause, ParkLate) }

// due ends the waiting of every lane that waits for one of these reasons.
func (o *ownership) due(reasons ...ParkReason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, p := range o.parked {
		if slices.Contains(reasons, p.Reason) {
			p.Until = time.Time{}
			o.parked[id] = p
		}
	}
	tell(o.freed)
}

// tell leaves a hint in a channel of one.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
