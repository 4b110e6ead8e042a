package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	leaseTTL     = 15 * time.Second
	leaseRenewal = 5 * time.Second
	leaseMargin  = 2 * time.Second // before a lease ends by itself, its holder stops
)

// holding is a lease for as long as this replica has it.
type holding struct {
	Lease
	balance *balance
	until   atomic.Pointer[time.Time]
}

// keep renews the lease until ctx ends or it is lost. A store that does not answer loses it too, a little before its time is
// up: another replica may take it then, and what this one still holds, such as a stream, has to be let go of first.
func (h *holding) keep(ctx context.Context) {
	for next := leaseRenewal; sleep(ctx, min(next, h.left())); {
		call, cancel := context.WithTimeout(ctx, h.left())
		l, err := h.balance.store.Renew(call, h.Lease, leaseTTL)
		cancel()
		switch {
		case err == nil:
			h.until.Store(&l.Until)
			next = leaseRenewal
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrFenced), h.left() <= 0:
			h.balance.log.Warn("lease lost", "partition", h.Partition, "err", err)
			return
		default:
			h.balance.log.Warn("lease not renewed, trying again", "partition", h.Partition, "err", err)
			next = leasePoll
		}
	}
}

// ends is how long the lease lasts without another renewal: by the clock that only runs on, and by the one that goes on while a
// machine sleeps but may be set back, whichever says less.
func (h *holding) ends() time.Duration {
	until, now := *h.until.Load(), time.Now()
	return min(until.Sub(now), until.Round(0).Sub(now.Round(0)))
}

// left is how long its holder may go on.
func (h *holding) left() time.Duration { return h.ends() - leaseMargin }

// expired reports whether the lease's time is up by our clocks: a process that was stopped and woke does nothing that no
// store can refuse, such as writing to a stream, before it has looked here.
func (h *holding) expired() bool { return h.ends() <= 0 }

// giveBack releases the lease and tells whoever waits for it.
func (h *holding) giveBack(ctx context.Context) {
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := h.balance.store.Release(free, h.Lease); err != nil {
		h.balance.log.Warn("lease not given back; it runs out by itself", "partition", h.Partition, "err", err)
		return
	}
	h.balance.publish(free, SignalReleased, string(h.Partition))
}
