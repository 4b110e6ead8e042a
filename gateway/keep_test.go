package gateway_test

import (
	"context"
	"testing"
	"testing/synctest"

	"postern/gateway"
)

// keepPlatform is a platform whose tokens end.
type keepPlatform struct {
	*platform
	keep func(gateway.Credentials) ([]byte, error)
}

func (p keepPlatform) Keep(_ context.Context, a gateway.Credentials) ([]byte, error) {
	return p.keep(a)
}

// TestKeep: a renewed secret is the account's from then on, also in a later process; a refused one asks the user.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{}, gateway.Config{})
		defer func() { r.stop() }()
		p := keepPlatform{platform: r.platform}
		again := func() {
			t.Helper()
			r.stop()
			r.adapter = p
			r.start(gateway.Config{})
			if err := r.gw.Keep(t.Context(), wall); err != nil {
				t.Fatal(err)
			}
		}
		var told []string
		answer := func(secret string, err error) {
			p.keep = func(a gateway.Credentials) ([]byte, error) {
				told = append(told, string(a.Endpoint)+" "+string(a.Secret))
				if secret == "" {
					return nil, err
				}
				return []byte(secret), err
			}
		}
		state := func() (string, gateway.AccountStanding) {
			t.Helper()
			a, err := r.identity.ByID(t.Context(), r.account.ID)
			if err != nil {
				t.Fatal(err)
			}
			return string(a.Secret), a.Standing
		}
		steps := []struct {
			answer string
			err    error
			secret string
			stands gateway.AccountStanding
		}{
			{"", nil, "", gateway.AccountActive},
			{"token 2", nil, "token 2", gateway.AccountActive},
			{"", &gateway.SendError{Class: gateway.Retryable}, "token 2", gateway.AccountActive},
			{"token 3", nil, "token 3", gateway.AccountActive},
			{"", &gateway.SendError{Class: gateway.ReauthNeeded}, "token 3", gateway.AccountReauthNeeded},
		}
		for i, s := range steps {
			answer(s.answer, s.err)
			again()
			if secret, stands := state(); secret != s.secret || stands != s.stands {
				t.Errorf("step %d: got secret %q, standing %s; want %q, %s", i, secret, stands, s.secret, s.stands)
			}
		}
		want := []string{"ep1 ", "ep1 ", "ep1 token 2", "ep1 token 2", "ep1 token 3"}
		if len(told) != len(want) {
			t.Fatalf("got %d calls, want %d", len(told), len(want))
		}
		for i := range want {
			if told[i] != want[i] {
				t.Errorf("call %d: got %q, want %q", i, told[i], want[i])
			}
		}
		again() // an account that has to be linked again is left alone
		if len(told) != len(want) {
			t.Errorf("got a call for an account that does not work")
		}
	})
}
