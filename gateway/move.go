package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Move gives an account to another user: its key is wrapped anew, contacts and their addresses stay. Doing it again after a
// crash finishes what was begun; until the account itself is written nothing has changed, and from then on it is the new
// user's alone.
func (i *Identity) Move(ctx context.Context, id AccountID, from, to UserID, agreed int, lang string) (*Account, error) {
	moved, err := i.rewrap(ctx, id, from, to, agreed, lang)
	if err != nil {
		return nil, err
	}
	i.Forget(id)
	since := i.accounts.now(id)
	if err := i.saveMember(ctx, moved); err != nil {
		return nil, err
	}
	if err := i.meetAnew(ctx, moved); err != nil {
		return nil, err
	}
	err = i.relink(ctx, moved, func(ids []AccountID) []AccountID {
		if slices.Contains(ids, id) {
			return ids
		}
		return append(ids, id)
	})
	if err != nil {
		return nil, err
	}
	left := *moved
	left.User = from
	err = i.relink(ctx, &left, func(ids []AccountID) []AccountID {
		return slices.DeleteFunc(ids, func(other AccountID) bool { return other == id })
	})
	if err != nil {
		return nil, err
	}
	i.accounts.wrote(id, moved, since)
	return moved, nil
}

// rewrap writes an account and its key as another user's.
func (i *Identity) rewrap(ctx context.Context, id AccountID, from, to UserID, agreed int, lang string) (*Account, error) {
	defer i.alone(string(id))()
	a, err := i.reload(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.User != from && a.User != to {
		return nil, ErrNoAccount
	}
	uo, ao := i.keys.userOwner(to), accountOwner(id)
	wrap, err := i.userKey(ctx, uo)
	if err != nil {
		return nil, err
	}
	data, salt, err := i.dataKey(ctx, id)
	if err != nil {
		return nil, err
	}
	moved := *a
	moved.User, moved.Agreed, moved.Lang, moved.Paused = to, agreed, lang, time.Time{}
	// A readable address says which account it belongs to: two accounts of one user never share them.
	if moved.Readable, err = i.mayRead(ctx, moved.Readable, moved); err != nil {
		return nil, err
	}
	rec, err := json.Marshal(accountKeyRecord{Owner: uo, Data: wrap.Seal(string(ao)+"/key", data), Salt: salt})
	if err != nil {
		return nil, err
	}
	sealed, err := sealAccount(&moved)
	if err != nil {
		return nil, err
	}
	err = i.store.Save(ctx, ao, Change{Kind: RecordDataKey, Name: "key", Value: rec}, Change{Kind: RecordAccount, Name: "account", Value: sealed})
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: move account: %w", err)
	}
	return &moved, nil
}

// meetAnew forgets of an account's contacts what is between them and a user: subscriptions, the place in the roster, and that
// the user was told who can read the chat. A contact that the old user took out of their roster is new to the new one.
func (i *Identity) meetAnew(ctx context.Context, a *Account) error {
	anew := func(c *Contact) {
		c.Subscribed, c.Follows, c.Listed, c.ListedAs, c.Removed, c.Told = false, false, false, "", false, ""
	}
	return i.Contacts(ctx, a, func(c *Contact) error {
		fresh := *c
		if anew(&fresh); fresh == *c {
			return nil
		}
		_, err := i.Revise(ctx, a, c.Alias, anew)
		if errors.Is(err, ErrNoContact) {
			return nil
		}
		return err
	})
}

// dataKey unwraps an account's own key.
func (i *Identity) dataKey(ctx context.Context, id AccountID) (data, salt []byte, err error) {
	owner := accountOwner(id)
	got, err := i.store.Load(ctx, RecordKey{owner, RecordDataKey, "key"})
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: load account key: %w", err)
	}
	if got[0] == nil {
		return nil, nil, ErrNoAccount
	}
	var rec accountKeyRecord
	if err := json.Unmarshal(got[0], &rec); err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: account key: %w", err)
	}
	wrap, err := i.wrapper(ctx, rec.Owner)
	if err != nil {
		return nil, nil, err
	}
	data, err = wrap.Open(string(owner)+"/key", rec.Data)
	return data, rec.Salt, err
}

func (i *Identity) saveMember(ctx context.Context, a *Account) error {
	m, err := json.Marshal(member{a.User, a.ID})
	if err != nil {
		return err
	}
	xo := i.keys.adapterOwner(a.Adapter)
	place := string(xo) + "/member/" + string(a.ID)
	if err := i.store.Save(ctx, xo, Change{Kind: RecordMember, Name: string(a.ID), Value: i.keys.operator.Seal(place, m)}); err != nil {
		return fmt.Errorf("gateway: identity: save member: %w", err)
	}
	return nil
}
