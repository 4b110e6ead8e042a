package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// A token is what it was made as until it ends, and nothing of it reaches the store in the clear.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{Store: memstore.New()}
		_, keys := newIdentity(t, rec)
		tokens, ctx := gateway.NewTokens(rec, keys), t.Context()
		alice, err := tokens.Create(ctx, "alice", gateway.RoleAdmin, 0)
		if err != nil {
			t.Fatal(err)
		}
		robot, err := tokens.Create(ctx, "robot-1", gateway.RoleViewer, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		made := time.Now().UTC()
		want := []gateway.Token{{Name: "alice", Role: gateway.RoleAdmin, Made: made}, {Name: "robot-1", Role: gateway.RoleViewer, Made: made, Until: made.Add(time.Hour)}}
		list, err := tokens.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "list", list, want)
		for n, secret := range []string{alice, robot} {
			got, err := tokens.Check(ctx, secret)
			if err != nil {
				t.Errorf("check of %s: %v", want[n].Name, err)
			}
			diff(t, "token", got, want[n])
			if err := tokens.Still(ctx, got); err != nil {
				t.Errorf("still %s: %v", want[n].Name, err)
			}
		}
		if strings.Contains(rec.wrote.String(), "alice") || strings.Contains(rec.wrote.String(), strings.Split(alice, "_")[2]) {
			t.Error("the store saw a token or its name")
		}

		if _, err := tokens.Create(ctx, "alice", gateway.RoleViewer, 0); !errors.Is(err, gateway.ErrExists) {
			t.Errorf("a name twice: got %v, want ErrExists", err)
		}
		gatewaytest.Advance(time.Hour)
		if err := tokens.Revoke(ctx, "alice"); err != nil {
			t.Error(err)
		}
		for what, secret := range map[string]string{
			"over": robot, "revoked": alice, "another's": strings.Replace(alice, "alice", "robot-1", 1), "nothing": "", "no token": "postern_alice",
			"of nobody": "postern_eve_" + strings.Repeat("a", 52), "a foreign one": "github_alice_x", "a name with a slash": "postern_../x_y",
		} {
			if got, err := tokens.Check(ctx, secret); !errors.Is(err, gateway.ErrToken) || got != (gateway.Token{}) {
				t.Errorf("a token that is %s: got %+v and %v, want ErrToken", what, got, err)
			}
		}
		for _, was := range append(want, gateway.Token{}) {
			if err := tokens.Still(ctx, was); !errors.Is(err, gateway.ErrToken) {
				t.Errorf("still %q, which is over: got %v, want ErrToken", was.Name, err)
			}
		}
		if _, err := tokens.Create(ctx, "alice", gateway.RoleAdmin, 0); err != nil {
			t.Error(err)
		}
		if err := tokens.Still(ctx, want[0]); !errors.Is(err, gateway.ErrToken) {
			t.Errorf("still alice, of whom another was made: got %v, want ErrToken", err)
		}
		if err := tokens.Revoke(ctx, "alice"); err != nil {
			t.Error(err)
		}
		if err := tokens.Revoke(ctx, "alice"); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("revoked twice: got %v, want ErrNotFound", err)
		}
	})
}

func TestTokensRefused(t *testing.T) {
	store := memstore.New()
	_, keys := newIdentity(t, store)
	tokens := gateway.NewTokens(store, keys)
	for _, name := range []string{"", "Alice", "a b", "a_b", strings.Repeat("a", 33), "user", "cli", "gateway", "chat-abcdefghijklmnop"} {
		if _, err := tokens.Create(t.Context(), name, gateway.RoleViewer, 0); !errors.Is(err, gateway.ErrTokenName) {
			t.Errorf("name %q: got %v, want ErrTokenName", name, err)
		}
	}
	if _, err := tokens.Create(t.Context(), "alice", "root", 0); !errors.Is(err, gateway.ErrTokenRole) {
		t.Errorf("role root: got %v, want ErrTokenRole", err)
	}
}

func TestRoles(t *testing.T) {
	for n, role := range gateway.Roles() {
		for m, need := range gateway.Roles() {
			if got, want := role.May(need), n >= m; got != want {
				t.Errorf("%s may do what needs %s: got %v, want %v", role, need, got, want)
			}
		}
	}
	if gateway.Role("root").May(gateway.RoleViewer) || gateway.RoleAdmin.May("root") {
		t.Error("an unknown role is worth something")
	}
}
