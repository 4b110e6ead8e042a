package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/gateway"
)

type recordName struct {
	kind gateway.RecordKind
	name string
}

// record is a value; until is zero for a lasting one.
type record struct {
	value []byte
	until time.Time
}

func (r record) live() bool { return r.until.IsZero() || time.Now().Before(r.until) }

// Load implements gateway.Records.
func (s *Store) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("load", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([][]byte, len(keys))
	for i, k := range keys {
		if r, ok := s.owners[k.Owner][recordName{k.Kind, k.Name}]; ok && r.live() {
			out[i] = bytes.Clone(r.value)
		}
	}
	return out, nil
}

// Save implements gateway.Records.
func (s *Store) Save(ctx context.Context, owner gateway.Owner, changes ...gateway.Change) error {
	if err := ctx.Err(); err != nil {
		return failed("save", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	recs := s.owners[owner]
	for _, c := range changes {
		if err := s.check(c); err != nil {
			return failed("save", err)
		}
		r, ok := recs[recordName{c.Kind, c.Name}]
		there := ok && r.live()
		if there && c.IfAbsent {
			return failed("save", gateway.ErrExists)
		}
		if c.Was != nil && (!there || !bytes.Equal(r.value, c.Was)) && (there != (c.Value != nil) || !bytes.Equal(r.value, c.Value)) {
			return failed("save", gateway.ErrChanged)
		}
	}
	if recs == nil {
		recs = map[recordName]record{}
	}
	for _, c := range changes {
		if c.TTL > 0 { // a sweep of one owner is cheap enough for what is kept in memory
			maps.DeleteFunc(recs, func(_ recordName, r record) bool { return !r.live() })
		}
		apply(recs, c)
	}
	s.owners[owner] = recs
	if len(recs) == 0 {
		delete(s.owners, owner)
	}
	return nil
}

// check refuses what the retention table does not allow: every kind either lasts or expires.
func (s *Store) check(c gateway.Change) error {
	ttl, ok := s.kinds[c.Kind]
	switch {
	case !ok:
		return fmt.Errorf("kind %q is not in the retention table", c.Kind)
	case c.Value != nil && (ttl > 0) != (c.TTL > 0):
		return fmt.Errorf("kind %q has ttl %v in the retention table, the change has %v", c.Kind, ttl, c.TTL)
	}
	return nil
}

func apply(recs map[recordName]record, c gateway.Change) {
	n := recordName{c.Kind, c.Name}
	if c.Value == nil {
		delete(recs, n)
		return
	}
	r := record{value: bytes.Clone(c.Value)}
	if c.TTL > 0 {
		r.until = time.Now().Add(c.TTL)
	}
	recs[n] = r
}

// afterName begins a cursor; the name of the last record of a page follows.
const afterName = "after:"

// List implements gateway.Records; the cursor is the last name of the page before, behind afterName.
func (s *Store) List(ctx context.Context, owner gateway.Owner, kind gateway.RecordKind, cursor string, n int) (map[string][]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", failed("list", err)
	}
	last, ok := strings.CutPrefix(cursor, afterName)
	if !ok && cursor != "" {
		return nil, "", failed("list", gateway.ErrCursor)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, r := range s.owners[owner] {
		if name.kind == kind && r.until.IsZero() && name.name > last {
			names = append(names, name.name)
		}
	}
	slices.Sort(names)
	next := ""
	if n = max(n, 1); len(names) > n {
		names = names[:n]
		next = afterName + names[n-1]
	}
	page := map[string][]byte{}
	for _, name := range names {
		page[name] = bytes.Clone(s.owners[owner][recordName{kind, name}].value)
	}
	return page, next, nil
}

// Erase implements gateway.Records.
func (s *Store) Erase(ctx context.Context, owner gateway.Owner) error {
	if err := ctx.Err(); err != nil {
		return failed("erase", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owners, owner)
	return nil
}
