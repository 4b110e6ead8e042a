package xmpp

import (
	"postern/gateway"
)

const (
	maxEmojis = 64
	maxEmoji  = 16 // code points of one reaction
)

// stored is a message without a body that must survive all the same: archives
// keep it for the hint alone (XEP-0334 §4.4).
func stored(s speaker, id gateway.StanzaID, payload *Element) (*Element, error) {
	el, err := envelopeOf(s, id)
	if err != nil {
		return nil, err
	}
	return el.Add(payload, originID(id), hint("store")), nil
}

// retraction takes a message back (XEP-0424 §5.1). Clients without the XEP show the text.
func (r Renderer) retraction(g gateway.Rendering, s speaker, w gateway.ShowRetract) (*Element, error) {
	el, err := envelopeOf(s, w.ID)
	if err != nil {
		return nil, err
	}
	return el.AddTextChild("body", r.say(g.Lang, gateway.TextTookBack)).Add(
		NewElement(nsRetract, "retract", "id", string(w.Of)),
		NewElement(nsFallback, "fallback", "for", nsRetract),
		originID(w.ID), hint("store")), nil
}

// reaction carries the contact's full set; an empty one removes all (XEP-0444 §4.1).
func reaction(s speaker, w gateway.ShowReact) (*Element, error) {
	set := NewElement(nsReactions, "reactions", "id", string(w.Of))
	seen := make(map[string]bool)
	for _, e := range w.Emojis {
		e = shortened(e, maxEmoji)
		if e == "" || seen[e] || len(seen) == maxEmojis {
			continue
		}
		seen[e] = true
		set.AddTextChild("reaction", e)
	}
	return stored(s, w.ID, set)
}

// typing has no id: nobody refers to it, and a bounce of it says nothing
// (XEP-0085 §5.1).
func typing(s speaker, w gateway.ShowTyping) *Element {
	state := "paused"
	if w.On {
		state = "composing"
	}
	return NewElement(nsClient, "message", "from", s.full.String(), "to", s.to.String(), "type", "chat").
		Add(NewElement(nsChatStates, state), hint("no-store"))
}

// failure answers a stanza with an error, from the contact's bare address. Its
// recipient is a full JID: servers discard errors to a bare one.
func failure(g gateway.Rendering, s speaker, w gateway.ShowError) *Element {
	e := &StanzaError{Condition: Condition(w.Refusal.Condition), Text: w.Refusal.Text}
	el := NewElement(nsClient, "message", "from", s.bare.String(), "to", s.to.String())
	if w.Of != "" {
		el.SetAttr("id", string(w.Of))
	}
	return el.SetAttr("type", "error").Add(e.Element(false))
}
