package app

import (
	"context"
	"errors"
	"log/slog"

	"postern/gateway"
)

// Vault is what the command line works on beside a running gateway: the store itself, opened with its key. Who may read the
// configuration and the key may do everything.
type Vault struct {
	Tokens *gateway.Tokens
	Audit  *gateway.Audit
	app    *App
}

// errMemory: what lives in another process cannot be opened.
var errMemory = errors.New("app: store.memory: the store is inside the running gateway and nobody else can open it: this needs store.redis")

// OpenVault opens the store that a configuration names. Close it afterwards.
func OpenVault(ctx context.Context, cfg *Config, log *slog.Logger) (*Vault, error) {
	if cfg.Store.Memory {
		return nil, errMemory
	}
	b := &builder{cfg: cfg, o: Options{Log: log}}
	kek, err := b.kek()
	if err != nil {
		return nil, err
	}
	a := &App{cfg: *cfg, log: log}
	if err := b.open(ctx, a); err != nil {
		return nil, err
	}
	keys, err := gateway.OpenKeyring(ctx, a.store, kek)
	if err != nil {
		a.close()
		return nil, err
	}
	return &Vault{Tokens: gateway.NewTokens(a.store, keys), Audit: gateway.NewAudit(a.store, keys), app: a}, nil
}

// Close frees what OpenVault opened.
func (v *Vault) Close() { v.app.close() }
