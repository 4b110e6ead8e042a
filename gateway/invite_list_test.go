package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// invites returns all that a user has given out, two at a time.
func (l *lineRig) invites(user gateway.UserID) (all []gateway.Invite) {
	l.t.Helper()
	for after := ""; ; {
		page, next, err := l.desk.Invites(l.t.Context(), user, after, 2)
		if err != nil || len(page) > 2 {
			l.t.Fatalf("got %d, %v", len(page), err)
		}
		all = append(all, page...)
		if after = next; after == "" {
			return all
		}
	}
}

// What a user gives out stands in a list that says when and whether somebody came, and not by what token; it ends as the invite does.
func TestInvitesListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		v := l.register(romeo)
		l.register(juliet)
		if got := l.invites(romeo); len(got) != 0 {
			t.Errorf("before: got %+v", got)
		}
		var tokens []string
		for range 5 {
			tokens = append(tokens, l.invite(v, ""))
			gatewaytest.Advance(time.Minute)
		}
		l.comes(opens("nurse", tokens[1]))
		all := l.invites(romeo)
		if len(all) != 5 {
			t.Fatalf("got %d, want 5", len(all))
		}
		for n, i := range all {
			if i.Taken != (n == 1) || i.Until.Sub(i.Made) != gateway.InviteTTL || n > 0 && i.Made.Sub(all[n-1].Made) < time.Minute || i.Adapter != wall {
				t.Errorf("invite %d: got %+v", n, i)
			}
			if strings.Contains(string(i.ID), tokens[n]) {
				t.Error("the list holds the token")
			}
		}
		if got := l.invites(juliet); len(got) != 0 {
			t.Errorf("of another user: got %+v", got)
		}
		if _, _, err := l.desk.Invites(t.Context(), romeo, "nowhere", 2); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("from nowhere: got %v", err)
		}
		if err := l.desk.RevokeInvite(t.Context(), juliet, all[0].ID); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("revoked by another user: got %v", err)
		}
		for range 2 { // the second finds nothing
			err := l.desk.RevokeInvite(t.Context(), romeo, all[0].ID)
			if first := len(l.invites(romeo)) == 5; first || err != nil && !errors.Is(err, gateway.ErrNotFound) {
				t.Errorf("revoke: got %v, still listed: %v", err, first)
			}
		}
		l.comes(opens("peter", tokens[0]))
		if got := l.platform.taken(); !strings.Contains(strings.Join(got, "\n"), "peter This is @verona_bot. The invite") {
			t.Errorf("got %q, want peter told that a revoked invite opens nothing", got)
		}
		l.comes(opens("paul", tokens[2]))
		l.away(gateway.InviteTTL)
		if got := l.invites(romeo); len(got) != 0 {
			t.Errorf("after their time: got %+v", got)
		}
	})
}
