package gateway_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// unheard is the store of a process that gets no answer about leases and replicas from a time on, and works otherwise.
type unheard struct {
	gateway.Store
	now atomic.Bool
}

func (d *unheard) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	if d.now.Load() {
		return l, errors.New("no answer")
	}
	return d.Store.Renew(ctx, l, ttl)
}

func (d *unheard) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	if d.now.Load() {
		return gateway.Lease{}, errors.New("no answer")
	}
	return d.Store.Acquire(ctx, p, replica, ttl)
}

func (d *unheard) Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (map[string][]byte, error) {
	if d.now.Load() {
		return nil, errors.New("no answer")
	}
	return d.Store.Announce(ctx, replica, note, ttl)
}

// TestLongMessageChangesHands: a message whose pieces wait longer for their turn than a lease lives is said once, whether its shard goes to
// another process in order, which waits for it, or is taken over, which its former owner notices before it says the next piece.
func TestLongMessageChangesHands(t *testing.T) {
	for _, tt := range []struct {
		name string
		goes func(first *gateway.Gateway, store *unheard)
		in   time.Duration
	}{
		{"in order", func(first *gateway.Gateway, _ *unheard) { first.Retire(context.Background()) }, 45 * time.Second}, // as if nothing were
		{"taken over", func(_ *gateway.Gateway, store *unheard) { store.now.Store(true) }, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Echo, caps.TextMax, caps.TextUnit = false, 6, gateway.CodePoints
				p := &platform{caps: caps}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				store := &unheard{Store: r.store}
				r.store, r.limits = store, []gateway.Limit{{Scope: gateway.LimitAccount, Every: 20 * time.Second, Burst: 1}}
				r.start(gateway.Config{Replica: "r1"})
				first, stopFirst := r.gw, r.stop
				r.mustAsk(r.contact("juliet"), "s1", "first:secondthird.")
				gatewaytest.Advance(time.Second)
				r.store = store.Store
				r.startOn(gateway.Config{Replica: "r2"}, &wire{})
				stopSecond := r.stop
				defer func() { stopFirst(); stopSecond() }()
				gatewaytest.Advance(time.Second)
				diff(t, "sent before", p.taken(), []string{"juliet first:"})
				tt.goes(first, store)
				gatewaytest.Advance(tt.in)
				diff(t, "sent", p.taken(), []string{"juliet first:", "juliet second", "juliet third."})
			})
		})
	}
}
