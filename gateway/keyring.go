package gateway

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// SchemaVersion is the version of the layout of records and queues.
const SchemaVersion = 1

const ownerGlobal Owner = "g"

// Keyring holds the store's master key, opened with the key-encryption key that never enters the store. Every name in the
// store is an HMAC under it, and every user key is wrapped by it.
type Keyring struct {
	master   []byte // input of derivations, never used directly
	names    *macKey
	operator *DataKey
	// ownStanzas marks the ids of stanzas in a user's name.
	ownStanzas *macKey
}

// schema is the one record that is not sealed; it holds the master key wrapped by the key-encryption key.
type schema struct {
	Version int    `json:"version"`
	Shards  int    `json:"shards"`
	Master  []byte `json:"master"`
}

// OpenKeyring opens the store's master key with kek (KeySize bytes), making one on a new store. It refuses a store with
// another number of shards, a newer schema, or another key.
func OpenKeyring(ctx context.Context, r Records, kek []byte) (*Keyring, error) {
	wrap, err := NewDataKey(kek)
	if err != nil {
		return nil, fmt.Errorf("gateway: store key: %w", err)
	}
	key := RecordKey{ownerGlobal, RecordSchema, "schema"}
	for range 2 {
		got, err := r.Load(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("gateway: read schema: %w", err)
		}
		if got[0] != nil {
			return openSchema(got[0], wrap)
		}
		raw := newKey()
		rec, err := json.Marshal(schema{SchemaVersion, Shards, wrap.Seal("schema", raw)})
		if err != nil {
			return nil, err
		}
		// Two replicas may start on an empty store at once: one wins, both read the winner's.
		err = r.Save(ctx, ownerGlobal, Change{Kind: RecordSchema, Name: "schema", Value: rec, IfAbsent: true})
		if err != nil && !errors.Is(err, ErrExists) {
			return nil, fmt.Errorf("gateway: write schema: %w", err)
		}
	}
	return nil, errors.New("gateway: schema record vanished")
}

func openSchema(raw []byte, wrap *DataKey) (*Keyring, error) {
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("gateway: schema record: %w", err)
	}
	switch {
	case s.Version > SchemaVersion:
		return nil, fmt.Errorf("gateway: store has schema %d, this build knows up to %d: run a newer Postern", s.Version, SchemaVersion)
	case s.Shards != Shards:
		return nil, fmt.Errorf("gateway: store has %d shards, this build uses %d: it belongs to another build", s.Shards, Shards)
	}
	master, err := wrap.Open("schema", s.Master)
	if err != nil {
		return nil, errors.New("gateway: the store key does not open this store: store.key_file must be the one it was made with")
	}
	return newKeyring(master)
}

func newKeyring(master []byte) (*Keyring, error) {
	names, err := hkdf.Key(sha256.New, master, nil, "postern names v1", KeySize)
	if err != nil {
		return nil, err
	}
	op, err := hkdf.Key(sha256.New, master, nil, "postern operator v1", KeySize)
	if err != nil {
		return nil, err
	}
	operator, err := NewDataKey(op)
	if err != nil {
		return nil, err
	}
	own, err := ownKey(master)
	if err != nil {
		return nil, err
	}
	return &Keyring{master: master, names: newMacKey(names), operator: operator, ownStanzas: own}, nil
}

// Operator seals what belongs to no single account.
func (k *Keyring) Operator() *DataKey { return k.operator }

// Name turns parts into a name that tells nothing: 20 characters of a-z2-7 (100 bits).
func (k *Keyring) Name(purpose string, parts ...string) string {
	return k.names.text(20, purpose, parts...)
}

// Lane returns the name under which the store knows a lane.
func (k *Keyring) Lane(l LaneKey) string { return k.Name("lane", string(l.Adapter), string(l.Local)) }

// MapField returns the name of an id in a lane's id map: 8 bytes, enough inside one chat and ten days.
func (k *Keyring) MapField(kind, id string) string {
	sum := k.names.sum("map", kind, id)
	return string(sum[:8])
}

func (k *Keyring) userOwner(u UserID) Owner       { return Owner("u:" + k.Name("user", string(u))) }
func (k *Keyring) adapterOwner(a AdapterID) Owner { return Owner("x:" + string(a)) }
func accountOwner(a AccountID) Owner              { return Owner("a:" + string(a)) }
func (k *Keyring) endpointKey(a AdapterID, e Endpoint) RecordKey {
	name := k.Name("endpoint", string(a), string(e))
	return RecordKey{Owner("e:" + name[:2]), RecordEndpoint, name}
}

func newKey() []byte {
	raw := make([]byte, KeySize)
	_, _ = rand.Read(raw)
	return raw
}
