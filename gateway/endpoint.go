package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// release frees an endpoint whose record points at nothing, or at an account of the same user that a crash left without
// its link. It reports false when the endpoint is in use by somebody.
func (i *Identity) release(ctx context.Context, a Account) (bool, error) {
	if a.Shared {
		return true, nil
	}
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
	if a.Shared {
		return true, i.Remove(ctx, a)
	}
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
	defer i.ends.forget(old.Name)
	if err := i.store.Save(ctx, old.Owner, Change{Kind: old.Kind, Name: old.Name}); err != nil {
		return fmt.Errorf("gateway: identity: free endpoint: %w", err)
	}
	return nil
}
