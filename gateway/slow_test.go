package gateway_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

// TestSlowPlatform: what a platform's latency leaves of the rate. Time is virtual, so that it counts what waits for what, and no
// processor: a thousand chats, each with its next message as soon as the last is there, of a platform that takes 20 ms.
func TestSlowPlatform(t *testing.T) {
	const (
		people, chats, each = 5, 200, 4
		latency             = 20 * time.Millisecond
		wanted              = 5000 // messages per second
	)
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		arrived := map[gateway.ContactID]chan struct{}{}
		var mu sync.Mutex
		hand, most := 0, 0
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			mu.Lock()
			hand++
			most = max(most, hand)
			mu.Unlock()
			<-time.After(latency)
			mu.Lock()
			hand--
			mu.Unlock()
			arrived[op.Chat.Contact] <- struct{}{}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		type chat struct {
			user  gateway.UserID
			alias gateway.Alias
			there chan struct{}
		}
		var all []chat
		for n := range people {
			name := fmt.Sprint("p", n)
			user, aliases := r.person(name, chats)
			for i, alias := range aliases {
				there := make(chan struct{}, 1)
				arrived[gateway.ContactID(fmt.Sprint(name, "'s ", i))] = there
				all = append(all, chat{user, alias, there})
			}
		}
		var took []time.Duration
		var wg sync.WaitGroup
		began := time.Now()
		for _, c := range all {
			wg.Go(func() {
				for n := range each {
					from := time.Now()
					if err := r.askAs(c.user, c.alias, fmt.Sprint(n)); err != nil {
						t.Error(err)
						return
					}
					<-c.there
					mu.Lock()
					took = append(took, time.Since(from))
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		rate := float64(len(took)) / time.Since(began).Seconds()
		slices.Sort(took)
		p50, p99 := took[len(took)/2], took[len(took)*99/100]
		t.Logf("%.0f messages a second, p50 %s, p99 %s, %d calls in hand at most", rate, p50, p99, most)
		if rate < wanted {
			t.Errorf("got %.0f messages a second, want %d", rate, wanted)
		}
		if p99 > 3*p50 {
			t.Errorf("got a p99 of %s with a p50 of %s, want nobody to wait much longer than others", p99, p50)
		}
	})
}
