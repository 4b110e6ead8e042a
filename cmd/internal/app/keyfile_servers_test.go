//go:build servers

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/deploy/lab"
)

// TestKeysRotate changes the store's key on a real Redis: at every step every file that some replica may have opens the store, but
// the old one alone once the new key is in use.
func TestKeysRotate(t *testing.T) {
	r, err := lab.ForTest(t).StartRedis(t.Context(), lab.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeKeys(t, dir)
	file := filepath.Join(dir, "store.key")
	vault := func() (*Vault, error) {
		cfg := configured(t, dir)
		cfg.Store.Memory, cfg.Store.Redis, cfg.Store.KeyFile = false, Secret(r.URL()), file
		return OpenVault(t.Context(), cfg)
	}
	opens := func(text string) error {
		t.Helper()
		write(t, file, text, 0o600)
		v, err := vault()
		if err == nil {
			v.Close()
		}
		return err
	}
	on := func(do func(v *Vault) error) {
		t.Helper()
		v, err := vault()
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if err := do(v); err != nil {
			t.Fatal(err)
		}
	}
	text := func() string {
		t.Helper()
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode of the key file: got %v, %v, want 0600", info.Mode(), err)
		}
		return string(raw)
	}
	list := func(want string) {
		t.Helper()
		on(func(v *Vault) error {
			keys, err := v.StoreKeys(t.Context())
			got := ""
			for _, k := range keys {
				got += map[bool]string{true: "+", false: "-"}[k.Used]
			}
			if got != want {
				t.Errorf("keys in the file: got %s, want %s (+ opens the store)", got, want)
			}
			return err
		})
	}
	old := text()
	list("+")
	for range 2 { // a second one adds nothing
		on(func(v *Vault) error { return v.PrepareKey(t.Context()) })
	}
	both := text()
	if strings.Count(both, "\n") != 2 || !strings.HasSuffix(both, old) {
		t.Fatal("prepared: want the new key, then the old one")
	}
	list("-+")
	on(func(v *Vault) error {
		if _, err := v.RetireKeys(t.Context()); err == nil {
			t.Error("retire before the new key is in use: got nil, want an error")
		}
		return nil
	})
	if err := opens(old); err != nil {
		t.Errorf("the old file, before: %v", err)
	}
	write(t, file, both, 0o600)
	on(func(v *Vault) error { return v.RotateKey(t.Context()) })
	list("+-")
	if err := opens(old); err == nil || !strings.Contains(err.Error(), "does not open this store") {
		t.Errorf("the old file, afterwards: got %v, want that it does not open the store", err)
	}
	write(t, file, both, 0o600)
	on(func(v *Vault) error {
		n, err := v.RetireKeys(t.Context())
		if n != 1 {
			t.Errorf("retired %d keys, want 1", n)
		}
		return err
	})
	if text()+old != both {
		t.Error("retired: want the new key alone")
	}
	list("+")
	for _, wrong := range []string{"\n", "abc\n", both + "abc\n"} {
		if err := opens(wrong); err == nil || !strings.Contains(err.Error(), "holds no key") {
			t.Errorf("key file of %d bytes: got %v, want that it holds no key", len(wrong), err)
		}
	}
}
