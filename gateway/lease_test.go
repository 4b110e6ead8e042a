package gateway_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// unrenewed is a store that answers everything but renewals.
type unrenewed struct{ gateway.Store }

func (unrenewed) Renew(context.Context, gateway.Lease, time.Duration) (gateway.Lease, error) {
	return gateway.Lease{}, errors.New("no answer")
}

// TestFormerOwnerWritesNothing: a lease whose time is up is lost by the clock, also while no store says so, and nothing is
// written to the stream any more.
func TestFormerOwnerWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		r.store = unrenewed{r.store}
		r.start(gateway.Config{})
		out := r.gw.Outbox("other")
		lost, release, err := out.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hello := gateway.Rendering{Component: gate, To: romeo, What: gateway.ShowProbe{}}
		if err := r.gw.Show(t.Context(), "other", hello); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(16 * time.Second)
		select {
		case <-lost:
		default:
			t.Error("the lease is still held after its time")
		}
		w := &wire{}
		if err := out.Pump(t.Context(), w); !errors.Is(err, gateway.ErrFenced) {
			t.Errorf("got %v, want ErrFenced", err)
		}
		if len(w.took)+len(w.pending) > 0 {
			t.Errorf("got %q written, want nothing", w.took)
		}
		release(true)
		r.stop()
	})
}

// TestLeaseRunsOut: a component's lease that is not given back is another replica's when its time is up, and not before.
func TestLeaseRunsOut(t *testing.T) {
	for _, free := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &platform{caps: textCaps()}, gateway.Config{Replica: "r1"})
			defer r.stop()
			gatewaytest.Advance(time.Second)
			first := r.gw.Outbox("other")
			_, release, err := first.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(20 * time.Second) // renewed meanwhile
			next, held := "s2", gateway.OutboxPartition("other")
			if _, err := r.store.Acquire(t.Context(), held, next, time.Minute); !errors.Is(err, gateway.ErrHeld) {
				t.Fatalf("while it is held: got %v, want ErrHeld", err)
			}
			release(free)
			began := time.Now()
			for {
				if _, err = r.store.Acquire(t.Context(), held, next, time.Minute); err == nil {
					break
				}
				gatewaytest.Advance(time.Second)
			}
			if took := time.Since(began); free != (took == 0) || took > 15*time.Second {
				t.Errorf("given back %t: got the lease after %s, want at once, or else when it has run out", free, took)
			}
		})
	}
}
