package gateway

import (
	"bytes"
	"context"
	"errors"
)

// Keep has an adapter look after its accounts (Keeper), each of which works. It returns the store's errors alone: an account that a platform
// does not answer for is looked after the next time.
func (g *Gateway) Keep(ctx context.Context, a AdapterID) error {
	inst, ok := g.instance(a)
	if !ok {
		return nil
	}
	keeper, ok := inst.Adapter.(Keeper)
	if _, stopped := g.orders.Stopped(a); !ok || stopped {
		return nil
	}
	return g.EachAccount(ctx, a, func(c Credentials) error {
		account, err := g.identity.ByID(ctx, c.Account)
		switch {
		case errors.Is(err, ErrNoAccount):
			return ctx.Err()
		case err != nil:
			return err
		case !works(account):
			return errors.Join(ctx.Err(), g.toldStanding(ctx, account))
		}
		return g.keepOne(ctx, keeper, account)
	})
}

// askKeeper keeps an adapter's panic to the account that caused it.
func (g *Gateway) askKeeper(ctx context.Context, keeper Keeper, a *Account) (secret []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.metrics.panics.Inc()
			secret, err = nil, &SendError{Class: Retryable, Code: "panic"}
		}
	}()
	return keeper.Keep(ctx, a.Credentials())
}

func (g *Gateway) keepOne(ctx context.Context, keeper Keeper, a *Account) error {
	try, cancel := context.WithTimeout(ctx, g.cfg.SendTimeout)
	secret, err := g.askKeeper(try, keeper, a)
	cancel()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		g.log.Warn("account not looked after", "adapter", string(a.Adapter), "account", string(a.ID), "class", ClassOf(err).String(), "err", err)
		if ClassOf(err) != ReauthNeeded {
			return nil
		}
		code := refusal(err)
		now, err := g.identity.reload(ctx, a.ID)
		if errors.Is(err, ErrNoAccount) || err == nil && !bytes.Equal(now.Secret, a.Secret) {
			return nil // gone, or linked again meanwhile
		}
		if err != nil {
			return err
		}
		return g.standing(ctx, now, AccountReauthNeeded, code)
	case secret == nil || bytes.Equal(secret, a.Secret):
		return nil
	}
	_, err = g.identity.Amend(ctx, a.ID, func(now *Account) {
		if bytes.Equal(now.Secret, a.Secret) { // else the user linked it again meanwhile
			now.Secret = secret
		}
	})
	if errors.Is(err, ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := g.store.Publish(ctx, SignalAccounts, []byte(a.ID)); err != nil {
		g.log.Warn("account change not signalled", "account", string(a.ID), "err", err)
	}
	return nil
}
