package gateway_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// TestMailOfANewAccountWaits: what had waited comes after the gateway's presence, and after a few seconds without it.
func TestMailOfANewAccountWaits(t *testing.T) {
	for _, meets := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
			defer r.stop()
			_, err := r.identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep2", User: "paris@example.org", Standing: gateway.AccountActive, Unmet: true})
			if err != nil {
				t.Fatal(err)
			}
			ev := said("juliet", "n1", "I have waited", 0)
			ev.Endpoint = "ep2"
			if err := r.event(ev); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(4 * time.Second)
			if got := r.wire.lines(); len(got) != 0 {
				t.Fatalf("got %q before the gateway's presence, want nothing", got)
			}
			if meets {
				shown, err := r.gw.Presence(t.Context(), gateway.Visitor{Adapter: wall, User: "paris@example.org"}, "", gateway.PresenceSubscribe)
				if err != nil || len(shown) != 2 {
					t.Fatalf("got %d renderings, %v, want subscribed and presence", len(shown), err)
				}
				gatewaytest.Advance(500 * time.Millisecond)
			} else {
				gatewaytest.Advance(1500 * time.Millisecond)
			}
			if got := strings.Join(r.wire.lines(), "\n"); !strings.Contains(got, "I have waited") {
				t.Errorf("met %v: got %q, want the message", meets, got)
			}
		})
	}
}

// TestEventBeforeTheAccount: a platform that knows an account before we do keeps what it sends for it.
func TestEventBeforeTheAccount(t *testing.T) {
	c := newCounter(t)
	metrics := gateway.NewMetrics(prometheus.NewRegistry(), []gateway.AdapterID{wall})
	hook := &platform{caps: textCaps(), hook: func(gateway.Request) ([]gateway.Event, error) {
		ev := said("juliet", "n1", "hello", 0)
		ev.Endpoint = "not there yet"
		return []gateway.Event{ev}, nil
	}}
	gw := gateway.New(gateway.Config{}, gateway.Deps{
		Store: c.store, Keyring: c.keys, Identity: c.identity, Renderer: gatewaytest.Renderer{}, Texts: gateway.NewTexts(),
		Instances: []gateway.Instance{{ID: wall, Component: gate, Adapter: hook}}, Log: slog.New(slog.DiscardHandler), Metrics: metrics,
	})
	call := gateway.Request{Header: map[string][]string{"Signature": {"good"}}}
	receive := func() error { return gw.Receive(t.Context(), wall, call) }
	if err := receive(); err != nil {
		t.Errorf("nobody registers: got %v, want the event taken: its account has gone", err)
	}
	var during error
	c.platform.Play(gatewaytest.Script{Link: func(in gateway.LinkInput) (gateway.LinkStep, error) {
		if len(in.ConsentHash) == 0 {
			return gateway.LinkStep{Fields: []gateway.Field{{Name: "name", Label: "Name", Kind: gateway.FieldText, Required: true}}}, nil
		}
		during = receive()
		return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "ep-romeo", Shown: "romeo"}}, nil
	}})
	c.register(c.romeo, "romeo")
	if during == nil {
		t.Error("somebody is being linked: got the event taken, want the platform to send it again")
	}
	if err := receive(); err != nil {
		t.Errorf("the link is over: got %v, want the event taken", err)
	}
}
