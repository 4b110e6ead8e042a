package gateway_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// What the platform tells of an account changes its standing as far as the platform can: it ends a suspension, but no word of it makes a
// token valid again or agrees to new terms in the user's place.
func TestStandingThatPlatformsTell(t *testing.T) {
	const (
		active, expiring, suspended = gateway.AccountActive, gateway.AccountExpiring, gateway.AccountSuspended
		reauth, reconsent           = gateway.AccountReauthNeeded, gateway.AccountReconsentNeeded
		withdrawn, queued           = gateway.AccountWithdrawn, gateway.AccountWithdrawalQueued
	)
	for _, tt := range []struct{ is, told, want gateway.AccountStanding }{
		{active, expiring, expiring},
		{expiring, active, active},
		{active, suspended, suspended},
		{suspended, active, active},
		{suspended, expiring, suspended},
		{active, reauth, reauth},
		{suspended, reauth, reauth},
		{reauth, active, reauth},
		{reauth, expiring, reauth},
		{reauth, suspended, reauth},
		{reauth, withdrawn, withdrawn},
		{reconsent, active, reconsent},
		{reconsent, reauth, reauth},
		{queued, active, queued},
		{queued, withdrawn, withdrawn},
		{withdrawn, active, withdrawn},
		{withdrawn, reauth, withdrawn},
	} {
		t.Run(fmt.Sprint(tt.is, " ", tt.told), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				defer func() { r.stop() }()
				if _, err := r.identity.Amend(t.Context(), r.account.ID, func(a *gateway.Account) { a.Standing = tt.is }); err != nil {
					t.Fatal(err)
				}
				r.mustEvent(gateway.Event{Dedupe: "state", Endpoint: "ep1", At: time.Now(), Body: gateway.AccountState{State: tt.told}})
				gatewaytest.Advance(time.Second)
				a, err := gateway.NewIdentity(r.store, r.keys).ByID(t.Context(), r.account.ID)
				if err != nil || a.Standing != tt.want {
					t.Errorf("got %s, %v, want %s", a.Standing, err, tt.want)
				}
			})
		})
	}
}

// An account that needs a login goes on when its user has logged in, and not before, whatever the platform says of its health.
func TestHealthWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuses := true
		p := &platform{caps: textCaps()}
		p.send = func(gateway.Op) (gateway.Sent, error) {
			if refuses {
				return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded, Code: "401"}
			}
			return gateway.Sent{}, nil
		}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		r.mustAsk(r.contact("juliet"), "s1", "patience")
		gatewaytest.Advance(time.Second)
		refuses = false
		r.mustEvent(gateway.Event{Dedupe: "well", Endpoint: "ep1", At: time.Now(), Body: gateway.AccountState{State: gateway.AccountActive}})
		gatewaytest.Advance(20 * time.Minute)
		diff(t, "sent", p.taken(), []string(nil))
		a, err := r.identity.ByID(t.Context(), r.account.ID)
		if err != nil {
			t.Fatal(err)
		}
		renewed := *a
		renewed.Secret, renewed.Standing = []byte("new"), gateway.AccountActive
		if err := r.identity.Update(t.Context(), renewed); err != nil {
			t.Fatal(err)
		}
		r.gw.Unpark(t.Context(), a.ID)
		gatewaytest.Advance(5 * time.Second)
		diff(t, "sent", p.taken(), []string{"juliet patience"})
	})
}

// noLogin is a platform that is asked for its events and takes no token any more.
type noLogin struct{ *platform }

func (noLogin) Polls() bool { return true }

func (noLogin) Run(context.Context, gateway.Credentials, gateway.Intake) error {
	return &gateway.SendError{Class: gateway.ReauthNeeded, Code: "401"}
}

// Who has to log in again hears of it, whoever found it so and whatever happens between the writing of it and the telling; and once a day.
func TestStandingIsToldWhateverHappens(t *testing.T) {
	refusal := &gateway.SendError{Class: gateway.ReauthNeeded, Code: "401"}
	writes := func(r *rig) { r.mustAsk(r.contact("juliet"), "s1", "patience") }
	for _, tt := range []struct {
		name  string
		adapt func(*platform) gateway.Adapter
		finds func(*rig) // what makes the gateway find it so; again when it has tried for a while
	}{
		{"who sends", func(p *platform) gateway.Adapter { return p }, writes},
		{"who asks for events", func(p *platform) gateway.Adapter { return noLogin{p} }, func(*rig) {}},
		{"who looks after accounts", func(p *platform) gateway.Adapter {
			return keepPlatform{p, func(gateway.Credentials) ([]byte, error) { return nil, refusal }}
		}, func(r *rig) { _ = r.gw.Keep(r.t.Context(), wall) }},
	} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, ", dies=", dies), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) { return gateway.Sent{}, refusal }}
					r, b := newBlipRig(t, p)
					defer func() { r.stop() }()
					r.stop()
					r.adapter = tt.adapt(p)
					b.on(func(verb string, q gateway.Queue) bool { return verb == "ingest" && q == gateway.QueueXMPP })
					r.start(gateway.Config{})
					tt.finds(r)
					gatewaytest.Advance(3 * time.Second)
					if a, err := gateway.NewIdentity(b, r.keys).ByID(t.Context(), r.account.ID); err != nil || a.Standing != gateway.AccountReauthNeeded {
						t.Fatalf("got %v, %v, want an account that needs a login", a.Standing, err)
					}
					if dies {
						r.stop()
						r.identity = gateway.NewIdentity(b, r.keys)
					}
					b.on(nil)
					if dies {
						r.start(gateway.Config{})
					}
					if tt.name != "who sends" {
						tt.finds(r)
					}
					gatewaytest.Advance(15 * time.Minute)
					if n := r.saw(`"Your connection`); n != 1 {
						t.Errorf("got %q, want it told once", r.wire.lines())
					}
				})
			})
		}
	}
}

// A user whose messages wait for a login hears so each day, not at every look at what waits.
func TestStandingIsToldOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded, Code: "401"}
		}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		for n := range 12 {
			r.mustAsk(juliet, fmt.Sprint("s", n), "patience")
			gatewaytest.Advance(time.Minute)
			r.stop()
			gatewaytest.Advance(4 * time.Hour)
			r.start(gateway.Config{})
		}
		if n := r.saw(`"Your connection`); n != 2 {
			t.Errorf("got it %d times in two days, want twice: %q", n, r.wire.lines())
		}
	})
}

// Who has logged in again in vain hears so, also on the same day.
func TestStandingIsToldAfterEachLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{caps: textCaps(), send: func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded, Code: "401"}
		}}
		r := newRig(t, p, gateway.Config{})
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		for n := range 2 {
			_, err := r.identity.Amend(t.Context(), r.account.ID, func(a *gateway.Account) { a.Standing = gateway.AccountActive })
			must(t, err)
			must(t, r.store.Publish(t.Context(), gateway.SignalAccounts, []byte(r.account.ID)))
			gatewaytest.Advance(time.Minute)
			r.mustAsk(juliet, fmt.Sprint("s", n), "patience")
			gatewaytest.Advance(time.Hour)
		}
		if n := r.saw(`"Your connection`); n != 2 {
			t.Errorf("got it %d times after two logins, want twice: %q", n, r.wire.lines())
		}
	})
}
