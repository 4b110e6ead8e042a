package gateway

import (
	"context"
	"time"
)

// presenceLife is how long a platform's word on a contact's presence answers probes.
const presenceLife = 2 * time.Hour

// healingLife is how long a greeting of Greet stays worth an answer: long enough for a component that greets tens of thousands at
// the pace of presence.
const healingLife = 15 * time.Minute

func presenceKey(a AdapterID, alias Alias) string { return string(a) + "/" + string(alias) }

// works reports whether an account can act.
func works(a *Account) bool { return a.Standing == AccountActive || a.Standing == AccountExpiring }

// here is how a contact looks: as the platform told lately, else reachable while the account works. A platform that tells
// nothing of presence, or no more, shall not make everybody look absent.
func (g *Gateway) here(a *Account, c *Contact) ShowPresence {
	s := ShowPresence{Available: works(a) && !c.Blocked, Avatar: c.Avatar.SHA1}
	inst, ok := g.instance(a.Adapter)
	if !ok {
		return s
	}
	caps := chatCaps(inst.Adapter, g.facts(a, c))
	s.Chat = &caps
	if p, ok := g.present.load(presenceKey(a.Adapter, c.Alias)); ok && caps.Has(FeaturePresence) && !p.Available && !c.MutedAt(time.Now()) {
		s.Away, s.LastSeen = true, p.LastSeen
	}
	return s
}

// passPresence lets the component's owner know of a contact's presence, and shows it to a user who looks at the contact.
func (g *Gateway) passPresence(ctx context.Context, inst Instance, a *Account, c *Contact, p Presence) error {
	g.present.store(presenceKey(inst.ID, c.Alias), p)
	var what Shown
	if c.Subscribed { // RFC 6121 §4.2: presence is for subscribers
		what = g.here(a, c)
	}
	return g.pass(ctx, inst, a, c.Alias, what, &p)
}
