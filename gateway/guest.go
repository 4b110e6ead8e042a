package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxConnections is how many users one person may be connected with on a line; a further one pushes the oldest out.
const maxConnections = 20

// guest is a person as a line sees them: whose contact they are, and to whom they write now. Its record is named by an HMAC
// and holds ids of accounts, nothing that tells who anybody is; the id of an account that was erased means nothing any more.
type guest struct {
	// Accounts are those that the person is connected with, oldest first, with the time of each.
	Accounts []connection `json:"a"`
	// Active is whom they write to; Before is whom they wrote to until Switched. What a platform repeats from before a
	// switch goes where it went the first time.
	Active   AccountID `json:"n"`
	Before   AccountID `json:"b,omitempty"`
	Switched time.Time `json:"s,omitzero"`
}

// connection is one account that a guest is a contact of.
type connection struct {
	Account AccountID `json:"a"`
	Since   time.Time `json:"s"`
}

// guestKey names a guest's record.
func (k *Keyring) guestKey(adapter AdapterID, e Endpoint, person ContactID) RecordKey {
	name := k.Name("guest", string(adapter), string(e), string(person))
	return RecordKey{Owner("e:" + name[:2]), RecordGuest, name}
}

// guest reads what a line knows of a person; the zero guest when that is nothing. It is never cached: a person who has just
// switched must not be heard by whom they wrote to before.
func (i *Identity) guest(ctx context.Context, adapter AdapterID, e Endpoint, person ContactID) (guest, error) {
	g, _, err := i.loadGuest(ctx, i.keys.guestKey(adapter, e, person))
	return g, err
}

// loadGuest is guest with the record as it is sealed, nil where there is none.
func (i *Identity) loadGuest(ctx context.Context, key RecordKey) (g guest, sealed []byte, err error) {
	got, err := i.store.Load(ctx, key)
	if err != nil {
		return guest{}, nil, fmt.Errorf("gateway: identity: load guest: %w", err)
	}
	if got[0] == nil {
		return guest{}, nil, nil
	}
	plain, err := i.keys.operator.Open(string(key.Owner)+"/guest/"+key.Name, got[0])
	if err != nil {
		return guest{}, nil, err
	}
	return g, got[0], json.Unmarshal(plain, &g)
}

// guestUnder is guest for a person who may have been known under other ids: what is known of them goes on under the one to use
// from now on.
func (i *Identity) guestUnder(ctx context.Context, adapter AdapterID, e Endpoint, person ContactID, also []ContactID) (guest, error) {
	g, err := i.guest(ctx, adapter, e, person)
	if err != nil {
		return g, err
	}
	for _, id := range also {
		if id == person {
			continue
		}
		before, err := i.guest(ctx, adapter, e, id)
		if err != nil {
			return guest{}, err
		}
		if len(before.Accounts) == 0 {
			continue
		}
		if g, err = i.reviseGuest(ctx, adapter, e, person, func(g *guest) { g.merge(before) }); err != nil {
			return guest{}, err
		}
		if _, err = i.reviseGuest(ctx, adapter, e, id, func(g *guest) { g.leave(before) }); err != nil {
			return guest{}, err
		}
	}
	return g, nil
}

// merge takes in what was known of the same person under another id. Whom they turned to last, they write to.
func (g *guest) merge(other guest) {
	if len(g.Accounts) == 0 {
		*g = other
		return
	}
	for _, c := range other.Accounts {
		if !g.knows(c.Account) {
			g.Accounts = append(g.Accounts, c)
		}
	}
	slices.SortStableFunc(g.Accounts, func(a, b connection) int { return a.Since.Compare(b.Since) })
	g.Accounts = g.Accounts[max(0, len(g.Accounts)-maxConnections):]
	if other.Switched.After(g.Switched) {
		g.Active, g.Before, g.Switched = other.Active, other.Before, other.Switched
	}
}

// leave forgets what was merged into another id; what another replica has learnt since is merged the next time.
func (g *guest) leave(merged guest) {
	g.Accounts = slices.DeleteFunc(g.Accounts, func(c connection) bool { return merged.knows(c.Account) })
	if len(g.Accounts) == 0 {
		*g = guest{}
	}
}

// reviseGuest changes what a line knows of a person. Of two changes none is lost: one that comes to nothing because another replica was
// faster is made anew from what is there then.
func (i *Identity) reviseGuest(ctx context.Context, adapter AdapterID, e Endpoint, person ContactID, change func(*guest)) (g guest, err error) {
	key := i.keys.guestKey(adapter, e, person)
	defer i.alone(key.Name)()
	err = settled(func() error {
		now, sealed, err := i.loadGuest(ctx, key)
		if g = now; err != nil {
			return err
		}
		was, err := json.Marshal(g)
		if err != nil {
			return err
		}
		change(&g)
		plain, err := json.Marshal(g)
		if err != nil || string(plain) == string(was) {
			return err
		}
		set := Change{Kind: key.Kind, Name: key.Name, Was: sealed, IfAbsent: sealed == nil}
		if len(g.Accounts) > 0 {
			set.Value = i.keys.operator.Seal(string(key.Owner)+"/guest/"+key.Name, plain)
		}
		if err := i.store.Save(ctx, key.Owner, set); err != nil {
			return fmt.Errorf("gateway: identity: save guest: %w", err)
		}
		return nil
	})
	return g, err
}

// connect makes a person on a line a contact of an account. With turn they write to it from a time on, which is that of what
// they did: what they wrote after it may come long after it too. Without, they do only when they write to nobody yet.
func (i *Identity) connect(ctx context.Context, a *Account, person ContactID, turn bool, at time.Time) error {
	if !a.Shared {
		return nil
	}
	_, err := i.reviseGuest(ctx, a.Adapter, a.Endpoint, person, func(g *guest) { g.connect(a.ID, turn, at.UTC()) })
	return err
}

func (g *guest) connect(a AccountID, turn bool, now time.Time) {
	if !g.knows(a) {
		g.Accounts = append(g.Accounts, connection{a, now})
		if n := len(g.Accounts) - maxConnections; n > 0 {
			g.Accounts = slices.Delete(g.Accounts, 0, n)
		}
	}
	if turn || !g.knows(g.Active) {
		g.turn(a, now)
	}
}

// turn lets the person write to another account from a time on. What is older than their last turn comes again, and changes
// nothing.
func (g *guest) turn(a AccountID, now time.Time) {
	if now.Before(g.Switched) && g.knows(g.Active) {
		return
	}
	if g.Active != a {
		g.Before, g.Active, g.Switched = g.Active, a, now
	}
}

func (g *guest) knows(a AccountID) bool {
	return slices.ContainsFunc(g.Accounts, func(c connection) bool { return c.Account == a })
}

// at returns whom something is for that the person did at a time.
func (g *guest) at(when time.Time) AccountID {
	if g.knows(g.Before) && !when.IsZero() && when.Before(g.Switched.Truncate(time.Second)) { // platforms count whole seconds
		return g.Before
	}
	return g.Active
}

// connected returns the accounts that a guest is connected with and that are still there, oldest first.
func (i *Identity) connected(ctx context.Context, g guest) ([]*Account, error) {
	var out []*Account
	for _, c := range g.Accounts {
		a, err := i.ByID(ctx, c.Account)
		switch {
		case errors.Is(err, ErrNoAccount):
			continue
		case err != nil:
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
