package gateway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func TestUnregister(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	anna, err := c.identity.PutContact(c.t.Context(), a, gateway.Contact{ID: "anna", Name: "Anna"})
	if err != nil {
		t.Fatal(err)
	}
	r := c.start(c.romeo, gateway.NodeUnregister)
	if len(r.Fields) != 1 || !r.Complete || !strings.Contains(r.Text, "Montague") {
		t.Fatalf("got %+v, want a confirmation", r)
	}
	if _, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionComplete, nil); err == nil {
		t.Fatal("left without a confirmation")
	}
	if r := c.next(c.romeo, r, map[string]string{"confirm": "0"}); r.Status != gateway.ReplyCompleted || !c.registered(c.romeo) || len(r.After) != 0 {
		t.Fatalf("got %+v, want that nothing changed", r)
	}
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeUnregister), map[string]string{"confirm": "1"})
	if r.Status != gateway.ReplyCompleted || r.Note != "" || c.registered(c.romeo) {
		t.Fatalf("got %+v, want to be gone", r)
	}
	from := string(anna.Alias) + "@wall.example.org -> romeo@example.org: "
	gw := "wall.example.org -> romeo@example.org: "
	want := strings.Join([]string{
		from + "unsubscribe", from + "unsubscribed", from + "presence available=false away=false",
		gw + "unsubscribe", gw + "unsubscribed", gw + "presence available=false away=false",
	}, "\n")
	if diff := cmp.Diff(want, shown(r.After)); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(c.platform.Calls(), "unlink ep-Montague") {
		t.Error("the platform was not told")
	}
	fresh := gateway.NewIdentity(c.store, c.keys)
	if _, err := fresh.ByID(c.t.Context(), a.ID); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("account: got %v, want gone", err)
	}
	if _, err := fresh.ByEndpoint(c.t.Context(), "wall", a.Endpoint); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("endpoint: got %v, want gone", err)
	}
	if page, _, err := c.store.List(c.t.Context(), gateway.Owner("a:"+string(a.ID)), gateway.RecordContact, "", 10); len(page) != 0 || err != nil {
		t.Errorf("contacts: got %d, %v, want none", len(page), err)
	}
	if got := c.unconfirmed(); got != 0 {
		t.Errorf("got %d withdrawals under way, want none", got)
	}
	_, err = c.desk.Start(c.t.Context(), c.romeo, gateway.NodeUnregister)
	c.refused(err, gateway.RegistrationRequired, "")
	// The proof of consent stays until the user is erased.
	receiptOf(t, c, c.romeo)
}

func (c *counter) unconfirmed() int {
	c.t.Helper()
	page, _, err := c.store.List(c.t.Context(), "x:wall", gateway.RecordUnlink, "", 100)
	if err != nil {
		c.t.Fatal(err)
	}
	return len(page)
}

func TestRemove(t *testing.T) {
	c := newCounter(t)
	_, err := c.desk.Remove(c.t.Context(), c.romeo)
	c.refused(err, gateway.RegistrationRequired, "")
	c.register(c.romeo, "Montague")
	c.register(c.juliet, "Capulet")
	r, err := c.desk.Remove(c.t.Context(), c.romeo)
	if err != nil || r.Status != gateway.ReplyCompleted || len(r.After) != 3 || c.registered(c.romeo) {
		t.Fatalf("got %+v, %v, want to be gone", r, err)
	}
	if !c.registered(c.juliet) {
		t.Error("another user was removed")
	}
	_, err = c.desk.Remove(c.t.Context(), c.romeo)
	c.refused(err, gateway.RegistrationRequired, "")
}

