package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// A person who comes under another id stays one contact, and is written to under the id that they have now.
func TestPersonWithSeveralIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps(), desc: gateway.Descriptor{Renames: true}}, gateway.Config{})
		defer func() { r.stop() }()
		come := func(id gateway.ContactID, key, text string, also ...gateway.ContactID) {
			t.Helper()
			ev := said(id, key, text, 0)
			ev.Also = also
			if err := r.event(ev); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(2 * time.Second)
		}
		come("+491", "1", "by number")
		come("bsuid.7", "2", "by another id", "+491")
		come("bsuid.7", "3", "that alone")
		r.stop() // nothing of it is known by heart
		r.identity = gateway.NewIdentity(r.store, r.keys)
		r.start(gateway.Config{})
		come("bsuid.7", "4", "after a restart")
		come("+492", "5", "with a new number", "+491")
		come("+492", "6", "that alone")
		alias := r.account.Keys.Alias("+491")
		from := map[string]bool{}
		for _, l := range r.wire.lines() {
			if strings.Contains(l, "message ") {
				from[strings.Fields(l)[0]] = true
			}
		}
		if len(from) != 1 || !slices.ContainsFunc(r.wire.lines(), func(l string) bool { return strings.HasPrefix(l, string(alias)) && strings.Contains(l, "that alone") }) {
			t.Errorf("got %q, want all of one contact, %s", r.wire.lines(), alias)
		}
		r.mustAsk(alias, "s1", "hello")
		gatewaytest.Advance(time.Second)
		diff(t, "sent", r.platform.taken(), []string{"+492 hello"})
	})
}

// echoing is a platform that has no idempotency but echoes references.
func echoing() gateway.Caps {
	caps := textCaps()
	caps.Idempotent = false
	return caps
}

// What a platform took without our hearing its answer is not sent again once its echo has come.
func TestEchoSparesASecondSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: echoing()}
		var mu sync.Mutex
		var tried []gateway.OpID
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			mu.Lock()
			defer mu.Unlock()
			tried = append(tried, op.ID)
			if len(tried) == 1 {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Err: errors.New("no answer")}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		nurse := r.contact("nurse")
		r.mustAsk(nurse, "s1", "once")
		gatewaytest.Advance(3 * time.Second)
		echo := func(key string, state gateway.StatusState, ref gateway.OpID, ids ...gateway.MessageID) {
			t.Helper()
			if err := r.event(gateway.Event{
				Dedupe: key, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "nurse"}, At: time.Now(),
				Body: gateway.Status{IDs: ids, Ref: ref, State: state},
			}); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(3 * time.Second)
		}
		mu.Lock()
		ref := tried[0]
		mu.Unlock()
		echo("e1", gateway.StatusAccepted, ref, "native1")
		r.mustAsk(nurse, "s2", "next")
		gatewaytest.Advance(time.Minute)
		if len(tried) != 2 || tried[1] == ref {
			t.Errorf("got %d sends, want one of each message", len(tried))
		}
		// The id that the echo told stands for the message.
		echo("e2", gateway.StatusDelivered, "", "native1")
		if !slices.Contains(texts(r.wire.lines()), "receipt for s1") {
			t.Errorf("got %q, want the receipt of s1", texts(r.wire.lines()))
		}
	})
}

// What the platform tells of a message before its echo is not lost, although the status stands before the echo in its lane.
func TestDeliveredBeforeItsEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: echoing()}
		refs := make(chan gateway.OpID, 10)
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			refs <- op.ID
			return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Err: errors.New("no answer")}
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		r.mustAsk(r.contact("nurse"), "s1", "once")
		gatewaytest.Advance(time.Second)
		ref := <-refs
		for n, b := range []gateway.Status{
			{IDs: []gateway.MessageID{"native1"}, State: gateway.StatusRead},
			{IDs: []gateway.MessageID{"native1"}, Ref: ref, State: gateway.StatusAccepted},
		} {
			if err := r.event(gateway.Event{
				Dedupe: fmt.Sprint("e", n), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "nurse"}, At: time.Now(), Body: b,
			}); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(15 * time.Second)
		if len(refs) != 0 {
			t.Errorf("sent %d times more, want once", len(refs))
		}
		for _, want := range []string{"receipt for s1", "displayed s1"} {
			if got := texts(r.wire.lines()); !slices.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// Without an echo in time it is sent again, as the disclosure of every platform without idempotency has it: at least once.
func TestNoEchoSendsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := &platform{caps: echoing()}, time.Now()
		var mu sync.Mutex
		var tries []time.Duration
		p.send = func(gateway.Op) (gateway.Sent, error) {
			mu.Lock()
			defer mu.Unlock()
			if tries = append(tries, time.Since(began)); len(tries) == 1 {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Uncertain, Err: errors.New("no answer")}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		r.mustAsk(r.contact("nurse"), "s1", "again")
		gatewaytest.Advance(time.Minute)
		if len(tries) != 2 || tries[1]-tries[0] < 20*time.Second || tries[1]-tries[0] > 30*time.Second {
			t.Errorf("got tries at %v, want two, 20 to 30 s apart", tries)
		}
	})
}

