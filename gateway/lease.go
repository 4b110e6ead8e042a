package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	leaseTTL     = 15 * time.Second
	leaseRenewal = 5 * time.Second
)

// holding is a lease for as long as this replica has it.
type holding struct {
	Lease
	store Leaser
	log   *slog.Logger
	until atomic.Int64 // Unix nanoseconds
}

// acquireLease takes a partition's lease as soon as it is free. The error is that of ctx.
func acquireLease(ctx context.Context, s Leaser, p Partition, replica string, log *slog.Logger) (*holding, error) {
	for {
		l, err := s.Acquire(ctx, p, replica, leaseTTL)
		if err == nil {
			h := &holding{Lease: l, store: s, log: log}
			h.until.Store(l.Until.UnixNano())
			return h, nil
		}
		if !errors.Is(err, ErrHeld) && ctx.Err() == nil {
			log.Warn("lease not acquired", "partition", p, "err", err)
		}
		if !sleep(ctx, jitter(leaseRenewal)) {
			return nil, ctx.Err()
		}
	}
}

// keep renews the lease until ctx ends or it is lost. A store that does not answer loses it too, when its time is up:
// another replica may have taken it by then.
func (h *holding) keep(ctx context.Context) {
	for sleep(ctx, leaseRenewal) {
		call, cancel := context.WithDeadline(ctx, time.Unix(0, h.until.Load()))
		next, err := h.store.Renew(call, h.Lease, leaseTTL)
		cancel()
		switch {
		case err == nil:
			h.until.Store(next.Until.UnixNano())
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrFenced), h.expired():
			h.log.Warn("lease lost", "partition", h.Partition, "err", err)
			return
		default:
			h.log.Warn("lease not renewed, trying again", "partition", h.Partition, "err", err)
		}
	}
}

// expired reports whether the lease's time is up by our clock: a process that was stopped and woke does nothing that no
// store can refuse, such as writing to a stream, before it has looked here.
func (h *holding) expired() bool { return time.Now().UnixNano() >= h.until.Load() }

// giveBack releases the lease.
func (h *holding) giveBack(ctx context.Context) {
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := h.store.Release(free, h.Lease); err != nil {
		h.log.Warn("lease not given back; it runs out by itself", "partition", h.Partition, "err", err)
	}
}
