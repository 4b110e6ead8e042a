package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"postern/gateway"
)

// exported is everything an export says, page by page, as JSON lines.
func (c *counter) exported(user gateway.UserID) (all []gateway.Exported, text string) {
	c.t.Helper()
	var b strings.Builder
	for after := ""; ; {
		page, next, err := c.desk.Export(c.t.Context(), user, after)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range page {
			if err := json.NewEncoder(&b).Encode(e); err != nil {
				c.t.Fatal(err)
			}
		}
		all = append(all, page...)
		if after = next; after == "" {
			return all, b.String()
		}
	}
}

// A user has out what is held of them, all of it and nothing of anybody else, and no credentials.
func TestExport(t *testing.T) {
	c := newCounter(t)
	if _, _, err := c.desk.Export(t.Context(), c.romeo.User, ""); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("before: got %v, want ErrNoAccount", err)
	}
	c.register(c.romeo, "Montague")
	c.register(c.juliet, "Capulet")
	for n := range 450 {
		if _, err := c.identity.PutContact(t.Context(), c.account(c.romeo), gateway.Contact{ID: gateway.ContactID(fmt.Sprint("of-romeo-", n)), Name: "R", Blocked: n == 7}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.identity.PutContact(t.Context(), c.account(c.juliet), gateway.Contact{ID: "of-juliet", Name: "J"}); err != nil {
		t.Fatal(err)
	}
	all, text := c.exported(c.romeo.User)
	kinds, blocked := map[string]int{}, 0
	ids := map[gateway.ContactID]bool{}
	for _, e := range all {
		kinds[e.Kind]++
		if e.Contact != nil {
			ids[e.Contact.ID] = true
			if e.Contact.Blocked {
				blocked++
			}
		}
		if e.Consent != nil && (!strings.Contains(e.Consent.Text, "Wall") || e.Consent.User != c.romeo.User) {
			t.Errorf("consent: got %+v, want its text", e.Consent)
		}
	}
	if kinds["account"] != 1 || kinds["consent"] != 1 || len(ids) != 450 || blocked != 1 {
		t.Errorf("got %v with %d contacts, %d of them blocked", kinds, len(ids), blocked)
	}
	for _, word := range []string{"juliet", "Capulet", string(c.account(c.romeo).Secret)} {
		if word != "" && strings.Contains(text, word) {
			t.Errorf("the export holds %q", word)
		}
	}
	for _, after := range []string{"x", "e30", "!"} {
		if _, _, err := c.desk.Export(t.Context(), c.romeo.User, after); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("a place that is none, %q: got %v, want ErrCursor", after, err)
		}
	}
	// A place in somebody else's export opens nothing.
	_, next, err := c.desk.Export(t.Context(), c.juliet.User, "")
	if err != nil || next == "" {
		t.Fatalf("juliet's: got %q, %v", next, err)
	}
	if got, _, err := c.desk.Export(t.Context(), c.romeo.User, next); !errors.Is(err, gateway.ErrCursor) {
		t.Errorf("another's place: got %v and %v, want ErrCursor", got, err)
	}
}

// After an erasure nothing is held, the contacts are out of the roster, and another user is as before.
func TestErase(t *testing.T) {
	c := newCounter(t)
	if _, err := c.desk.Erase(t.Context(), c.romeo.User); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("of nobody: got %v, want ErrNoAccount", err)
	}
	c.register(c.juliet, "Capulet")
	_, before := c.exported(c.juliet.User)
	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	anna, err := c.identity.PutContact(t.Context(), a, gateway.Contact{ID: "anna", Name: "Anna"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.desk.Erase(t.Context(), c.romeo.User)
	if err != nil {
		t.Fatal(err)
	}
	if left := shown(got.Show["wall"]); got.Accounts != 1 || got.Pending != 0 || !strings.Contains(left, string(anna.Alias)+"@wall.example.org -> romeo@example.org: unsubscribed") {
		t.Errorf("got %+v and\n%s", got, left)
	}
	c.restart()
	if _, _, err := c.desk.Export(t.Context(), c.romeo.User, ""); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("afterwards: got %v, want ErrNoAccount", err)
	}
	if _, err := c.desk.Erase(t.Context(), c.romeo.User); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("twice: got %v, want ErrNoAccount", err)
	}
	if _, after := c.exported(c.juliet.User); after != before {
		t.Errorf("the other user:\n%s\nwas\n%s", after, before)
	}
}

// An erasure that breaks off anywhere goes on when it is asked for again.
func TestEraseInterrupted(t *testing.T) {
	for fail := 1; ; fail++ {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		desk := c.open(&failing{Store: c.store, at: fail})
		_, err := desk.Erase(t.Context(), c.romeo.User)
		if err == nil {
			if fail < 3 {
				t.Fatal("nothing was interrupted")
			}
			return
		}
		c.restart()
		if _, err := c.desk.Erase(t.Context(), c.romeo.User); err != nil && !errors.Is(err, gateway.ErrNoAccount) {
			t.Fatalf("after a failure at call %d: %v", fail, err)
		}
		if _, _, err := c.desk.Export(t.Context(), c.romeo.User, ""); !errors.Is(err, gateway.ErrNoAccount) {
			t.Fatalf("after a failure at call %d: got %v, want nothing held", fail, err)
		}
	}
}

// Of a line about a user nothing can be told without its salt, and everything with it.
func TestAuditAboutUser(t *testing.T) {
	c := newCounter(t)
	log := gateway.NewAudit(c.store, c.keys)
	e, salt, err := log.AddAbout(t.Context(), "boss", "user.erase", "", c.romeo.User)
	if err != nil {
		t.Fatal(err)
	}
	again, other, err := log.AddAbout(t.Context(), "boss", "user.erase", "", c.romeo.User)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case e.Subject != gateway.Commitment(salt, c.romeo.User):
		t.Error("the salt does not open its line")
	case e.Subject == again.Subject || salt == other:
		t.Error("two lines about one user can be told to be")
	case e.Subject == gateway.Commitment(salt, c.juliet.User):
		t.Error("it is about another as well")
	}
	if err := gateway.VerifyAudit(e, again); err != nil {
		t.Error(err)
	}
}

// failing is a store whose nth change of records fails.
type failing struct {
	gateway.Store
	at, n int
}

func (f *failing) now() error {
	if f.n++; f.n == f.at {
		return errBlip
	}
	return nil
}

func (f *failing) Save(ctx context.Context, o gateway.Owner, cs ...gateway.Change) error {
	if err := f.now(); err != nil {
		return err
	}
	return f.Store.Save(ctx, o, cs...)
}

func (f *failing) Erase(ctx context.Context, o gateway.Owner) error {
	if err := f.now(); err != nil {
		return err
	}
	return f.Store.Erase(ctx, o)
}
