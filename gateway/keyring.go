package gateway

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
)

// Keyring holds the store's master key, opened with the key-encryption key that never enters the store. Every name in the
// store is an HMAC under it, and every user key is wrapped by it.
type Keyring struct {
	master   []byte // input of derivations, never used directly
	names    *macKey
	operator *DataKey
	// ownStanzas marks the ids of stanzas in a user's name.
	ownStanzas *macKey
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
