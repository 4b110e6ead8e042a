package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// verdict is how one try of an entry ended.
type verdict struct {
	end   ending
	after time.Duration // for again
	why   ParkReason    // for again, when the wait is long
	turn  *fileTurn     // for again, as soon as a file may move
	mine  time.Time     // for again, when the op's turn is
	given *given        // for again, the orders by which the adapter is stopped
	late  AdapterID     // for again, whose turn it waits for after an outage
	store bool          // for again, since the store has failed
	look  bool          // for again, to look once more for what the same try was told of
}

type ending uint8

const (
	done  ending = iota // the entry is finished or dead
	again               // try the same entry after a while
	stop                // the lease is gone or the process stops
)

// poisonPanics is how often an entry may panic under one owner before it is a dead letter.
const poisonPanics = 3

// work takes a lane's entries one after another until none is left, the lane parks, or the shard is lost. What is parked comes first.
func (o *ownership) work(ctx context.Context, l *lane) {
	for {
		if l.drain && len(l.parked) == 0 && !o.page(ctx, l) {
			return
		}
		if !l.drain && o.stepBack(ctx, l) {
			return
		}
		it, ok := o.next(ctx, l)
		if !ok {
			return
		}
		v := o.try(ctx, l, it.queue, it)
		switch {
		case v.end == done:
			continue
		case v.end == again && it.queue == l.id.queue:
			o.park(ctx, l, []*item{it}, v)
		case v.end == again:
			o.park(ctx, l, []*item{}, v) // it is there
		}
		return
	}
}

// try works on one entry, waiting in place between tries while the waits are short.
func (o *ownership) try(ctx context.Context, l *lane, q Queue, it *item) verdict {
	for {
		step := o.once
		if it.found {
			step = o.found
		}
		v := step(ctx, l, q, it)
		if v.end == stop {
			o.lose()
		}
		if v.end != again || v.after > waitInLane {
			return v
		}
		_, s := o.g.span(ctx, SpanWait, it.trace, time.Time{})
		slept := sleep(ctx, v.after)
		s.End("", v.outcome())
		if !slept {
			return verdict{end: stop}
		}
	}
}

// once works on one entry, and waits where others' files come first: outside the slots of lanes.
func (o *ownership) once(ctx context.Context, l *lane, q Queue, it *item) verdict {
	v := o.handle(ctx, l, q, it)
	for v.turn != nil {
		select {
		case <-v.turn.ready:
			mine := v.turn
			v = o.handle(withTurn(ctx, mine), l, q, it)
			mine.end()
		case <-ctx.Done():
			v.turn.end()
			v = verdict{end: stop}
		}
	}
	return v
}

// handle runs the walk of one entry in a slot, and keeps a panic to that entry.
func (o *ownership) handle(ctx context.Context, l *lane, q Queue, it *item) (v verdict) {
	if ctx.Err() != nil { // a place that is free would be taken half the time all the same
		return verdict{end: stop}
	}
	slots := o.g.slotsOut
	if l.id.queue == QueueIn {
		slots = o.g.slotsIn
	}
	shares := o.g.sharesOf(l.id.queue)
	if !shares.enter(ctx, it.Account) {
		return verdict{end: stop}
	}
	defer shares.leave(it.Account)
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return verdict{end: stop}
	}
	defer func() { <-slots }()
	defer func() {
		if r := recover(); r != nil {
			v = o.panicked(ctx, q, it, r)
		}
	}()
	if it.found {
		if v := o.counted(ctx, q, it); v != nil {
			return *v
		}
	}
	// A walk that has begun goes to its end, also when the process stops or the lease is lost: cut off in a call to the
	// platform, its effect would be uncertain. What it writes is fenced, and its calls are bounded (Config.SendTimeout).
	// Only the transfer of a file ends with the lease: it has no effect that anybody sees.
	whole := withOwned(ctx)
	if l.id.queue == QueueIn {
		return o.walkIn(whole, q, it)
	}
	return o.walkOut(whole, q, it)
}

func (o *ownership) panicked(ctx context.Context, q Queue, it *item, r any) verdict {
	o.g.metrics.panics.Inc()
	o.g.log.Error("panic contained", "partition", o.part, "queue", q, "entry", it.ID, "panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	if it.panics++; it.panics < poisonPanics {
		return verdict{end: again, after: backoff(it.panics), why: ParkRetry}
	}
	return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "panic"})
}

// bury makes an entry a dead letter.
func (o *ownership) bury(ctx context.Context, q Queue, it *item, why DeadReason) verdict {
	if err := o.g.store.Dead(ctx, o.lease, q, it.ID, why); err != nil {
		return o.storeFailed(ctx, err)
	}
	o.g.metrics.deadLetter(direction(q))
	o.g.log.Warn("dead letter", "partition", o.part, "entry", it.ID, "class", why.Class.String(), "code", why.Code)
	return verdict{}
}

// storeFailed decides after the store refused: stop when the lease is gone, otherwise the same again soon.
func (o *ownership) storeFailed(ctx context.Context, err error) verdict {
	if fatal(ctx, err) {
		if ctx.Err() == nil {
			o.g.metrics.fenced.Inc()
		}
		return verdict{end: stop}
	}
	if !errors.Is(err, ErrFull) { // a full outbox waits for the XMPP server, whose absence is told elsewhere
		o.g.log.Warn("store not reached", "partition", o.part, "err", err)
	}
	return verdict{end: again, after: backoff(1), why: ParkRetry, store: true}
}

