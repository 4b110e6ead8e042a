package gateway_test

import (
	"context"
	"testing"

	"postern/gateway"
	"postern/gateway/memstore"
)

// lateReader lets something happen between what the store answers and whoever asked.
type lateReader struct {
	gateway.Store
	meanwhile func()
}

func (l *lateReader) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	got, err := l.Store.Load(ctx, keys...)
	if f := l.meanwhile; f != nil {
		l.meanwhile = nil
		f()
	}
	return got, err
}

// What a reader was told before a change is not what later ones are told: neither after a change here nor after one that another
// replica signalled.
func TestReadBeforeAChange(t *testing.T) {
	store := &lateReader{Store: memstore.New()}
	here, keys := newIdentity(t, store)
	there := gateway.NewIdentity(store.Store, keys)
	ctx := t.Context()
	a, err := here.Create(ctx, gateway.Account{User: "romeo@example", Adapter: "gk", Endpoint: "e"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := here.PutContact(ctx, a, gateway.Contact{ID: "juliet", Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	becomes := func(i *gateway.Identity, s gateway.AccountStanding) {
		if _, err := i.Amend(ctx, a.ID, func(a *gateway.Account) { a.Standing = s }); err != nil {
			t.Error(err)
		}
	}
	account := func() string {
		now, err := here.ByID(ctx, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return string(now.Standing)
	}
	contact := func() string {
		now, err := here.Contact(ctx, a, c.Alias)
		if err != nil {
			t.Fatal(err)
		}
		return now.Name
	}
	for what, p := range map[string]struct {
		ask    func() string
		change func()
		want   string
	}{
		"account, changed here": {account, func() { becomes(here, gateway.AccountReauthNeeded) }, string(gateway.AccountReauthNeeded)},
		"account, changed elsewhere": {account, func() {
			becomes(there, gateway.AccountSuspended)
			here.Forget(a.ID) // by the signal
		}, string(gateway.AccountSuspended)},
		"contact": {contact, func() {
			if _, err := here.Revise(ctx, a, c.Alias, func(c *gateway.Contact) { c.Name = "second" }); err != nil {
				t.Error(err)
			}
		}, "second"},
	} {
		here = gateway.NewIdentity(store, keys) // nothing is cached
		store.meanwhile = p.change
		p.ask()
		if got := p.ask(); got != p.want {
			t.Errorf("%s: later readers got %q, want %q", what, got, p.want)
		}
	}
}
