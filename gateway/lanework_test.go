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
