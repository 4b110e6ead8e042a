package xmpp

import (
	"strings"

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
	return el.SetLang(r.spoken(g.Lang)).AddTextChild("body", r.say(g.Lang, gateway.TextTookBack)).Add(
		NewElement(nsRetract, "retract", "id", string(w.Of)),
		NewElement(nsFallback, "fallback", "for", nsRetract),
		originID(w.ID), hint("store")), nil
}

// reactions carry the contact's full set; an empty one removes all (XEP-0444
// §4.1). Pictures that are no characters cannot stand there and are told in words.
func (r Renderer) reactions(g gateway.Rendering, s speaker, w gateway.ShowReact) ([]*Element, error) {
	set := NewElement(nsReactions, "reactions", "id", string(w.Of))
	seen := make(map[string]bool)
	var named []string
	for _, e := range w.Emojis {
		e = shortened(e, maxEmoji)
		if e == "" || seen[e] || len(seen) == maxEmojis {
			continue
		}
		seen[e] = true
		if isEmoji(e) {
			set.AddTextChild("reaction", e)
		} else {
			named = append(named, e)
		}
	}
	el, err := stored(s, w.ID, set)
	if err != nil || named == nil {
		return []*Element{el}, err
	}
	words := gateway.ShowMessage{IDs: []gateway.StanzaID{derivedID(w.ID, 1)}, Content: gateway.PlainText(r.say(g.Lang, gateway.TextReacted, strings.Join(named, " "))), Notice: true}
	told, err := r.messages(g, s, words)
	return append([]*Element{el}, told...), err
}

// isEmoji tells whether a reaction is characters that clients show as one picture,
// rather than a platform's name for a picture of its own.
func isEmoji(s string) bool {
	if strings.ContainsRune(s, '\u20E3') { // a keycap: a digit in a box
		return true
	}
	for _, r := range s {
		if r < 0x2000 && r != 0xA9 && r != 0xAE {
			return false
		}
	}
	return true
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
func (r Renderer) failure(g gateway.Rendering, s speaker, w gateway.ShowError) *Element {
	e := &StanzaError{Condition: Condition(w.Refusal.Condition), Text: w.Refusal.Text, Lang: r.spoken(g.Lang)}
	el := NewElement(nsClient, "message", "from", s.bare.String(), "to", s.to.String())
	if w.Of != "" {
		el.SetAttr("id", string(w.Of))
	}
	return el.SetAttr("type", "error").Add(e.Element(false))
}
