package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// share is the store of a replica: it notes who took which shard last, and takes counts its questions about limits.
type share struct {
	gateway.Store
	owners *sync.Map // partition -> replica
	takes  atomic.Int32
}

func (s *share) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	l, err := s.Store.Acquire(ctx, p, replica, ttl)
	if err == nil && s.owners != nil {
		s.owners.Store(p, replica)
	}
	return l, err
}

func (s *share) Take(ctx context.Context, a gateway.AdapterID, most time.Duration, b ...gateway.Bucket) (gateway.Taken, error) {
	s.takes.Add(1)
	return s.Store.Take(ctx, a, most, b...)
}

// twoReplicas restarts a rig as two processes, which share its shards, and notes in owners which has what.
func (r *rig) twoReplicas(owners *sync.Map) (stop func()) {
	r.stop()
	store := r.store
	r.store = &share{Store: store, owners: owners}
	r.startOn(gateway.Config{Replica: "one"}, &wire{})
	first := r.stop
	r.store = &share{Store: store, owners: owners}
	r.startOn(gateway.Config{Replica: "other"}, r.wire)
	second := r.stop
	r.store = store
	gatewaytest.Advance(5 * time.Second) // both know of each other
	return func() { first(); second() }
}

// inShards returns a contact in a shard of one replica and one in a shard of the other.
func (r *rig) inShards(owners *sync.Map) (one, other gateway.Alias) {
	for n := 0; n < 1000 && (one == "" || other == ""); n++ {
		alias := r.contact(gateway.ContactID(fmt.Sprint("c", n)))
		switch owner, _ := owners.Load(gateway.LaneKey{Adapter: wall, Local: alias}.Shard()); owner {
		case "one":
			one = alias
		case "other":
			other = alias
		}
	}
	if one == "" || other == "" {
		r.t.Fatal("the replicas share nothing")
	}
	return one, other
}

// times notes when a platform was called, since it was made.
type times struct {
	mu    sync.Mutex
	began time.Time
	at    map[gateway.ContactID][]time.Duration
	all   []time.Duration
}

func timed(p *platform) *times {
	c := &times{began: time.Now(), at: map[gateway.ContactID][]time.Duration{}}
	p.send = func(op gateway.Op) (gateway.Sent, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		at := time.Since(c.began)
		c.at[op.Chat.Contact], c.all = append(c.at[op.Chat.Contact], at), append(c.all, at)
		return gateway.Sent{}, nil
	}
	return c
}

// fastest returns the shortest time in which n more calls came after a call.
func (c *times) fastest(n int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := time.Hour
	for i := n; i < len(c.all); i++ {
		least = min(least, c.all[i]-c.all[i-n])
	}
	return least
}

// Two replicas together send no more than the platform bears.
func TestLimitsOfTwoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Limits: []gateway.Limit{{Scope: gateway.LimitAccount, Every: 100 * time.Millisecond, Burst: 5}}}}
		r := newRig(t, p, gateway.Config{})
		owners := &sync.Map{}
		stop := r.twoReplicas(owners)
		defer stop()
		one, other := r.inShards(owners)
		calls := timed(p)
		for n := range 40 {
			r.mustAsk(one, fmt.Sprint("o", n), "one")
			r.mustAsk(other, fmt.Sprint("e", n), "other")
		}
		gatewaytest.Advance(30 * time.Second)
		if n := len(p.taken()); n != 80 {
			t.Fatalf("sent %d in 30 s, want 80", n)
		}
		// A burst of five, then ten a second: five calls after any call take half a second at least, but for the first five.
		if got := calls.fastest(15); got < time.Second {
			t.Errorf("16 calls in %s, want at most 15 in a second: five at once and ten more", got)
		}
	})
}

// What a platform told one replica to leave alone, the other leaves alone too, whether it has limits or not.
func TestPauseOfTwoReplicas(t *testing.T) {
	for _, limits := range [][]gateway.Limit{nil, {{Scope: gateway.LimitChat, Every: time.Second, Burst: 5}}} {
		synctest.Test(t, func(t *testing.T) {
			p := &platform{caps: textCaps(), desc: gateway.Descriptor{Limits: limits}}
			r := newRig(t, p, gateway.Config{})
			owners := &sync.Map{}
			stop := r.twoReplicas(owners)
			defer stop()
			one, other := r.inShards(owners)
			began, calls := time.Now(), 0
			p.send = func(gateway.Op) (gateway.Sent, error) {
				if calls++; calls == 1 {
					return gateway.Sent{}, &gateway.SendError{Class: gateway.RateLimited, RetryAfter: time.Minute, Scope: gateway.LimitAccount}
				}
				if got := time.Since(began); got < time.Minute {
					t.Errorf("called again after %s, want a minute of peace", got)
				}
				return gateway.Sent{}, nil
			}
			r.mustAsk(one, "o", "one")
			gatewaytest.Advance(2 * time.Second)
			r.mustAsk(other, "e", "other")
			gatewaytest.Advance(2 * time.Minute)
			if n := len(p.taken()); n != 2 {
				t.Errorf("sent %d, want both in the end", n)
			}
		})
	}
}

