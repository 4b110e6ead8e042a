package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
	"postern/gateway/memstore"
)

// elder is a store as an earlier version wrote it, which kept languages as clients spell them.
type elder struct {
	t        *testing.T
	store    gateway.Store
	keys     *gateway.Keyring
	accounts []gateway.AccountID
	pages    []string // that were done, by who did them
	mu       sync.Mutex
	during   func(ctx context.Context, by string) error // in each page, nil for nothing
}

var migrationKey = make([]byte, gateway.KeySize)

func newElder(t *testing.T) *elder {
	t.Helper()
	e := &elder{t: t, store: memstore.New()}
	var err error
	if e.keys, err = gateway.OpenKeyring(t.Context(), e.store, migrationKey); err != nil {
		t.Fatal(err)
	}
	for n := range 7 {
		a, err := gateway.NewIdentity(e.store, e.keys).Create(t.Context(), gateway.Account{
			Adapter: wall, Endpoint: gateway.Endpoint(fmt.Sprint("ep", n)), User: gateway.UserID(fmt.Sprintf("u%d@example.org", n)), Standing: gateway.AccountActive, Lang: "pt-BR",
		})
		if err != nil {
			t.Fatal(err)
		}
		e.accounts = append(e.accounts, a.ID)
	}
	return e
}

// languages are the stored ones.
func (e *elder) languages() (out []string) {
	e.t.Helper()
	for _, id := range e.accounts {
		a, err := gateway.NewIdentity(e.store, e.keys).ByID(e.t.Context(), id)
		if err != nil {
			e.t.Fatal(err)
		}
		out = append(out, a.Lang)
	}
	return out
}

// amending changes the language of three accounts at a time.
func (e *elder) amending(by string, change func(string) string) func(context.Context, gateway.Store, *gateway.Keyring, string) (string, error) {
	return func(ctx context.Context, s gateway.Store, k *gateway.Keyring, at string) (string, error) {
		page, next, err := s.List(ctx, gateway.Owner("x:"+string(wall)), gateway.RecordMember, at, 3)
		if err != nil {
			return "", err
		}
		for id := range page {
			if _, err := gateway.NewIdentity(s, k).Amend(ctx, gateway.AccountID(id), func(a *gateway.Account) { a.Lang = change(a.Lang) }); err != nil {
				return "", err
			}
		}
		e.mu.Lock()
		e.pages = append(e.pages, by)
		e.mu.Unlock()
		if e.during != nil {
			if err := e.during(ctx, by); err != nil {
				return "", err
			}
		}
		return next, nil
	}
}

// newer is the migration of a version that knows two more schemas, of which the second leaves older builds behind.
func (e *elder) newer(replica string, s gateway.Store) gateway.Migration {
	return gateway.Migration{Store: s, Replica: replica, Log: slog.New(slog.DiscardHandler), Steps: []gateway.SchemaStep{
		{To: 2, Name: "languages in lower case", Oldest: 1, Page: e.amending(replica, strings.ToLower)},
		{To: 3, Name: "languages without regions", Oldest: 3, Page: e.amending(replica, func(l string) string { first, _, _ := strings.Cut(l, "-"); return first })},
	}}
}

// compatible is newer, but for the step that leaves older builds behind.
func (e *elder) compatible(replica string) gateway.Migration {
	m := e.newer(replica, e.store)
	m.Steps = m.Steps[:1]
	return m
}

// record is the schema record.
func (e *elder) record() (out map[string]any) {
	e.t.Helper()
	got, err := e.store.Load(e.t.Context(), gateway.RecordKey{Owner: "g", Kind: gateway.RecordSchema, Name: "schema"})
	if err == nil {
		err = json.Unmarshal(got[0], &out)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

func all7(lang string) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(lang+" ", 7), " "), " ")
}

// The steps of this build are numbered without a gap, and the build knows what they lead to.
func TestSchemaSteps(t *testing.T) {
	oldest := 1
	for n, s := range gateway.SchemaSteps() {
		if s.To != n+2 || s.Name == "" || s.Page == nil || s.Oldest < oldest || s.Oldest > s.To {
			t.Errorf("step %d: got %+v", n, s)
		}
		oldest = s.Oldest
	}
	if want := 1 + len(gateway.SchemaSteps()); gateway.SchemaVersion != want {
		t.Errorf("SchemaVersion: got %d, want %d", gateway.SchemaVersion, want)
	}
}

