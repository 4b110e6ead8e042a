package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postern/gateway"
)

// The file with the store's key. While a key changes it holds several, one a line: the first is what the store is wrapped with
// next, any of them opens it. So every replica can have the new key before the store does.

// NewKey returns a fresh store key as its file holds it.
func NewKey() string { return encodeKey(freshKey()) }

func freshKey() []byte {
	raw := make([]byte, gateway.KeySize)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return raw
}

func encodeKey(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) + "\n" }

// readKeys returns the store's keys. A file that others can read or change is refused: it opens everything in the store.
func readKeys(file string) ([][]byte, error) {
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: postern init writes it, and the store is lost without it", file)
	}
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: others can read or change it; run chmod 600 %s", file, mode, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != gateway.KeySize {
			return nil, fmt.Errorf("%s holds no key: want %d bytes in base64, one key per line", file, gateway.KeySize)
		}
		keys = append(keys, raw)
	}
	if len(keys) == 0 || len(text) > maxSecret {
		return nil, fmt.Errorf("%s holds no key: want %d bytes in base64, one key per line", file, gateway.KeySize)
	}
	return keys, nil
}

// replaceKeys replaces the file at once or not at all, with the mode and the owner that it has.
func replaceKeys(file string, keys [][]byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".store.key.*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when all went well
	var text strings.Builder
	for _, k := range keys {
		text.WriteString(encodeKey(k))
	}
	_, err = tmp.WriteString(text.String())
	if err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), sameOwner(tmp, info), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// StoreKey is a line of the key file.
type StoreKey struct {
	// Name tells keys apart: the beginning of the key's SHA-256.
	Name string `json:"key"`
	// Used is true of the one that opens the store.
	Used bool `json:"used"`
}

// StoreKeys lists the keys of store.key_file, as they stand there.
func (v *Vault) StoreKeys(ctx context.Context) ([]StoreKey, error) {
	keys, used, err := v.keyFile(ctx)
	if err != nil {
		return nil, err
	}
	var out []StoreKey
	for n, k := range keys {
		sum := sha256.Sum256(k)
		out = append(out, StoreKey{Name: hex.EncodeToString(sum[:4]), Used: n == used})
	}
	return out, nil
}

// PrepareKey puts a fresh key before the others of store.key_file, unless there is one already that the store does not use yet.
func (v *Vault) PrepareKey(ctx context.Context) error {
	keys, used, err := v.keyFile(ctx)
	if err != nil || used > 0 {
		return err
	}
	return replaceKeys(v.cfg.Store.KeyFile, slices.Concat([][]byte{freshKey()}, keys))
}

// RotateKey wraps the store with the first key of store.key_file.
func (v *Vault) RotateKey(ctx context.Context) error {
	keys, err := readKeys(v.cfg.Store.KeyFile)
	if err != nil {
		return err
	}
	return gateway.Rewrap(ctx, v.store, keys...)
}

// RetireKeys leaves in store.key_file the key that opens the store, and returns how many went.
func (v *Vault) RetireKeys(ctx context.Context) (int, error) {
	keys, used, err := v.keyFile(ctx)
	switch {
	case err != nil:
		return 0, err
	case used > 0:
		return 0, errors.New("app: the first key of store.key_file is not in use yet: postern keys rotate first")
	case len(keys) == 1:
		return 0, nil
	}
	return len(keys) - 1, replaceKeys(v.cfg.Store.KeyFile, keys[:1])
}

// keyFile returns the keys, and which of them opens the store.
func (v *Vault) keyFile(ctx context.Context) (keys [][]byte, used int, err error) {
	if keys, err = readKeys(v.cfg.Store.KeyFile); err != nil {
		return nil, 0, err
	}
	used, err = gateway.Wrapped(ctx, v.store, keys...)
	return keys, used, err
}
