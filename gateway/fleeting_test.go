package gateway_test

import (
	"context"
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

// buttons is a platform where whoever pressed a button waits to hear that it has arrived.
type buttons struct {
	*platform
	told chan string
	hang bool // the platform does not answer
}

func (*buttons) Awaited(ev gateway.Event) bool {
	m, _ := ev.Body.(gateway.Message)
	return m.ID == "pressed"
}

func (b *buttons) Acknowledge(ctx context.Context, account gateway.Credentials, ev gateway.Event) error {
	b.told <- string(account.Endpoint) + " " + ev.Dedupe
	if b.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// What somebody waits for is acknowledged once it is durable, once, and holds nothing up.
func TestAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &buttons{platform: &platform{caps: textCaps()}, told: make(chan string, 10), hang: true}
		r := newRig(t, b.platform, gateway.Config{})
		r.stop()
		r.adapter = b
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		began := time.Now()
		if err := r.event(said("juliet", "words", "good morrow", 0), said("juliet", "pressed", "yes", 0), said("juliet", "more", "and more", 0)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the webhook was held up for %s", took)
		}
		gatewaytest.Advance(2 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 4 {
			t.Errorf("shown: got %q, want a subscription and three lines", got)
		}
		var got []string
		for len(b.told) > 0 {
			got = append(got, <-b.told)
		}
		diff(t, "acknowledged", got, []string{"ep1 msg:pressed"})
	})
}
