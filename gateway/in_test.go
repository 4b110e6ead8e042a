package gateway_test

import (
	"strings"
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
		again := said("", "g2", "to all again", 0)
		again.Chat = group.Chat
		if err := r.event(odd, group, again); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		got := r.wire.lines()
		if len(got) != 1 || !strings.HasPrefix(got[0], "wall.example.org -> romeo") || !strings.Contains(got[0], "Groups are not carried yet") {
			t.Errorf("got %q, want nothing said by nobody, and one line of the gateway about the group", got)
		}
		var codes []string
		for _, p := range gateway.AllShards() {
			for _, d := range r.dead(p) {
				codes = append(codes, d.Why.Code)
			}
		}
		diff(t, "dead letters", codes, []string{"no-contact", "no-contact"})
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

func TestBounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		juliet := r.contact("juliet")
		if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		r.mustAsk(juliet, "mine", "hi")
		gatewaytest.Advance(time.Second)
		written := r.account.Keys.StanzaID("n1", 0)
		for _, b := range []struct{ id, why string }{{string(written), "gone"}, {string(written), "item-not-found"}, {"made-up", "gone"}, {"mine", "gone"}} {
			if err := r.gw.Bounced(t.Context(), wall, juliet, romeo, gateway.StanzaID(b.id), b.why); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(time.Second)
		dead := r.dead(gateway.LaneKey{Adapter: wall, Local: juliet}.Shard())
		if len(dead) != 1 || dead[0].Why.Code != "gone" {
			t.Errorf("got %v, want the one message that was written", dead)
		}
	})
}
