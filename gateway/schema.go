package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// SchemaVersion is the version of the layout of records and queues: one more than there are SchemaSteps.
const SchemaVersion = 1

const ownerGlobal Owner = "g"

// schema is the one record that is not sealed; it holds the master key wrapped by the key-encryption key.
type schema struct {
	Version int    `json:"version"`
	Shards  int    `json:"shards"`
	Master  []byte `json:"master"`
	// Oldest is the oldest version whose builds work on this store; 0 is Version.
	Oldest int `json:"oldest,omitempty"`
	// At is where the step to Version goes on, while it is not done.
	At *string `json:"at,omitempty"`
}

// behind reports whether a build that knows a version has to migrate the store before it can work on it.
func (s schema) behind(known int) bool {
	return s.Version < known || s.Version == known && s.At != nil
}

// schemaName is what the record is called, and what the master key is sealed for.
const schemaName = "schema"

// ErrNoSchema: the store is empty, and has no keys yet.
var ErrNoSchema = errors.New("gateway: the store is empty: the first start makes its keys")

// ErrSchemaAhead: a newer Postern has migrated the store to what this one cannot read.
var ErrSchemaAhead = errors.New("a newer Postern has migrated the store")

// ErrSchemaBehind: an older Postern has written the store.
var ErrSchemaBehind = errors.New("the store has an older schema: start postern serve of this version once, which migrates it")

// OpenKeyring opens the store's master key with one of keks (KeySize bytes each), making one under the first on a new store. It
// refuses a store with another number of shards, an older schema (Migration) or one that is too new, or another key.
func OpenKeyring(ctx context.Context, r Records, keks ...[]byte) (*Keyring, error) {
	wraps, err := wrapping(keks)
	if err != nil {
		return nil, err
	}
	for range 2 {
		s, _, err := readSchema(ctx, r, SchemaVersion)
		if err == nil && s.behind(SchemaVersion) {
			return nil, fmt.Errorf("gateway: %w", ErrSchemaBehind)
		}
		if err == nil {
			master, _, err := s.open(wraps)
			if err != nil {
				return nil, err
			}
			return newKeyring(master)
		}
		if !errors.Is(err, ErrNoSchema) {
			return nil, err
		}
		// Two replicas may start on an empty store at once: one wins, both read the winner's.
		s = schema{Version: SchemaVersion, Shards: Shards, Master: wraps[0].Seal(schemaName, newKey())}
		if err := s.save(ctx, r, Change{IfAbsent: true}); err != nil && !errors.Is(err, ErrExists) {
			return nil, fmt.Errorf("gateway: write schema: %w", err)
		}
	}
	return nil, errors.New("gateway: schema record vanished")
}

// Wrapped returns which of keks (KeySize bytes each) the store's master key is wrapped with.
func Wrapped(ctx context.Context, r Records, keks ...[]byte) (int, error) {
	wraps, err := wrapping(keks)
	if err != nil {
		return 0, err
	}
	s, _, err := readSchema(ctx, r, SchemaVersion)
	if err != nil {
		return 0, err
	}
	_, n, err := s.open(wraps)
	return n, err
}

// Rewrap wraps the store's master key with the first of keks; any of them may have wrapped it so far. Nothing else changes: gateways
// that run have opened theirs, and go on.
func Rewrap(ctx context.Context, r Records, keks ...[]byte) error {
	wraps, err := wrapping(keks)
	if err != nil {
		return err
	}
	return settled(func() error {
		s, was, err := readSchema(ctx, r, SchemaVersion)
		if err != nil {
			return err
		}
		master, n, err := s.open(wraps)
		if err != nil || n == 0 {
			return err
		}
		s.Master = wraps[0].Seal(schemaName, master)
		return s.save(ctx, r, Change{Was: was})
	})
}

func wrapping(keks [][]byte) ([]*DataKey, error) {
	var out []*DataKey
	for _, kek := range keks {
		wrap, err := NewDataKey(kek)
		if err != nil {
			return nil, fmt.Errorf("gateway: store key: %w", err)
		}
		out = append(out, wrap)
	}
	if len(out) == 0 {
		return nil, errors.New("gateway: no store key")
	}
	return out, nil
}

// readSchema returns the record also as it stands. It refuses one that a build which knows a version cannot work with.
func readSchema(ctx context.Context, r Records, known int) (s schema, raw []byte, err error) {
	got, err := r.Load(ctx, RecordKey{ownerGlobal, RecordSchema, schemaName})
	if err != nil {
		return s, nil, fmt.Errorf("gateway: read schema: %w", err)
	}
	if raw = got[0]; raw == nil {
		return s, nil, ErrNoSchema
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, nil, fmt.Errorf("gateway: schema record: %w", err)
	}
	switch {
	case s.Version > known && (s.Oldest == 0 || s.Oldest > known):
		return s, nil, fmt.Errorf("gateway: %w: it has schema %d, this build knows up to %d: start that Postern or a newer one; "+
			"to go back to this one, restore the copy of the store from before the upgrade (deploy/README.md, Upgrade)", ErrSchemaAhead, s.Version, known)
	case s.Version < 1:
		return s, nil, errors.New("gateway: the schema record names no version: it is none of Postern's")
	case s.Shards != Shards:
		return s, nil, fmt.Errorf("gateway: store has %d shards, this build uses %d: it belongs to another build", s.Shards, Shards)
	}
	return s, raw, nil
}

// save writes the record under a condition.
func (s schema) save(ctx context.Context, r Records, on Change) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	on.Kind, on.Name, on.Value = RecordSchema, schemaName, raw
	return r.Save(ctx, ownerGlobal, on)
}

// open returns the master key, and which of wraps opened it.
func (s schema) open(wraps []*DataKey) (master []byte, n int, err error) {
	for n, w := range wraps {
		if master, err := w.Open(schemaName, s.Master); err == nil {
			return master, n, nil
		}
	}
	return nil, 0, errors.New("gateway: the store key does not open this store: store.key_file must be the one it was made with, or was rewrapped with last")
}
