package gateway_test

import (
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
