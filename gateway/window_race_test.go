package gateway_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// slowPark takes its time to park what waits for an open window.
type slowPark struct {
	gateway.Store
	open chan struct{}
}

func (s slowPark) Park(ctx context.Context, l gateway.Lease, q gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, why gateway.ParkReason) error {
	if why == gateway.ParkWindow {
		<-s.open
	}
	return s.Store.Park(ctx, l, q, lane, ids, wait, why)
}

// Who writes while a message to them is being put aside, because they have not written for too long, gets it at once.
func TestWindowOpensWhileItsChatParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: windowed()}, gateway.Config{})
		r.stop()
		s := slowPark{r.store, make(chan struct{})}
		r.store = s
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		r.mustAsk(r.contact("juliet"), "s1", "are you there")
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent", r.platform.taken(), []string(nil))
		r.mustEvent(said("juliet", "n1", "I am", 0))
		gatewaytest.Advance(2 * time.Second)
		close(s.open)
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet are you there"})
	})
}
