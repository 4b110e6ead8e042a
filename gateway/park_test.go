package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// TestParkTakenOver: what waits to be tried again waits as long as it was to under the next owner too, whatever the clock of the store
// says, which is not the clock of who parked it.
func TestParkTakenOver(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		t.Run(fmt.Sprintf("store ahead by %s", ahead), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tried []time.Duration
				began := time.Now()
				p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
					if tried = append(tried, time.Since(began)); len(tried) == 1 {
						return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, RetryAfter: 10 * time.Minute}
					}
					return gateway.Sent{}, nil
				}}
				r := newRig(t, p, gateway.Config{Replica: "r1"})
				own, ok := r.store.(*memstore.Store)
				if !ok {
					t.Fatalf("got a store %T", r.store)
				}
				own.Ahead(ahead)
				r.mustAsk(r.contact("juliet"), "s1", "waits")
				gatewaytest.Advance(time.Second)
				r.mustAsk(r.contact("juliet"), "s2", "behind it") // moves the mark
				gatewaytest.Advance(4 * time.Minute)
				r.stop()
				r.start(gateway.Config{Replica: "r2"})
				gatewaytest.Advance(5 * time.Minute)
				diff(t, "sent after nine minutes", p.taken(), []string(nil))
				gatewaytest.Advance(2 * time.Minute)
				r.stop()
				diff(t, "sent after eleven", p.taken(), []string{"juliet waits", "juliet behind it"})
				if len(tried) != 3 || tried[1] < 10*time.Minute || tried[1] > 10*time.Minute+5*time.Second {
					t.Errorf("tried after %v, want the first again after ten minutes", tried)
				}
			})
		})
	}
}
