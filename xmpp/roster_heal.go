package xmpp

import (
	"context"
	"strings"
	"time"

	"postern/gateway"
)

const (
	healingPace = 20 * time.Millisecond // between two entries that are written
	healingTime = 2 * time.Minute       // for one user
	healedKept  = 100_000               // users remembered as looked after
)

// healRoster adds, once per stream and user, the contacts that are missing in a
// roster, when the user comes online. What the user took out stays out.
func (c *Component) healRoster(v gateway.Visitor, user JID) {
	all := c.rosters.Load()
	if !c.manages(user) {
		return
	}
	who := strings.Clone(user.String()) // the address would keep its whole stanza
	if !all.heals(who) {
		return
	}
	taken := c.healers.offer(who, func(ctx context.Context) {
		defer func() {
			if recover() != nil {
				c.panicked("roster")
			}
		}()
		ctx, cancel := context.WithTimeout(ctx, healingTime)
		defer cancel()
		if err := c.heal(ctx, v, user); err != nil && ctx.Err() == nil {
			c.rosterFailed(user, err)
			return
		}
		c.log.Debug("roster looked after", "host", user.Domain())
	})
	if !taken { // the next presence is another chance
		all.mu.Lock()
		delete(all.healed, who)
		all.mu.Unlock()
	}
}

// heals notes that a user is looked after; false where that was done already, and
// for whoever is one too many, until the next stream.
func (r *rosters) heals(who string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.healed[who] || len(r.healed) >= healedKept {
		return false
	}
	r.healed[who] = true
	return true
}

func (c *Component) heal(ctx context.Context, v gateway.Visitor, user JID) error {
	r := c.rosters.Load().get(user)
	return c.gw.RosterItems(ctx, v, func(item gateway.RosterItem) error {
		if item.Removed {
			return nil
		}
		contact, err := NewJID(string(item.Local), c.self.Domain(), "")
		if err != nil {
			return nil //nolint:nilerr // such a contact has no address to be listed under
		}
		shown, wrote, err := c.healOne(ctx, v, user, r, item, contact)
		if err != nil {
			return err
		}
		live := c.live.Load()
		if live == nil {
			return errLocalClose
		}
		for _, b := range shown {
			if !live.pace.offerRaw(b) {
				c.count(eventPresenceDropped)
			}
		}
		if !wrote {
			return nil
		}
		select {
		case <-time.After(healingPace):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (c *Component) healOne(ctx context.Context, v gateway.Visitor, user JID, r *roster, item gateway.RosterItem, contact JID) (shown [][]byte, wrote bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := c.readRoster(ctx, user, r); err != nil {
		return nil, false, err
	}
	old, there := r.items[contact.String()]
	switch {
	case !there && item.Listed: // taken out while we were away
		return nil, false, c.gw.Unlisted(ctx, v, item.Alias)
	case there && item.Listed && (item.As == "" || item.As == item.Name || old.name != item.As):
		return nil, false, nil
	}
	shown, err = c.listIn(ctx, v, r, item, contact, true)
	return shown, true, err
}
