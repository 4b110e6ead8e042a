package gateway

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

// gapWait is how long an event that overtook another waits for it: parallel webhooks settle within it, and a lost one
// does not hold its chat up for longer.
const gapWait = 5 * time.Second

// gapAsk is when the platform is asked for what is missing: an event that another webhook carries has come by then.
const gapAsk = time.Second

// gapPatience is how long a chat waits for a platform that does not answer what is missing: it keeps the event all the same.
const gapPatience = time.Minute

const seqField = "seq"

// order puts the waiting event that comes next by the platform's numbering at the head of an `in` lane. It reports false
// when ctx ended while it waited.
func (o *ownership) order(ctx context.Context, l *lane) bool {
	var deadline, ask, late time.Time
	asked := 0
	for {
		o.mu.Lock()
		items := slices.Clone(l.waiting)
		o.mu.Unlock()
		if len(items) == 0 || !o.numbered(ctx, items) {
			return true
		}
		first := slices.MinFunc(items, func(a, b *item) int { return compareSeq(a.in.Event.Seq, b.in.Event.Seq) })
		last, err := o.lastSeq(ctx, l.id.name)
		if err != nil || first.in.Event.Seq <= last+1 {
			o.promote(l, first)
			return true
		}
		now := time.Now()
		if deadline.IsZero() {
			ask, deadline, late = now.Add(gapAsk), now.Add(gapWait), now.Add(gapPatience)
		}
		if !ask.IsZero() && !now.Before(ask) {
			ask = time.Time{}
			if asked++; o.fetchMissing(ctx, *first.in, last) {
				deadline = time.Now().Add(gapWait - gapAsk) // what it had is on its way through the queue
			} else if again := time.Now().Add(backoff(asked)); again.Before(late) {
				ask = again
			}
			continue
		}
		left := time.Until(deadline)
		if !ask.IsZero() {
			left = time.Until(ask)
		}
		if left <= 0 && ask.IsZero() {
			o.g.log.Warn("event missing, going on without it", "partition", o.part, "adapter", string(first.in.Adapter))
			o.promote(l, first)
			return true
		}
		if !wait(ctx, l.more, left) {
			o.mu.Lock()
			l.active = false
			o.mu.Unlock()
			return false
		}
	}
}

// numbered reports whether all of the items carry a number of a platform that numbers without gaps.
func (o *ownership) numbered(ctx context.Context, items []*item) bool {
	for _, it := range items {
		if it.in == nil {
			in, err := openEntry[Inbound](ctx, o.g.identity, it.Entry)
			if err != nil {
				return false
			}
			it.in = &in
		}
		inst, ok := o.g.instance(it.in.Adapter)
		if !ok || it.in.Event.Seq == 0 || !inst.Adapter.Descriptor().Sequenced {
			return false
		}
	}
	return true
}

func compareSeq(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// promote moves an item to the head of its lane.
func (o *ownership) promote(l *lane, it *item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := slices.Index(l.waiting, it)
	if at > 0 {
		l.waiting = slices.Insert(slices.Delete(l.waiting, at, at+1), 0, it)
	}
}

// lastSeq returns the number of the last event that the lane finished, 0 for none.
func (o *ownership) lastSeq(ctx context.Context, lane string) (int64, error) {
	if n, ok := o.seqs.load(lane); ok {
		return n, nil
	}
	got, err := o.g.store.Lookup(ctx, o.part, lane, []string{seqField})
	if err != nil {
		return 0, err
	}
	n, _ := strconv.ParseInt(string(got[seqField]), 10, 64)
	o.seqs.store(lane, n)
	return n, nil
}

// seqEntry returns the map entry that remembers an event's number, or none when a later one is remembered.
func (o *ownership) seqEntry(lane string, seq int64) []MapEntry {
	if last, ok := o.seqs.load(lane); seq == 0 || ok && seq <= last {
		return nil
	}
	return []MapEntry{{Lane: lane, Field: seqField, Value: strconv.AppendInt(nil, seq, 10)}}
}

// missing keeps an adapter's panic to the question: it stands outside the walk of an entry.
func (o *ownership) missing(ctx context.Context, backlog Backlog, a *Account, early Inbound, last int64) (events []Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			o.g.metrics.panics.Inc()
			events, err = nil, &SendError{Class: Permanent, Code: "panic"}
		}
	}()
	return backlog.Missing(ctx, a.Credentials(), early.Event.Chat, last)
}

// fetchMissing asks the platform for the events before one that came too early, and takes them in as if their webhook had
// come: what was not lost is a duplicate. What is older than duplicates are known, or than the account, is the chat's past:
// a lane that forgot its number asks from the beginning. It reports false where to ask again may bring more.
func (o *ownership) fetchMissing(ctx context.Context, early Inbound, last int64) bool {
	inst, ok := o.g.instance(early.Adapter)
	backlog, is := inst.Adapter.(Backlog)
	if !ok || !is {
		return true
	}
	if _, stopped := o.g.orders.Stopped(early.Adapter); stopped {
		return false
	}
	a, err := o.g.identity.ByID(ctx, early.Account)
	if err != nil {
		return errors.Is(err, ErrNoAccount)
	}
	call, cancel := context.WithTimeout(ctx, gapWait-gapAsk)
	defer cancel()
	events, err := o.missing(call, backlog, a, early, last)
	if err != nil {
		o.g.log.Warn("missing events not fetched", "adapter", string(early.Adapter), "err", err)
		switch ClassOf(err) {
		case Uncertain, Retryable, RateLimited:
			return false
		case ReauthNeeded, WindowClosed, Unsupported, NotReachable, Permanent:
		}
		return true
	}
	for _, ev := range events {
		if ev.At.Before(a.CreatedAt) || time.Since(ev.At) > EventDedupe {
			continue
		}
		if Ephemeral(ev.Body) || ev.Chat.Contact != early.Event.Chat.Contact {
			continue
		}
		if err := o.g.ingestEvent(ctx, a, early.Alias, ev); err != nil {
			return false
		}
	}
	return true
}