// next takes a lane's next entry. Without one it ends the lane's goroutine.
func (o *ownership) next(ctx context.Context, l *lane) (*item, bool) {
	for {
		it, ok := o.first(ctx, l)
		o.mu.Lock()
		switch {
		case ok && it != nil:
			o.pick(l, it)
			o.mu.Unlock()
			return it, true
		case ok && len(l.waiting) > 0: // it came since
			o.mu.Unlock()
			continue
		}
		if o.byID[l.id] == l { // else it has parked
			delete(o.byID, l.id)
		}
		l.active = false
		o.mu.Unlock()
		return nil, false
	}
}

// pick takes an entry of a lane's out of what waits; o.mu is held.
func (o *ownership) pick(l *lane, it *item) {
	// The last owner worked on what comes first, wherever it stands.
	it.found, l.inherited = it.found || l.inherited, false
	l.now, l.opened = nil, false // what is parked is counted as such
	if at := slices.Index(l.parked, it); at >= 0 {
		l.parked = slices.Delete(l.parked, at, at+1)
		return
	}
	at := slices.Index(l.waiting, it) // nobody but the lane takes any out
	l.waiting, l.now = slices.Delete(l.waiting, at, at+1), it
	o.pending[l.id.queue]--
	o.parts(l, it.Entry)
	if o.pending[l.id.queue] == readResume {
		tell(o.freed)
	}
}

// first returns what comes first of what a lane has to do, nil for nothing. It reports false when ctx has ended.
func (o *ownership) first(ctx context.Context, l *lane) (*item, bool) {
	switch {
	case ctx.Err() != nil:
		return nil, false
	case l.id.queue == QueueIn:
		return o.order(ctx, l)
	case len(l.parked) > 0:
		return l.parked[0], true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil, true
	}
	return l.waiting[0], true
}

// park moves a lane's entries to its park queue and ends its goroutine. Entries that arrive meanwhile go behind.
func (o *ownership) park(ctx context.Context, l *lane, first []*item, v verdict) {
	until := time.Now().Add(max(v.after, parkMinimum))
	o.g.metrics.parks.WithLabelValues(string(v.why)).Inc()
	items := first
	for {
		o.mu.Lock()
		items = append(items, l.waiting...)
		o.pending[l.id.queue] -= len(l.waiting)
		for _, it := range l.waiting {
			o.parts(l, it.Entry)
		}
		l.waiting = nil
		if len(items) == 0 && first == nil {
			if v.given != nil && v.given != o.g.orders.now.Load() || v.why == ParkWindow && l.opened {
				until = time.Now() // what it waits for, an order or its contact's word, came meanwhile
			}
			o.parked[l.id] = parkedLane{
				ParkedLane: ParkedLane{Lane: l.id.name, From: l.id.queue, Until: until, Reason: v.why},
				late:       v.late, gap: l.gap.kept(v.why),
			}
			if l.inherited {
				o.inherit[l.id] = true
			}
			l.active = false
			delete(o.byID, l.id)
			tell(o.freed)
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		ids := make([]EntryID, len(items))
		for i, it := range items {
			ids[i] = it.ID
		}
		// What is parked already is skipped when an answer was lost.
		if !o.keepOn(ctx, func() error {
			return o.g.store.Park(ctx, o.lease, l.id.queue, l.id.name, ids, time.Until(until), v.why)
		}) {
			return
		}
		items, first = nil, nil
	}
}

// page reads the next of what is parked of a lane, or ends its draining when there is no more. It reports false when the shard is lost.
func (o *ownership) page(ctx context.Context, l *lane) bool {
	q := ParkQueue(l.id.queue, l.id.name)
	for {
		var items []*item
		var last EntryID
		gone := false
		if !o.keepOn(ctx, func() (err error) {
			if items, last, err = o.parkedItems(ctx, q); err == nil && len(items) == 0 {
				gone, err = o.g.store.Unpark(ctx, o.lease, l.id.queue, l.id.name)
			}
			return err
		}) {
			return false
		}
		if len(items) > 0 {
			l.parked, l.paged = items, last
			return true
		}
		if gone {
			o.mu.Lock()
			delete(o.parked, l.id)
			l.drain = false
			o.mu.Unlock()
			return true
		}
	}
}

// keepOn asks the store something for a lane until it answers: the lane waits, not its shard (later). It reports false when the shard is lost.
func (o *ownership) keepOn(ctx context.Context, ask func() error) bool {
	for {
		err := ask()
		if err == nil {
			return true
		}
		if !o.later(ctx, err) {
			o.storeFailed(ctx, err) // which counts what was fenced
			o.lose()
			return false
		}
	}
}

// parkedItems reads the park queue of a lane, and returns what it read last. What came back may stand behind what waits, and goes first:
// the whole of an out lane is looked at, which is small (Config.LaneMax).
func (o *ownership) parkedItems(ctx context.Context, q Queue) (items []*item, last EntryID, err error) {
	const page = 64
	for {
		entries, err := o.g.store.Read(ctx, o.part, q, last, page)
		if err != nil {
			return nil, "", err
		}
		for _, e := range entries {
			it, err := o.queued(ctx, q, e)
			if err != nil {
				return nil, "", err
			}
			items, last = append(items, it), e.ID
		}
		if len(entries) < page || direction(q) == "in" {
			inOrder(items)
			return items, last, nil
		}
	}
}

// direction is the label of a queue, parked or not.
func direction(q Queue) string {
	if q == QueueIn || len(q) > 8 && q[:8] == "park:in:" {
		return "in"
	}
	return "out"
}
