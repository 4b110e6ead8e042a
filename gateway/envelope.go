package gateway

import (
	"context"
	"errors"
	"time"
)

// queuePlace authenticates where a sealed payload stands: the kind of entry, so that an op never opens as an event.
func queuePlace(k EntryKind) string { return "queue/" + string(k) }

// Seal makes an entry of v, sealed with the account's key, or with the operator's when account is nil.
func (i *Identity) Seal(account *Account, lane string, kind EntryKind, plain []byte, at time.Time) Entry {
	e := Entry{Lane: lane, Kind: kind, At: at}
	key := i.keys.operator
	if account != nil {
		e.Account, key = account.ID, account.Keys.Data
	}
	e.Payload = key.Seal(queuePlace(kind), plain)
	return e
}

// Open unseals an entry's payload. ErrNoAccount when its account, and so its key, is gone.
func (i *Identity) Open(ctx context.Context, e Entry) ([]byte, error) {
	key := i.keys.operator
	if e.Account != "" {
		a, err := i.ByID(ctx, e.Account)
		if err != nil {
			return nil, err
		}
		key = a.Keys.Data
	}
	return key.Open(queuePlace(e.Kind), e.Payload)
}

// errUnreadable: no later try opens or decodes the entry either.
var errUnreadable = errors.New("entry not readable")

// errUnwritable: nothing that could be kept can be made of an event.
var errUnwritable = errors.New("event not writable")

// openEntry unseals and decodes an entry. ErrNoAccount when its key is gone, errUnreadable when it never can be read; any
// other error is the store's and passes.
func openEntry[T any](ctx context.Context, i *Identity, e Entry) (T, error) {
	var v T
	plain, err := i.Open(ctx, e)
	if errors.Is(err, ErrSealed) {
		return v, errUnreadable
	}
	if err != nil {
		return v, err
	}
	if unpack(plain, &v) != nil { // what it says may quote the content
		return v, errUnreadable
	}
	return v, nil
}
