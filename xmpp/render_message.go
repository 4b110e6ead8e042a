package xmpp

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/gateway"
)

const (
	maxBody  = 32_000 // bytes of one body; servers take stanzas of 256 KiB and more
	maxQuote = 160    // code points of a quoted message
	maxNick  = 120    // code points of a display name
)

// messages renders new content: one stanza per part, a long text in several.
// Part n takes the nth id; what has none derives its own from the last.
func (r Renderer) messages(g gateway.Rendering, s speaker, w gateway.ShowMessage) ([]*Element, error) {
	if len(w.IDs) == 0 {
		return nil, errNoStanzaID
	}
	var out []*Element
	var said []piece
	for n, part := range r.shownParts(g, w.Content) {
		id := w.IDs[min(n, len(w.IDs)-1)]
		id = derivedID(id, max(0, n-len(w.IDs)+1))
		for k, p := range r.pieces(g, part) {
			el, err := envelopeOf(s, derivedID(id, k))
			if err != nil {
				return nil, err
			}
			out, said = append(out, el.AddTextChild("body", p.body)), append(said, p)
		}
	}
	first := slices.IndexFunc(said, func(p piece) bool { return p.file == nil })
	for n, el := range out {
		quote := 0
		if w.ReplyTo != nil && n == max(first, 0) {
			quote = addReply(el, s, *w.ReplyTo, first >= 0)
		}
		addPiece(el, said[n], quote)
		if n == 0 && w.Name != "" {
			el.Add(NewElement(nsNick, "nick").AddText(shortened(w.Name, maxNick)))
		}
		if g.From != "" && !w.Notice {
			addRequests(el)
		}
		if w.Notice || said[n].ours || g.From == "" {
			el.SetLang(r.spoken(g.Lang))
		}
		el.Add(originID(gateway.StanzaID(el.ID())))
	}
	return out, nil
}

// shownParts leaves out texts of nothing. A message of which nothing is left is
// shown as such: it was sent, so it does not vanish.
func (r Renderer) shownParts(g gateway.Rendering, c gateway.Content) []gateway.Part {
	out := slices.Clone(c.Parts)
	something := false
	for i, part := range out {
		t, isText := part.(gateway.Text)
		if isText && strings.TrimSpace(cleaned(t.Text)) == "" {
			out[i] = nil // its place stays: ids go by it
		} else {
			something = true
		}
	}
	if !something {
		return []gateway.Part{gateway.Text{Text: r.say(g.Lang, gateway.TextEmpty)}}
	}
	return out
}

// addRequests asks for a receipt and for a displayed marker.
func addRequests(el *Element) *Element {
	return el.Add(NewElement(nsReceipts, "request"), NewElement(nsChatMarkers, "markable"))
}

// addReply marks a message as the answer to an earlier one, with the quote that
// clients without XEP-0461 show (XEP-0428) where it has text, and returns how many
// code points that takes.
func addReply(el *Element, s speaker, t gateway.ShownTarget, text bool) int {
	if t.Stanza == "" {
		return 0
	}
	el.Add(NewElement(nsReply, "reply", "to", s.author(t.Mine).String(), "id", string(t.Stanza)))
	quote := shortened(t.Quote, maxQuote)
	if quote == "" || !text {
		return 0
	}
	quote = "> " + quote + "\n"
	body := el.Child(nsClient, "body")
	body.Nodes = []Node{{Text: quote + body.Text()}}
	n := utf8.RuneCountInString(quote)
	el.Add(NewElement(nsFallback, "fallback", "for", nsReply).Add(NewElement(nsFallback, "body", "start", "0", "end", strconv.Itoa(n))))
	return n
}

// edit renders the whole new content in one body (XEP-0308 §3); every edit
// names the original. What is too long for one stanza goes on in messages of
// their own: a correction replaces one message only.
func (r Renderer) edit(g gateway.Rendering, s speaker, w gateway.ShowEdit) ([]*Element, error) {
	var said []piece
	for _, part := range r.shownParts(g, w.Content) {
		said = append(said, r.pieces(g, part)...)
	}
	if !slices.ContainsFunc(said, func(p piece) bool { return p.file == nil }) || len(w.Content.Parts) > 1 {
		said = texts(joinedBodies(said)) // of several parts, one message with all of them
	}
	var out []*Element
	for n, p := range said {
		id := derivedID(w.ID, n)
		el, err := envelopeOf(s, id)
		if err != nil {
			return nil, err
		}
		addPiece(el.AddTextChild("body", p.body), p, 0)
		if n == 0 {
			el.Add(NewElement(nsCorrect, "replace", "id", string(w.Of)))
		}
		if w.Notice {
			el.SetLang(r.spoken(g.Lang))
		} else if g.From != "" {
			addRequests(el)
		}
		out = append(out, el.Add(originID(id)))
	}
	return out, nil
}

func joinedBodies(said []piece) string {
	bodies := make([]string, len(said))
	for i, p := range said {
		bodies[i] = p.body
	}
	return strings.Join(bodies, "\n")
}
