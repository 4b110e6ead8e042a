package gateway_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"postern/gateway"
	"postern/gateway/memstore"
)

// Lines of several replicas at once stand one after the other, and each follows the one before it.
func TestAuditChain(t *testing.T) {
	store := memstore.New()
	_, keys := newIdentity(t, store)
	var wg sync.WaitGroup
	for n := range 4 {
		log := gateway.NewAudit(store, keys)
		wg.Go(func() {
			for m := range 5 {
				if _, err := log.Add(t.Context(), fmt.Sprint("actor-", n), "dead-letter.replay", fmt.Sprint("s01/", m)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	log := gateway.NewAudit(store, keys)
	var all []gateway.AuditEntry
	for {
		var after int64
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		page, err := log.Lines(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	var before gateway.AuditEntry
	seen := map[string]int{}
	for _, e := range all {
		if err := gateway.VerifyAudit(before, e); err != nil {
			t.Error(err)
		}
		before = e
		seen[e.Actor+" "+e.Object]++
	}
	if last, err := log.Last(t.Context()); err != nil || last != before {
		t.Errorf("last: got %+v and %v, want %+v", last, err, before)
	}
	if len(all) != 20 || len(seen) != 20 {
		t.Errorf("got %d lines, %d of them different, want 20", len(all), len(seen))
	}
}

// Whatever is done to a line afterwards shows.
func TestAuditTampered(t *testing.T) {
	store := memstore.New()
	_, keys := newIdentity(t, store)
	log := gateway.NewAudit(store, keys)
	for n := range 3 {
		if _, err := log.Add(t.Context(), "cli", "token.create", fmt.Sprint("robot-", n)); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := log.Lines(t.Context(), 0, 10)
	if err != nil || len(lines) != 3 {
		t.Fatalf("got %d lines and %v, want 3", len(lines), err)
	}
	changed := lines[1]
	changed.Actor = "nobody"
	for what, pair := range map[string][2]gateway.AuditEntry{
		"changed": {lines[0], changed}, "taken out": {lines[0], lines[2]}, "put first": {{}, lines[1]}, "twice": {lines[1], lines[1]},
	} {
		if err := gateway.VerifyAudit(pair[0], pair[1]); !errors.Is(err, gateway.ErrAudit) {
			t.Errorf("a line that was %s: got %v, want ErrAudit", what, err)
		}
	}
	name := "000000000002"
	if err := store.Save(t.Context(), "audit", gateway.Change{Kind: gateway.RecordAudit, Name: name, Value: []byte("forged")}); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Lines(t.Context(), 0, 10); !errors.Is(err, gateway.ErrAudit) {
		t.Errorf("a line that was written over: got %v, want ErrAudit", err)
	}
}

// Behind the end there is nothing, however far behind.
func TestAuditBehindTheEnd(t *testing.T) {
	store := memstore.New()
	_, keys := newIdentity(t, store)
	log := gateway.NewAudit(store, keys)
	if _, err := log.Add(t.Context(), "cli", "token.create", "x"); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int64{1, 2, 999_999_999_999, math.MaxInt64 - 1000, math.MaxInt64 - 1, math.MaxInt64} {
		if lines, err := log.Lines(t.Context(), after, 1000); err != nil || len(lines) > 0 {
			t.Errorf("behind line %d: got %d lines, %v, want none", after, len(lines), err)
		}
	}
}

// What an operator's request names may be no text: the log holds together all the same.
func TestAuditOfWhatIsNoText(t *testing.T) {
	store := memstore.New()
	_, keys := newIdentity(t, store)
	log := gateway.NewAudit(store, keys)
	for _, object := range []string{"s07/\xff", "\xc0\xae", "a\x00b", "\u2028<&>", "\xed\xa0\x80"} {
		if _, err := log.Add(t.Context(), "anna", "dead-letter.drop", object); err != nil {
			t.Fatalf("%q: %v", object, err)
		}
	}
	if lines, err := log.Lines(t.Context(), 0, 100); err != nil || len(lines) != 5 || lines[0].Object != "s07/\uFFFD" {
		t.Errorf("got %+v, %v, want five lines that hold together", lines, err)
	}
}
