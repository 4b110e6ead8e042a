package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
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
	since := i.contacts.now(slot)
	c, _, err := i.loadContact(ctx, a, alias)
	if err != nil {
		return nil, err
	}
	i.keepContact(a, c, since, i.contacts.read)
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

// keepContact caches a contact that was read or written, with strings of its own: those that it came with are parts of a stanza or a
// payload, and would keep the whole of that.
func (i *Identity) keepContact(a *Account, c *Contact, since moment, keep func(contactKey, *Contact, moment)) {
	own := c.own()
	keep(contactSlot(a, own.Alias), own, since)
}

// own returns a copy that shares no memory with where the contact's strings came from.
func (c *Contact) own() *Contact {
	o := *c
	for _, s := range []*string{
		(*string)(&o.Alias), (*string)(&o.ID), &o.Name, (*string)(&o.Chat), (*string)(&o.LastMessage), &o.Avatar.SHA1, &o.Avatar.MIME, &o.Avatar.Of, &o.ListedAs,
		&o.Intro, &o.Told, &o.BlockedBy,
	} {
		*s = strings.Clone(*s)
	}
	return &o
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
	owner, change, err := SealContact(a, c)
	if err != nil {
		return nil, err
	}
	change.Was = was
	since := i.contacts.now(contactSlot(a, Alias(change.Name)))
	if err := i.store.Save(ctx, owner, change); err != nil {
		return nil, fmt.Errorf("gateway: identity: save contact: %w", err)
	}
	c.Alias = Alias(change.Name)
	i.keepContact(a, &c, since, i.contacts.wrote)
	return &c, nil
}

// SealContact returns the record of a contact, named by its alias, and whose it is: many of one account may be saved at once.
func SealContact(a *Account, c Contact) (Owner, Change, error) {
	if c.Alias == "" {
		c.Alias = a.Keys.Alias(c.ID)
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return "", Change{}, err
	}
	sealed := a.Keys.Data.Seal(contactPlace(a.ID, c.Alias), plain)
	return accountOwner(a.ID), Change{Kind: RecordContact, Name: string(c.Alias), Value: sealed}, nil
}

// Revise changes a contact as it stands in the store: what this replica cached of it may be older, and another may change it at the
// same time. ErrNoContact when it is gone.
func (i *Identity) Revise(ctx context.Context, a *Account, alias Alias, change func(*Contact)) (c *Contact, err error) {
	defer i.alone(string(a.ID) + "/" + string(alias))()
	err = settled(func() error {
		slot := contactSlot(a, alias)
		i.contacts.forget(slot)
		since := i.contacts.now(slot)
		was, sealed, err := i.loadContact(ctx, a, alias)
		if err != nil {
			return err
		}
		now := *was
		if change(&now); now == *was {
			i.keepContact(a, was, since, i.contacts.read)
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
		next, err := i.contactPage(ctx, a, cursor, 200, f)
		if err != nil || next == "" {
			return err
		}
		cursor = next
	}
}

// contactPage calls f for about n contacts from a cursor on, and returns where to go on; empty at the end.
func (i *Identity) contactPage(ctx context.Context, a *Account, cursor string, n int, f func(*Contact) error) (next string, err error) {
	page, next, err := i.store.List(ctx, accountOwner(a.ID), RecordContact, cursor, n)
	if err != nil {
		return "", fmt.Errorf("gateway: identity: list contacts: %w", err)
	}
	for name, sealed := range page {
		c, err := openContact(a, Alias(name), sealed)
		if err != nil {
			return "", err
		}
		if err := f(c); err != nil {
			return "", err
		}
	}
	return next, nil
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
