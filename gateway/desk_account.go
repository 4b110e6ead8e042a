package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// StandingUnder returns how the account stands under a descriptor: one whose user agreed to an older version of it needs a
// new consent, whatever the platform says.
func (a *Account) StandingUnder(d Descriptor) AccountStanding {
	if a.Agreed < d.Version && (a.Standing == AccountActive || a.Standing == AccountExpiring) {
		return AccountReconsentNeeded
	}
	return a.Standing
}

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
		Standing: AccountActive, Agreed: version, Lang: t.Lang,
	}
	if len(have) > 0 {
		old := have[0]
		if i := slices.IndexFunc(have, func(a *Account) bool { return a.Endpoint == done.Endpoint }); i >= 0 {
			old = have[i]
		}
		fresh.ID, fresh.CreatedAt, fresh.Keys = old.ID, old.CreatedAt, old.Keys
		err := d.renew(ctx, t, old, fresh)
		return &fresh, true, err
	}
	a, err = d.create(ctx, t, fresh)
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

// withdrawOld ends the link that a renewal replaced by another endpoint.
func (d *Desk) withdrawOld(ctx context.Context, t *turn, old *Account) {
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
	if !ours {
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

// release frees an endpoint whose record points at nothing, or at an account of the same user that a crash left without
// its link. It reports false when the endpoint is in use by somebody.
func (i *Identity) release(ctx context.Context, a Account) (bool, error) {
	key := i.keys.endpointKey(a.Adapter, a.Endpoint)
	i.ends.forget(key.Name)
	old, err := i.ByEndpoint(ctx, a.Adapter, a.Endpoint)
	switch {
	case errors.Is(err, ErrNoAccount):
		i.ends.forget(key.Name)
		if err := i.store.Save(ctx, key.Owner, Change{Kind: key.Kind, Name: key.Name}); err != nil {
			return false, fmt.Errorf("gateway: identity: free endpoint: %w", err)
		}
		return true, nil
	case err != nil:
		return false, err
	case old.User != a.User:
		return false, nil
	}
	ids, err := i.loadLinks(ctx, i.keys.userOwner(a.User), i.keys.Name("links", string(a.Adapter)))
	if err != nil || slices.Contains(ids, old.ID) {
		return false, err
	}
	return true, i.Remove(ctx, old)
}

// discard removes what a failed Create left. It reports false when the endpoint belongs to another account.
func (i *Identity) discard(ctx context.Context, a *Account) (ours bool, err error) {
	key := i.keys.endpointKey(a.Adapter, a.Endpoint)
	got, err := i.store.Load(ctx, key)
	if err != nil {
		return true, fmt.Errorf("gateway: identity: load endpoint: %w", err)
	}
	if got[0] != nil && AccountID(got[0]) != a.ID {
		return false, i.store.Erase(ctx, accountOwner(a.ID))
	}
	return true, i.Remove(ctx, a)
}

// rebind moves an account to another endpoint. ErrExists when another account has that.
func (i *Identity) rebind(ctx context.Context, a *Account, to Endpoint) error {
	key := i.keys.endpointKey(a.Adapter, to)
	set := Change{Kind: key.Kind, Name: key.Name, Value: []byte(a.ID), IfAbsent: true}
	err := i.store.Save(ctx, key.Owner, set)
	if errors.Is(err, ErrExists) {
		i.ends.forget(key.Name)
		holder, found := i.ByEndpoint(ctx, a.Adapter, to)
		switch {
		case found == nil && holder.ID == a.ID: // an earlier try got this far
			err = nil
		case errors.Is(found, ErrNoAccount): // a crash left the record without its account
			set.IfAbsent = false
			err = i.store.Save(ctx, key.Owner, set)
		case found != nil:
			err = found
		}
	}
	if err != nil {
		return fmt.Errorf("gateway: identity: save endpoint: %w", err)
	}
	i.ends.forget(key.Name)
	old := i.keys.endpointKey(a.Adapter, a.Endpoint)
	i.ends.forget(old.Name)
	if err := i.store.Save(ctx, old.Owner, Change{Kind: old.Kind, Name: old.Name}); err != nil {
		return fmt.Errorf("gateway: identity: free endpoint: %w", err)
	}
	return nil
}
