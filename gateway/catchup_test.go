package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// late is an event that happened an hour ago.
func lateFrom(contact gateway.ContactID, n int) gateway.Event {
	ev := said(contact, fmt.Sprint(contact, n), fmt.Sprintf("late %03d", n), 0)
	ev.At = time.Now().Add(-time.Hour)
	return ev
}

// saw counts what the server took that has a text in it.
func (r *rig) saw(text string) (n int) {
	for _, line := range r.wire.lines() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// After an outage of the platform a user gets what waited at a pace, in order, and what is new at once.
func TestCatchUpIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		r.start(gateway.Config{CatchUp: gateway.CatchUp{UserPerSecond: 5}})
		defer func() { r.stop() }()
		r.contact("juliet")
		for n := range 100 {
			r.mustEvent(lateFrom("juliet", n))
		}
		gatewaytest.Advance(time.Second)
		r.mustEvent(said("nurse", "new", "in time", 0))
		gatewaytest.Advance(time.Second)
		if n := r.saw("in time"); n != 1 {
			t.Error("what is in time waits for what is late in another chat")
		}
		if n := r.saw("late"); n < 5 || n > 16 {
			t.Errorf("after 2 s: got %d late messages, want about 5 at once and 5 a second", n)
		}
		gatewaytest.Advance(8 * time.Second)
		if n := r.saw("late"); n < 40 || n > 60 {
			t.Errorf("after 10 s: got %d late messages, want about 55", n)
		}
		gatewaytest.Advance(12 * time.Second)
		var got []string
		for _, line := range r.wire.lines() {
			if _, text, ok := strings.Cut(line, `"late `); ok {
				got = append(got, text[:3])
			}
		}
		var want []string
		for n := range 100 {
			want = append(want, fmt.Sprintf("%03d", n))
		}
		diff(t, "in order", got, want)
	})
}

// Many users who are behind share a pace, and get on one beside the other; who is in time waits for none of them. Without a pace everything
// goes at once.
func TestCatchUpOfAll(t *testing.T) {
	for _, paced := range []bool{true, false} {
		t.Run(fmt.Sprint(paced), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.stop()
				cfg := gateway.Config{CatchUp: gateway.CatchUp{After: 2 * time.Minute, PerSecond: 10, UserPerSecond: 5}}
				if !paced {
					cfg.CatchUp.After = -1
				}
				r.start(cfg)
				defer func() { r.stop() }()
				for u := range 8 {
					r.person(fmt.Sprint("u", u), 0)
					for n := range 15 {
						ev := lateFrom(gateway.ContactID(fmt.Sprint("c", n)), 0)
						ev.Endpoint = gateway.Endpoint(fmt.Sprint("ep-u", u))
						r.mustEvent(ev)
					}
				}
				gatewaytest.Advance(time.Second)
				early := r.saw("late 000")
				users := map[string]bool{}
				for _, line := range r.wire.lines() {
					if _, to, ok := strings.Cut(line, " -> "); ok && strings.Contains(line, "late 000") {
						users[to[:2]] = true
					}
				}
				gatewaytest.Advance(30 * time.Second)
				if n := r.saw("late 000"); n != 120 {
					t.Errorf("got %d of 120 in the end", n)
				}
				switch {
				case !paced && early != 120:
					t.Errorf("got %d at once, want all", early)
				case paced && (early < 10 || early > 30):
					t.Errorf("got %d in the first second, want about 10 at once and 10 a second", early)
				case paced && len(users) < 2:
					t.Errorf("got those of %v first, want several users beside each other", users)
				}
			})
		})
	}
}

// asksCounted counts how often somebody asks for a turn.
type asksCounted struct {
	gateway.Store
	asks *atomic.Int64
}

func (s asksCounted) Take(ctx context.Context, a gateway.AdapterID, most time.Duration, b ...gateway.Bucket) (gateway.Taken, error) {
	if len(b) == 2 { // of an adapter and of a user: limits and pauses are others
		s.asks.Add(1)
	}
	return s.Store.Take(ctx, a, most, b...)
}

// Chats that are late come for their turns some at a time, however many they are, and no turn is lost by that.
func TestCatchUpAsksInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, chats, pace = 300, 1200, 10
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		var asks atomic.Int64
		r.store = asksCounted{r.store, &asks}
		r.start(gateway.Config{CatchUp: gateway.CatchUp{PerSecond: pace, UserPerSecond: pace}})
		defer func() { r.stop() }()
		for n := range users {
			r.person(fmt.Sprint("u", n), 0)
		}
		for n := range chats {
			ev := lateFrom(gateway.ContactID(fmt.Sprint("c", n/users)), 0)
			ev.Endpoint = gateway.Endpoint(fmt.Sprint("ep-u", n%users))
			r.mustEvent(ev)
		}
		gatewaytest.Advance(30 * time.Second) // all have asked, and know of each other
		asks.Store(0)
		was, most := r.saw("late 000"), int64(0)
		for range 60 {
			before := asks.Load()
			gatewaytest.Advance(time.Second)
			most = max(most, asks.Load()-before)
		}
		if n := asks.Load(); n > 60*pace*5 {
			t.Errorf("got %d questions in a minute, want about %d for %d turns", n, 60*pace*4, 60*pace)
		}
		if most > 10*pace {
			t.Errorf("got %d questions in one second, want them spread", most)
		}
		if n := r.saw("late 000") - was; n < 58*pace || n > 62*pace {
			t.Errorf("got %d messages in a minute, want about %d", n, 60*pace)
		}
		t.Logf("%d questions in a minute, %d in one second at most, for %d turns", asks.Load(), most, r.saw("late 000")-was)
		gatewaytest.Advance(time.Minute)
		if n := r.saw("late 000"); n != chats {
			t.Errorf("got %d messages in the end, want %d", n, chats)
		}
	})
}

// While no replica reaches the XMPP server, events wait in their chats, not in the one outbox, and go on when it is back.
func TestServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		value := r.measured()
		defer func() { r.stop() }()
		out := r.gw.Outbox(wall)
		out.Decline(true)
		gatewaytest.Advance(10 * time.Second)
		r.mustEvent(said("juliet", "m1", "early", 0))
		gatewaytest.Advance(40 * time.Second)
		was := value("postern_queue_entries", "adapter=wall", "where=outbox")
		if was == 0 {
			t.Error("got nothing in the outbox, want what came in the first moments: the server may be back at once")
		}
		for n := range 20 {
			r.mustEvent(said(gateway.ContactID(fmt.Sprint("c", n)), fmt.Sprint("a", n), "hello", 0))
		}
		gatewaytest.Advance(20 * time.Second)
		if got := value("postern_queue_entries", "adapter=wall", "where=outbox"); got != was {
			t.Errorf("got %v in the outbox, want no more than the %v from before", got, was)
		}
		if got := value("postern_parked_chats", "reason=server", "where=in"); got != 20 {
			t.Errorf("got %v chats that wait for the server, want 20", got)
		}
		out.Decline(false)
		gatewaytest.Advance(20 * time.Second) // less than after which they look by themselves
		if got := value("postern_queue_entries", "adapter=wall", "where=outbox"); got < was+20 {
			t.Errorf("got %v in the outbox after the server came back, want 20 more than %v", got, was)
		}
		if got := value("postern_parked_chats", "reason=server", "where=in"); got != 0 {
			t.Errorf("got %v chats that wait for the server, want none", got)
		}
	})
}
