package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Presence answers a user's presence stanza to a contact, or to the gateway itself when alias is empty. What it returns is
// shown at once and not stored: presence heals by probes (RFC 6121 §4.3).
func (g *Gateway) Presence(ctx context.Context, v Visitor, alias Alias, kind PresenceKind) ([]Rendering, error) {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return nil, nil
	}
	p := &presence{g: g, inst: inst, v: v, alias: alias}
	if alias == "" {
		return p.gateway(ctx, kind)
	}
	if kind == PresenceAvailable || kind == PresenceUnavailable {
		return nil, nil // one copy for every contact on the roster: only the one to the gateway says anything
	}
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if errors.Is(err, ErrNoAccount) || errors.Is(err, ErrNoContact) {
		if kind == PresenceSubscribe || kind == PresenceProbe {
			p.show("", ShowSubscription{Verb: Unsubscribed}) // XEP-0100: unknown contacts and strangers get a clear no
		}
		return p.out, nil
	}
	if err != nil {
		return nil, err
	}
	p.alias = c.Alias
	err = p.contact(ctx, kind, a, *c)
	for i := range p.out {
		p.out[i].Local = a.Shows(c)
	}
	return p.out, err
}

// presence collects the answers to one presence stanza.
type presence struct {
	g     *Gateway
	inst  Instance
	v     Visitor
	alias Alias
	out   []Rendering
}

func (p *presence) show(resource string, what Shown) {
	p.out = append(p.out, Rendering{Component: p.inst.Component, From: p.alias, To: p.v.User, Resource: resource, Lang: p.v.Lang, What: what})
}

// contact moves the subscription between our user and a contact. The subscription the user asked for is answered at once:
// the platform has no say in who sees what it never tells.
func (p *presence) contact(ctx context.Context, kind PresenceKind, a *Account, c Contact) error {
	was := c
	p.g.glance(p.inst, a, &c)
	c.subscription(kind)
	switch kind {
	case PresenceSubscribe:
		p.show("", ShowSubscription{Verb: Subscribed})
		p.show("", p.g.here(a, &c))
		if !c.Follows {
			p.show("", ShowSubscription{Verb: Subscribe, Name: c.Name})
		}
	case PresenceUnsubscribe:
		p.show("", ShowSubscription{Verb: Unsubscribed})
		p.show("", ShowPresence{})
	case PresenceProbe:
		p.show(p.v.Resource, p.g.here(a, &c))
	case PresenceSubscribed, PresenceUnsubscribed, PresenceAvailable, PresenceUnavailable:
	}
	if c == was {
		return nil
	}
	_, err := p.g.identity.Revise(ctx, a, c.Alias, func(now *Contact) { now.subscription(kind) })
	return err
}

// subscription notes what a presence stanza of the user changes of the subscriptions.
func (c *Contact) subscription(kind PresenceKind) {
	was := *c
	switch kind {
	case PresenceSubscribe, PresenceProbe:
		// The user's server probes only for those its roster lists as subscribed: it knows better than a lost record.
		c.Subscribed = true
	case PresenceSubscribed:
		c.Follows = true
	case PresenceUnsubscribe:
		c.Subscribed = false
	case PresenceUnsubscribed:
		c.Follows = false
	case PresenceAvailable, PresenceUnavailable:
	}
	c.noteRemoval(was)
}

// gateway answers presence to the gateway itself.
func (p *presence) gateway(ctx context.Context, kind PresenceKind) ([]Rendering, error) {
	accounts, err := p.g.identity.Of(ctx, p.v.Adapter, p.v.User)
	if errors.Is(err, ErrNoAccount) {
		if kind == PresenceSubscribe || kind == PresenceProbe {
			p.show("", ShowSubscription{Verb: Unsubscribed})
		}
		return p.out, nil
	}
	if err != nil {
		return nil, err
	}
	switch kind {
	case PresenceSubscribe:
		p.show("", ShowSubscription{Verb: Subscribed})
		p.show("", p.g.self(accounts))
		p.g.met(ctx, accounts)
	case PresenceProbe:
		p.show(p.v.Resource, p.g.self(accounts))
	case PresenceAvailable, PresenceUnavailable, PresenceSubscribed, PresenceUnsubscribe, PresenceUnsubscribed:
	}
	return p.out, nil
}

