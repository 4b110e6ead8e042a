package gateway_test

import (
	"errors"
	"fmt"
	"strings"
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

// TestParkedMax: chats that stand still take no more than so much in their shard, which senders hear of as of a full chat; whoever does not
// stand still goes on beside them. What waits is not lost by it, and there is room again once it is gone.
func TestParkedMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := true
		p := &platform{caps: textCaps()}
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			if hold && !strings.HasPrefix(string(op.Chat.Contact), "calm") {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, RetryAfter: time.Hour}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.start(gateway.Config{ParkedMax: 6, AskAfter: -1, GiveUp: 24 * time.Hour, CatchUp: gateway.CatchUp{After: -1}})
		defer func() { r.stop() }()
		user, chats := r.inShard("busy", 3)
		calm, other := r.inShard("calm", 1)
		asked := 0
		for n := range 30 {
			err := r.askAs(user, chats[n%3], fmt.Sprintf("%02d", n))
			gatewaytest.Advance(time.Second)
			if err == nil {
				asked++
				continue
			}
			if asked < 6 {
				t.Fatalf("message %d: got %v, want it taken", n, err)
			}
			refusedAs(t, "beyond the limit", err, gateway.ResourceConstraint)
		}
		if asked != 6 {
			t.Errorf("got %d messages taken, want 6", asked)
		}
		must(t, r.askAs(calm, other[0], "in time"))
		gatewaytest.Advance(time.Second)
		diff(t, "sent beside those that stand still", len(p.taken()), 1)
		hold = false
		gatewaytest.Advance(2 * time.Hour)
		diff(t, "sent when they go on", len(p.taken()), 7)
		must(t, r.askAs(user, chats[0], "again"))
		gatewaytest.Advance(time.Second)
		diff(t, "sent in the end", len(p.taken()), 8)
	})
}

// TestParkedMaxIn: so do events; their platform is told to send them again (503), and they come in order when it does.
func TestParkedMaxIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		r.start(gateway.Config{ParkedMax: 4, CatchUp: gateway.CatchUp{After: -1}})
		defer func() { r.stop() }()
		out := r.gw.Outbox(wall)
		gatewaytest.Advance(time.Second)
		out.Decline(true)
		gatewaytest.Advance(time.Minute)
		var refused []gateway.Event
		for n := range 8 {
			ev := said("juliet", fmt.Sprint("m", n), fmt.Sprint("line ", n), 0)
			err := r.event(ev)
			gatewaytest.Advance(time.Second)
			switch {
			case err == nil && len(refused) == 0:
			case errors.Is(err, gateway.ErrFull):
				refused = append(refused, ev)
			default:
				t.Fatalf("event %d: got %v", n, err)
			}
		}
		diff(t, "refused", len(refused), 4)
		r.mustEvent(said("nurse", "other", "somebody else's", 0))
		out.Decline(false)
		gatewaytest.Advance(2 * time.Minute)
		r.mustEvent(refused...)
		gatewaytest.Advance(time.Second)
		var got []string
		for _, line := range r.wire.lines() {
			if _, text, ok := strings.Cut(line, `"line `); ok {
				got = append(got, text[:1])
			}
		}
		diff(t, "shown", strings.Join(got, ""), "01234567")
		diff(t, "of the other chat", r.saw("somebody else's"), 1)
	})
}
