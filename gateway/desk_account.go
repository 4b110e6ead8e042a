package gateway

import (
	"context"
	"errors"
	"slices"
	"time"
)

// account returns a visitor's account, nil when they have none.
func (d *Desk) account(ctx context.Context, v Visitor) (*Account, error) {
	all, err := d.accounts(ctx, v)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// accounts returns a visitor's accounts, oldest first, without those that are being withdrawn.
func (d *Desk) accounts(ctx context.Context, v Visitor) ([]*Account, error) {
	all, err := d.cfg.Identity.Of(ctx, v.Adapter, v.User)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(a *Account) bool {
		return a.Standing == AccountWithdrawn || a.Standing == AccountWithdrawalQueued
	}), nil
}

// enlist stores a finished link as a new account, or renews the one that the visitor has. What fails halfway is taken back
// here and on the platform. A *Refusal (conflict) says that another user has the endpoint.
func (d *Desk) enlist(ctx context.Context, t *turn, done *Linked, version int) (a *Account, renewed bool, err error) {
	// Asked anew: another replica may have finished a registration since this dialogue began.
	have, err := d.accounts(ctx, t.Visitor)
	if err != nil {
		return nil, false, err
	}
	fresh := Account{
		ID: t.s.Account, Adapter: t.Adapter, User: t.User, Endpoint: done.Endpoint, Secret: done.Secret, Shown: done.Shown,
		Standing: AccountActive, Why: CauseLinked, Since: time.Now().UTC(), Agreed: version, Lang: t.Lang, Unmet: true, Shared: t.lined(done.Endpoint),
	}
	if old := t.meant(have, done.Endpoint); old != nil {
		fresh.ID, fresh.CreatedAt, fresh.Keys, fresh.Readable, fresh.Paused, fresh.Unmet = old.ID, old.CreatedAt, old.Keys, old.Readable, old.Paused, old.Unmet
		fresh.Called = old.Called
		if err := d.deed(ctx, t.Visitor, deedRenew); err != nil {
			return nil, false, err
		}
		err := d.renew(ctx, t, old, fresh)
		if err == nil && t.s.Adding { // the platform gave new credentials for it, and they are kept
			err = &Refusal{Conflict, d.say(t.Visitor, textConflictOwn, d.platform(t.Visitor), old.Shown)}
		}
		return &fresh, true, err
	}
	if err := d.stillOurs(ctx, t); err != nil {
		return nil, false, err
	}
	if fresh.Readable, err = d.cfg.Identity.mayRead(ctx, t.inst.mayRead(), fresh); err != nil {
		return nil, false, err
	}
	if err = d.deed(ctx, t.Visitor, deedAdd); err == nil {
		a, err = d.create(ctx, t, fresh)
	}
	if err == nil {
		d.announce(ctx, a.ID)
		return a, false, nil
	}
	if isRefusal(err) {
		// The endpoint is somebody else's account: withdrawing it would take it from them.
		return nil, false, err
	}
	d.takeBack(ctx, t, fresh)
	return nil, false, err
}

// stillOurs refuses to go on with a registration whose account another user has claimed since the dialogue began: made anew
// under the same id, it would be taken from them.
func (d *Desk) stillOurs(ctx context.Context, t *turn) error {
	a, err := d.cfg.Identity.reload(ctx, t.s.Account)
	switch {
	case errors.Is(err, ErrNoAccount):
		return nil
	case err != nil:
		return err
	case a.User != t.User:
		return d.sessionError(t.Visitor, SessionExpired, NotAllowed, textSessionExpired)
	}
	return nil
}

// meant is the account that a finished link renews, nil when it is a new one. One endpoint is one account, whatever was asked.
func (t *turn) meant(have []*Account, e Endpoint) *Account {
	if i := slices.IndexFunc(have, func(a *Account) bool { return a.Endpoint == e }); i >= 0 {
		return have[i]
	}
	if i := slices.IndexFunc(have, func(a *Account) bool { return a.ID == t.s.Account }); i >= 0 {
		return have[i]
	}
	if len(have) == 0 || t.s.Adding {
		return nil
	}
	return have[0]
}

func (d *Desk) create(ctx context.Context, t *turn, fresh Account) (*Account, error) {
	a, err := d.cfg.Identity.Create(ctx, fresh)
	if !errors.Is(err, ErrExists) {
		return a, err
	}
	free, err := d.cfg.Identity.release(ctx, fresh)
	if err != nil {
		return nil, err
	}
	if !free {
		return nil, &Refusal{Conflict, d.say(t.Visitor, textConflict, d.platform(t.Visitor))}
	}
	return d.cfg.Identity.Create(ctx, fresh)
}

// renew updates an account in place: contacts and their addresses stay.
func (d *Desk) renew(ctx context.Context, t *turn, old *Account, fresh Account) error {
	if fresh.Endpoint != old.Endpoint {
		err := d.cfg.Identity.rebind(ctx, old, fresh.Endpoint)
		if errors.Is(err, ErrExists) {
			return &Refusal{Conflict, d.say(t.Visitor, textConflict, d.platform(t.Visitor))}
		}
		if err != nil {
			return err
		}
	}
	if err := d.cfg.Identity.Update(ctx, fresh); err != nil {
		return err
	}
	d.announce(ctx, fresh.ID)
	if fresh.Endpoint != old.Endpoint {
		d.withdrawOld(ctx, t, old)
	}
	if d.cfg.Unpark != nil {
		d.cfg.Unpark(ctx, fresh.ID)
	}
	return nil
}

// lined reports whether an endpoint is the operator's line.
func (t *turn) lined(e Endpoint) bool {
	line, ok := t.inst.line()
	return ok && line.Endpoint == e
}

// withdrawOld ends the link that a renewal replaced by another endpoint.
func (d *Desk) withdrawOld(ctx context.Context, t *turn, old *Account) {
	if old.Shared {
		return
	}
	ctx, stop := context.WithTimeout(ctx, unlinkTimeout)
	defer stop()
	if err := t.linker().Unlink(ctx, old.Credentials()); err != nil {
		d.log.Warn("replaced link not withdrawn", "adapter", old.Adapter, "account", old.ID, "class", ClassOf(err), "error", err)
	}
}

// takeBack undoes a link whose account could not be stored. It goes on when the request that asked for it is gone.
func (d *Desk) takeBack(ctx context.Context, t *turn, a Account) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), unlinkTimeout)
	defer stop()
	ours, err := d.cfg.Identity.discard(ctx, &a)
	if err != nil {
		d.log.Error("half-made account not taken back", "adapter", a.Adapter, "account", a.ID, "error", err)
	}
	if !ours || a.Shared {
		return
	}
	if err := t.linker().Unlink(ctx, a.Credentials()); err != nil {
		d.log.Error("half-made account not withdrawn", "adapter", a.Adapter, "account", a.ID, "class", ClassOf(err), "error", err)
	}
}

// announce tells the other replicas that an account changed.
func (d *Desk) announce(ctx context.Context, id AccountID) {
	if err := d.cfg.Store.Publish(ctx, SignalAccounts, []byte(id)); err != nil {
		d.log.Warn("account change not announced", "account", id, "error", err) // they learn it after ContactCaching
	}
}

func (t *turn) linker() Linker {
	l, _ := t.inst.Adapter.(Linker)
	return l
}
