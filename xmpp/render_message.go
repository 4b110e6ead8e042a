package xmpp

import (
	"net/url"
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

// piece is what becomes one stanza: a text, or a file by its URL.
type piece struct {
	body string
	url  string // set for a file: the body is exactly this
	text bool   // may carry a quote before it
}

// messages renders new content: one stanza per part, a long text in several.
// Part n takes the nth id; what has none derives its own from the last.
func (r Renderer) messages(g gateway.Rendering, s speaker, w gateway.ShowMessage) ([]*Element, error) {
	if len(w.IDs) == 0 {
		return nil, errNoStanzaID
	}
	var out []*Element
	for n, part := range r.shownParts(g, w.Content) {
		id := w.IDs[min(n, len(w.IDs)-1)]
		id = derivedID(id, max(0, n-len(w.IDs)+1))
		for k, p := range r.pieces(g, part) {
			el, err := envelopeOf(s, derivedID(id, k))
			if err != nil {
				return nil, err
			}
			out = append(out, addPiece(el, p))
		}
	}
	if w.ReplyTo != nil {
		addReply(out, s, *w.ReplyTo)
	}
	for n, el := range out {
		if n == 0 && w.Name != "" {
			el.Add(NewElement(nsNick, "nick").AddText(shortened(w.Name, maxNick)))
		}
		if g.From != "" && !w.Notice {
			addRequests(el)
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

func addPiece(el *Element, p piece) *Element {
	el.AddTextChild("body", p.body)
	if p.url != "" {
		// XEP-0066 §2: clients show a file only where the body is the URL and nothing else.
		el.Add(NewElement(nsOOB, "x").AddTextChild("url", p.url))
	}
	return el
}

// addReply marks the first text as the answer to an earlier message, with the
// quote that clients without XEP-0461 show (XEP-0428).
func addReply(out []*Element, s speaker, t gateway.ShownTarget) {
	at := slices.IndexFunc(out, func(el *Element) bool { return el.Child(nsOOB, "x") == nil })
	if at < 0 || t.Stanza == "" {
		return
	}
	el := out[at]
	author := s.full
	if t.Mine {
		author = s.to.Bare()
	}
	el.Add(NewElement(nsReply, "reply", "to", author.String(), "id", string(t.Stanza)))
	quote := shortened(t.Quote, maxQuote)
	if quote == "" {
		return
	}
	quote = "> " + quote + "\n"
	body := el.Child(nsClient, "body")
	body.Nodes = []Node{{Text: quote + body.Text()}}
	el.Add(NewElement(nsFallback, "fallback", "for", nsReply).Add(
		NewElement(nsFallback, "body", "start", "0", "end", strconv.Itoa(utf8.RuneCountInString(quote)))))
}

// edit renders the whole new content in one body (XEP-0308 §3); every edit
// names the original. What is too long for one stanza goes on in messages of
// their own: a correction replaces one message only.
func (r Renderer) edit(g gateway.Rendering, s speaker, w gateway.ShowEdit) ([]*Element, error) {
	var bodies []string
	for _, part := range r.shownParts(g, w.Content) {
		var whole strings.Builder
		for _, p := range r.pieces(g, part) {
			whole.WriteString(p.body)
		}
		bodies = append(bodies, whole.String())
	}
	var out []*Element
	for n, body := range chunks(strings.Join(bodies, "\n"), maxBody) {
		id := derivedID(w.ID, n)
		el, err := envelopeOf(s, id)
		if err != nil {
			return nil, err
		}
		el.AddTextChild("body", body)
		if n == 0 {
			el.Add(NewElement(nsCorrect, "replace", "id", string(w.Of)))
		}
		if g.From != "" {
			addRequests(el)
		}
		out = append(out, el.Add(originID(id)))
	}
	return out, nil
}

// pieces turns one part into what clients can show.
func (r Renderer) pieces(g gateway.Rendering, part gateway.Part) []piece {
	switch p := part.(type) {
	case nil:
		return nil
	case gateway.Text:
		return texts(styled(p))
	case gateway.Media:
		return r.file(g, p)
	case gateway.Sticker:
		if p.Emoji != "" {
			return texts(p.Emoji)
		}
		return r.file(g, p.Media)
	case gateway.Location:
		return location(p)
	case gateway.ContactCard:
		return texts(card(p))
	case gateway.Poll:
		return texts(p.Question + "\n" + numbered(p.Options))
	case gateway.Interactive:
		return texts(joined(p.Header, p.Body, numbered(p.Choices), p.Footer))
	case gateway.UnsupportedPart:
		return texts(r.unsupported(g, p.Type, p.Excerpt))
	}
	return texts(r.unsupported(g, gateway.PartKind(part), ""))
}

func (r Renderer) unsupported(g gateway.Rendering, kind, excerpt string) string {
	return strings.TrimSpace(r.say(g.Lang, gateway.TextUnsupportedPart, kind, excerpt))
}

// file shows media by its URL. A handle that is none cannot be opened by any
// client, so it is named instead.
func (r Renderer) file(g gateway.Rendering, m gateway.Media) []piece {
	u, err := url.Parse(m.Handle)
	if err != nil || u.Scheme != "https" || u.Host == "" || len(m.Handle) > 2000 {
		return texts(r.unsupported(g, string(m.Kind), m.Name))
	}
	return []piece{{body: u.String(), url: u.String()}}
}

// location is a body of nothing but a geo URI (RFC 5870), which clients open on
// a map, and what is known of the place after it.
func location(l gateway.Location) []piece {
	coord := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	out := []piece{{body: "geo:" + coord(l.Lat) + "," + coord(l.Lon)}}
	if place := joined(l.Name, l.Address); place != "" {
		out = append(out, texts(place)...)
	}
	return out
}

func card(c gateway.ContactCard) string {
	lines := []string{c.Name}
	for _, p := range c.Phones {
		lines = append(lines, "tel:"+p)
	}
	for _, m := range c.Emails {
		lines = append(lines, "mailto:"+m)
	}
	return joined(lines...)
}

func numbered(options []gateway.Choice) string {
	lines := make([]string, len(options))
	for i, o := range options {
		lines[i] = strconv.Itoa(i+1) + ". " + o.Title
	}
	return strings.Join(lines, "\n")
}

// joined puts what is not empty on lines of its own.
func joined(lines ...string) string {
	return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), "\n")
}

// texts makes bodies of one text. An empty text still is a message.
func texts(s string) []piece {
	var out []piece
	for _, c := range chunks(cleaned(s), maxBody) {
		out = append(out, piece{body: c, text: true})
	}
	return out
}

// chunks cuts s into pieces of at most max bytes, at line or word ends where it can.
func chunks(s string, max int) []string {
	var out []string
	for len(s) > max {
		cut := max
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		if at := strings.LastIndexAny(s[:cut], "\n "); at > cut/2 {
			cut = at + 1
		}
		out = append(out, s[:cut])
		s = s[cut:]
	}
	return append(out, s)
}
