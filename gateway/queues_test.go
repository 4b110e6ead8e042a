package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// What waits is told by where it waits, and chats that are parked by what they wait for.
func TestQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.RateLimited, RetryAfter: time.Hour}
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		began := time.Now()
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		for n := range 3 {
			r.mustAsk(juliet, fmt.Sprint("j", n), "text")
		}
		r.mustAsk(nurse, "n", "text")
		gatewaytest.Advance(time.Minute)
		waiting, parked, err := r.gw.Queues(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "waiting", waiting, []gateway.QueueState{{Where: "in"}, {Where: "out"}, {Where: "outbox", Adapter: wall}})
		if len(parked) != 1 || parked[0].Next.Before(began.Add(time.Minute)) {
			t.Fatalf("got %+v, want one crowd that waits for later", parked)
		}
		parked[0].Next = time.Time{}
		diff(t, "parked", parked, []gateway.ParkedLanes{{Where: "out", Reason: gateway.ParkLimit, Lanes: 2}})

		r.stop() // nobody works now
		r.stop = func() {}
		r.mustAsk(juliet, "later", "text")
		waiting, _, err = r.gw.Queues(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w := waiting[1]; w.Entries != 1 || !w.Oldest.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("got %+v, want one entry of now", w)
		}
	})
}
