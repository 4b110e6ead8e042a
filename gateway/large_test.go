package gateway_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"postern/gateway"
)

// metered is a store that counts what it is asked, and how much of it comes back at once.
type metered struct {
	gateway.Store
	mu    sync.Mutex
	reads int // questions
	most  int // records or entries of one answer
}

func (m *metered) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads, m.most = m.reads+1, max(m.most, n)
}

func (m *metered) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	m.count(len(keys))
	return m.Store.Load(ctx, keys...)
}

func (m *metered) List(ctx context.Context, o gateway.Owner, k gateway.RecordKind, cursor string, n int) (map[string][]byte, string, error) {
	page, next, err := m.Store.List(ctx, o, k, cursor, n)
	m.count(len(page))
	return page, next, err
}

func (m *metered) ListDead(ctx context.Context, p gateway.Partition, after gateway.EntryID, n int) ([]gateway.DeadLetter, error) {
	page, err := m.Store.ListDead(ctx, p, after, n)
	m.count(len(page))
	return page, err
}

func (m *metered) Parked(ctx context.Context, p gateway.Partition) ([]gateway.ParkedLane, error) {
	m.count(0)
	return m.Store.Parked(ctx, p)
}

// page runs f, and holds what it asked of the store against bounds.
func (m *metered) page(t *testing.T, what string, reads, most int, f func()) {
	t.Helper()
	m.mu.Lock()
	m.reads, m.most = 0, 0
	m.mu.Unlock()
	f()
	if m.reads > reads || m.most > most {
		t.Errorf("a page of %s: got %d questions and %d at once, want at most %d and %d", what, m.reads, m.most, reads, most)
	}
}

// However much there is, a page of a list asks as much of the store as the page is long, and all pages together have all of it.
func TestLargeLists(t *testing.T) {
	const page, letters, contacts, lines = 100, 10_000, 10_000, 20_000
	c := newCounter(t)
	m := &metered{Store: c.store}
	gw := gateway.New(gateway.Config{}, gateway.Deps{
		Store: m, Keyring: c.keys, Identity: gateway.NewIdentity(m, c.keys), Instances: []gateway.Instance{{ID: "wall", Component: "wall.example.org", Adapter: c.platform}},
		Renderer: nil, Texts: gateway.NewTexts(), Orders: gateway.NewOrders(m, c.keys, nil),
	})
	for n := range letters {
		e := gateway.Entry{Lane: fmt.Sprint("lane-", n%97), Kind: gateway.EntryRaw, Payload: []byte("x"), At: time.Now()}
		why := gateway.DeadReason{Class: gateway.Permanent, Code: map[bool]string{true: "rare", false: "usual"}[n == letters-1]}
		must(t, c.store.Bury(t.Context(), gateway.ShardPartition(n%gateway.Shards), gateway.QueueIn, e, why))
	}
	for code, want := range map[string]int{"": letters, "rare": 1} {
		seen := 0
		for after := gateway.LetterID(""); ; {
			m.page(t, "dead letters", gateway.Shards+1, page, func() {
				got, next, err := gw.Letters(t.Context(), gateway.LetterFilter{Code: code}, after, page)
				must(t, err)
				seen, after = seen+len(got), next
			})
			if after == "" {
				break
			}
		}
		if seen != want {
			t.Errorf("dead letters with code %q: got %d, want %d", code, seen, want)
		}
	}

	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	for n := range contacts {
		owner, change, err := gateway.SealContact(a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint("person-", n))})
		must(t, err)
		must(t, c.store.Save(t.Context(), owner, change))
	}
	desk, seen := c.open(m), 0
	for after := ""; ; {
		m.page(t, "chats", gateway.Shards+8, page, func() {
			got, next, err := desk.Chats(t.Context(), c.romeo.User, "", after, page)
			must(t, err)
			seen, after = seen+len(got), next
		})
		if after == "" {
			break
		}
		if seen > 3*page { // a page of a store in memory takes as long as the whole of it
			seen = contacts
			break
		}
	}
	if seen != contacts {
		t.Errorf("chats: got %d, want %d", seen, contacts)
	}

	log := gateway.NewAudit(m, c.keys)
	for n := range lines {
		_, err := log.Add(t.Context(), "cli", "token.create", fmt.Sprint("robot-", n))
		must(t, err)
	}
	for _, after := range []int64{0, lines / 2, lines - page} {
		m.page(t, "the audit log", 1, page+1, func() {
			if got, err := log.Lines(t.Context(), after, page); err != nil || len(got) != page {
				t.Errorf("behind line %d: got %d, %v", after, len(got), err)
			}
		})
	}
}
