package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// A store that fails for a moment while a chat parks, or while what is parked of it is read, costs the chat that moment: its shard goes on
// under the same lease, and nothing of the chat is forgotten, doubled or out of order.
func TestParkSurvivesABlip(t *testing.T) {
	for verb, times := range map[string]int{"park": 2, "parked": 2, "read": 2, "unpark": 1} {
		for nth := 1; nth <= times; nth++ {
			t.Run(fmt.Sprint(verb, " ", nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					tries := 0
					p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
						if tries++; tries == 1 {
							return gateway.Sent{}, &gateway.SendError{Class: gateway.RateLimited, RetryAfter: 20 * time.Second}
						}
						return gateway.Sent{}, nil
					}}
					r, b := newBlipRig(t, p)
					defer r.stop()
					juliet := r.contact("juliet")
					gatewaytest.Advance(2 * time.Second)
					lane := gateway.LaneKey{Adapter: wall, Local: juliet}
					on := gateway.QueueOut
					if verb == "read" {
						on = gateway.ParkQueue(on, r.keys.Lane(lane))
					}
					failed, leases := 0, 0
					fails := once(verb, on, nth)
					b.on(func(v string, q gateway.Queue) bool {
						if v == "acquire" {
							leases++
						}
						is := fails(v, q)
						if is {
							failed++
						}
						return is
					})
					var want []string
					for n := range 4 {
						text := fmt.Sprint("line ", n)
						want = append(want, "juliet "+text)
						r.mustAsk(juliet, fmt.Sprint("s", n), text)
						if n%2 == 1 { // two at once, and two while the first park
							gatewaytest.Advance(300 * time.Millisecond)
						}
					}
					gatewaytest.Advance(40 * time.Second)
					diff(t, "sent", p.taken(), want)
					b.mu.Lock()
					defer b.mu.Unlock()
					diff(t, "failed and leases taken", [2]int{failed, leases}, [2]int{1, 0})
				})
			})
		}
	}
}

// What came back goes in the order in which it was sent first also where the store does not tell for a moment when that was.
func TestOrderOfWhatCameBackSurvivesABlip(t *testing.T) {
	for _, parked := range []bool{true, false} {
		t.Run(fmt.Sprint("parked=", parked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLateRig(t, gateway.WindowHold)
				defer func() { l.stop() }()
				for _, s := range []string{"one", "two", "three"} {
					l.says(s)
				}
				var want []string
				open, read := make(chan struct{}), make(chan struct{})
				if !parked { // what comes back waits behind another, in this process and in the next
					tries := 0
					l.platform.mu.Lock()
					l.platform.send = func(op gateway.Op) (gateway.Sent, error) {
						if tries++; tries == 1 {
							<-open
							return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
						}
						<-read
						return gateway.Sent{}, nil
					}
					l.platform.mu.Unlock()
					l.says("four")
					want = []string{"juliet four"}
				}
				for _, n := range []int{2, 0, 1} {
					l.refuses(n, time.Now())
				}
				stopped := make(chan struct{})
				go func() {
					l.stop()
					close(stopped)
				}()
				synctest.Wait()
				close(open)
				<-stopped
				if _, err := l.identity.Revise(t.Context(), l.account, l.juliet, func(c *gateway.Contact) { c.LastInbound = time.Now().Unix() }); err != nil {
					t.Fatal(err)
				}
				gatewaytest.Advance(10 * time.Minute)
				b := &kindBlips{Store: l.store, left: map[gateway.RecordKind]int{gateway.RecordAccount: 1_000_000}}
				l.store, l.identity = b, gateway.NewIdentity(b, l.keys) // which knows nothing yet
				l.start(gateway.Config{})
				gatewaytest.Advance(2 * time.Second)
				b.mu.Lock()
				clear(b.left)
				b.mu.Unlock()
				gatewaytest.Advance(10 * time.Second)
				close(read)
				gatewaytest.Advance(10 * time.Second)
				diff(t, "sent", l.platform.taken()[3:], append(want, "juliet one", "juliet two", "juliet three"))
			})
		})
	}
}
