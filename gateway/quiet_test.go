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
)

// change writes a contact with a change.
func (r *rig) change(alias gateway.Alias, change func(*gateway.Contact)) {
	r.t.Helper()
	c, err := r.identity.Contact(r.t.Context(), r.account, alias)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := *c
	change(&changed)
	if _, err := r.identity.PutContact(r.t.Context(), r.account, changed); err != nil {
		r.t.Fatal(err)
	}
}

// pause writes until when the account's messages wait.
func (r *rig) pause(until time.Time) {
	r.t.Helper()
	a, err := r.identity.ByID(r.t.Context(), r.account.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := *a
	changed.Paused = until
	if err := r.identity.Update(r.t.Context(), changed); err != nil {
		r.t.Fatal(err)
	}
}

func beside(contact gateway.ContactID, name string, body gateway.EventBody) gateway.Event {
	return gateway.Event{
		Dedupe: name, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: contact}, From: contact, At: time.Now(), Body: body,
	}
}

func TestBlockedContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		juliet, nurse := r.contact("juliet"), r.contact("nurse")
		r.change(juliet, func(c *gateway.Contact) { c.Blocked = true })
		if err := r.event(said("juliet", "n1", "let me in", 0), beside("juliet", "t1", gateway.Typing{On: true}), said("nurse", "n2", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		err := r.ask(juliet, "s1", "hi")
		refusal, ok := errors.AsType[*gateway.Refusal](err)
		if !ok || refusal.Condition != gateway.NotAcceptable || !strings.Contains(refusal.Text, "unblock") {
			t.Errorf("writing to a blocked contact: got %v, want not-acceptable with the way out", err)
		}
		r.mustAsk(nurse, "s2", "hi")
		gatewaytest.Advance(time.Second)
		diff(t, "shown", bodies(r.wire.lines()), []string{`"hello"`})
		diff(t, "sent", r.platform.taken(), []string{"nurse hi"})

		r.change(juliet, func(c *gateway.Contact) { c.Blocked = false })
		if err := r.event(said("juliet", "n3", "thank you", 0)); err != nil {
			t.Fatal(err)
		}
		r.mustAsk(juliet, "s3", "welcome")
		gatewaytest.Advance(time.Second)
		diff(t, "shown afterwards", bodies(r.wire.lines()), []string{`"hello"`, `"thank you"`})
		diff(t, "sent afterwards", r.platform.taken(), []string{"nurse hi", "juliet welcome"})
	})
}

// bodies are the texts of messages shown.
func bodies(lines []string) []string {
	var out []string
	for _, l := range texts(lines) {
		if _, body, ok := strings.Cut(strings.TrimPrefix(l, "message "), " "); ok && strings.HasPrefix(l, "message ") {
			out = append(out, body)
		}
	}
	return out
}

func TestMutedContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "hi")
		gatewaytest.Advance(time.Second)
		r.change(juliet, func(c *gateway.Contact) { c.Muted = time.Now().Add(time.Hour).Unix() })
		seen := func(n int) []gateway.Event {
			return []gateway.Event{
				beside("juliet", fmt.Sprint("r", n), gateway.Reacted{Target: gateway.Target{IDs: []gateway.MessageID{"m1"}}, Emojis: []string{"👍"}}),
				beside("juliet", fmt.Sprint("c", n), gateway.Call{ID: fmt.Sprint("call", n), State: gateway.CallRinging}),
				beside("juliet", fmt.Sprint("s", n), gateway.Status{IDs: []gateway.MessageID{"m1"}, State: gateway.StatusRead}),
				beside("juliet", fmt.Sprint("t", n), gateway.Typing{On: true}),
			}
		}
		if err := r.event(append(seen(1), said("juliet", "n1", "a message", 0))...); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		diff(t, "shown while muted", bodies(r.wire.lines()), []string{`"a message"`})
		if n := len(r.wire.lines()); n != 1 {
			t.Errorf("shown while muted: got %q, want the message alone", r.wire.lines())
		}
		gatewaytest.Advance(time.Hour)
		if err := r.event(seen(2)...); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		got := strings.Join(texts(r.wire.lines()), "\n")
		for _, want := range []string{"react to s1", "displayed s1", "call"} {
			if !strings.Contains(got, want) {
				t.Errorf("an hour later: got %q, want %q among it", got, want)
			}
		}
	})
}

// TestPausedAccount: what comes in waits in order through a restart, and nothing is lost.
func TestPausedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		r.contact("juliet")
		r.contact("nurse")
		r.pause(time.Now().Add(gateway.PauseMost))
		var want []string
		for n := range 5 {
			if err := r.event(said("juliet", fmt.Sprint("n", n), fmt.Sprint("line ", n), 0)); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%q", fmt.Sprint("line ", n)))
			gatewaytest.Advance(90 * time.Second)
		}
		if got := r.wire.lines(); len(got) > 0 {
			t.Fatalf("while paused: got %q, want nothing", got)
		}
		r.stop()
		r.start(gateway.Config{})
		gatewaytest.Advance(time.Minute)
		if got := r.wire.lines(); len(got) > 0 {
			t.Fatalf("after a restart: got %q, want nothing", got)
		}
		r.pause(time.Time{})
		r.gw.Unpark(t.Context(), r.account.ID)
		gatewaytest.Advance(2 * time.Second)
		diff(t, "after resume", bodies(r.wire.lines()), want)

		// A pause ends by itself, and the gateway's presence says so.
		r.pause(time.Now().Add(12 * time.Minute))
		if err := r.event(said("nurse", "late", "at last", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(11 * time.Minute)
		if got := bodies(r.wire.lines()); len(got) != len(want) {
			t.Errorf("a minute before its end: got %q", got)
		}
		gatewaytest.Advance(2 * time.Minute)
		diff(t, "after its end", bodies(r.wire.lines()), append(want, `"at last"`))
		if got := strings.Join(r.wire.lines(), "\n"); !strings.Contains(got, gate+" -> "+string(romeo)+": presence available=true away=false") {
			t.Errorf("got %q, want the gateway's presence", got)
		}
	})
}

