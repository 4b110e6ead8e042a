//go:build servers

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestMigration takes a store of 300 accounts, whose languages an earlier version wrote as clients spell them, forward on a real Redis: by
// three replicas at once, of which the one that leads dies in its second page.
func TestMigration(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{AppendOnly: true})
	s := open(t, r.URL(), "m:", Options{})
	ctx, key := t.Context(), make([]byte, gateway.KeySize)
	keys, err := gateway.OpenKeyring(ctx, s, key)
	if err != nil {
		t.Fatal(err)
	}
	const accounts = 300
	identity := gateway.NewIdentity(s, keys)
	for n := range accounts {
		_, err := identity.Create(ctx, gateway.Account{
			Adapter: "wall", Endpoint: gateway.Endpoint(fmt.Sprint("ep", n)), User: gateway.UserID(fmt.Sprintf("u%d@example.org", n)), Standing: gateway.AccountActive, Lang: "pt-BR",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var pages, at atomic.Int64
	first, die := context.WithCancel(ctx)
	defer die()
	migration := func(name string) gateway.Migration {
		return gateway.Migration{Store: s, Replica: name, Log: slog.New(slog.DiscardHandler), Steps: []gateway.SchemaStep{
			{To: 2, Name: "languages in lower case", Oldest: 1, Page: func(ctx context.Context, st gateway.Store, k *gateway.Keyring, cursor string) (string, error) {
				if at.Add(1) > 1 {
					t.Error("two replicas are at it")
				}
				defer at.Add(-1)
				page, next, err := st.List(ctx, "x:wall", gateway.RecordMember, cursor, 50)
				if err != nil {
					return "", err
				}
				if pages.Add(1) == 2 {
					die()
				}
				for id := range page {
					if _, err := gateway.NewIdentity(st, k).Amend(ctx, gateway.AccountID(id), func(a *gateway.Account) { a.Lang = strings.ToLower(a.Lang) }); err != nil {
						return "", err
					}
				}
				return next, nil
			}},
		}}
	}
	var wg sync.WaitGroup
	began := make(chan struct{})
	wg.Go(func() {
		close(began)
		if err := migration("r1").Run(first, key); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-began
	for n := range 2 {
		wg.Go(func() {
			if err := migration(fmt.Sprint("r", n+2)).Run(ctx, key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	done := 0
	err = identity.Members(ctx, "wall", func(_ gateway.UserID, id gateway.AccountID) error {
		a, err := gateway.NewIdentity(s, keys).ByID(ctx, id)
		if err == nil && a.Lang == "pt-br" {
			done++
		}
		return err
	})
	if err != nil || done != accounts {
		t.Errorf("got %d of %d accounts changed, %v", done, accounts, err)
	}
	if _, err := gateway.OpenKeyring(ctx, s, key); err != nil {
		t.Errorf("the build from before, which may go on: got %v", err)
	}
}
