package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestEventsWithoutContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		odd := gateway.Event{Dedupe: "odd", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect}, At: time.Now(), Body: gateway.ContactUpdate{Consent: gateway.ConsentAccepted}}
		group := said("", "g1", "to all", 0)
		group.Chat = gateway.Chat{ID: "grp", Kind: gateway.ChatGroup}
		if err := r.event(odd, group); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		if got := r.wire.lines(); len(got) != 0 {
			t.Errorf("got %q, want nothing said by nobody", got)
		}
		var codes []string
		for _, p := range gateway.AllShards() {
			for _, d := range r.dead(p) {
				codes = append(codes, d.Why.Code)
			}
		}
		diff(t, "dead letters", codes, []string{"no-contact"})
	})
}

func TestOwnNameIsNotTheContacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		own := said("juliet", "n1", "hi", 0)
		own.FromMe = true
		m := own.Body.(gateway.Message)
		m.Name = "Romeo"
		own.Body = m
		if err := r.event(own); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		c, err := r.identity.Contact(t.Context(), r.account, r.account.Keys.Alias("juliet"))
		if err != nil || c.Name != "" {
			t.Errorf("got %+v, %v, want no name", c, err)
		}
	})
}
