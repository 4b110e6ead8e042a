package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// SignalAccounts is the topic on which replicas tell each other that an account changed; the payload is its id.
const SignalAccounts = "accounts"

// member is the record by which a gateway finds its users at start.
type member struct {
	User    UserID    `json:"user"`
	Account AccountID `json:"account"`
}

// Create makes an account for a user and links it. The link is written last: until then nothing refers to the account.
// ErrExists when another user has the endpoint.
func (i *Identity) Create(ctx context.Context, a Account) (*Account, error) {
	if a.ID == "" {
		a.ID = NewAccountID()
	}
	uo, ao, since := i.keys.userOwner(a.User), accountOwner(a.ID), i.accounts.now(a.ID)
	wrap, err := i.userKey(ctx, uo)
	if err != nil {
		return nil, err
	}
	data, salt := newKey(), newKey()
	if a.Keys, err = i.keys.accountKeys(data, salt); err != nil {
		return nil, err
	}
	rec, err := json.Marshal(accountKeyRecord{Owner: uo, Data: wrap.Seal(string(ao)+"/key", data), Salt: salt})
	if err != nil {
		return nil, err
	}
	if a.CreatedAt.IsZero() {
		a.CreatedAt = time.Now().UTC()
	}
	sealed, err := sealAccount(&a)
	if err != nil {
		return nil, err
	}
	if err := i.claimEndpoint(ctx, &a); err != nil {
		return nil, err
	}
	err = i.store.Save(ctx, ao, Change{Kind: RecordDataKey, Name: "key", Value: rec}, Change{Kind: RecordAccount, Name: "account", Value: sealed})
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: save account: %w", err)
	}
	if err := i.saveMember(ctx, &a); err != nil {
		return nil, err
	}
	if err := i.relink(ctx, &a, func(ids []AccountID) []AccountID { return append(ids, a.ID) }); err != nil {
		return nil, err
	}
	i.ends.forget(i.keys.endpointKey(a.Adapter, a.Endpoint).Name)
	i.accounts.wrote(a.ID, &a, since)
	return &a, nil
}

// claimEndpoint makes an endpoint an account's own; that of a line is shared. ErrExists when another account has it.
func (i *Identity) claimEndpoint(ctx context.Context, a *Account) error {
	if a.Shared {
		return nil
	}
	end := i.keys.endpointKey(a.Adapter, a.Endpoint)
	err := i.store.Save(ctx, end.Owner, Change{Kind: end.Kind, Name: end.Name, Value: []byte(a.ID), IfAbsent: true})
	if err != nil {
		return fmt.Errorf("gateway: identity: save endpoint: %w", err)
	}
	return nil
}

// Update writes an account's changed fields and tells the other replicas to forget the old ones by the caller's signal.
func (i *Identity) Update(ctx context.Context, a Account) error { return i.update(ctx, a, nil) }

// update is Update over what the record was, nil for whatever it is.
func (i *Identity) update(ctx context.Context, a Account, was []byte) error {
	sealed, err := sealAccount(&a)
	if err != nil {
		return err
	}
	since := i.accounts.now(a.ID)
	err = i.store.Save(ctx, accountOwner(a.ID), Change{Kind: RecordAccount, Name: "account", Value: sealed, Was: was})
	if err != nil {
		return fmt.Errorf("gateway: identity: save account: %w", err)
	}
	i.accounts.wrote(a.ID, &a, since)
	return nil
}

// Amend changes an account as it stands in the store. Of two changes none is lost; ErrNoAccount when it is gone.
func (i *Identity) Amend(ctx context.Context, id AccountID, change func(*Account)) (*Account, error) {
	defer i.alone(string(id))()
	var changed Account
	err := settled(func() error {
		i.Forget(id)
		now, was, err := i.loadAccount(ctx, id)
		if err != nil {
			return err
		}
		changed = *now
		change(&changed)
		return i.update(ctx, changed, was)
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// Remove unlinks an account and destroys its key and records. Doing it twice is no error.
func (i *Identity) Remove(ctx context.Context, a *Account) error {
	if err := i.relink(ctx, a, func(ids []AccountID) []AccountID {
		return slices.DeleteFunc(ids, func(id AccountID) bool { return id == a.ID })
	}); err != nil {
		return err
	}
	errs := []error{i.store.Save(ctx, i.keys.adapterOwner(a.Adapter), Change{Kind: RecordMember, Name: string(a.ID)})}
	if !a.Shared {
		end := i.keys.endpointKey(a.Adapter, a.Endpoint)
		errs = append(errs, i.store.Save(ctx, end.Owner, Change{Kind: end.Kind, Name: end.Name}))
	}
	errs = append(errs, i.store.Erase(ctx, accountOwner(a.ID)))
	i.Forget(a.ID) // not before: whoever asks in between would cache it again
	return errors.Join(errs...)
}

// Members calls f for each account registered on an adapter, page by page.
func (i *Identity) Members(ctx context.Context, adapter AdapterID, f func(UserID, AccountID) error) error {
	xo := i.keys.adapterOwner(adapter)
	for cursor := ""; ; {
		page, next, err := i.store.List(ctx, xo, RecordMember, cursor, 200)
		if err != nil {
			return fmt.Errorf("gateway: identity: list members: %w", err)
		}
		for name, sealed := range page {
			plain, err := i.keys.operator.Open(string(xo)+"/member/"+name, sealed)
			if err != nil {
				return err
			}
			var m member
			if err := json.Unmarshal(plain, &m); err != nil {
				return fmt.Errorf("gateway: identity: member: %w", err)
			}
			if err := f(m.User, m.Account); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
}

func (i *Identity) relink(ctx context.Context, a *Account, change func([]AccountID) []AccountID) error {
	owner := i.keys.userOwner(a.User)
	name := i.keys.Name("links", string(a.Adapter))
	ids, err := i.loadLinks(ctx, owner, name)
	if err != nil {
		return err
	}
	ids = change(ids)
	set := Change{Kind: RecordLinks, Name: name}
	if len(ids) > 0 {
		plain, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		set.Value = i.keys.operator.Seal(string(owner)+"/links/"+name, plain)
	}
	if err := i.store.Save(ctx, owner, set); err != nil {
		return fmt.Errorf("gateway: identity: save links: %w", err)
	}
	i.links.forget(string(owner) + "/" + name)
	return nil
}

// userKey returns the key that wraps a user's accounts, making it on first use.
func (i *Identity) userKey(ctx context.Context, owner Owner) (*DataKey, error) {
	k, err := i.wrapper(ctx, owner)
	if !errors.Is(err, ErrNoAccount) {
		return k, err
	}
	sealed := i.keys.operator.Seal(string(owner)+"/key", newKey())
	err = i.store.Save(ctx, owner, Change{Kind: RecordDataKey, Name: "key", Value: sealed, IfAbsent: true})
	if err != nil && !errors.Is(err, ErrExists) {
		return nil, fmt.Errorf("gateway: identity: save user key: %w", err)
	}
	return i.wrapper(ctx, owner)
}

func sealAccount(a *Account) ([]byte, error) {
	kept := *a
	if a.Shared { // the line's secret stands in the configuration, and there alone
		kept.Secret = nil
	}
	plain, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	return a.Keys.Data.Seal(string(accountOwner(a.ID))+"/account", plain), nil
}
