package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/xmpp/conformance"
)

// A platform that fails is tried again, then the sender hears; one that refuses the login gives one notice, and an error at the end.
func TestPlatformThatFails(t *testing.T) {
	for _, tt := range []struct {
		class   gateway.Class
		giveUp  time.Duration
		want    string
		notices int
	}{
		{gateway.Retryable, 2 * time.Minute, "error remote-server-timeout for s1", 0},
		{gateway.ReauthNeeded, time.Second, "error not-authorized for s1", 1},
	} {
		t.Run(tt.class.String(), func(t *testing.T) {
			proof := conformance.Prove(t, conformance.InProcess, 42)
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int32
				p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
					tries.Add(1)
					<-time.After(2 * time.Second) // it takes its time to say so
					return gateway.Sent{}, &gateway.SendError{Class: tt.class, Code: "down"}
				}}
				r := newRig(t, p, gateway.Config{GiveUp: tt.giveUp})
				defer r.stop()
				r.mustAsk(r.contact("juliet"), "s1", "hi")
				gatewaytest.Advance(tt.giveUp / 4) // the pauses grow: later the next try may be past the time
				for _, l := range texts(r.wire.lines()) {
					proof.That(!strings.HasPrefix(l, "error"), "got %q while a later try may succeed", l)
				}
				proof.That(tt.class != gateway.Retryable || tries.Load() > 1, "got %d tries, want more", tries.Load())
				gatewaytest.Advance(10 * time.Minute)
				errors, notices := 0, 0
				for _, l := range texts(r.wire.lines()) {
					switch {
					case l == tt.want:
						errors++
					case strings.HasPrefix(l, "message") && strings.Contains(l, "renewed"):
						notices++
					}
				}
				proof.That(errors == 1 && notices == tt.notices, "got %q, want %s once and %d notices", r.wire.lines(), tt.want, tt.notices)
			})
		})
	}
}
