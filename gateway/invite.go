package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
)

// invitation is what an invite's token stands for. The first person who comes with it has it; a platform that tells of their
// coming twice changes nothing.
type invitation struct {
	Account AccountID `json:"a"`
	// Guest is the name of the guest who came with it, empty so far.
	Guest string `json:"g,omitempty"`
}

// errInvite: the token is unknown, too old, or somebody else's.
var errInvite = errors.New("no such invite")

// newInvite returns a token: 26 characters of a-z2-7 (128 bits), so that it passes through every platform's links.
func newInvite() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return lowerBase32.EncodeToString(raw)
}

func (k *Keyring) inviteKey(adapter AdapterID, token string) RecordKey {
	return RecordKey{k.adapterOwner(adapter), RecordInvite, k.Name("invite", string(adapter), token)}
}

// invite makes an invite to an account on a line.
func (i *Identity) invite(ctx context.Context, a *Account) (token string, err error) {
	token = newInvite()
	key := i.keys.inviteKey(a.Adapter, token)
	pushed, err := i.noteInvite(ctx, a, key.Name)
	if err != nil {
		return "", err
	}
	var names []string
	for _, g := range pushed {
		names = append(names, g.Name)
	}
	if err := i.dropInvites(ctx, a.Adapter, names...); err != nil {
		return "", err
	}
	return token, i.saveInvite(ctx, key, invitation{Account: a.ID}, nil)
}

// openInvite unseals the record of an invite.
func (i *Identity) openInvite(key RecordKey, sealed []byte) (in invitation, err error) {
	plain, err := i.keys.operator.Open(string(key.Owner)+"/invite/"+key.Name, sealed)
	if err != nil {
		return in, err
	}
	if err := json.Unmarshal(plain, &in); err != nil {
		return in, fmt.Errorf("gateway: identity: invite: %w", err)
	}
	return in, nil
}

// saveInvite writes an invite over what it was, nil for a new one.
func (i *Identity) saveInvite(ctx context.Context, key RecordKey, in invitation, was []byte) error {
	plain, err := json.Marshal(in)
	if err != nil {
		return err
	}
	set := Change{Kind: key.Kind, Name: key.Name, Was: was, TTL: InviteTTL, Value: i.keys.operator.Seal(string(key.Owner)+"/invite/"+key.Name, plain)}
	if err := i.store.Save(ctx, key.Owner, set); err != nil {
		return fmt.Errorf("gateway: identity: save invite: %w", err)
	}
	return nil
}

// redeem returns the account that a person was invited to. errInvite when the token opens nothing for them. Of two people who come with
// it at once, to two replicas, one has it: the other's writing fails, and they find it taken.
func (i *Identity) redeem(ctx context.Context, adapter AdapterID, e Endpoint, token string, person ContactID) (a *Account, err error) {
	key, who := i.keys.inviteKey(adapter, token), i.keys.guestKey(adapter, e, person).Name
	defer i.alone(key.Name)()
	err = settled(func() error {
		a, err = i.redeemOnce(ctx, adapter, key, who)
		return err
	})
	return a, err
}

func (i *Identity) redeemOnce(ctx context.Context, adapter AdapterID, key RecordKey, who string) (*Account, error) {
	got, err := i.store.Load(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("gateway: identity: load invite: %w", err)
	}
	if got[0] == nil {
		return nil, errInvite
	}
	in, err := i.openInvite(key, got[0])
	if err != nil {
		return nil, err
	}
	if in.Guest != "" && in.Guest != who {
		return nil, errInvite
	}
	a, err := i.ByID(ctx, in.Account)
	if errors.Is(err, ErrNoAccount) || err == nil && (a.Adapter != adapter || !a.Shared) {
		return nil, errInvite
	}
	if err != nil {
		return nil, err
	}
	if in.Guest == "" {
		in.Guest = who
		if err := i.saveInvite(ctx, key, in, got[0]); err != nil {
			return nil, err
		}
	}
	return a, nil
}
