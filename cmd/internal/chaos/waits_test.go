//go:build servers

package chaos_test

import (
	"context"
	"fmt"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
)

const (
	// perFault is how many messages users write before each fault.
	perFault  = 200
	upTimeout = 40 * time.Second
)

// whole waits until the gateway is connected again and books the fault that is over.
func (r *rig) whole(ctx context.Context, f chaos.Fault) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	if err := r.up(ctx); err != nil {
		return fmt.Errorf("%s: not up again: %w", f.Kind, err)
	}
	f.To = time.Now()
	r.fault(f)
	r.release()
	return nil
}

// waitBacklog waits until so many entries are pending.
func (r *rig) waitBacklog(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	return stand.Poll(ctx, func() error {
		have, err := r.pending(ctx)
		if err != nil {
			return err
		}
		if f := (chaos.Fault{Pending: have}); f.Total() < n {
			return fmt.Errorf("%d entries pending, want %d", f.Total(), n)
		}
		return nil
	})
}

// waitSaid waits until people have said so much more.
func (r *rig) waitSaid(ctx context.Context, n int) error {
	return r.waitCount(ctx, chaos.In, r.count(chaos.In)+n)
}

// waitCount waits until so many messages of a direction were sent in all.
func (r *rig) waitCount(ctx context.Context, dir chaos.Direction, n int) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	return stand.Poll(ctx, func() error {
		if have := r.count(dir); have < n {
			return fmt.Errorf("%d messages sent %s, want %d", have, dir, n)
		}
		return nil
	})
}

// afterwards sends what must take the path once each.
func (r *rig) afterwards(ctx context.Context) error {
	r.slow(ctx, latencyMS)
	r.settled(true)
	defer r.settled(false)
	defer r.talk(ctx)()
	return r.waitCount(ctx, chaos.Out, r.count(chaos.Out)+perFault)
}

// pass lets time go by.
func (r *rig) pass(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep lets polite clients go on once the gateway is there again, whichever fault it was that kept it away.
func (r *rig) keep(ctx context.Context) {
	for r.pass(ctx, 200*time.Millisecond) == nil {
		if !r.available.Load() && r.up(ctx) == nil {
			r.release()
		}
	}
}