// muffled is the store of a replica that nobody hears.
type muffled struct{ gateway.Store }

func (muffled) Publish(context.Context, string, []byte) error { return nil }

// A pause is heeded also by who did not hear of it: another replica whose signals are lost, and the same after a restart.
func TestPauseThatNobodyTold(t *testing.T) {
	for _, again := range []string{"r1", "r2"} {
		t.Run(again, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &platform{caps: textCaps()}
				r := newRig(t, p, gateway.Config{})
				r.stop()
				r.store = muffled{r.store}
				r.start(gateway.Config{Replica: "r1"})
				defer func() { r.stop() }()
				began, calls := time.Now(), 0
				p.send = func(gateway.Op) (gateway.Sent, error) {
					if calls++; calls == 1 {
						return gateway.Sent{}, &gateway.SendError{Class: gateway.RateLimited, RetryAfter: time.Minute, Scope: gateway.LimitAccount}
					}
					if got := time.Since(began); got < time.Minute {
						t.Errorf("called again after %s, want a minute of peace", got)
					}
					return gateway.Sent{}, nil
				}
				r.mustAsk(r.contact("juliet"), "s1", "one")
				gatewaytest.Advance(2 * time.Second)
				r.stop()
				r.start(gateway.Config{Replica: again})
				r.mustAsk(r.contact("nurse"), "s2", "two")
				gatewaytest.Advance(2 * time.Minute)
				if n := len(p.taken()); n != 2 {
					t.Errorf("sent %d, want both in the end", n)
				}
			})
		})
	}
}

// person registers another user with contacts of their own.
func (r *rig) person(name string, contacts int) (gateway.UserID, []gateway.Alias) {
	r.t.Helper()
	user := gateway.UserID(name + "@example.org")
	a, err := r.identity.Create(r.t.Context(), gateway.Account{Adapter: wall, Endpoint: gateway.Endpoint("ep-" + name), User: user, Standing: gateway.AccountActive})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []gateway.Alias
	for n := range contacts {
		c, err := r.identity.PutContact(r.t.Context(), a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint(name, "'s ", n)), Told: "before"})
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, c.Alias)
	}
	return user, out
}

func (r *rig) askAs(user gateway.UserID, alias gateway.Alias, text string) error {
	return r.gw.Ask(r.t.Context(), gateway.Outbound{
		Adapter: wall, Alias: alias, User: user, Resource: "phone", Stanza: gateway.StanzaID(text),
		Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.PlainText(text)}},
	}, []byte(text))
}

// refusedAs compares a refusal's condition, an empty one is none, and returns its text.
func refusedAs(t *testing.T, what string, err error, want gateway.Condition) (text string) {
	t.Helper()
	r, _ := errors.AsType[*gateway.Refusal](err)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: got %v, want none", what, err)
	case want != "" && (r == nil || r.Condition != want):
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
	if r != nil {
		text = r.Text
	}
	return text
}