// self is the gateway's own presence as one user sees it: away when none of their accounts works.
func (g *Gateway) self(accounts []*Account) ShowPresence {
	s := ShowPresence{Available: true, Away: !slices.ContainsFunc(accounts, works)}
	var named []string
	for _, a := range accounts {
		if a.Shown != "" {
			named = append(named, a.Shown)
		}
	}
	s.Status = strings.Join(named, ", ")
	if halt, ok := g.orders.Stopped(accounts[0].Adapter); ok {
		s.Away, s.Status = true, g.texts.Say(accounts[0].Lang, TextStopped, g.instances[halt.Adapter].Adapter.Descriptor().Platform, halt.Reason)
		return s
	}
	for _, a := range accounts {
		if a.PausedAt(time.Now()) {
			s.Away, s.Status = true, g.texts.Say(a.Lang, TextPaused, pausedUntil(a.Paused))
		}
	}
	return s
}

// Greet says to every registered user, once after a connect, that the gateway is there, and asks who is online.
func (g *Gateway) Greet(ctx context.Context, adapter AdapterID, yield func(Rendering) error) error {
	return g.greet(ctx, adapter, true, yield)
}

func (g *Gateway) greet(ctx context.Context, adapter AdapterID, probe bool, yield func(Rendering) error) error {
	inst, ok := g.instance(adapter)
	if !ok {
		return nil
	}
	return g.identity.Members(ctx, adapter, func(u UserID, id AccountID) error {
		accounts, err := g.identity.Of(ctx, adapter, u)
		if errors.Is(err, ErrNoAccount) || err == nil && accounts[0].ID != id {
			return nil // gone, or greeted with their first account
		}
		if err != nil {
			return err
		}
		p := &presence{g: g, inst: inst, v: Visitor{Adapter: adapter, User: u, Lang: accounts[0].Lang}}
		p.show("", g.self(accounts))
		if !probe {
			return yieldAll(p.out, yield)
		}
		p.show("", ShowProbe{})
		g.healing.store(string(adapter)+"/"+string(u), true)
		return yieldAll(p.out, yield)
	})
}

// Farewell says to every registered user that the gateway and their contacts are leaving. Where another replica goes on with
// the component, nobody leaves.
func (g *Gateway) Farewell(ctx context.Context, adapter AdapterID, yield func(Rendering) error) error {
	inst, ok := g.instance(adapter)
	if !ok || g.balance.elsewhere(OutboxPartition(adapter)) {
		return nil
	}
	return g.identity.Members(ctx, adapter, func(u UserID, id AccountID) error {
		p := &presence{g: g, inst: inst, v: Visitor{Adapter: adapter, User: u}}
		if accounts, err := g.identity.Of(ctx, adapter, u); err != nil || accounts[0].ID == id {
			p.show("", ShowPresence{})
		}
		a, err := g.identity.ByID(ctx, id)
		if err != nil {
			return yieldAll(p.out, yield)
		}
		err = g.identity.Contacts(ctx, a, func(c *Contact) error {
			if c.Subscribed {
				p.alias = c.Alias
				p.show("", ShowPresence{})
				p.out[len(p.out)-1].Local = a.Shows(c)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return yieldAll(p.out, yield)
	})
}

func yieldAll(rs []Rendering, yield func(Rendering) error) error {
	for _, r := range rs {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// Caps returns what a contact's chat supports, for service discovery. ErrNoContact or ErrNoAccount when the visitor has no
// such contact: another user's contacts do not exist for them.
func (g *Gateway) Caps(ctx context.Context, v Visitor, alias Alias) (Caps, *Contact, error) {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return Caps{}, nil, ErrNoAccount
	}
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if err != nil {
		return Caps{}, nil, err
	}
	return chatCaps(inst.Adapter, g.facts(a, c)), c, nil
}
