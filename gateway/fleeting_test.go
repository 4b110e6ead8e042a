package gateway_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestPanicInTypingIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps()}
		p.caps.Levels[gateway.FeatureTypingOut] = gateway.Native
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			if _, typing := op.Body.(gateway.OpTyping); typing {
				panic("typing")
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		out := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Op: gateway.Op{Body: gateway.OpTyping{On: true}}}
		for range 20 {
			if err := r.gw.Ask(t.Context(), out, nil); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Millisecond)
		}
		r.mustAsk(juliet, "s1", "hi")
		gatewaytest.Advance(time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet hi"})
	})
}

func TestTypingNeedsAWorkingAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), desc: gateway.Descriptor{Version: 2}}
		p.caps.Levels[gateway.FeatureTypingOut] = gateway.Native
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		out := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Op: gateway.Op{Body: gateway.OpTyping{On: true}}}
		if err := r.gw.Ask(t.Context(), out, nil); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		if got := r.platform.taken(); len(got) != 0 {
			t.Errorf("sent %q under terms that the user has not agreed to", got)
		}
	})
}

// Who stopped typing shall not seem to type on because the platform was slow to take the first notice.
func TestTypingKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []bool
		p := &platform{caps: textCaps()}
		p.caps.Levels[gateway.FeatureTypingOut] = gateway.Native
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			typing := op.Body.(gateway.OpTyping)
			if typing.On {
				<-time.After(time.Second)
			}
			mu.Lock()
			defer mu.Unlock()
			told = append(told, typing.On)
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		for _, on := range []bool{true, false} {
			out := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Op: gateway.Op{Body: gateway.OpTyping{On: on}}}
			if err := r.gw.Ask(t.Context(), out, nil); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(3 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		diff(t, "typing", told, []bool{true, false})
	})
}

// Where typing stands below a message, it stands below the contact's last; before they wrote there is none.
func TestTypingNamesTheLastMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var after []gateway.MessageID
		p := &platform{caps: textCaps()}
		p.caps.Levels[gateway.FeatureTypingOut] = gateway.Native
		p.caps.Window, p.caps.TypingAfter = &gateway.WindowRule{For: 24 * time.Hour}, true
		p.send = func(op gateway.Op) (gateway.Sent, error) {
			if typing, ok := op.Body.(gateway.OpTyping); ok {
				mu.Lock()
				defer mu.Unlock()
				after = append(after, typing.After.IDs...)
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		types := func() {
			out := gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Op: gateway.Op{Body: gateway.OpTyping{On: true}}}
			if err := r.gw.Ask(t.Context(), out, nil); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
		}
		types()
		old := said("juliet", "old", "earlier", 0)
		for _, ev := range []gateway.Event{said("juliet", "new", "hello", 0), old} {
			if ev.Dedupe == old.Dedupe {
				ev.At = ev.At.Add(-time.Minute) // an earlier one that comes late
			}
			if err := r.event(ev); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
		}
		types()
		own := said("juliet", "mine", "from my pocket", 0)
		own.FromMe, own.From = true, ""
		if err := r.event(own); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		types()
		mu.Lock()
		defer mu.Unlock()
		diff(t, "typing below", after, []gateway.MessageID{"new", "new"})
	})
}
