package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// operator is the operator's side of another replica.
func (r *rig) operator() *gateway.Orders {
	r.t.Helper()
	o := gateway.NewOrders(r.store, r.keys, nil)
	if err := o.Review(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stoppedSeries is what the metric says.
func (r *rig) stoppedSeries() float64 {
	r.t.Helper()
	all, err := r.metrics.Gather()
	must(r.t, err)
	for _, f := range all {
		if f.GetName() == "postern_adapter_stopped" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	r.t.Fatal("no series of stopped adapters")
	return 0
}

// TestStopped: nothing passes a stopped adapter in either direction; what waits is kept, through a restart, and goes in order as soon as
// the adapter is started again.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		juliet, calls := r.contact("juliet"), 0
		p.send = func(gateway.Op) (gateway.Sent, error) {
			calls++
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
		}
		for n := range 5 {
			r.mustAsk(juliet, fmt.Sprint("s", n), fmt.Sprint("line ", n))
		}
		gatewaytest.Advance(time.Minute)
		operator := r.operator()
		must(t, operator.Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "The platform is being looked at.", By: "anna", At: time.Now().UTC()}))
		gatewaytest.Advance(time.Millisecond) // the signal
		p.mu.Lock()
		p.send, calls = nil, 0
		p.mu.Unlock()
		if got := refusedAs(t, "a message", r.ask(juliet, "s5", "line 5"), gateway.ServiceUnavailable); !strings.Contains(got, "The platform is being looked at.") {
			t.Errorf("got %q, want the operator's reason", got)
		}
		typing := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Op: gateway.Op{Body: gateway.OpTyping{On: true}}}
		refusedAs(t, "typing", r.gw.Ask(t.Context(), typing, nil), gateway.ServiceUnavailable)
		if err := r.event(said("juliet", "n1", "hello", 0)); !errors.Is(err, gateway.ErrStopped) {
			t.Errorf("a webhook: got %v, want ErrStopped", err)
		}
		if err := r.gw.Receive(t.Context(), wall, gateway.Request{}); !errors.Is(err, gateway.ErrUnverified) {
			t.Errorf("a forged webhook: got %v, want ErrUnverified", err)
		}
		gatewaytest.Advance(time.Hour)
		r.stop()
		r.start(gateway.Config{Replica: "r2"})
		gatewaytest.Advance(time.Hour)
		if got := p.taken(); len(got) != 0 || calls != 0 {
			t.Errorf("sent %q in %d calls, want nothing while it is stopped", got, calls)
		}
		refusedAs(t, "after a restart", r.ask(juliet, "s6", "line 6"), gateway.ServiceUnavailable)
		if got := r.stoppedSeries(); got != 1 {
			t.Errorf("postern_adapter_stopped: got %v, want 1", got)
		}
		must(t, r.operator().Start(t.Context(), wall))
		gatewaytest.Advance(time.Second)
		refusedAs(t, "started again", r.ask(juliet, "s7", "line 7"), "")
		must(t, r.event(said("juliet", "n1", "hello", 0))) // the platform repeats it
		gatewaytest.Advance(time.Second)
		diff(t, "sent", p.taken(), []string{"juliet line 0", "juliet line 1", "juliet line 2", "juliet line 3", "juliet line 4", "juliet line 7"})
		if got := fmt.Sprint(r.wire.lines()); strings.Count(got, "hello") != 1 {
			t.Errorf("got %s, want what the platform repeated, once", got)
		}
		if got := r.stoppedSeries(); got != 0 {
			t.Errorf("postern_adapter_stopped: got %v, want 0", got)
		}
		if err := operator.Start(t.Context(), wall); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("started twice: got %v, want ErrNotFound", err)
		}
	})
}

// mute is a store whose signals are all lost.
type mute struct{ gateway.Store }

func (mute) Publish(context.Context, string, []byte) error { return nil }

// TestStoppedWithoutSignal: a replica that misses the signal finds the order within seconds, and what was taken in before is not shown
// until it is taken back.
func TestStoppedWithoutSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		r.store = mute{r.store}
		synctest.Wait() // it has looked once, when it began
		must(t, r.operator().Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "x"}))
		must(t, r.event(said("juliet", "n1", "hello", 0))) // not known yet
		gatewaytest.Advance(4 * time.Second)
		refusedAs(t, "four seconds later", r.ask(r.contact("juliet"), "s1", "one"), gateway.ServiceUnavailable)
		must(t, r.operator().Start(t.Context(), wall))
		gatewaytest.Advance(4 * time.Second)
		refusedAs(t, "four seconds after the start", r.ask(r.contact("juliet"), "s2", "two"), "")
		gatewaytest.Advance(time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet two"})
	})
}

