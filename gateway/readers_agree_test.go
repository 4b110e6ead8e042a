package gateway_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// TestOneDescriptorSpeaksEverywhere: whatever an adapter declares, the consent, the status and the first line of a chat say
// the same of who can read. Service discovery is held to the same modes by the tests of package xmpp.
func TestOneDescriptorSpeaksEverywhere(t *testing.T) {
	modes := []gateway.Mode{gateway.ModeRelay, gateway.ModeSelfHosted, gateway.ModeTerminate, gateway.ModeCleartext, ""}
	for _, out := range modes {
		for _, in := range modes {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter(t)
				c.platform.Describe.Out, c.platform.Describe.In = out, in
				points := map[string]string{}
				for _, p := range c.desk.Disclosure(c.romeo).Points {
					points[p.Name] = p.Text
				}
				c.register(c.romeo, "Montague")
				status := c.say(c.romeo, "status").Text
				receipts, err := c.desk.Consents(t.Context(), c.romeo.User)
				if err != nil || len(receipts) != 1 {
					t.Fatalf("consents: got %v, %v", receipts, err)
				}

				desc := c.platform.Describe
				r := newRig(t, &platform{caps: textCaps(), desc: desc}, gateway.Config{})
				defer r.stop()
				if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
					t.Fatal(err)
				}
				gatewaytest.Advance(time.Second)
				var notice string
				for _, l := range r.wire.all() {
					if strings.Contains(l, "Who can read this chat") {
						notice = l
					}
				}
				for name, text := range map[string]string{"text_out": points["text_out"], "text_in": points["text_in"]} {
					for where, said := range map[string]string{"notice": notice, "status": status, "receipt": receipts[0].Text} {
						if text == "" || !strings.Contains(said, text) {
							t.Errorf("%q %q: %s is %q, and the %s says %q", out, in, name, text, where, said)
						}
					}
				}
			})
		}
	}
}
