package gateway

import (
	"context"
	"errors"
	"slices"
	"time"
)

// gapWait is how long an event that overtook another waits for it where the platform cannot be asked: parallel webhooks settle within
// it, and a lost one does not hold its chat up for longer.
const gapWait = 5 * time.Second

// gapAsk is when it is looked for, and the platform is asked: an event that another webhook carries has come by then.
const gapAsk = time.Second

// gapPatience is how long a chat waits for a platform that does not answer what is missing: it keeps the event all the same.
const gapPatience = time.Minute

// gap is the search for what follows the last event that a chat has shown.
type gap struct {
	after int64     // the number of that event
	next  time.Time // when it is looked for
	end   time.Time // when it is given up on, whatever is heard
	alone time.Time // the same where nobody can be asked
	asked int
	told  bool // the platform has said what it has, and what is missing of it is in the store
	over  bool // nobody will say more
}

func newGap(after int64) *gap {
	now := time.Now()
	return &gap{after: after, next: now.Add(gapAsk), end: now.Add(gapPatience), alone: now.Add(gapWait)}
}

// heard notes an answer of the platform: that it has told what it has, or else whether to ask again. Either way the store is looked
// through once more.
func (g *gap) heard(told, again bool) {
	g.asked++
	switch now := time.Now(); {
	case told:
		g.told, g.over = true, true
	case !again:
		g.over, g.next = true, g.alone
	case now.Before(g.end):
		g.next = now.Add(min(backoff(g.asked), g.end.Sub(now)))
	default:
		g.over = true
	}
}

// kept is what a chat that parks remembers: what the platform has told. A chat that only makes room for others goes on with its search.
func (g *gap) kept(why ParkReason) *gap {
	if g != nil && (g.told || why == ParkShare) {
		return g
	}
	return nil
}

// untaken notes that the platform has answered, though not all that it told is in the store: it is asked again, with patience anew.
func (g *gap) untaken() {
	g.end = time.Now().Add(gapPatience)
	g.heard(false, true)
}

// search waits for what is missing between the last event and first, or looks for it. It reports whether the search is over, so that the
// chat goes on with what there is, and otherwise whether its lane still is at work.
func (o *ownership) search(ctx context.Context, l *lane, first *item, last int64) (over, working bool) {
	if v := o.g.stopped(first.in.Adapter); v != nil {
		o.park(ctx, l, []*item{}, *v)
		return false, false
	}
	if l.gap == nil || l.gap.after != last {
		l.gap = newGap(last)
	}
	if o.stepBack(ctx, l) {
		return false, false
	}
	g := l.gap
	if left := time.Until(g.next); left > 0 {
		return false, wait(ctx, l.more, left)
	}
	more, err := o.reach(ctx, l, first.in.Event.Seq)
	if err == nil && !more { // or it was read at this moment
		more, err = o.overtaken(ctx, l, first)
	}
	switch {
	case err != nil:
		return false, o.later(ctx, err)
	case more:
		return false, true
	case g.over:
		o.g.log.Warn("event missing, going on without it", "partition", o.part, "adapter", string(first.in.Adapter))
		return true, true
	}
	told, again, err := o.fetchMissing(ctx, *first.in, last)
	if err != nil {
		g.untaken()
		return false, errors.Is(err, ErrFull) || o.later(ctx, err) // the chat may go on with what there was room for
	}
	g.heard(told, again)
	return false, true
}

// overtaken reports whether something waits in a lane that comes before an item.
func (o *ownership) overtaken(ctx context.Context, l *lane, first *item) (bool, error) {
	o.mu.Lock()
	items := slices.Concat(l.parked, l.waiting)
	o.mu.Unlock()
	for _, it := range items {
		if seq, err := o.seq(ctx, it); err != nil || seq != 0 && seq < first.in.Event.Seq {
			return err == nil, err
		}
	}
	return false, nil
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

// fetchMissing asks the platform for the events before one that came too early, and takes them in. It reports whether the platform has
// told, and otherwise whether it may when it is asked again. An error is the store's, ErrFull that a part is there.
func (o *ownership) fetchMissing(ctx context.Context, early Inbound, last int64) (told, again bool, err error) {
	inst, ok := o.g.instance(early.Adapter)
	backlog, is := inst.Adapter.(Backlog)
	if !ok || !is {
		return false, false, nil
	}
	a, err := o.g.identity.ByID(ctx, early.Account)
	switch {
	case errors.Is(err, ErrNoAccount):
		return true, false, nil
	case err != nil:
		return false, false, err
	}
	call, cancel := context.WithTimeout(ctx, gapWait-gapAsk)
	defer cancel()
	events, err := o.missing(call, backlog, a, early, last)
	if err != nil {
		o.g.log.Warn("missing events not fetched", "adapter", string(early.Adapter), "err", err)
		switch ClassOf(err) {
		case Uncertain, Retryable, RateLimited:
			return false, true, nil
		case ReauthNeeded, WindowClosed, Unsupported, NotReachable, Permanent:
		}
		return false, false, nil
	}
	return true, false, o.takeMissing(ctx, a, early, last, events)
}

// takeMissing takes in what the platform has told as if its webhook had come: what was not lost is a duplicate. What is older than
// duplicates are known, or than the account, is the chat's past: a lane that forgot its number asks from the beginning.
//
// A full chat gets no emptier while it waits for what is missing, and a shard may be full of such chats. So what is missing has a place
// beside the most that the chat may hold: a page, since all of it is shown before the platform is asked again. And the first of it has
// one beside what the shard may hold: one for each chat that waits. The others, where there is no room for them (ErrFull), are asked for
// again when the chat has come so far.
func (o *ownership) takeMissing(ctx context.Context, a *Account, early Inbound, last int64, events []Event) error {
	first := true
	for _, ev := range events {
		if ev.At.Before(a.CreatedAt) || time.Since(ev.At) > EventDedupe {
			continue
		}
		if Ephemeral(ev.Body) || ev.Chat.Contact != early.Event.Chat.Contact {
			continue
		}
		opt, missing := o.g.inCeilings(), last < ev.Seq && ev.Seq < early.Event.Seq
		switch {
		case missing && first:
			opt = IngestOptions{}
		case missing:
			opt.LaneMax = 0
		}
		duplicate, err := o.g.ingestWithin(ctx, a, early.Alias, ev, opt)
		switch {
		case errors.Is(err, ErrFull) && !missing: // nothing waits for it
		case errors.Is(err, errUnwritable): // nor can it be when its webhook comes
		case err != nil:
			return err
		case missing && !duplicate:
			first = false
		}
	}
	return nil
}