// An older store is taken forward step by step. Builds that can work with it go on, others say what to do.
func TestMigration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElder(t)
		if err := e.compatible("r1").Run(t.Context(), migrationKey); err != nil {
			t.Fatal(err)
		}
		diff(t, "languages", e.languages(), all7("pt-br"))
		if _, err := gateway.OpenKeyring(t.Context(), e.store, migrationKey); err != nil {
			t.Errorf("the build from before, which may go on: got %v", err)
		}
		if err := (gateway.Migration{Store: e.store, Replica: "r0", Log: slog.New(slog.DiscardHandler)}).Run(t.Context(), migrationKey); err != nil {
			t.Errorf("its migration, which has nothing to do: got %v", err)
		}
		if err := e.newer("r1", e.store).Run(t.Context(), migrationKey); err != nil {
			t.Fatal(err)
		}
		diff(t, "languages", e.languages(), all7("pt"))
		diff(t, "pages", len(e.pages), 6)
		_, err := gateway.OpenKeyring(t.Context(), e.store, migrationKey)
		if !errors.Is(err, gateway.ErrSchemaAhead) || !strings.Contains(err.Error(), "schema 3, this build knows up to 1: start that Postern or a newer one; to go back") {
			t.Errorf("the build from before: got %v", err)
		}
		if err := e.compatible("r0").Run(t.Context(), migrationKey); !errors.Is(err, gateway.ErrSchemaAhead) {
			t.Errorf("one in between: got %v", err)
		}
		if got := e.record(); got["version"] != 3.0 || got["oldest"] != 3.0 || got["at"] != nil {
			t.Errorf("got %v", got)
		}
		if err := e.newer("r1", e.store).Run(t.Context(), migrationKey); err != nil || len(e.pages) != 6 {
			t.Errorf("once more: got %v and %d pages, want nothing to do", err, len(e.pages))
		}
	})
}

// A migration that breaks off anywhere goes on where it was, and does no page twice but the one that was under way.
func TestMigrationInterrupted(t *testing.T) {
	for fail := 1; ; fail++ {
		e := newElder(t)
		err := e.newer("r1", &failing{Store: e.store, at: fail}).Run(t.Context(), migrationKey)
		if err == nil {
			if fail < 15 {
				t.Errorf("got %d places to break off at, want each write", fail-1)
			}
			return
		}
		if !errors.Is(err, errBlip) {
			t.Fatal(err)
		}
		if err := e.newer("r1", e.store).Run(t.Context(), migrationKey); err != nil {
			t.Fatalf("broken off at write %d, and again: %v", fail, err)
		}
		if len(e.pages) > 7 {
			t.Errorf("broken off at write %d: got %d pages, want at most one of six again", fail, len(e.pages))
		}
		diff(t, "languages", e.languages(), all7("pt"))
		got := e.record()
		if got["version"] != 3.0 || got["at"] != nil {
			t.Errorf("broken off at write %d: got %v", fail, got)
		}
	}
}

// Of replicas that start at once one does the work and the others wait; when it dies, the next goes on where it was.
func TestMigrationOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElder(t)
		e.during = func(ctx context.Context, _ string) error { <-time.After(2 * time.Second); return ctx.Err() }
		var wg sync.WaitGroup
		first, die := context.WithCancel(t.Context())
		wg.Go(func() { _ = e.newer("r1", e.store).Run(first, migrationKey) })
		synctest.Wait()
		began, ended := time.Now(), make([]time.Duration, 2)
		for n := range ended {
			wg.Go(func() {
				if err := e.newer(fmt.Sprint("r", n+2), e.store).Run(t.Context(), migrationKey); err != nil {
					t.Error(err)
				}
				ended[n] = time.Since(began)
			})
		}
		gatewaytest.Advance(3 * time.Second) // it is in its second page
		die()
		wg.Wait()
		diff(t, "pages of the first", e.pages[:2], []string{"r1", "r1"})
		for _, by := range e.pages[3:] {
			if by != e.pages[2] || by == "r1" {
				t.Fatalf("got %q, want all others by one", e.pages)
			}
		}
		if len(e.pages) != 7 {
			t.Errorf("got %d pages, want six and one that broke off", len(e.pages))
		}
		for _, d := range ended {
			if d < 10*time.Second {
				t.Errorf("somebody went on after %s, before the store was migrated", d)
			}
		}
	})
}

// A step that older builds cannot read waits for them to be stopped, and says which are at work.
func TestMigrationWithoutOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElder(t)
		announce := func(name, note string) {
			if _, err := e.store.Announce(t.Context(), name, []byte(note), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		announce("elder", `{"carries":["x:wall"]}`)
		announce("peer", `{"schema":3}`)
		if err := e.compatible("r1").Run(t.Context(), migrationKey); err != nil {
			t.Errorf("a step that older ones can read: got %v", err)
		}
		err := e.newer("r1", e.store).Run(t.Context(), migrationKey)
		if err == nil || !strings.Contains(err.Error(), "stop all of them, then start this one; at work: elder") || strings.Contains(err.Error(), "peer") {
			t.Errorf("while one is at work: got %v", err)
		}
		if got := e.record(); got["version"] != 2.0 || got["oldest"] != 1.0 {
			t.Errorf("got %v, want nothing begun", got)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := e.newer("r1", e.store).Run(t.Context(), migrationKey); err != nil {
				t.Errorf("once it is stopped: got %v", err)
			}
		})
		gatewaytest.Advance(5 * time.Second)
		if err := e.store.Withdraw(t.Context(), "elder"); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	})
}

// What works beside gateways, such as postern token, refuses a store that waits for a migration.
func TestKeyringBeforeMigration(t *testing.T) {
	e := newElder(t)
	half := e.record()
	half["at"] = "somewhere"
	raw, err := json.Marshal(half)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.store.Save(t.Context(), "g", gateway.Change{Kind: gateway.RecordSchema, Name: "schema", Value: raw}); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.OpenKeyring(t.Context(), e.store, migrationKey); !errors.Is(err, gateway.ErrSchemaBehind) {
		t.Errorf("got %v, want ErrSchemaBehind", err)
	}
}
