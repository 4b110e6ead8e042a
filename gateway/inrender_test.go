package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestFailureReportedByThePlatform(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{time.Minute, "error undefined-condition for s1"}, {time.Hour, "message"}} {
		synctest.Test(t, func(t *testing.T) {
			p := &platform{caps: textCaps()}
			var ref gateway.OpID
			p.send = func(op gateway.Op) (gateway.Sent, error) { ref = op.ID; return gateway.Sent{}, nil }
			r := newRig(t, p, gateway.Config{})
			defer r.stop()
			r.mustAsk(r.contact("juliet"), "s1", "hi")
			gatewaytest.Advance(tt.after)
			failed := gateway.Event{
				Dedupe: "st:1", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, At: time.Now(),
				Body: gateway.Status{Ref: ref, State: gateway.StatusFailed},
			}
			if err := r.event(failed); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(time.Second)
			if got := texts(r.wire.lines()); len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("after %v: got %q, want %s", tt.after, got, tt.want)
			}
		})
	}
}
