package gateway

import (
	"context"
	"errors"
	"time"
)

// gapWait is how long an event that overtook another waits for it where the platform cannot be asked: parallel webhooks settle within
// it, and a lost one does not hold its chat up for longer.
const gapWait = 5 * time.Second

// gapAsk is when it is looked for, and the platform is asked: an event that another webhook carries has come by then.
const gapAsk = time.Second

// gapPatience is how long a chat waits for a platform that does not answer what is missing: it keeps the event all the same.
const gapPatience = time.Minute

// gap is the search for what follows the last event that a chat has shown. It is kept while the chat is parked, so that nobody is asked
// twice, and no wait begins anew.
type gap struct {
	after int64 // the number of that event
	began time.Time
	next  time.Time // when it is looked for
	asked int
	told  bool // nobody knows more than is in the store
}

// gapAfter returns a chat's search behind a number.
func (o *ownership) gapAfter(lane string, after int64) *gap {
	g, ok := o.gaps.load(lane)
	if !ok || g.after != after {
		now := time.Now()
		g = &gap{after: after, began: now, next: now.Add(gapAsk)}
		o.gaps.store(lane, g)
	}
	return g
}

// search waits for what is missing between the last event and first, or looks for it. It reports whether the search is over, so that the
// chat goes on with what there is, and otherwise whether its lane still is at work.
func (o *ownership) search(ctx context.Context, l *lane, first *item, last int64) (over, working bool) {
	if v := o.g.stopped(first.in.Adapter); v != nil {
		o.park(ctx, l, []*item{}, *v)
		return false, false
	}
	g := o.gapAfter(l.id.name, last)
	if now := time.Now(); now.Before(g.next) {
		return false, wait(ctx, l.more, g.next.Sub(now)) && !o.stepBack(ctx, l)
	}
	switch found, err := o.reach(ctx, l, first.in.Event.Seq); {
	case err != nil:
		return false, o.later(ctx, err)
	case found || hinted(l.more): // or it was read at this moment
		return false, true
	case g.told:
		o.g.log.Warn("event missing, going on without it", "partition", o.part, "adapter", string(first.in.Adapter))
		return true, true
	}
	g.asked++
	told, again := o.fetchMissing(ctx, *first.in, last)
	end := g.began.Add(gapPatience)
	switch now := time.Now(); {
	case told: // all that there is can be found now
		g.told = true
	case !again:
		g.told, g.next = true, g.began.Add(gapWait)
	case now.Before(end):
		g.next = now.Add(min(backoff(g.asked), end.Sub(now)))
	default:
		g.told = true
	}
	return false, true
}

// hinted takes a hint, if there is one.
func hinted(hint <-chan struct{}) bool {
	select {
	case <-hint:
		return true
	default:
		return false
	}
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
// a lane that forgot its number asks from the beginning. It reports whether the platform has told, and otherwise whether it may when it
// is asked again.
func (o *ownership) fetchMissing(ctx context.Context, early Inbound, last int64) (told, again bool) {
	inst, ok := o.g.instance(early.Adapter)
	backlog, is := inst.Adapter.(Backlog)
	if !ok || !is {
		return false, false
	}
	a, err := o.g.identity.ByID(ctx, early.Account)
	if err != nil {
		return errors.Is(err, ErrNoAccount), true
	}
	call, cancel := context.WithTimeout(ctx, gapWait-gapAsk)
	defer cancel()
	events, err := o.missing(call, backlog, a, early, last)
	if err != nil {
		o.g.log.Warn("missing events not fetched", "adapter", string(early.Adapter), "err", err)
		switch ClassOf(err) {
		case Uncertain, Retryable, RateLimited:
			return false, true
		case ReauthNeeded, WindowClosed, Unsupported, NotReachable, Permanent:
		}
		return false, false
	}
	for _, ev := range events {
		if ev.At.Before(a.CreatedAt) || time.Since(ev.At) > EventDedupe {
			continue
		}
		if Ephemeral(ev.Body) || ev.Chat.Contact != early.Event.Chat.Contact {
			continue
		}
		if err := o.g.ingestEvent(ctx, a, early.Alias, ev); err != nil {
			return false, true
		}
	}
	return true, false
}
