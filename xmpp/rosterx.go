package xmpp

import (
	"fmt"

	"postern/gateway"
)

const nsRosterX = "http://jabber.org/protocol/rosterx" // XEP-0144

const maxContactItems = 50 // XEP-0144 §6: clients may find a long list suspicious

// contactList offers contacts for the user's roster (XEP-0144 §3.1). The gateway itself says it, and only because the user
// asked: clients may add every item without a question.
func contactList(g gateway.Rendering, s speaker, w gateway.ShowContacts) (*Element, error) {
	el, err := envelopeOf(s, w.ID)
	if err != nil {
		return nil, err
	}
	if len(w.Items) > maxContactItems {
		return nil, fmt.Errorf("%d contacts in one stanza, want at most %d", len(w.Items), maxContactItems)
	}
	x := NewElement(nsRosterX, "x")
	for _, c := range w.Items {
		j, err := NewJID(string(c.Local), g.Component, "")
		if err != nil {
			return nil, err
		}
		item := NewElement(nsRosterX, "item", "action", "add", "jid", j.String())
		if c.Name != "" {
			item.SetAttr("name", shortened(cleaned(c.Name), maxNick))
		}
		if w.Group != "" {
			item.AddTextChild("group", w.Group)
		}
		x.Add(item)
	}
	return el.Add(x, originID(w.ID), hint("no-store")), nil
}

// Rosters reports whether a user's server lets us keep their roster (XEP-0356 §4): their contacts are there already then.
func (c *Component) Rosters(user gateway.UserID) bool {
	j, err := ParseJID(string(user))
	return err == nil && c.granted(j).rosterSet
}