// TestPausedLaneIsBounded: a lane that holds half of what it may lets its oldest go, in order.
func TestPausedLaneIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{LaneMax: 2}) // an `in` lane may hold 20
		defer r.stop()
		r.contact("juliet")
		r.pause(time.Now().Add(gateway.PauseMost))
		for n := range 14 {
			if err := r.event(said("juliet", fmt.Sprint("n", n), fmt.Sprint(n), 0)); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(5 * time.Second)
		}
		got := bodies(r.wire.lines())
		if len(got) < 4 || len(got) > 6 {
			t.Errorf("shown of 14 while paused: got %q, want those above half of 20", got)
		}
		r.pause(time.Time{})
		r.gw.Unpark(t.Context(), r.account.ID)
		gatewaytest.Advance(time.Minute)
		var want []string
		for n := range 14 {
			want = append(want, fmt.Sprintf("%q", fmt.Sprint(n)))
		}
		diff(t, "after resume", bodies(r.wire.lines()), want)
	})
}

// TestPauseRenewed: a pause that is renewed again and again keeps a message no longer than one does.
func TestPauseRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		r.contact("juliet")
		later := func(d time.Duration) { // without a process, since one that idles for days is slow to test
			r.stop()
			gatewaytest.Advance(d)
			r.start(gateway.Config{})
			gatewaytest.Advance(6 * time.Minute)
		}
		r.pause(time.Now().Add(gateway.PauseMost))
		if err := r.event(said("juliet", "n1", "first", 0)); err != nil {
			t.Fatal(err)
		}
		later(gateway.PauseMost - time.Hour)
		if err := r.event(said("juliet", "n2", "second", 0)); err != nil {
			t.Fatal(err)
		}
		r.pause(time.Now().Add(gateway.PauseMost))
		later(30 * time.Minute)
		if got := bodies(r.wire.lines()); len(got) > 0 {
			t.Fatalf("before its time: got %q, want nothing", got)
		}
		later(30 * time.Minute)
		diff(t, "a day after the first", bodies(r.wire.lines()), []string{`"first"`})
		later(gateway.PauseMost)
		diff(t, "in the end", bodies(r.wire.lines()), []string{`"first"`, `"second"`})
	})
}

// TestBlockedContactMissedAMessage: that the user's own message failed is told, although its receiver is blocked by now.
func TestBlockedContactMissedAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "hi")
		gatewaytest.Advance(time.Second)
		r.change(juliet, func(c *gateway.Contact) { c.Blocked = true })
		status := func(name string, s gateway.Status) gateway.Event {
			s.IDs = []gateway.MessageID{"m1"}
			return beside("juliet", name, s)
		}
		if err := r.event(status("d", gateway.Status{State: gateway.StatusDelivered})); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		before := len(r.wire.all())
		if err := r.event(status("f", gateway.Status{State: gateway.StatusFailed, Failure: &gateway.Failure{Class: gateway.NotReachable}})); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		if got := r.wire.all(); len(got) != before+1 || !strings.Contains(got[before], "cannot be reached") {
			t.Errorf("got %q after %d, want the failure alone", got, before)
		}
	})
}

// TestWatermarkOfQuietContact: that nobody hears how far a contact has read holds nothing up.
func TestWatermarkOfQuietContact(t *testing.T) {
	for _, c := range []struct {
		name  string
		quiet func(c *gateway.Contact)
		shown int
	}{
		{"muted", func(c *gateway.Contact) { c.Muted = time.Now().Add(time.Hour).Unix() }, 1},
		{"blocked", func(c *gateway.Contact) { c.Blocked = true }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := textCaps()
				caps.Watermarks = true
				r := newRig(t, &platform{caps: caps}, gateway.Config{})
				defer func() { r.stop() }()
				nurse := r.contact("nurse")
				r.askReceipt(nurse, "s0", "hello")
				gatewaytest.Advance(2 * time.Second)
				r.change(nurse, c.quiet)
				through := func(name string) gateway.Event {
					return gateway.Event{
						Dedupe: name, Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "nurse"}, At: time.Now(),
						Body: gateway.Status{State: gateway.StatusRead, Through: time.Now()},
					}
				}
				r.mustEvent(through("w1"), said("nurse", "n1", "are you there?", 0))
				gatewaytest.Advance(10 * time.Second)
				if n := r.saw("are you there?"); n != c.shown {
					t.Errorf("what they wrote then was shown %d times, want %d", n, c.shown)
				}
				diff(t, "the sender hears", r.heard(), []string(nil))
				r.change(nurse, func(c *gateway.Contact) { c.Muted, c.Blocked = 0, false })
				r.mustEvent(through("w2"))
				gatewaytest.Advance(10 * time.Second)
				diff(t, "the sender hears later", r.heard(), []string{"receipt for s0"})
			})
		})
	}
}
