package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func present(contact gateway.ContactID, p gateway.Presence) gateway.Event {
	return gateway.Event{Endpoint: "ep1", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: contact}, At: time.Now(), Body: p}
}

// What the platform last said of somebody's presence answers probes, for a while.
func TestLastKnownPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, heard := faceRig(t)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		seen := time.Now().UTC()
		show := func() gateway.ShowPresence {
			t.Helper()
			p := r.presence(phone, juliet, gateway.PresenceProbe)[0].What.(gateway.ShowPresence)
			if p.Chat == nil || !p.Chat.Has(gateway.FeatureText) {
				t.Errorf("got %+v, want what the chat supports", p.Chat)
			}
			p.Chat = nil
			return p
		}
		// Whoever does not look at her is shown nothing.
		r.mustEvent(present("juliet", gateway.Presence{LastSeen: seen}))
		gatewaytest.Advance(time.Second)
		diff(t, "shown to nobody", heard.take(), []string(nil))
		if got, want := show(), (gateway.ShowPresence{Available: true, Away: true, LastSeen: seen}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		r.presence(phone, juliet, gateway.PresenceSubscribe)
		r.mustEvent(present("juliet", gateway.Presence{Available: true, LastSeen: seen}))
		gatewaytest.Advance(time.Second)
		diff(t, "shown", heard.take(), []string{"presence available=true away=false"})
		if got, want := show(), (gateway.ShowPresence{Available: true}); got != want {
			t.Errorf("got %+v, want %+v without a time", got, want)
		}
		r.mustEvent(present("juliet", gateway.Presence{LastSeen: seen}))
		gatewaytest.Advance(time.Second)
		// A platform that tells of presence no more leaves nobody away for good.
		p.caps.Levels[gateway.FeaturePresence] = gateway.None
		if got, want := show(), (gateway.ShowPresence{Available: true}); got != want {
			t.Errorf("got %+v of a platform that tells nothing, want %+v", got, want)
		}
		p.caps.Levels[gateway.FeaturePresence] = gateway.Native
		if got, want := show(), (gateway.ShowPresence{Available: true, Away: true, LastSeen: seen}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		r.stop() // it would poll through the hours
		<-time.After(3 * time.Hour)
		if got, want := show(), (gateway.ShowPresence{Available: true}); got != want {
			t.Errorf("got %+v hours later, want %+v", got, want)
		}
	})
}

// The copies of a client's presence to each contact say nothing.
func TestPresenceToContactsIsNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := faceRig(t)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		for _, kind := range []gateway.PresenceKind{gateway.PresenceAvailable, gateway.PresenceUnavailable} {
			if got := r.presence(phone, juliet, kind); len(got) != 0 {
				t.Errorf("%s: got %+v", kind, got)
			}
		}
		gatewaytest.Advance(time.Second)
		if p.asks() != 0 {
			t.Error("a copy of presence made the platform be asked")
		}
	})
}

// A user with two accounts is greeted once; the gateway is away when neither works.
func TestGreetSeveralAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer func() { r.stop() }()
		second, err := r.identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "ep2", User: romeo, Shown: "+39 ***34", Standing: gateway.AccountReauthNeeded})
		if err != nil {
			t.Fatal(err)
		}
		greet := func() (shows []gateway.ShowPresence, probes int) {
			t.Helper()
			err := r.gw.Greet(t.Context(), wall, func(g gateway.Rendering) error {
				switch w := g.What.(type) {
				case gateway.ShowPresence:
					shows = append(shows, w)
				case gateway.ShowProbe:
					probes++
				default:
					t.Errorf("got %T", w)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return shows, probes
		}
		shows, probes := greet()
		if len(shows) != 1 || probes != 1 || shows[0] != (gateway.ShowPresence{Available: true, Status: "+39 ***34"}) {
			t.Errorf("got %+v and %d probes, want one of each", shows, probes)
		}
		first := *r.account
		first.Standing = gateway.AccountReauthNeeded
		if err := r.identity.Update(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if shows, _ = greet(); len(shows) != 1 || !shows[0].Away {
			t.Errorf("got %+v, want away", shows)
		}
		// Greeted, the user comes online: both accounts' contacts show.
		for _, a := range []*gateway.Account{r.account, second} {
			if _, err := r.identity.PutContact(t.Context(), a, gateway.Contact{ID: "juliet", Subscribed: true}); err != nil {
				t.Fatal(err)
			}
		}
		gatewaytest.Advance(5 * time.Minute) // the probe waited behind those of many others
		if got := r.presence(phone, "", gateway.PresenceAvailable); len(got) != 0 || !r.gw.Returns(phone) {
			t.Errorf("got %d renderings at once, want the contacts page by page", len(got))
		}
		if got, _ := r.shownContacts(phone); len(got) != 2 {
			t.Errorf("got %d contacts, want 2", len(got))
		}
		if r.gw.Returns(phone) {
			t.Error("the contacts show a second time")
		}
	})
}

// shownContacts reads all pages of a visitor's contacts, as how often each shows, and how many contacts the largest page has.
func (r *rig) shownContacts(v gateway.Visitor) (seen map[gateway.Alias]int, largest int) {
	r.t.Helper()
	seen = map[gateway.Alias]int{}
	for page := ""; ; {
		shown, next, err := r.gw.Contacts(r.t.Context(), v, page)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, g := range shown {
			seen[g.From]++
		}
		largest = max(largest, len(shown))
		if next == "" {
			return seen, largest
		}
		page = next
	}
}

// TestContactsShowInPages: each contact of each account shows once, and no page holds them all.
func TestContactsShowInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		second, err := r.identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "+3902", User: romeo, Standing: gateway.AccountActive})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []*gateway.Account{r.account, second} {
			for n := range 500 {
				if _, err := r.identity.PutContact(t.Context(), a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint("c", n)), Subscribed: n%5 != 0}); err != nil {
					t.Fatal(err)
				}
			}
		}
		seen, largest := r.shownContacts(phone)
		for alias, n := range seen {
			if n != 1 {
				t.Errorf("%s shows %d times, want once", alias, n)
			}
		}
		if len(seen) != 800 || largest > 100 {
			t.Errorf("got %d contacts in pages of up to %d, want 800 in small ones", len(seen), largest)
		}
		if shown, next, err := r.gw.Contacts(t.Context(), phone, "01GONE 17"); len(shown) != 0 || next != "" || err != nil {
			t.Errorf("page of an account that is gone: got %d, %q, %v, want none", len(shown), next, err)
		}
	})
}
