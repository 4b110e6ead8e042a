package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// contactsShown is about how many contacts a page of Contacts has: half a second's worth at the pace of presence.
const contactsShown = 50

// Returns reports, once for each user whom Greet has asked, that they are there: the answer to the probe says so. They are shown their
// contacts then. Later presence changes of theirs change nothing for anybody.
func (g *Gateway) Returns(v Visitor) bool {
	who := string(v.Adapter) + "/" + string(v.User)
	_, waiting := g.healing.load(who)
	if waiting {
		g.healing.forget(who)
	}
	return waiting
}

// Contacts returns how some of a visitor's contacts look now, and which page follows; the first has no name, and none follows the last.
// A user may have tens of thousands, who are told of for minutes: nobody holds more than a page of them.
func (g *Gateway) Contacts(ctx context.Context, v Visitor, page string) (shown []Rendering, next string, err error) {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return nil, "", nil
	}
	accounts, err := g.identity.Of(ctx, v.Adapter, v.User)
	if errors.Is(err, ErrNoAccount) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	id, cursor, begun := strings.Cut(page, " ")
	at := 0
	if begun {
		if at = slices.IndexFunc(accounts, func(a *Account) bool { return string(a.ID) == id }); at < 0 {
			return nil, "", nil // gone, and its contacts with it
		}
	}
	a := accounts[at]
	next, err = g.identity.contactPage(ctx, a, cursor, contactsShown, func(c *Contact) error {
		if c.Subscribed {
			shown = append(shown, Rendering{Component: inst.Component, From: c.Alias, Local: a.Shows(c), To: v.User, Lang: v.Lang, What: g.here(a, c)})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, "", err
	case next != "":
		next = string(a.ID) + " " + next
	case at+1 < len(accounts):
		next = string(accounts[at+1].ID) + " "
	}
	return shown, next, nil
}
