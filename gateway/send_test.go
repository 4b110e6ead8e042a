package gateway_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestReplayOfAnOldOp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			if !up.Load() {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
			}
			return gateway.Sent{}, nil
		}}
		r := newRig(t, p, gateway.Config{GiveUp: 10 * time.Minute})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "late")
		gatewaytest.Advance(20 * time.Minute)
		lane := gateway.LaneKey{Adapter: wall, Local: juliet}
		dead := r.dead(lane.Shard())
		if len(dead) != 1 {
			t.Fatalf("got %d dead letters, want 1", len(dead))
		}
		up.Store(true)
		if _, err := r.store.Replay(t.Context(), lane.Shard(), dead[0].ID); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet late"})
	})
}
