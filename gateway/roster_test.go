package gateway_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestRosterOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		v := gateway.Visitor{Adapter: wall, User: romeo}
		item := func() gateway.RosterItem {
			t.Helper()
			got, err := r.gw.RosterItem(t.Context(), v, r.account.Keys.Alias("juliet"))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		named := func(id, name string) gateway.Event {
			ev := said("juliet", id, "hello", 0)
			m := ev.Body.(gateway.Message)
			m.Name = name
			ev.Body = m
			return ev
		}
		if err := r.event(named("n1", "Juliet")); err != nil {
			t.Fatal(err)
		}
		n := len(r.since(0))
		alias := item().Alias
		shown, err := r.gw.Listed(t.Context(), v, alias, "Juliet")
		if err != nil || len(shown) != 1 {
			t.Fatalf("got %v, %v, want the contact's presence", shown, err)
		}
		if p, ok := shown[0].What.(gateway.ShowPresence); !ok || !p.Available {
			t.Errorf("got %+v, want the contact's presence", shown)
		}
		want := gateway.RosterItem{Alias: alias, Local: alias, Name: "Juliet", Listed: true, As: "Juliet"}
		diff(t, "listed", item(), want)

		// A subscription that the user gives up afterwards stays given up.
		if _, err := r.gw.Presence(t.Context(), v, alias, gateway.PresenceUnsubscribe); err != nil {
			t.Fatal(err)
		}
		if shown, err := r.gw.Listed(t.Context(), v, alias, "Juliet"); err != nil || len(shown) != 0 {
			t.Errorf("got %v, %v, want no presence for a user who sees none", shown, err)
		}

		// A new name brings the entry up to date; the same one does not.
		if err := r.event(named("n2", "Juliet"), named("n3", "Juliet C.")); err != nil {
			t.Fatal(err)
		}
		got := texts(r.since(n))
		if len(got) < 3 || got[1] != "roster add=false" {
			t.Errorf("got %q, want the entry brought up to date before the third message", got)
		}

		// Taken out by the user: the server says both, and the next message brings the contact back.
		for _, kind := range []gateway.PresenceKind{gateway.PresenceUnsubscribe, gateway.PresenceUnsubscribed} {
			if _, err := r.gw.Presence(t.Context(), v, alias, kind); err != nil {
				t.Fatal(err)
			}
		}
		if got := item(); !got.Removed || got.Listed {
			t.Errorf("got %+v, want it removed", got)
		}
		n = len(r.since(0))
		typing := gateway.Event{Dedupe: "r", Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"}, From: "juliet", At: time.Now(), Body: gateway.Reacted{Target: at("n1"), Emojis: []string{"♥"}}}
		if err := r.event(typing, named("n4", "Juliet C.")); err != nil {
			t.Fatal(err)
		}
		got = texts(r.since(n))
		if len(got) != 3 || got[1] != "roster add=true" {
			t.Errorf("got %q, want a reaction, the entry, and the message", got)
		}
		if _, err := r.gw.Listed(t.Context(), v, alias, ""); err != nil {
			t.Fatal(err)
		}
		if got := item(); got.Removed || !got.Listed || got.As != "" {
			t.Errorf("got %+v, want it listed under the user's own name", got)
		}
		if err := r.gw.Unlisted(t.Context(), v, alias); err != nil {
			t.Fatal(err)
		}
		var all []gateway.RosterItem
		if err := r.gw.RosterItems(t.Context(), v, func(i gateway.RosterItem) error { all = append(all, i); return nil }); err != nil {
			t.Fatal(err)
		}
		diff(t, "all", all, []gateway.RosterItem{{Alias: alias, Local: alias, Name: "Juliet C.", Removed: true}})

		other := gateway.Visitor{Adapter: wall, User: "tybalt@example.org"}
		if _, err := r.gw.RosterItem(t.Context(), other, alias); !errors.Is(err, gateway.ErrNoAccount) {
			t.Errorf("another user: got %v, want no account", err)
		}
		gatewaytest.Advance(time.Second)
	})
}