func TestLeavingWhileThePlatformIsDown(t *testing.T) {
	for _, class := range []gateway.Class{gateway.Retryable, gateway.Uncertain, gateway.RateLimited} {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		a := c.account(c.romeo)
		down := true
		c.platform.Play(script{Unlink: func(who gateway.Credentials) error {
			if down {
				return &gateway.SendError{Class: class, Code: "down"}
			}
			if who.Account != a.ID || string(who.Secret) != "secret of Montague" || who.User != c.romeo.User {
				t.Errorf("%s: unlink got %+v", class, who)
			}
			return nil
		}})
		r, err := c.desk.Remove(c.t.Context(), c.romeo)
		if err != nil || !strings.Contains(r.Note, "pending") || c.registered(c.romeo) {
			t.Fatalf("%s: got %+v, %v, want gone here and pending there", class, r, err)
		}
		if _, err := gateway.NewIdentity(c.store, c.keys).ByEndpoint(c.t.Context(), "wall", a.Endpoint); !errors.Is(err, gateway.ErrNoAccount) {
			t.Errorf("%s: events still find the user: %v", class, err)
		}
		_, err = c.desk.Start(c.t.Context(), c.romeo, gateway.NodeStatus)
		if text := c.refused(err, gateway.RegistrationRequired, ""); !strings.Contains(text, "pending") {
			t.Errorf("%s: status: got %q, want pending", class, text)
		}
		c.restart()
		if told, err := c.desk.RetryUnlinks(c.t.Context()); len(told) != 0 || err != nil || c.unconfirmed() != 1 {
			t.Errorf("%s: retry while down: got %v, %v, %d left", class, told, err, c.unconfirmed())
		}
		down = false
		told, err := c.desk.RetryUnlinks(c.t.Context())
		want := "wall.example.org -> romeo@example.org: message left-" + strings.ToLower(string(a.ID))
		if err != nil || shown(told) != want || c.unconfirmed() != 0 {
			t.Errorf("%s: retry: got %q, %v, %d left", class, shown(told), err, c.unconfirmed())
		}
		_, err = c.desk.Start(c.t.Context(), c.romeo, gateway.NodeStatus)
		if text := c.refused(err, gateway.RegistrationRequired, ""); strings.Contains(text, "pending") {
			t.Errorf("%s: status: got %q, want nothing pending", class, text)
		}
	}
}

func TestLeavingWhatThePlatformForgot(t *testing.T) {
	for _, class := range []gateway.Class{gateway.Permanent, gateway.ReauthNeeded, gateway.NotReachable} {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		c.platform.Play(script{Unlink: func(gateway.Credentials) error { return &gateway.SendError{Class: class} }})
		r, err := c.desk.Remove(c.t.Context(), c.romeo)
		if err != nil || r.Note != "" || c.unconfirmed() != 0 || c.registered(c.romeo) {
			t.Errorf("%s: got %+v, %v, %d pending, want done", class, r, err, c.unconfirmed())
		}
	}
}

// TestComingBackBeforeTheWithdrawal: the queued withdrawal must not end the new account on the same endpoint.
func TestComingBackBeforeTheWithdrawal(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.platform.Play(script{Unlink: func(gateway.Credentials) error { return &gateway.SendError{Class: gateway.Retryable} }})
	if _, err := c.desk.Remove(c.t.Context(), c.romeo); err != nil {
		t.Fatal(err)
	}
	c.register(c.romeo, "Montague")
	before := len(c.platform.Calls())
	if _, err := c.desk.RetryUnlinks(c.t.Context()); err != nil || c.unconfirmed() != 0 {
		t.Errorf("got %v, %d left", err, c.unconfirmed())
	}
	if calls := c.platform.Calls()[before:]; len(calls) != 0 || !c.registered(c.romeo) {
		t.Errorf("got calls %v, registered %v, want the new account untouched", calls, c.registered(c.romeo))
	}
}

// TestCrashWhileLeaving ends the process after the intent is written: the platform is told all the same.
func TestCrashWhileLeaving(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	ctx, crash := contextThatEnds(c)
	c.platform.Play(script{Unlink: func(gateway.Credentials) error { crash(); return ctx.Err() }})
	if _, err := c.desk.Remove(ctx, c.romeo); err != nil {
		t.Fatalf("an unreachable platform is no error: %v", err)
	}
	c.platform.Play(script{})
	c.restart()
	if _, err := c.desk.RetryUnlinks(c.t.Context()); err != nil || c.unconfirmed() != 0 || c.registered(c.romeo) {
		t.Errorf("got %v, %d left, registered %v", err, c.unconfirmed(), c.registered(c.romeo))
	}
	calls := c.platform.Calls()
	if n := len(slices.DeleteFunc(calls, func(s string) bool { return s != "unlink ep-Montague" })); n != 2 {
		t.Errorf("got %d unlinks, want the interrupted and the repeated one", n)
	}
}
