package gateway

import "context"

// RosterItem is how a contact stands in its user's roster, as far as we had to do with it (XEP-0356 §5).
type RosterItem struct {
	Alias Alias
	Local Alias  // the localpart that Alias is shown under
	Name  string // what the contact is called now
	// Listed: we put the contact there. As is the name we gave it; empty when the user chose another.
	Listed bool
	As     string
	// Removed: the user took the contact out.
	Removed bool
}

func rosterItem(a *Account, c *Contact) RosterItem {
	return RosterItem{Alias: c.Alias, Local: a.Shows(c), Name: c.Name, Listed: c.Listed, As: c.ListedAs, Removed: c.Removed}
}

// RosterItem returns how one contact of a visitor stands. ErrNoContact or ErrNoAccount when it is not theirs.
func (g *Gateway) RosterItem(ctx context.Context, v Visitor, alias Alias) (RosterItem, error) {
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return RosterItem{}, err
	}
	return rosterItem(a, c), nil
}

// RosterItems calls f for each contact of a visitor.
func (g *Gateway) RosterItems(ctx context.Context, v Visitor, f func(RosterItem) error) error {
	accounts, err := g.identity.Of(ctx, v.Adapter, v.User)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if err := g.identity.Contacts(ctx, a, func(c *Contact) error { return f(rosterItem(a, c)) }); err != nil {
			return err
		}
	}
	return nil
}

// Listed records that a contact stands in its user's roster, and returns what the user is shown of it then. Who was not
// listed before has a subscription both ways; later the user's own changes of it stay. as is the name that we gave it, empty
// when the user chose another.
func (g *Gateway) Listed(ctx context.Context, v Visitor, alias Alias, as string) ([]Rendering, error) {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return nil, nil
	}
	a, now, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return nil, err
	}
	seen := now.Subscribed
	c, err := g.identity.Revise(ctx, a, now.Alias, func(c *Contact) {
		seen = c.Subscribed
		if !c.Listed {
			c.Subscribed, c.Follows = true, true
		}
		c.Listed, c.ListedAs, c.Removed = true, as, false
	})
	if err != nil {
		return nil, err
	}
	if seen || !c.Subscribed {
		return nil, nil
	}
	return []Rendering{{Component: inst.Component, From: c.Alias, Local: a.Shows(c), To: a.User, Lang: a.Lang, What: g.here(a, c)}}, nil
}

// Unlisted records that the user took a contact out of the roster.
func (g *Gateway) Unlisted(ctx context.Context, v Visitor, alias Alias) error {
	a, now, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return err
	}
	_, err = g.identity.Revise(ctx, a, now.Alias, func(c *Contact) {
		c.Subscribed, c.Follows, c.Listed, c.ListedAs, c.Removed = false, false, false, "", true
	})
	return err
}

// noteRemoval keeps that a contact which stood in the roster has lost both subscriptions, which is how a server tells that its
// user took it out (RFC 6121 §2.5.2). A new subscription undoes it.
func (c *Contact) noteRemoval(was Contact) {
	switch {
	case c.Subscribed || c.Follows:
		c.Removed = false
	case was.Subscribed || was.Follows:
		c.Removed = true
		c.Listed, c.ListedAs = false, ""
	}
}

// roster brings the contact's entry up to date: who was taken out comes back with a message or a call, a new name shows.
func (w *inWalk) roster() {
	if w.contact == nil || w.fresh {
		return
	}
	back := false
	switch w.in.Event.Body.(type) {
	case Message, Call:
		back = w.contact.Removed
	case Edited, Retracted, Reacted, Status, Seen, Typing, Presence, ContactUpdate, MemberUpdate, Window, AccountState, Undeliverable:
	}
	if back || w.renamed && w.contact.Listed {
		w.add(ShowRoster{Add: back})
	}
}