// inBetween is a store that is slow to park, and calls f meanwhile.
type inBetween struct {
	gateway.Store
	f func()
}

func (s inBetween) Park(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, why gateway.ParkReason) error {
	if why == gateway.ParkStopped {
		s.f()
		sleepFor(ctx, 10*time.Millisecond)
	}
	return s.Store.Park(ctx, l, from, lane, ids, wait, why)
}

// TestStartedMeanwhile: a start that comes while a chat is about to wait wakes it all the same.
func TestStartedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		juliet := r.contact("juliet")
		r.stop()
		must(t, r.operator().Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "x"}))
		r.mustAsk(juliet, "s1", "one") // to a process that does not know of it
		operator := r.operator()
		r.store = inBetween{r.store, sync.OnceFunc(func() { must(t, operator.Start(t.Context(), wall)) })}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(2 * time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet one"})
	})
}

// TestStoppedIn: what was taken from the platform before is not shown while the adapter is stopped, and at once when it goes on, also
// where that was while no process ran.
func TestStoppedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		must(t, r.operator().Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "x"}))
		must(t, r.event(said("juliet", "n1", "hello", 0)))
		r.start(gateway.Config{})
		gatewaytest.Advance(time.Hour)
		if got := fmt.Sprint(r.wire.lines()); strings.Contains(got, "hello") {
			t.Errorf("got %s, want nothing while it is stopped", got)
		}
		r.stop()
		must(t, r.operator().Start(t.Context(), wall))
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(2 * time.Second)
		if got := fmt.Sprint(r.wire.lines()); strings.Count(got, "hello") != 1 {
			t.Errorf("got %s, want what was taken before", got)
		}
	})
}

// heldElsewhere is a store whose shards are another replica's until a time.
type heldElsewhere struct {
	gateway.Store
	until time.Time
}

func (s heldElsewhere) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	if time.Now().Before(s.until) {
		return gateway.Lease{}, gateway.ErrHeld
	}
	return s.Store.Acquire(ctx, p, replica, ttl)
}

// TestStartedBeforeItsOwner: a chat that waits for its adapter goes on when a replica becomes its owner that had heard of the start long before:
// nothing else would wake it for minutes.
func TestStartedBeforeItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		must(t, r.operator().Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "x"}))
		must(t, r.event(said("juliet", "n1", "hello", 0)))
		r.start(gateway.Config{})
		gatewaytest.Advance(time.Minute)
		r.stop()
		must(t, r.operator().Start(t.Context(), wall))
		r.store = heldElsewhere{r.store, time.Now().Add(time.Minute)}
		r.start(gateway.Config{Replica: "r2"})
		defer func() { r.stop() }()
		gatewaytest.Advance(50 * time.Second)
		if got := fmt.Sprint(r.wire.lines()); strings.Contains(got, "hello") {
			t.Errorf("got %s before the chat had an owner", got)
		}
		gatewaytest.Advance(30 * time.Second)
		if got := fmt.Sprint(r.wire.lines()); strings.Count(got, "hello") != 1 {
			t.Errorf("got %s, want what was taken before, as soon as the chat has an owner", got)
		}
	})
}

