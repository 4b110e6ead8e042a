package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"postern/gateway"
	"postern/gateway/memstore"
)

// recorder remembers every byte that reaches the store.
type recorder struct {
	gateway.Store
	wrote bytes.Buffer
}

func (r *recorder) Save(ctx context.Context, o gateway.Owner, cs ...gateway.Change) error {
	fmt.Fprint(&r.wrote, string(o))
	for _, c := range cs {
		fmt.Fprintf(&r.wrote, "|%s|%s|%s\n", c.Kind, c.Name, c.Value)
	}
	return r.Store.Save(ctx, o, cs...)
}

func (r *recorder) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	fmt.Fprintf(&r.wrote, "%s|%s|%s|%s|%s\n", p, q, e.Lane, e.Payload, o.Dedupe)
	return r.Store.Ingest(ctx, p, q, e, o)
}

func newIdentity(t *testing.T, s gateway.Store) (*gateway.Identity, *gateway.Keyring) {
	t.Helper()
	keys, err := gateway.OpenKeyring(t.Context(), s, bytes.Repeat([]byte{7}, gateway.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return gateway.NewIdentity(s, keys), keys
}

// TestStoreNeverSeesWhoOrWhat: no JID, platform id, secret or content reaches the store in the clear.
func TestStoreNeverSeesWhoOrWhat(t *testing.T) {
	rec := &recorder{Store: memstore.New()}
	id, keys := newIdentity(t, rec)
	a, err := id.Create(t.Context(), gateway.Account{
		Adapter: wall, Endpoint: "endpoint-4711", User: romeo, Secret: []byte("token-xyz"), Shown: "+39 333", Standing: gateway.AccountActive,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := id.PutContact(t.Context(), a, gateway.Contact{ID: "juliet-0815", Name: "Juliet C"}); err != nil {
		t.Fatal(err)
	}
	key := a.Lane(a.Keys.Alias("juliet-0815"))
	e := id.Seal(a, keys.Lane(key), gateway.EntryOp, []byte("wherefore art thou"), someInstant)
	if _, _, err := rec.Ingest(t.Context(), key.Shard(), gateway.QueueOut, e, gateway.IngestOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"romeo", "endpoint-4711", "token-xyz", "+39", "juliet", "Juliet", "wherefore"} {
		if strings.Contains(rec.wrote.String(), secret) {
			t.Errorf("the store saw %q", secret)
		}
	}
}

func TestIdentityRoundTrip(t *testing.T) {
	store := memstore.New()
	id, _ := newIdentity(t, store)
	a, err := id.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "e1", User: romeo, Secret: []byte("s"), Standing: gateway.AccountActive})
	if err != nil {
		t.Fatal(err)
	}
	c, err := id.PutContact(t.Context(), a, gateway.Contact{ID: "juliet", Name: "Juliet"})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newIdentity(t, store) // another replica, nothing cached
	byEnd, err := other.ByEndpoint(t.Context(), wall, "e1")
	if err != nil || byEnd.User != romeo || string(byEnd.Secret) != "s" {
		t.Fatalf("got %+v, %v, want the account", byEnd, err)
	}
	acct, got, err := other.Find(t.Context(), wall, romeo, c.Alias)
	if err != nil || acct.ID != a.ID || got.ID != "juliet" || got.Name != "Juliet" {
		t.Fatalf("got %+v %+v %v, want Juliet", acct, got, err)
	}
	if _, _, err := other.Find(t.Context(), wall, "iago@example.org", c.Alias); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("another user: got %v, want ErrNoAccount", err)
	}
	if _, _, err := other.Find(t.Context(), "elsewhere", romeo, c.Alias); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("another adapter: got %v, want ErrNoAccount", err)
	}
	if _, err := other.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "e1", User: "iago@example.org"}); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("endpoint taken: got %v, want ErrExists", err)
	}
}

