package xmpp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"postern/gateway"
)

// listAll puts the contacts of a batch into their users' rosters, several users
// at a time, and returns by place what is shown instead of the stanza.
func (c *Component) listAll(ctx context.Context, list []outgoing) map[int][][]byte {
	users := make(map[JID][]int)
	for i, o := range list {
		if o.duty == listing && c.manages(o.user) {
			users[o.user] = append(users[o.user], i)
		}
	}
	if len(users) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rosterPatience)
	defer cancel()
	out := make(map[int][][]byte)
	var mu sync.Mutex
	c.perUser(users, func(user JID, places []int) {
		for _, i := range places {
			if !c.manages(user) { // no more, as we learned from another's
				return
			}
			shown, err := c.list(ctx, list[i])
			if errors.Is(err, gateway.ErrNoContact) || errors.Is(err, gateway.ErrNoAccount) {
				continue
			}
			if err != nil {
				c.rosterFailed(user, err)
				return
			}
			mu.Lock()
			out[i] = shown
			mu.Unlock()
		}
	})
	return out
}

// perUser works for several users at once and waits for all.
func (c *Component) perUser(users map[JID][]int, work func(JID, []int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, rosterParallel)
	for user, places := range users {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer func() {
				if recover() != nil {
					c.panicked("roster")
				}
			}()
			work(user, places)
		})
	}
	wg.Wait()
}

// list puts one contact into a user's roster, or its name right, and returns
// what is shown of it then. Without an entry to write there is nothing to show.
func (c *Component) list(ctx context.Context, o outgoing) ([][]byte, error) {
	v := gateway.Visitor{Adapter: c.cfg.Adapter, User: gateway.UserID(o.user.String())}
	item, err := c.gw.RosterItem(ctx, v, gateway.Alias(o.contact.Local()))
	if err != nil {
		return nil, err
	}
	add := !strings.HasPrefix(string(o.raw), "<iq ") || strings.Contains(string(o.raw), "subscription='both'")
	r := c.rosters.Load().get(o.user)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !add {
		r.items = nil // the user may have given another name since
	}
	if err := c.readRoster(ctx, o.user, r); err != nil {
		return nil, err
	}
	return c.listIn(ctx, v, r, item, o.contact, add)
}

// listIn writes one entry; r is held and has been read.
func (c *Component) listIn(ctx context.Context, v gateway.Visitor, r *roster, item gateway.RosterItem, contact JID, add bool) ([][]byte, error) {
	old, there := r.items[contact.String()]
	if !there && !add {
		return nil, nil
	}
	next := c.merged(old, there, item)
	if !there || !old.same(next) {
		user, err := ParseJID(string(v.User))
		if err != nil {
			return nil, err
		}
		if err := c.setEntry(ctx, user, contact, next); err != nil {
			return nil, err
		}
		r.items[strings.Clone(contact.String())] = next
		if old.subscription != next.subscription {
			if err := c.prove(ctx, user, contact, r); err != nil {
				return nil, err
			}
		}
	}
	as := next.name
	if next.name != shortened(item.Name, maxNick) {
		as = "" // the user's own: it stays whatever the platform says
	}
	if there && item.Listed && as == item.As {
		return nil, nil
	}
	shown, err := c.gw.Listed(ctx, v, item.Alias, as)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, g := range shown {
		stanzas, err := c.render.Render(g)
		if err != nil {
			return nil, err
		}
		out = append(out, stanzas...)
	}
	return out, nil
}

// merged is the entry that a contact gets: what the user chose stays, and that
// is, once we have listed the contact, the subscription too.
func (c *Component) merged(old entry, there bool, item gateway.RosterItem) entry {
	next := entry{name: old.name, subscription: "both", groups: old.groups}
	if there && item.Listed {
		next.subscription = old.subscription
	}
	if old.name == "" || item.Listed && item.As != "" && old.name == item.As {
		next.name = shortened(item.Name, maxNick)
	}
	if !there || !item.Listed && len(old.groups) == 0 {
		next.groups = []string{c.cfg.Descriptor.Platform}
		if c.cfg.Descriptor.Platform == "" {
			next.groups = nil
		}
	}
	return next
}

func (e entry) same(other entry) bool {
	return e.name == other.name && e.subscription == other.subscription && slices.Equal(e.groups, other.groups)
}

// unlistAll takes the contacts of a batch out of their users' rosters. Its
// errors are no news: an entry that stays has no subscription any more.
func (c *Component) unlistAll(ctx context.Context, list []outgoing) {
	users := make(map[JID][]int)
	for i, o := range list {
		if o.duty != unlisting {
			continue
		}
		c.privileges.Load().settled(ctx, o.user.Domain())
		if c.manages(o.user) {
			users[o.user] = append(users[o.user], i)
		}
	}
	if len(users) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rosterPatience)
	defer cancel()
	c.perUser(users, func(user JID, places []int) {
		c.rosters.Load().forget(user)
		for _, i := range places {
			err := c.setEntry(ctx, user, list[i].contact, entry{subscription: "remove"})
			refused, ok := errors.AsType[*StanzaError](err)
			if err != nil && (!ok || refused.Condition != ItemNotFound) {
				c.rosterFailed(user, err)
				return
			}
		}
	})
}
