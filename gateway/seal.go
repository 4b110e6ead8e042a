package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
)

// KeySize is the length of every key, in bytes (AES-256, HMAC-SHA256).
const KeySize = 32

// ErrSealed: a sealed value does not open: another key, another place, or damaged.
var ErrSealed = errors.New("gateway: sealed value does not open")

// sealVersion is the first byte of every sealed value.
const sealVersion = 1

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// DataKey seals values with AES-256-GCM. The place where a value stands is authenticated with it, so that a sealed value
// moved to another record or queue does not open.
type DataKey struct{ aead cipher.AEAD }

// NewDataKey makes a DataKey from KeySize bytes.
func NewDataKey(raw []byte) (*DataKey, error) {
	if len(raw) != KeySize {
		return nil, fmt.Errorf("gateway: key: %d bytes, want %d", len(raw), KeySize)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &DataKey{aead}, nil
}

// Seal encrypts plain for a place.
func (k *DataKey) Seal(place string, plain []byte) []byte {
	out := make([]byte, 1+k.aead.NonceSize(), 1+k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	out[0] = sealVersion
	_, _ = rand.Read(out[1:]) // crypto/rand.Read never fails since Go 1.24
	return k.aead.Seal(out, out[1:], plain, []byte(place))
}

// Open decrypts what Seal made for the same place; anything else is ErrSealed.
func (k *DataKey) Open(place string, sealed []byte) ([]byte, error) {
	n := 1 + k.aead.NonceSize()
	if len(sealed) < n || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := k.aead.Open(nil, sealed[1:n], sealed[n:], []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// AccountKeys are the keys of one account. All of them die with its data key and salt.
type AccountKeys struct {
	// Data seals what belongs to the account.
	Data  *DataKey
	alias *macKey
	ids   *macKey
	own   *macKey // marks stanzas in the user's name
}

// Alias computes a contact's localpart: 16 characters of a-z2-7, stable for the life of the account, unlinkable after it.
func (k *AccountKeys) Alias(c ContactID) Alias {
	return Alias(k.alias.text(16, string(c)))
}

// StanzaID computes the XMPP id of a part of a platform message: the same after every replay, telling nobody the platform's.
func (k *AccountKeys) StanzaID(m MessageID, part int) StanzaID {
	return StanzaID(k.ids.text(stanzaIDLength, string(m), strconv.Itoa(part)))
}

// DerivedID computes the id of a stanza that no platform message stands for, such as a receipt or a notice.
func (k *AccountKeys) DerivedID(purpose, of string) StanzaID {
	return StanzaID(k.ids.text(stanzaIDLength, "derived", purpose, of))
}

// accountKeys derives the keys of one account.
func (k *Keyring) accountKeys(data, salt []byte) (*AccountKeys, error) {
	dk, err := NewDataKey(data)
	if err != nil {
		return nil, err
	}
	alias, err := hkdf.Key(sha256.New, k.master, salt, "postern account alias v1", KeySize)
	if err != nil {
		return nil, err
	}
	ids, err := hkdf.Key(sha256.New, k.master, salt, "postern account ids v1", KeySize)
	if err != nil {
		return nil, err
	}
	return &AccountKeys{Data: dk, alias: newMacKey(alias), ids: newMacKey(ids), own: k.ownStanzas}, nil
}
