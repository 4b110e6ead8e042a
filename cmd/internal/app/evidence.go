package app

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"postern/gateway"
)

// The file with the key that signs evidence: the seed of an Ed25519 key (RFC 8032), in base64, for its owner alone as the store's key is.

// EvidenceKey reads it.
func EvidenceKey(file string) (ed25519.PrivateKey, error) {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: postern evidence key makes it", file)
	}
	keys, err := readKeys(file)
	if err != nil {
		return nil, err
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("%s holds %d keys: want one", file, len(keys))
	}
	return ed25519.NewKeyFromSeed(keys[0]), nil
}

// NewEvidenceKey makes the file unless it is there, and returns the public key as PublicKey reads it.
func NewEvidenceKey(file string) (public string, err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		_, err = f.WriteString(NewKey())
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return "", err
		}
	case !errors.Is(err, os.ErrExist):
		return "", err
	}
	key, err := EvidenceKey(file)
	if err != nil {
		return "", err
	}
	half, _ := key.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(half), nil
}

// PublicKey reads a public key, or the file that holds one.
func PublicKey(s string) (ed25519.PublicKey, error) {
	text := s
	if raw, err := os.ReadFile(s); err == nil {
		text = string(raw)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s is no public key, and no file that holds one: want what postern evidence key prints", s)
	}
	return key, nil
}

// Evidence sums up what gateways have noted, from a day to a day.
func (v *Vault) Evidence(ctx context.Context, from, to time.Time) (gateway.Evidence, error) {
	types := map[gateway.AdapterID]string{}
	for name, a := range v.cfg.Adapters {
		types[gateway.AdapterID(name)] = a.Type
	}
	return v.ledger.Evidence(ctx, from, to, Version().Version, types)
}
