package xmpp

import (
	"postern/gateway"
)

const maxStatus = 500 // code points of a status text

// subscription moves a presence subscription, always between bare addresses
// (RFC 6121 §3.1.1). A request carries the contact's name (XEP-0172 §4.2).
func subscription(s speaker, w gateway.ShowSubscription) *Element {
	el := NewElement(nsClient, "presence", "from", s.bare.String(), "to", s.to.Bare().String(), "type", string(w.Verb))
	if w.Name != "" && w.Verb == gateway.Subscribe {
		el.Add(nickElement(w.Name))
	}
	return el
}

// presence tells whether somebody can be reached, and by the caps hash what
// their chat supports (XEP-0115 §6.1).
func (r Renderer) presence(g gateway.Rendering, s speaker, w gateway.ShowPresence) *Element {
	el := NewElement(nsClient, "presence", "from", s.full.String(), "to", s.to.String())
	if !w.Available {
		el.SetAttr("type", "unavailable")
	} else if w.Away {
		show := "away"
		if g.From == "" { // it is no person who left the desk: nothing comes for a longer while
			show = "xa"
		}
		el.AddTextChild("show", show)
	}
	if w.Status != "" {
		el.AddTextChild("status", shortened(w.Status, maxStatus))
	}
	if w.Available && w.Away && !w.LastSeen.IsZero() {
		el.Add(NewElement(nsIdle, "idle", "since", FormatTime(w.LastSeen)))
	}
	if p := r.profiles[g.Component]; p != nil && w.Available {
		el.Add(p.caps(g.From != "", w.Chat))
	}
	if g.From != "" && w.Available {
		// XEP-0153 §4.1: in every presence; an empty photo is none.
		el.Add(NewElement(nsVCardUpdate, "x").AddTextChild("photo", w.Avatar))
	}
	return el
}

// rosterEntry is a contact's entry in the user's roster as it waits in the
// outbox: the stream's writer puts in what the entry is to be, or drops it where
// the user's server has not granted that (XEP-0356 §5).
func rosterEntry(g gateway.Rendering, s speaker, w gateway.ShowRoster) *Element {
	item := NewElement(nsRoster, "item", "jid", s.bare.String())
	if w.Add {
		item.SetAttr("subscription", "both")
	}
	return NewElement(nsClient, "iq", "from", g.Component, "to", s.user.String(), "id", "roster", "type", "set").
		Add(NewElement(nsRoster, "query").Add(item))
}