// A watermark stands for everything that was sent up to it; a later one tells what is new.
func TestWatermarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := textCaps()
		caps.Watermarks = true
		r := newRig(t, &platform{caps: caps}, gateway.Config{})
		defer func() { r.stop() }()
		nurse := r.contact("nurse")
		var at []time.Time
		for n := range 3 {
			r.mustAsk(nurse, fmt.Sprint("s", n), fmt.Sprint("line ", n))
			gatewaytest.Advance(2 * time.Second)
			at = append(at, time.Now().Add(-time.Second))
		}
		r.stop() // what waits is not known by heart
		r.start(gateway.Config{})
		tell := func(state gateway.StatusState, through time.Time) []string {
			t.Helper()
			before := len(r.wire.lines())
			if err := r.event(gateway.Event{
				Dedupe: fmt.Sprint(state, through.UnixMilli()), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "nurse"},
				At: time.Now(), Body: gateway.Status{State: state, Through: through},
			}); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(3 * time.Second)
			return texts(r.wire.lines()[before:])
		}
		diff(t, "delivered", tell(gateway.StatusDelivered, at[1]), []string{"receipt for s0", "receipt for s1"})
		diff(t, "read", tell(gateway.StatusRead, at[0]), []string{"displayed s0"})
		diff(t, "read all", tell(gateway.StatusRead, at[2]), []string{"displayed s1", "receipt for s2", "displayed s2"})
		diff(t, "read again", tell(gateway.StatusRead, at[2].Add(time.Second)), []string(nil))
	})
}

// A watermark may overtake the answer to the send that it speaks of: it is told once the answer is there, and once only.
func TestWatermarkOvertakesTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := textCaps()
		caps.Watermarks = true
		p := &platform{caps: caps}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		nurse := r.contact("nurse")
		tell := func(state gateway.StatusState) {
			if err := r.event(gateway.Event{
				Dedupe: fmt.Sprint(state, time.Now().UnixMilli()), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "nurse"},
				At: time.Now(), Body: gateway.Status{State: state, Through: time.Now()},
			}); err != nil {
				t.Error(err)
			}
		}
		states := []gateway.StatusState{gateway.StatusDelivered, gateway.StatusRead}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			gatewaytest.Advance(time.Second)
			tell(states[0])
			states = states[1:]
			gatewaytest.Advance(time.Second)
			return gateway.Sent{IDs: []gateway.MessageID{gateway.MessageID(fmt.Sprint("n", len(states)))}}, nil
		}
		said := func() (lines []string) {
			for _, l := range texts(r.wire.lines()) {
				if strings.HasPrefix(l, "receipt") || strings.HasPrefix(l, "displayed") {
					lines = append(lines, l)
				}
			}
			return lines
		}
		r.mustAsk(nurse, "s0", "one")
		gatewaytest.Advance(10 * time.Second)
		diff(t, "delivered before the answer", said(), []string{"receipt for s0"})
		r.mustAsk(nurse, "s1", "two")
		gatewaytest.Advance(10 * time.Second)
		diff(t, "read before the answer", said(), []string{"receipt for s0", "displayed s0", "receipt for s1", "displayed s1"})
		tell(gateway.StatusRead)
		gatewaytest.Advance(10 * time.Second)
		diff(t, "read again", said(), []string{"receipt for s0", "displayed s0", "receipt for s1", "displayed s1"})
	})
}

// Where a platform tells nothing of delivery, its taking a message is all that a receipt can say.
func TestReceiptWhereNothingIsToldOfDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := textCaps()
		delete(caps.Levels, gateway.FeatureDelivered)
		r := newRig(t, &platform{caps: caps}, gateway.Config{})
		defer func() { r.stop() }()
		r.mustAsk(r.contact("nurse"), "s0", "one")
		gatewaytest.Advance(2 * time.Second)
		diff(t, "lines", texts(r.wire.lines()), []string{"receipt for s0"})
	})
}

