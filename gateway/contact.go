package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// ErrNoContact: the account has no such contact.
var ErrNoContact = errors.New("no such contact")

// Contact returns the contact behind an alias. ErrNoContact when the account has none.
func (i *Identity) Contact(ctx context.Context, a *Account, alias Alias) (*Contact, error) {
	slot := contactSlot(a, alias)
	if c, ok := i.contacts.load(slot); ok {
		return c, nil
	}
	c, _, err := i.loadContact(ctx, a, alias)
	if err != nil {
		return nil, err
	}
	i.contacts.store(slot, c)
	return c, nil
}

// loadContact returns a contact and its record as the store has them.
func (i *Identity) loadContact(ctx context.Context, a *Account, alias Alias) (c *Contact, sealed []byte, err error) {
	got, err := i.store.Load(ctx, RecordKey{accountOwner(a.ID), RecordContact, string(alias)})
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: load contact: %w", err)
	}
	if got[0] == nil {
		return nil, nil, ErrNoContact
	}
	c, err = openContact(a, alias, got[0])
	return c, got[0], err
}

// Find returns the contact behind an alias, or behind the localpart that it is shown under, among a user's accounts, with
// the account that has it. From here on Contact.Alias names it.
func (i *Identity) Find(ctx context.Context, adapter AdapterID, user UserID, alias Alias) (*Account, *Contact, error) {
	accounts, err := i.Of(ctx, adapter, user)
	if err != nil {
		return nil, nil, err
	}
	if !looksOpaque(string(alias)) { // no account has such an alias: the store need not be asked
		if a, c, err := i.byAddress(ctx, accounts, alias); !errors.Is(err, ErrNoContact) {
			return a, c, err
		}
		return accounts[0], nil, ErrNoContact
	}
	for _, a := range accounts { // a contact in use is found without asking for it in the accounts before its own
		if c, ok := i.contacts.load(contactSlot(a, alias)); ok {
			return a, c, nil
		}
	}
	for _, a := range accounts {
		c, err := i.Contact(ctx, a, alias)
		if errors.Is(err, ErrNoContact) {
			continue
		}
		return a, c, err
	}
	return accounts[0], nil, ErrNoContact
}

// contactKey names a contact in what this process keeps of them.
type contactKey struct {
	account AccountID
	alias   Alias
}

func contactSlot(a *Account, alias Alias) contactKey { return contactKey{a.ID, alias} }

// PutContact writes a contact; its alias is computed from its first id, so the write is idempotent. One who has come under
// another id since keeps theirs.
func (i *Identity) PutContact(ctx context.Context, a *Account, c Contact) (*Contact, error) {
	return i.putContact(ctx, a, c, nil)
}

// putContact is PutContact over what the record was, nil for whatever it is.
func (i *Identity) putContact(ctx context.Context, a *Account, c Contact, was []byte) (*Contact, error) {
	if c.Alias == "" {
		c.Alias = a.Keys.Alias(c.ID)
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	owner := accountOwner(a.ID)
	sealed := a.Keys.Data.Seal(contactPlace(a.ID, c.Alias), plain)
	if err := i.store.Save(ctx, owner, Change{Kind: RecordContact, Name: string(c.Alias), Value: sealed, Was: was}); err != nil {
		return nil, fmt.Errorf("gateway: identity: save contact: %w", err)
	}
	i.contacts.store(contactSlot(a, c.Alias), &c)
	return &c, nil
}

// Revise changes a contact as it stands in the store: what this replica cached of it may be older, and another may change it at the
// same time. ErrNoContact when it is gone.
func (i *Identity) Revise(ctx context.Context, a *Account, alias Alias, change func(*Contact)) (c *Contact, err error) {
	defer i.alone(string(a.ID) + "/" + string(alias))()
	err = settled(func() error {
		i.contacts.forget(contactSlot(a, alias))
		was, sealed, err := i.loadContact(ctx, a, alias)
		if err != nil {
			return err
		}
		now := *was
		if change(&now); now == *was {
			i.contacts.store(contactSlot(a, alias), was)
			c = was
			return nil
		}
		c, err = i.putContact(ctx, a, now, sealed)
		return err
	})
	return c, err
}

// alone waits until nobody else in this process changes a record, and returns what lets the next one.
func (i *Identity) alone(record string) (done func()) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(record)) // never fails
	lock := &i.revising[h.Sum32()%uint32(len(i.revising))]
	lock.Lock()
	return lock.Unlock
}

// settled makes a change anew, each time from what its record is by then, until no other replica has changed it in between. The change
// names that state (Change.Was, Change.IfAbsent).
func settled(change func() error) (err error) {
	for range 10 { // so many in a row are somebody who writes without end
		if err = change(); !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists) {
			return err
		}
	}
	return err
}

// Contacts calls f for each contact of an account, page by page, in no particular order.
func (i *Identity) Contacts(ctx context.Context, a *Account, f func(*Contact) error) error {
	for cursor := ""; ; {
		page, next, err := i.store.List(ctx, accountOwner(a.ID), RecordContact, cursor, 200)
		if err != nil {
			return fmt.Errorf("gateway: identity: list contacts: %w", err)
		}
		for name, sealed := range page {
			c, err := openContact(a, Alias(name), sealed)
			if err != nil {
				return err
			}
			if err := f(c); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
}

func openContact(a *Account, alias Alias, sealed []byte) (*Contact, error) {
	plain, err := a.Keys.Data.Open(contactPlace(a.ID, alias), sealed)
	if err != nil {
		return nil, err
	}
	c := &Contact{Alias: alias}
	return c, json.Unmarshal(plain, c)
}

func contactPlace(a AccountID, alias Alias) string {
	return string(accountOwner(a)) + "/contact/" + string(alias)
}

// facts are what the contact's chat depends on.
func (c *Contact) facts() ChatFacts {
	f := ChatFacts{Kind: ChatDirect}
	if c.LastInbound > 0 {
		f.LastInbound = time.Unix(c.LastInbound, 0)
	}
	return f
}
