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

func TestBlockedSendsDoNotHoldUpEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) { <-open; return gateway.Sent{}, nil }}
		r := newRig(t, p, gateway.Config{})
		r.stop()
		r.start(gateway.Config{Parallel: 4})
		defer func() { r.stop() }()
		defer close(open)
		for n := range 8 {
			r.mustAsk(r.contact(gateway.ContactID(fmt.Sprint("c", n))), "s1", "hi")
		}
		gatewaytest.Advance(time.Second)
		if err := r.event(said("c0", "n1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(3 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 1 || !strings.HasSuffix(got[0], `"hello"`) {
			t.Errorf("got %q, want the message", got)
		}
	})
}

func TestOnePanicIsNoPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := newRig(t, &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			switch tries++; {
			case tries < 4:
				return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable}
			case tries == 4:
				panic("once")
			}
			return gateway.Sent{}, nil
		}}, gateway.Config{})
		defer r.stop()
		r.mustAsk(r.contact("juliet"), "s1", "hi")
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", r.platform.taken(), []string{"juliet hi"})
	})
}

func TestPoisonPanicIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps(), send: func(op gateway.Op) (gateway.Sent, error) {
			if op.Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text == "poison" {
				panic("again")
			}
			return gateway.Sent{}, nil
		}}, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "poison")
		r.mustAsk(juliet, "s2", "hi")
		gatewaytest.Advance(time.Minute)
		diff(t, "sent", r.platform.taken(), []string{"juliet hi"})
		if dead := r.dead(gateway.LaneKey{Adapter: wall, Local: juliet}.Shard()); len(dead) != 1 || dead[0].Why.Code != "panic" {
			t.Errorf("got %v, want one dead letter", dead)
		}
	})
}