// A user who asks too much hears how long to wait, is refused from memory until then, and is nobody else's trouble.
func TestUserLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		counted := &share{Store: r.store}
		r.store = counted
		r.limits = []gateway.Limit{{Scope: gateway.LimitUser, Every: 20 * time.Second, Burst: 6}, {Scope: gateway.LimitUserChat, Every: 15 * time.Second, Burst: 4}}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		busy, chats := r.person("busy", 3)
		calm, other := r.person("calm", 1)
		for n := range 4 {
			refusedAs(t, "within the chat's limit", r.askAs(busy, chats[0], fmt.Sprint("a", n)), "")
		}
		got := refusedAs(t, "past the chat's limit", r.askAs(busy, chats[0], "a4"), gateway.ResourceConstraint)
		if !strings.Contains(got, "15 s") {
			t.Errorf("got %q, want a text that says to wait 15 seconds", got)
		}
		refusedAs(t, "another chat", r.askAs(busy, chats[1], "b0"), "")
		refusedAs(t, "another chat", r.askAs(busy, chats[1], "b1"), "")
		refusedAs(t, "past the user's limit", r.askAs(busy, chats[2], "c0"), gateway.ResourceConstraint)
		gatewaytest.Advance(time.Millisecond) // what was taken goes out, and asks for pauses of the platform
		before := counted.takes.Load()
		for n := range 100 {
			refusedAs(t, "a flood", r.askAs(busy, chats[n%3], fmt.Sprint("f", n)), gateway.ResourceConstraint)
		}
		if n := counted.takes.Load() - before; n != 0 {
			t.Errorf("a flood asked the store %d times, want not once", n)
		}
		refusedAs(t, "somebody else", r.askAs(calm, other[0], "hello"), "")
		marker := gateway.Outbound{Adapter: wall, Alias: chats[0], User: busy, Op: gateway.Op{Body: gateway.OpMarkRead{UpTo: gateway.Target{Stanza: "x"}}}}
		refusedAs(t, "a marker, which the client sent by itself", r.gw.Ask(t.Context(), marker, nil), "")
		gatewaytest.Advance(20 * time.Second)
		refusedAs(t, "after the wait", r.askAs(busy, chats[0], "a5"), "")
		gatewaytest.Advance(time.Second)
		diff(t, "sent", len(r.platform.taken()), 8)
	})
}

// Who may be written to first is the operator's policy; those who wrote or were written to before are reached at any time.
func TestFirstContacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.limits = []gateway.Limit{{Scope: gateway.LimitFirst, Every: 10 * time.Minute, Burst: 2}}
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		fresh := func(id gateway.ContactID) gateway.Alias {
			c, err := r.identity.PutContact(t.Context(), r.account, gateway.Contact{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			return c.Alias
		}
		anna, ben, cleo := fresh("anna"), fresh("ben"), fresh("cleo")
		for n := range 3 {
			refusedAs(t, "anna", r.ask(anna, fmt.Sprint("a", n), "hello"), "")
		}
		refusedAs(t, "ben", r.ask(ben, "b0", "hello"), "")
		got := refusedAs(t, "cleo", r.ask(cleo, "c0", "hello"), gateway.PolicyViolation)
		if !strings.Contains(got, "10 min") {
			t.Errorf("got %q, want a text that says ten minutes", got)
		}
		refusedAs(t, "ben again", r.ask(ben, "b1", "hello"), "")
		refusedAs(t, "one who was written to before", r.ask(r.contact("dora"), "d0", "hello"), "")
		if err := r.event(said("emil", "n1", "hello you", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		refusedAs(t, "one who wrote first", r.ask(r.account.Keys.Alias("emil"), "e0", "hello"), "")
		gatewaytest.Advance(10 * time.Minute)
		refusedAs(t, "cleo, ten minutes later", r.ask(cleo, "c1", "hello"), "")
	})
}

// A flood of one user meets the limit that all share, takes turns with everybody else there, and loses no throughput by that.
func TestFloodTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Limits: []gateway.Limit{{Scope: gateway.LimitApp, Every: 100 * time.Millisecond, Burst: 10}}}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		busy, chats := r.person("busy", 100)
		calm, other := r.person("calm", 1)
		gatewaytest.Advance(time.Second)
		calls := timed(p)
		for n := range 300 {
			if err := r.askAs(busy, chats[n%100], fmt.Sprint("flood ", n)); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 5 {
			gatewaytest.Advance(4 * time.Second)
			asked := time.Since(calls.began)
			if err := r.askAs(calm, other[0], fmt.Sprint("calm ", n)); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
			calls.mu.Lock()
			at := calls.at["calm's 0"]
			calls.mu.Unlock()
			if len(at) != n+1 || at[n]-asked > 300*time.Millisecond {
				t.Fatalf("message %d of who is calm: sent at %v, asked at %s; want within three turns", n, at, asked)
			}
		}
		gatewaytest.Advance(15 * time.Second)
		if n := len(p.taken()); n != 305 {
			t.Errorf("sent %d in 40 s, want all 305: ten a second", n)
		}
	})
}

// Budgets of lookups are the same on every replica, and after a restart.
func TestBudgetsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		for n := range 30 {
			if n%2 == 0 {
				c.restart()
			}
			if _, err := c.desk.Resolve(t.Context(), c.romeo, fmt.Sprint("p", n)); err != nil {
				t.Fatalf("lookup %d: %v", n, err)
			}
		}
		c.restart()
		_, err := c.desk.Resolve(t.Context(), c.romeo, "one more")
		refusedAs(t, "past the budget", err, gateway.ResourceConstraint)
	})
}
