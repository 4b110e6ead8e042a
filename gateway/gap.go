package gateway

import (
	"cmp"
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

// gapReach is how much of a gap is taken from behind what was read at once; one event while much is in memory.
const gapReach = 32

// gap is the search for an event before one that came too early.
type gap struct {
	next  time.Time // when it is looked for
	began time.Time
	asked int
	told  bool // nobody knows more than is in the store
}

// search waits for what is missing before first, or looks for it. It reports that the search is over, with what there is, and whether ctx
// still holds.
func (o *ownership) search(ctx context.Context, l *lane, g *gap, first *item, last int64) (over, ok bool) {
	now := time.Now()
	if g.began.IsZero() {
		g.began, g.next = now, now.Add(gapAsk)
	}
	if now.Before(g.next) {
		if wait(ctx, l.more, g.next.Sub(now)) {
			return false, true
		}
		return false, false
	}
	switch any, err := o.reach(ctx, l, first.in.Event.Seq); {
	case err != nil:
		return false, o.later(ctx, err)
	case any || told(l.more): // or it was read at this moment
		return false, true
	case g.told, g.next.Sub(g.began) >= gapPatience:
		o.g.log.Warn("event missing, going on without it", "partition", o.part, "adapter", string(first.in.Adapter))
		return true, true
	}
	g.asked++
	switch told, again := o.fetchMissing(ctx, *first.in, last); {
	case told:
		g.told = true // all that there is can be found now
	case again:
		g.next = now.Add(backoff(g.asked))
	default:
		g.told, g.next = true, g.began.Add(gapWait)
	}
	return false, true
}

// told takes a hint, if there is one.
func told(hint <-chan struct{}) bool {
	select {
	case <-hint:
		return true
	default:
		return false
	}
}

// reach takes what comes before a number out of what has not been read: of the lane's park queue behind the page, and of the shard's
// queue, which may be long, and not be read on until this chat goes on. It reports whether there was any.
func (o *ownership) reach(ctx context.Context, l *lane, before int64) (any bool, err error) {
	o.mu.Lock()
	from := []Cursor{{QueueIn, o.last[QueueIn], readAhead}}
	o.mu.Unlock()
	if l.drain {
		from = append(from, Cursor{ParkQueue(l.id.queue, l.id.name), l.paged, readAhead})
	}
	var found []*item
	for _, c := range from {
		for more := true; more; {
			entries, err := o.g.store.Read(ctx, o.part, c.Queue, c.After, c.N)
			if err != nil {
				return false, err
			}
			for _, e := range entries {
				c.After = e.ID
				it := &item{Entry: e, queue: c.Queue, found: true} // what ends processes does so from wherever it stands
				if e.Lane == l.id.name && o.numbered(ctx, it) && it.in.Event.Seq < before {
					found = append(found, it)
				}
			}
			slices.SortFunc(found, func(a, b *item) int { return cmp.Compare(a.in.Event.Seq, b.in.Event.Seq) })
			found, more = found[:min(len(found), gapReach)], len(entries) == c.N
		}
	}
	return o.adopt(ctx, l, found), nil
}

// adopt gives a lane what was found further behind, unless it has come to it meanwhile.
func (o *ownership) adopt(ctx context.Context, l *lane, found []*item) (any bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range found {
		switch q := it.queue; {
		case any && o.pending[l.id.queue] >= 2*readAhead:
			return true
		case q != l.id.queue && slices.ContainsFunc(l.parked, func(p *item) bool { return p.ID == it.ID }):
		case q != l.id.queue:
			l.parked, any = append(l.parked, it), true
		case o.last[q].Before(it.ID) && !o.passed(q, it.ID):
			o.handed[q][it.ID] = false
			o.enqueue(ctx, l.id, it)
			any = true
		}
	}
	return any
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
// a lane that forgot its number asks from the beginning. It reports whether the
// platform has told, and otherwise whether it may when it is asked again.
func (o *ownership) fetchMissing(ctx context.Context, early Inbound, last int64) (told, again bool) {
	inst, ok := o.g.instance(early.Adapter)
	backlog, is := inst.Adapter.(Backlog)
	if !ok || !is {
		return false, false
	}
	if _, stopped := o.g.orders.Stopped(early.Adapter); stopped {
		return false, true
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
