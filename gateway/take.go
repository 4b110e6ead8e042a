package gateway

import (
	"context"
	"errors"
	"time"
)

// take makes one event durable, or passes a fleeting one on.
func (g *Gateway) take(ctx context.Context, inst Instance, ev Event) error {
	a, err := g.addressee(ctx, inst, ev.Endpoint)
	if err != nil || a == nil {
		return err
	}
	if a.isLine() {
		err = g.takeOnLine(ctx, inst, a, ev)
	} else {
		err = g.takeFor(ctx, inst, a, ev)
	}
	if err == nil {
		g.acknowledge(inst, a, ev)
	}
	return err
}

// addressee returns whose endpoint it is: nil where it is nobody's, an error where it may be somebody's in a moment.
func (g *Gateway) addressee(ctx context.Context, inst Instance, e Endpoint) (*Account, error) {
	if line, ok := g.identity.lines[inst.ID]; ok && line.Endpoint == e {
		a, err := g.identity.Line(ctx, inst.ID)
		if _, said := g.told.load("taken " + string(inst.ID)); errors.Is(err, errLineTaken) && !said {
			g.told.store("taken "+string(inst.ID), true)
			g.log.Error("nothing is taken on the line", "adapter", string(inst.ID), "err", err)
		}
		return a, err
	}
	a, err := g.identity.ByEndpoint(ctx, inst.ID, e)
	if !errors.Is(err, ErrNoAccount) {
		return a, err
	}
	if err := g.unknown(ctx, inst.ID); err != nil {
		return nil, err
	}
	// A link that has ended between the two looks has left its account behind.
	a, err = g.identity.ByEndpoint(ctx, inst.ID, e)
	if errors.Is(err, ErrNoAccount) {
		g.metrics.Webhook(inst.ID, "unknown_account")
		return nil, nil
	}
	return a, err
}

// takeFor takes what happened for one account.
func (g *Gateway) takeFor(ctx context.Context, inst Instance, a *Account, ev Event) error {
	err := g.passOn(ctx, inst, a, ev)
	if err == nil {
		g.pulse.event(a)
	}
	return err
}

// passOn is takeFor without a word of the platform's behind it.
func (g *Gateway) passOn(ctx context.Context, inst Instance, a *Account, ev Event) error {
	alias := accountAlias + Alias(a.ID)
	if ev.Chat.Contact != "" {
		var err error
		if alias, err = g.identity.aliasOf(ctx, inst, a, ev.Chat.Contact, ev.Also...); err != nil {
			return err
		}
	}
	if Ephemeral(ev.Body) {
		g.passFleeting(ctx, inst, a, alias, ev)
		return nil
	}
	return g.ingestEvent(ctx, a, alias, ev)
}

// accountAlias and an account's id name the lane of what concerns no chat. No alias looks like it.
const accountAlias Alias = "~"

// aliasOf returns the alias of a person who may have had other ids before: it is the one under which they became a contact.
// What it learns of further ids is written down before anything is done under the alias, so that every replica comes to the same.
func (i *Identity) aliasOf(ctx context.Context, inst Instance, a *Account, id ContactID, also ...ContactID) (Alias, error) {
	first := a.Keys.Alias(id)
	if !inst.Adapter.Descriptor().Renames {
		return first, nil
	}
	aliases := []Alias{first}
	for _, other := range also {
		if alias := a.Keys.Alias(other); other != "" && alias != first {
			aliases = append(aliases, alias)
		}
	}
	to, led, err := i.known(ctx, a, aliases)
	if err != nil {
		return "", err
	}
	if to == "" {
		to = first
	}
	var set []Change
	for n, alias := range aliases {
		if alias != to && led[n] == "" {
			set = append(set, Change{Kind: RecordRedirect, Name: string(alias), Value: a.Keys.Data.Seal(redirectPlace(a.ID, alias), []byte(to)), IfAbsent: true})
		}
	}
	if len(set) == 0 {
		return to, nil
	}
	err = i.store.Save(ctx, accountOwner(a.ID), set...)
	if errors.Is(err, ErrExists) { // another replica took another event of theirs: what it wrote counts
		if to, _, err = i.known(ctx, a, aliases); to == "" {
			to = first
		}
	}
	return to, err
}

// known returns the alias that the first of some aliases leads to, or is a contact under; and where each of them leads. A
// contact whose own id has come to lead elsewhere cannot be: ids lead to contacts that are there.
func (i *Identity) known(ctx context.Context, a *Account, aliases []Alias) (to Alias, led []Alias, err error) {
	owner, keys := accountOwner(a.ID), make([]RecordKey, 0, 2*len(aliases))
	for _, alias := range aliases {
		keys = append(keys, RecordKey{owner, RecordRedirect, string(alias)}, RecordKey{owner, RecordContact, string(alias)})
	}
	got, err := i.store.Load(ctx, keys...)
	if err != nil {
		return "", nil, err
	}
	led = make([]Alias, len(aliases))
	for n, alias := range aliases {
		if sealed := got[2*n]; sealed != nil {
			plain, err := a.Keys.Data.Open(redirectPlace(a.ID, alias), sealed)
			if err != nil {
				return "", nil, err
			}
			led[n] = Alias(plain)
		} else if got[2*n+1] != nil {
			led[n] = alias
		}
		if to == "" {
			to = led[n]
		}
	}
	return to, led, nil
}

func redirectPlace(a AccountID, alias Alias) string {
	return string(accountOwner(a)) + "/redirect/" + string(alias)
}

// when is the platform's time of an event, or now where it tells none.
func (ev *Event) when() time.Time {
	if ev.At.IsZero() {
		return time.Now()
	}
	return ev.At
}

// happened is when it happened, but never in time to come: a platform's clock may be ahead of ours.
func (ev *Event) happened() time.Time {
	if now := time.Now(); ev.when().After(now) {
		return now
	}
	return ev.when()
}