// An adapter's limits hold for each scope, in order, and a chat that has to wait holds up no other.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Limits: []gateway.Limit{
			{Scope: gateway.LimitChat, Every: time.Second, Burst: 2}, {Scope: gateway.LimitAccount, Every: 100 * time.Millisecond, Burst: 5},
		}}}
		began := time.Now()
		var mu sync.Mutex
		when := map[gateway.ContactID][]time.Duration{}
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			mu.Lock()
			defer mu.Unlock()
			when[op.Chat.Contact] = append(when[op.Chat.Contact], time.Since(began))
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		gatewaytest.Advance(2 * time.Second)
		mu.Lock()
		began = time.Now()
		mu.Unlock()
		busy, calm := r.contact("busy"), r.contact("calm")
		for n := range 20 {
			r.mustAsk(busy, fmt.Sprint("b", n), fmt.Sprint("line ", n))
		}
		r.mustAsk(calm, "c0", "a word")
		gatewaytest.Advance(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		got := when["busy"]
		if len(got) != 20 || got[19] < 18*time.Second || got[19] > 30*time.Second {
			t.Fatalf("got %d at %v, want 20 within 18 to 30 s", len(got), got)
		}
		for n := range got[2:] {
			if gap := got[n+2] - got[n]; gap < time.Second {
				t.Errorf("three messages within %s, want two a second at most", gap)
			}
		}
		if c := when["calm"]; len(c) != 1 || c[0] > time.Second {
			t.Errorf("the other chat waited: %v", c)
		}
		var want []string
		for n := range 20 {
			want = append(want, fmt.Sprint("busy line ", n))
		}
		diff(t, "order", slices.DeleteFunc(p.taken(), func(s string) bool { return strings.HasPrefix(s, "calm") }), want)
	})
}

// asked is a platform that is asked for its events.
type asked struct {
	*platform
	feed  chan []gateway.Event
	bad   chan []byte // what is not understood
	runs  chan string
	now   atomic.Int32 // runners
	twice atomic.Bool
}

func (*asked) Polls() bool { return true }

func (a *asked) Run(ctx context.Context, account gateway.Credentials, to gateway.Intake) error {
	a.runs <- string(account.Endpoint)
	if a.now.Add(1) > 1 {
		a.twice.Store(true)
	}
	defer a.now.Add(-1)
	for {
		select {
		case evs := <-a.feed:
			if len(evs) == 0 {
				return &gateway.SendError{Class: gateway.Retryable, Code: "500"}
			}
			if err := to.Take(ctx, evs); err != nil {
				return err
			}
		case raw := <-a.bad:
			if err := to.Bury(ctx, raw); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A platform that is asked is asked once for each account, again after it failed, by one replica at a time, and not for an account
// that is gone.
func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{platform: &platform{caps: textCaps()}, feed: make(chan []gateway.Event), runs: make(chan string, 10)}
		r := newRig(t, a.platform, gateway.Config{})
		r.stop()
		r.adapter = a
		r.start(gateway.Config{})
		first := r.stop
		defer func() { r.stop() }()
		gatewaytest.Advance(5 * time.Second)
		r.start(gateway.Config{Replica: "r2"}) // half of the shards go there: perhaps this account's as well
		gatewaytest.Advance(5 * time.Second)
		ev := said("nurse", "n1", "good morrow", 0)
		ev.Endpoint = ""
		a.feed <- []gateway.Event{ev}
		gatewaytest.Advance(2 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 2 || !strings.Contains(got[1], "good morrow") {
			t.Errorf("got %q, want the message", got)
		}
		a.feed <- nil // it fails
		gatewaytest.Advance(10 * time.Second)
		first()
		gatewaytest.Advance(30 * time.Second)
		began := func(what string, want int) {
			t.Helper()
			got := []string{}
			for len(a.runs) > 0 {
				got = append(got, <-a.runs)
			}
			diff(t, what, got, slices.Repeat([]string{"ep1"}, want))
		}
		began("two replicas", 3) // by the first, again after the failure, and once it had moved to the second
		if a.twice.Load() {
			t.Error("both replicas asked for one account's events at once")
		}
		if err := r.identity.Remove(t.Context(), r.account); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(2 * time.Minute)
		began("after the account was removed", 0)
		select {
		case a.feed <- nil:
			t.Error("somebody still asks for an account that is gone")
		default:
		}
	})
}