func TestRemoveErasesEverythingOfAnAccount(t *testing.T) {
	store := memstore.New()
	id, keys := newIdentity(t, store)
	a, err := id.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "e1", User: romeo, Standing: gateway.AccountActive})
	if err != nil {
		t.Fatal(err)
	}
	before, err := id.PutContact(t.Context(), a, gateway.Contact{ID: "juliet"})
	if err != nil {
		t.Fatal(err)
	}
	sealed := id.Seal(a, "lane", gateway.EntryOp, []byte("mail in transit"), someInstant)
	if err := id.Remove(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := id.Remove(t.Context(), a); err != nil {
		t.Errorf("second remove: got %v, want nil", err)
	}
	fresh := gateway.NewIdentity(store, keys)
	if _, err := fresh.Of(t.Context(), wall, romeo); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("got %v, want ErrNoAccount", err)
	}
	if _, err := fresh.ByEndpoint(t.Context(), wall, "e1"); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("got %v, want ErrNoAccount", err)
	}
	if _, err := fresh.Open(t.Context(), sealed); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("mail in transit: got %v, want ErrNoAccount: its key is destroyed", err)
	}
	again, err := fresh.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "e1", User: romeo, Standing: gateway.AccountActive})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Keys.Alias("juliet"); got == before.Alias {
		t.Errorf("got the same alias %s after erasure, want another: nothing links the two", got)
	}
}

func TestKeyringRefuses(t *testing.T) {
	store := memstore.New()
	if _, err := gateway.OpenKeyring(t.Context(), store, make([]byte, 31)); err == nil {
		t.Error("short key: got nil, want an error")
	}
	if _, err := gateway.OpenKeyring(t.Context(), store, make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	_, err := gateway.OpenKeyring(t.Context(), store, bytes.Repeat([]byte{1}, 32))
	if err == nil || !strings.Contains(err.Error(), "key_file") {
		t.Errorf("other key: got %v, want an error that names key_file", err)
	}
}

// TestRewrap: another key opens the store afterwards, the old one does not, and what was made before is found under the same names.
func TestRewrap(t *testing.T) {
	store := memstore.New()
	ctx, old, now := t.Context(), bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	if err := gateway.Rewrap(ctx, store, now, old); !errors.Is(err, gateway.ErrNoSchema) {
		t.Errorf("empty store: got %v, want ErrNoSchema", err)
	}
	before, err := gateway.OpenKeyring(ctx, store, old)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := gateway.Wrapped(ctx, store, now, old); n != 1 || err != nil {
		t.Errorf("before: opened by key %d, %v, want 1, nil", n, err)
	}
	if err := gateway.Rewrap(ctx, store, now); err == nil {
		t.Error("without the old key: got nil, want an error")
	}
	for range 2 { // the second time there is nothing to do
		if err := gateway.Rewrap(ctx, store, now, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := gateway.OpenKeyring(ctx, store, old); err == nil {
		t.Error("old key afterwards: got nil, want an error")
	}
	after, err := gateway.OpenKeyring(ctx, store, old, now)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := before.Name("test", "romeo"), after.Name("test", "romeo"); a != b {
		t.Errorf("names changed from %s to %s", a, b)
	}
}

// TestSealBindsPlace: a sealed value moved to another kind of entry, or changed by a bit, does not open.
func TestSealBindsPlace(t *testing.T) {
	id, _ := newIdentity(t, memstore.New())
	e := id.Seal(nil, "lane", gateway.EntryOp, []byte("x"), someInstant)
	if _, err := id.Open(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	moved := e
	moved.Kind = gateway.EntryEvent
	if _, err := id.Open(t.Context(), moved); !errors.Is(err, gateway.ErrSealed) {
		t.Errorf("moved: got %v, want ErrSealed", err)
	}
	for i := range e.Payload {
		bad := e
		bad.Payload = bytes.Clone(e.Payload)
		bad.Payload[i] ^= 1
		if _, err := id.Open(t.Context(), bad); !errors.Is(err, gateway.ErrSealed) {
			t.Fatalf("byte %d changed: got %v, want ErrSealed", i, err)
		}
	}
}

// TestAmendLosesNothing: changes of one account at the same time all stand in the end.
func TestAmendLosesNothing(t *testing.T) {
	store := memstore.New()
	id, _ := newIdentity(t, store)
	a, err := id.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "e1", User: romeo})
	if err != nil {
		t.Fatal(err)
	}
	const n = 100
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := id.Amend(t.Context(), a.ID, func(a *gateway.Account) { a.Agreed++ }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fresh, _ := newIdentity(t, store)
	if got, err := fresh.ByID(t.Context(), a.ID); err != nil || got.Agreed != n {
		t.Errorf("got %+v, %v, want %d changes", got, err, n)
	}
	if _, err := id.Amend(t.Context(), "nobody", func(*gateway.Account) {}); !errors.Is(err, gateway.ErrNoAccount) {
		t.Errorf("nobody's: got %v, want ErrNoAccount", err)
	}
}
