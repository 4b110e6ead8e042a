package gateway

import (
	"context"
	"sync"
	"time"
)

// limiter counts what is sent against the limits that an adapter declares. A bucket is one time: when it would be full again
// (GCRA). It counts this replica alone.
type limiter struct {
	mu    sync.Mutex
	full  map[string]time.Time
	swept time.Time
}

const limiterSweep = time.Minute

func newLimiter() *limiter { return &limiter{full: map[string]time.Time{}} }

// take spends one token of every bucket and returns how long to wait before it counts. Where that were more than most it spends
// nothing: who cannot wait for their turn must not hold up the others'.
func (l *limiter) take(now time.Time, most time.Duration, buckets []bucket) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	var wait time.Duration
	for _, b := range buckets {
		wait = max(wait, l.at(b.name, now).Sub(now)-time.Duration(max(b.Burst, 1)-1)*b.Every)
	}
	if wait > most {
		return wait
	}
	for _, b := range buckets {
		l.full[b.name] = l.at(b.name, now).Add(b.Every)
	}
	return wait
}

// at is when a bucket is full again, now where it is.
func (l *limiter) at(name string, now time.Time) time.Time {
	if at := l.full[name]; at.After(now) {
		return at
	}
	return now
}

// sweep forgets buckets that are full.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < limiterSweep {
		return
	}
	l.swept = now
	for name, at := range l.full {
		if !at.After(now) {
			delete(l.full, name)
		}
	}
}

// bucket is a Limit of somebody.
type bucket struct {
	name string
	Limit
}

// buckets are those that a send to a contact counts in. On a line all its users write into the same chats.
func buckets(inst Instance, a *Account, c *Contact) []bucket {
	limits := inst.Adapter.Descriptor().Limits
	out := make([]bucket, 0, len(limits))
	for _, l := range limits {
		out = append(out, bucket{l.Every.String() + " " + limitName(inst, a, c, l.Scope), l})
	}
	return out
}

// limitName names what shares a limit with a send to a contact; the empty scope is the account.
func limitName(inst Instance, a *Account, c *Contact, scope LimitScope) string {
	name := string(inst.ID)
	switch scope {
	case LimitChat:
		return "chat " + name + "/" + string(a.Endpoint) + "/" + string(c.ID)
	case LimitApp:
		return "app " + name
	case LimitAccount:
	}
	return "account " + name + "/" + string(a.Endpoint)
}

// paused returns how long the platform wants to hear nothing of this chat, this account or this instance.
func (w *outWalk) paused() time.Duration {
	var left time.Duration
	for _, scope := range []LimitScope{LimitChat, LimitAccount, LimitApp} {
		if p, ok := w.o.g.pauses.load(limitName(w.inst, w.account, w.contact, scope)); ok {
			left = max(left, time.Until(p.until))
		}
	}
	return left
}

// limit waits while the platform has told us to slow down, and for the op's turn under the adapter's limits.
func (w *outWalk) limit(context.Context) *verdict {
	if left := w.paused(); left > 0 {
		return &verdict{end: again, after: left, why: ParkLimit}
	}
	if len(w.planned.Ops) == 0 {
		return nil
	}
	if w.turn.IsZero() {
		wait := w.o.g.limits.take(time.Now(), waitInLane, buckets(w.inst, w.account, w.contact))
		if wait > waitInLane {
			return &verdict{end: again, after: jitter(wait), why: ParkLimit}
		}
		w.turn = time.Now().Add(wait)
	}
	if left := time.Until(w.turn); left > 0 {
		return &verdict{end: again, after: left, why: ParkLimit, mine: w.turn}
	}
	return nil
}

// pieceTurn waits for the turn of a further piece of a message that is being sent: a few seconds, in place.
func (w *outWalk) pieceTurn(ctx context.Context, n int) bool {
	if n == 0 {
		return true
	}
	return sleep(ctx, w.o.g.limits.take(time.Now(), time.Minute, buckets(w.inst, w.account, w.contact)))
}
