package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Account is an account as a replica works with it: unsealed, read-only, at most ContactCaching old.
type Account struct {
	ID       AccountID       `json:"-"`
	Adapter  AdapterID       `json:"adapter"`
	Endpoint Endpoint        `json:"endpoint"`
	User     UserID          `json:"user"`
	Secret   []byte          `json:"secret,omitempty"`
	Shown    string          `json:"shown,omitempty"`
	Standing AccountStanding `json:"standing"`
	// Why, Code and Since are what made it stand so, and when; empty where that was before it was kept.
	Why       StandingCause `json:"why,omitempty"`
	Code      string        `json:"code,omitempty"`
	Since     time.Time     `json:"since,omitzero"`
	Agreed    int           `json:"agreed"` // Descriptor.Version that the user consented to
	Lang      string        `json:"lang,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	// Paused is until when what comes in waits; zero for not at all.
	Paused time.Time `json:"paused,omitzero"`
	// Unmet is true from the registration until its user has asked for the gateway's presence.
	Unmet bool `json:"unmet,omitempty"`
	// Readable: contacts are shown under the platform's own ids where that is possible. Only a move may end it.
	Readable bool `json:"readable,omitempty"`
	// Shared: the account stands on the operator's line, whose endpoint and secret it has. Called is how its user is named there.
	Shared bool         `json:"shared,omitempty"`
	Called string       `json:"called,omitempty"`
	Keys   *AccountKeys `json:"-"`
}

// Credentials returns what the adapter needs to act for the account.
func (a *Account) Credentials() Credentials {
	return Credentials{Account: a.ID, Endpoint: a.Endpoint, User: a.User, Secret: a.Secret}
}

// Lane returns the lane of a chat with one of the account's contacts.
func (a *Account) Lane(alias Alias) LaneKey { return LaneKey{a.Adapter, alias} }

// Contact is a platform person as one account sees them. Its record is one short sealed string.
type Contact struct {
	Alias Alias     `json:"-"`
	ID    ContactID `json:"i"`
	Name  string    `json:"n,omitempty"`
	// Chat is the platform's conversation id, where it differs from the person's.
	Chat ChatID `json:"c,omitempty"`
	// Subscribed: our user sees the contact's presence (RFC 6121 "to"); Follows: the contact may see theirs.
	Subscribed bool `json:"s,omitempty"`
	Follows    bool `json:"f,omitempty"`
	// Pending: contact was requested, the person has not answered.
	Pending bool `json:"p,omitempty"`
	// LastInbound is when they last wrote, Unix seconds; kept only where the platform has a reply window.
	LastInbound int64 `json:"w,omitempty"`
	// LastMessage is the platform's id of what they last wrote; kept only where typing needs it (Caps.TypingAfter).
	LastMessage MessageID `json:"y,omitempty"`
	// Avatar is the contact's picture; its bytes are a record of their own, under the same hash.
	Avatar Avatar `json:"v,omitzero"`
	// LookAfter is when to ask the platform again how they look, Unix seconds; 0 is at the next occasion.
	LookAfter int64 `json:"l,omitempty"`
	// Listed: we put the contact into our user's roster, under the name ListedAs; empty when the user chose another.
	Listed   bool   `json:"r,omitempty"`
	ListedAs string `json:"a,omitempty"`
	// Removed: our user took the contact out of the roster; it comes back with the contact's next message.
	Removed bool `json:"d,omitempty"`
	// Intro names the event that made the contact, where one did: a second try of that event introduces them once more.
	Intro string `json:"e,omitempty"`
	// Blocked: the user wants nothing of them. Muted is until when the user wants messages only, Unix seconds.
	Blocked bool  `json:"b,omitempty"`
	Muted   int64 `json:"m,omitempty"`
	// BlockedBy are the cases that blocked them, with spaces between; empty where the user did.
	BlockedBy string `json:"k,omitempty"`
	// Told names the event or op with which the user was told who can read this chat; empty when they were not yet.
	Told string `json:"t,omitempty"`
	// Wrote: our user has written to them, in a chat that began with that.
	Wrote bool `json:"o,omitempty"`
	// Asked is when they last asked something that a number can answer, Unix seconds.
	Asked int64 `json:"q,omitempty"`
}

// accountKeyRecord is the unsealed frame around an account's wrapped key: Owner says whose key unwraps it.
type accountKeyRecord struct {
	Owner Owner  `json:"owner,omitempty"` // empty: the operator's
	Data  []byte `json:"data"`
	Salt  []byte `json:"salt"`
}

// Identity is the mapping between users, accounts and contacts. It caches what it read for a short while.
type Identity struct {
	store    Records
	keys     *Keyring
	accounts *copies[AccountID, *Account]
	links    *copies[string, []AccountID]
	ends     *copies[string, AccountID]
	contacts *copies[contactKey, *Contact]
	lines    map[AdapterID]Linked // set before anything runs
	revising [64]sync.Mutex       // one change of an account or contact at a time; two may share one
}

// NewIdentity returns the mapping that a store holds.
func NewIdentity(store Records, keys *Keyring) *Identity {
	// Accounts and contacts in use at once; an idle one costs nothing here, one in use about half a kilobyte. One more than fit costs
	// a message one more question to the store, which goes with those of others.
	const size = 4096
	return &Identity{
		store: store, keys: keys, lines: map[AdapterID]Linked{},
		accounts: newCopies(newCache[AccountID, *Account](size, ContactCaching)),
		links:    newCopies(newCache[string, []AccountID](size, ContactCaching)),
		ends:     newCopies(newCache[string, AccountID](size, ContactCaching)),
		contacts: newCopies(newCache[contactKey, *Contact](size, ContactCaching)),
	}
}

// ErrNoAccount: nobody is registered under that name.
var ErrNoAccount = errors.New("no account")

// Of returns a user's accounts on an adapter, oldest first. ErrNoAccount when there are none.
func (i *Identity) Of(ctx context.Context, adapter AdapterID, user UserID) ([]*Account, error) {
	owner := i.keys.userOwner(user)
	name := i.keys.Name("links", string(adapter))
	slot := string(owner) + "/" + name
	ids, ok := i.links.load(slot)
	if !ok {
		since := i.links.now(slot)
		var err error
		if ids, err = i.loadLinks(ctx, owner, name); err != nil {
			return nil, err
		}
		if len(ids) == 0 { // not cached: the next registration may happen on another replica
			return nil, ErrNoAccount
		}
		i.links.read(slot, ids, since)
	}
	out := make([]*Account, 0, len(ids))
	for _, id := range ids {
		a, err := i.ByID(ctx, id)
		if errors.Is(err, ErrNoAccount) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if a.User != user { // moved to another user; the list is a moment behind
			continue
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, ErrNoAccount
	}
	return out, nil
}

func (i *Identity) loadLinks(ctx context.Context, owner Owner, name string) ([]AccountID, error) {
	got, err := i.store.Load(ctx, RecordKey{owner, RecordLinks, name})
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: load links: %w", err)
	}
	var ids []AccountID
	if got[0] == nil {
		return nil, nil
	}
	plain, err := i.keys.operator.Open(string(owner)+"/links/"+name, got[0])
	if err != nil {
		return nil, err
	}
	return ids, json.Unmarshal(plain, &ids)
}

// ByEndpoint returns the account that a webhook names. ErrNoAccount when nobody has it.
func (i *Identity) ByEndpoint(ctx context.Context, adapter AdapterID, e Endpoint) (*Account, error) {
	key := i.keys.endpointKey(adapter, e)
	if id, ok := i.ends.load(key.Name); ok {
		a, err := i.ByID(ctx, id)
		if !errors.Is(err, ErrNoAccount) {
			return a, err
		}
		i.ends.forget(key.Name) // it may be another's by now
	}
	since := i.ends.now(key.Name)
	got, err := i.store.Load(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: load endpoint: %w", err)
	}
	if got[0] == nil {
		return nil, ErrNoAccount
	}
	id := AccountID(got[0])
	i.ends.read(key.Name, id, since)
	return i.ByID(ctx, id)
}

// ByID returns an account. ErrNoAccount when it is gone.
func (i *Identity) ByID(ctx context.Context, id AccountID) (*Account, error) {
	if a, ok := i.accounts.load(id); ok {
		return a, nil
	}
	a, _, err := i.loadAccount(ctx, id)
	return a, err
}

// loadAccount returns an account and its record as the store has them.
func (i *Identity) loadAccount(ctx context.Context, id AccountID) (a *Account, sealed []byte, err error) {
	owner, since := accountOwner(id), i.accounts.now(id)
	got, err := i.store.Load(ctx, RecordKey{owner, RecordDataKey, "key"}, RecordKey{owner, RecordAccount, "account"})
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: load account: %w", err)
	}
	if got[0] == nil || got[1] == nil {
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
	data, err := wrap.Open(string(owner)+"/key", rec.Data)
	if err != nil {
		return nil, nil, err
	}
	keys, err := i.keys.accountKeys(data, rec.Salt)
	if err != nil {
		return nil, nil, err
	}
	plain, err := keys.Data.Open(string(owner)+"/account", got[1])
	if err != nil {
		return nil, nil, err
	}
	id = AccountID(strings.Clone(string(id))) // not the payload that it is a part of, for as long as the account is cached
	a = &Account{ID: id, Keys: keys}
	if err := json.Unmarshal(plain, a); err != nil {
		return nil, nil, fmt.Errorf("gateway: identity: account: %w", err)
	}
	i.onLine(a)
	i.accounts.read(id, a, since)
	return a, got[1], nil
}

// reload is ByID without what was cached, for whoever is about to change the account.
func (i *Identity) reload(ctx context.Context, id AccountID) (*Account, error) {
	i.Forget(id)
	return i.ByID(ctx, id)
}

// wrapper returns the key that wraps an account's key: its user's, or the operator's for shared accounts.
func (i *Identity) wrapper(ctx context.Context, owner Owner) (*DataKey, error) {
	if owner == "" {
		return i.keys.operator, nil
	}
	got, err := i.store.Load(ctx, RecordKey{owner, RecordDataKey, "key"})
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: load user key: %w", err)
	}
	if got[0] == nil {
		return nil, ErrNoAccount
	}
	raw, err := i.keys.operator.Open(string(owner)+"/key", got[0])
	if err != nil {
		return nil, err
	}
	return NewDataKey(raw)
}

// Forget drops what this replica cached of an account, after a change here or, by signal, elsewhere.
func (i *Identity) Forget(id AccountID) {
	if a, ok := i.accounts.load(id); ok {
		i.links.forget(string(i.keys.userOwner(a.User)) + "/" + i.keys.Name("links", string(a.Adapter)))
		i.ends.forget(i.keys.endpointKey(a.Adapter, a.Endpoint).Name)
	}
	i.accounts.forget(id)
}
