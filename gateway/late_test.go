package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// lateRig is a gateway on a platform that takes messages for a closed window and refuses them afterwards.
type lateRig struct {
	*rig
	juliet gateway.Alias
	ops    []gateway.Op // what was given to the platform, in order
}

func newLateRig(t *testing.T, policy gateway.WindowPolicy) *lateRig {
	t.Helper()
	caps := windowed()
	caps.Window.Late = true
	p := &platform{caps: caps}
	l := &lateRig{}
	p.send = func(op gateway.Op) (gateway.Sent, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		l.ops = append(l.ops, op)
		return gateway.Sent{}, nil
	}
	l.rig = newRig(t, p, gateway.Config{})
	l.stop()
	l.window = policy
	l.start(gateway.Config{})
	l.juliet = l.contact("juliet")
	l.writes("n0")
	return l
}

// writes lets juliet write, which opens the window.
func (l *lateRig) writes(id string) {
	l.t.Helper()
	if err := l.event(said("juliet", id, "hello "+id, 0)); err != nil {
		l.t.Fatal(err)
	}
	gatewaytest.Advance(2 * time.Second)
}

func (l *lateRig) says(stanza string) {
	l.t.Helper()
	l.mustAsk(l.juliet, stanza, stanza)
	gatewaytest.Advance(2 * time.Second)
}

// refuses lets the platform say that the n-th op met a closed window.
func (l *lateRig) refuses(n int, at time.Time) {
	l.t.Helper()
	if err := l.event(gateway.Event{
		Dedupe: fmt.Sprint("failed:", n), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: at,
		Body: gateway.Status{
			IDs: []gateway.MessageID{gateway.MessageID(fmt.Sprint("m", n+1))}, Ref: l.ops[n].ID, State: gateway.StatusFailed,
			Failure: &gateway.Failure{Class: gateway.WindowClosed, Code: "131047"},
		},
	}); err != nil {
		l.t.Fatal(err)
	}
	gatewaytest.Advance(2 * time.Second)
}

// delivered lets the platform say that the n-th op arrived.
func (l *lateRig) delivered(n int) {
	l.t.Helper()
	if err := l.event(gateway.Event{
		Dedupe: fmt.Sprint("delivered:", n), Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
		Body: gateway.Status{Ref: l.ops[n].ID, State: gateway.StatusDelivered},
	}); err != nil {
		l.t.Fatal(err)
	}
	gatewaytest.Advance(time.Second)
}

// told is what the user was shown about their own messages.
func (l *lateRig) told() []string {
	var out []string
	for _, s := range texts(l.wire.lines()) {
		if !strings.Contains(s, "hello") && !strings.Contains(s, "subscribe") {
			out = append(out, s)
		}
	}
	return out
}

// What the platform took and refused afterwards waits like everything else for a closed window, and goes in the order in which it was
// said, whatever the order of the refusals, and across processes.
func TestLateRefusalIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLateRig(t, gateway.WindowHold)
		defer func() { l.stop() }()
		for _, s := range []string{"one", "two", "three"} {
			l.says(s)
		}
		l.refuses(2, time.Now())
		l.refuses(0, time.Now())
		l.says("four") // the window is known to be closed by now
		l.refuses(1, time.Now())
		l.refuses(1, time.Now()) // told twice
		l.stop()
		l.start(gateway.Config{})
		gatewaytest.Advance(6 * time.Second)
		diff(t, "sent", l.platform.taken(), []string{"juliet one", "juliet two", "juliet three"})
		if told := l.told(); len(told) != 1 || !strings.Contains(told[0], "Your message is kept") {
			t.Errorf("got %q, want one line that says that messages wait", told)
		}
		l.writes("n1")
		gatewaytest.Advance(6 * time.Second)
		diff(t, "sent", l.platform.taken()[3:], []string{"juliet one", "juliet two", "juliet three", "juliet four"})
		if l.ops[3].ID == l.ops[0].ID {
			t.Error("what came back was sent under the same id")
		}
		for n := range 3 { // receipts find the message under its second id
			l.delivered(3 + n)
		}
		diff(t, "receipts", l.told()[1:], []string{"receipt for one", "receipt for two", "receipt for three"})
	})
}

// With a template the person is asked to write, once.
func TestLateRefusalReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLateRig(t, gateway.WindowReopen)
		defer l.stop()
		l.says("one")
		l.says("two")
		l.refuses(0, time.Now())
		l.refuses(1, time.Now())
		diff(t, "sent", l.platform.taken(), []string{"juliet one", "juliet two", "juliet reopen"})
		l.writes("n1")
		diff(t, "sent", l.platform.taken()[3:], []string{"juliet one", "juliet two"})
	})
}

// Who wrote since the refusal can be written to: what came back goes at once, and again, should it be refused again.
func TestLateRefusalOfAnOpenWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLateRig(t, gateway.WindowHold)
		defer l.stop()
		l.says("one")
		refused := time.Now()
		gatewaytest.Advance(2 * time.Second)
		l.writes("n1")
		l.refuses(0, refused)
		diff(t, "sent", l.platform.taken(), []string{"juliet one", "juliet one"})
		l.refuses(1, time.Now())
		l.writes("n2")
		diff(t, "sent", l.platform.taken(), []string{"juliet one", "juliet one", "juliet one"})
		diff(t, "told", len(l.told()), 1)
	})
}

// Where the operator wants such messages refused, or nothing is known of them any more, the user is told.
func TestLateRefusalIsTold(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy gateway.WindowPolicy
		after  time.Duration
		want   string
	}{
		{"refuse", gateway.WindowRefuse, 0, "error policy-violation for one"},
		{"forgotten", gateway.WindowHold, gateway.SentTTL + time.Minute, "Not delivered"},
		{"delivered before", gateway.WindowHold, 0, "error policy-violation for one"}, // nothing is kept of what is delivered
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLateRig(t, tt.policy)
				defer l.stop()
				l.says("one")
				gatewaytest.Advance(tt.after)
				if tt.name == "delivered before" {
					l.delivered(0)
				}
				l.refuses(0, time.Now())
				if told := l.told(); len(told) == 0 || !strings.Contains(told[len(told)-1], tt.want) {
					t.Errorf("got %q, want %q", told, tt.want)
				}
				diff(t, "sent", l.platform.taken(), []string{"juliet one"})
			})
		})
	}
}