// TestStoppedPresence: the gateway says in its presence that it is stopped, at once and to whoever asks.
func TestStoppedPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var mu sync.Mutex
		var told []string
		wg.Go(func() {
			_ = r.gw.News(ctx, wall, func(g gateway.Rendering) error { // ends with ctx
				mu.Lock()
				defer mu.Unlock()
				p, _ := g.What.(gateway.ShowPresence)
				told = append(told, fmt.Sprintf("%s available=%v away=%v %s", g.To, p.Available, p.Away, p.Status))
				return nil
			})
		})
		gatewaytest.Advance(time.Second)
		operator := r.operator()
		must(t, operator.Stop(t.Context(), gateway.Stop{Adapter: "another", Reason: "not here"}))
		must(t, operator.Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "Back at noon."}))
		gatewaytest.Advance(time.Second)
		shown, err := r.gw.Presence(t.Context(), gateway.Visitor{Adapter: wall, User: romeo}, "", gateway.PresenceProbe)
		must(t, err)
		if p, ok := shown[0].What.(gateway.ShowPresence); !ok || !p.Away || !strings.Contains(p.Status, "Back at noon.") {
			t.Errorf("a probe: got %+v, want away with the reason", shown[0].What)
		}
		must(t, operator.Start(t.Context(), wall))
		gatewaytest.Advance(time.Second)
		cancel()
		wg.Wait()
		diff(t, "told", told, []string{
			"romeo@example.org available=true away=true This gateway to Wall is stopped for the moment: Back at noon.",
			"romeo@example.org available=true away=false ",
		})
	})
}

// TestStoppedPolls: a platform that is asked for its events is not asked while it is stopped.
func TestStoppedPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{platform: &platform{caps: textCaps()}, feed: make(chan []gateway.Event), runs: make(chan string, 10)}
		r := newRig(t, a.platform, gateway.Config{})
		r.stop()
		r.adapter = a
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(time.Second)
		operator := r.operator()
		if n := a.now.Load(); n != 1 {
			t.Fatalf("got %d who ask, want one", n)
		}
		must(t, operator.Stop(t.Context(), gateway.Stop{Adapter: wall, Reason: "x"}))
		gatewaytest.Advance(time.Second)
		if n := a.now.Load(); n != 0 {
			t.Errorf("got %d who ask while it is stopped, want none", n)
		}
		must(t, operator.Start(t.Context(), wall))
		gatewaytest.Advance(time.Second)
		if n := a.now.Load(); n != 1 {
			t.Errorf("got %d who ask when it goes on, want one", n)
		}
	})
}

// TestStoppedRegistration: nobody registers with a stopped adapter, and hears why.
func TestStoppedRegistration(t *testing.T) {
	c := newCounter(t)
	c.orders = gateway.NewOrders(c.store, c.keys, nil)
	c.restart()
	must(t, c.orders.Stop(t.Context(), gateway.Stop{Adapter: "wall", Reason: "Back at noon."}))
	_, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeRegister)
	if got := c.refused(err, gateway.ServiceUnavailable, ""); !strings.Contains(got, "Back at noon.") {
		t.Errorf("got %q, want the operator's reason", got)
	}
	must(t, c.orders.Start(t.Context(), "wall"))
	c.register(c.romeo, "Montague")
}

// TestBlocks: a user and a domain are refused on every replica, whatever the policy says of them, until the block is taken back.
func TestBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		here, there := r.operator(), r.operator()
		h := &house{}
		h.set("nurse@example.org", gateway.Terms{Plan: "open"})
		policy := here.Before(h)
		block := func(who, reason string) {
			must(t, there.Block(t.Context(), gateway.Block{Who: who, Reason: reason, By: "anna", At: time.Unix(5, 0).UTC()}))
			must(t, here.Review(t.Context()))
		}
		block("romeo@example.org", "For a week.")
		block("guests.example.org", "No guests.")
		for user, want := range map[gateway.UserID]gateway.Terms{
			"romeo@example.org":        {Refused: true, Reason: "For a week.", By: gateway.ByBlock},
			"paris@guests.example.org": {Refused: true, Reason: "No guests.", By: gateway.ByBlock},
			"nurse@example.org":        {Plan: "open"},
		} {
			diff(t, string(user), policy.Terms(t.Context(), user, wall), want)
		}
		block("romeo@example.org", "For good.")
		diff(t, "blocks", here.Blocks(), []gateway.Block{
			{Who: "guests.example.org", Reason: "No guests.", By: "anna", At: time.Unix(5, 0).UTC()}, {Who: "romeo@example.org", Reason: "For good.", By: "anna", At: time.Unix(5, 0).UTC()},
		})
		must(t, here.Unblock(t.Context(), "romeo@example.org"))
		if err := there.Unblock(t.Context(), "romeo@example.org"); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("unblocked twice: got %v, want ErrNotFound", err)
		}
		diff(t, "unblocked", policy.Terms(t.Context(), "romeo@example.org", wall), gateway.Terms{})
	})
}
