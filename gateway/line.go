package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A line is an operator's own bot, number or page that serves many users (Sharer). Each user has an account of their own on
// it, with keys, contacts and queues as any other; what they share is the endpoint and its secret, which stand in the
// configuration and nowhere else. The line has an account too, in nobody's name: it answers people who are nobody's contact.

// errLineTaken: somebody has linked the bot, number or page of a line as their own, before it became one.
var errLineTaken = errors.New("the line's bot, number or page is a user's own account: unregister that first, or take the line out of the configuration")

// learnLines notes the lines of the configured instances.
func (i *Identity) learnLines(instances []Instance) {
	for _, inst := range instances {
		if line, ok := inst.line(); ok {
			i.lines[inst.ID] = line
		}
	}
}

// onLine fills in what an account takes from its line: also when the operator has given that another token or number since.
func (i *Identity) onLine(a *Account) {
	if line, ok := i.lines[a.Adapter]; ok && a.Shared {
		a.Endpoint, a.Secret = line.Endpoint, line.Secret
	}
}

// Line returns the account of an adapter's line, making it on first use. ErrNoAccount where there is no line.
func (i *Identity) Line(ctx context.Context, adapter AdapterID) (*Account, error) {
	line, ok := i.lines[adapter]
	if !ok {
		return nil, ErrNoAccount
	}
	a, err := i.ByEndpoint(ctx, adapter, line.Endpoint)
	switch {
	case err == nil && !a.isLine():
		// Everybody's mail would be that user's, and no invite would be redeemed.
		return nil, fmt.Errorf("%w: account %s", errLineTaken, a.ID)
	case !errors.Is(err, ErrNoAccount):
		return a, err
	}
	if err := i.createLine(ctx, adapter, line); err != nil && !errors.Is(err, ErrExists) {
		return nil, err
	}
	i.ends.forget(i.keys.endpointKey(adapter, line.Endpoint).Name)
	return i.ByEndpoint(ctx, adapter, line.Endpoint)
}

// createLine writes a line's account under the operator's key. ErrExists when another replica was first. The endpoint is
// written last: until then nothing refers to the account.
func (i *Identity) createLine(ctx context.Context, adapter AdapterID, line Linked) error {
	a := Account{
		ID: NewAccountID(), Adapter: adapter, Endpoint: line.Endpoint, Shown: line.Shown, Standing: AccountActive,
		CreatedAt: time.Now().UTC(), Shared: true,
	}
	ao, data, salt := accountOwner(a.ID), newKey(), newKey()
	var err error
	if a.Keys, err = i.keys.accountKeys(data, salt); err != nil {
		return err
	}
	rec, err := json.Marshal(accountKeyRecord{Data: i.keys.operator.Seal(string(ao)+"/key", data), Salt: salt})
	if err != nil {
		return err
	}
	sealed, err := sealAccount(&a)
	if err != nil {
		return err
	}
	err = i.store.Save(ctx, ao, Change{Kind: RecordDataKey, Name: "key", Value: rec}, Change{Kind: RecordAccount, Name: "account", Value: sealed})
	if err != nil {
		return fmt.Errorf("gateway: identity: save line: %w", err)
	}
	end := i.keys.endpointKey(adapter, line.Endpoint)
	err = i.store.Save(ctx, end.Owner, Change{Kind: end.Kind, Name: end.Name, Value: []byte(a.ID), IfAbsent: true})
	if errors.Is(err, ErrExists) {
		return errors.Join(err, i.store.Erase(ctx, ao))
	}
	if err != nil {
		return fmt.Errorf("gateway: identity: save endpoint: %w", err)
	}
	return nil
}

// isLine reports whether an account is a line's own, in nobody's name.
func (a *Account) isLine() bool { return a.User == "" }

// LineCredentials returns what acts for an adapter's line; the zero Credentials where there is none.
func (g *Gateway) LineCredentials(ctx context.Context, a AdapterID) (Credentials, error) {
	line, err := g.identity.Line(ctx, a)
	if errors.Is(err, ErrNoAccount) {
		return Credentials{}, nil
	}
	if err != nil {
		return Credentials{}, err
	}
	return line.Credentials(), nil
}

// EachAccount calls f for what acts for each endpoint of an adapter: the line alone, where there is one.
func (g *Gateway) EachAccount(ctx context.Context, a AdapterID, f func(Credentials) error) error {
	line, err := g.LineCredentials(ctx, a)
	if err != nil {
		return err
	}
	if line.Endpoint != "" {
		return f(line)
	}
	return g.identity.Members(ctx, a, func(_ UserID, id AccountID) error {
		account, err := g.identity.ByID(ctx, id)
		if errors.Is(err, ErrNoAccount) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(account.Credentials())
	})
}
