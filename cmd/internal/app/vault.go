package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"postern/gateway"
)

// Vault is what the command line works on beside a running gateway: the store itself, opened with its key. Who may read the
// configuration and the key may do everything.
type Vault struct {
	Tokens *gateway.Tokens
	Audit  *gateway.Audit
	ledger *gateway.Ledger
	store  gateway.Store
	cfg    *Config
}

// errMemory: what lives in another process cannot be opened.
var errMemory = errors.New("app: store.memory: the store is inside the running gateway and nobody else can open it: this needs store.redis")

// OpenVault opens the store that a configuration names, and makes its keys where it is empty, as a first start does. Close it afterwards.
func OpenVault(ctx context.Context, cfg *Config) (*Vault, error) {
	if cfg.Store.Memory {
		return nil, errMemory
	}
	p := Parts{cfg: cfg}
	var err error
	if p.keks, err = (&builder{cfg: cfg}).keks(); err != nil {
		return nil, err
	}
	store, err := p.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("app: store.redis: %w", err)
	}
	keys, err := gateway.OpenKeyring(ctx, store, p.keks...)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &Vault{Tokens: gateway.NewTokens(store, keys), Audit: gateway.NewAudit(store, keys), ledger: gateway.NewLedger(store, keys, slog.New(slog.DiscardHandler)), store: store, cfg: cfg}, nil
}

// Close frees what OpenVault opened.
func (v *Vault) Close() { _ = v.store.Close() } // every call has been answered by now
