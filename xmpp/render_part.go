package xmpp

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"postern/gateway"
)

// piece is what becomes one stanza: a text, or a file by its address.
type piece struct {
	body string
	runs []gateway.Span // what is styled in the body, in its code points
	// literal is set for words that clients would style although nobody meant it.
	literal  bool
	hidden   bool   // is shown when the reader asks for it
	hint     string // what is hidden, in a few words
	previews []gateway.Preview
	ours     bool           // the gateway's own words
	file     *gateway.Media // set for a file: the body is exactly its address
	sticker  bool
	emoji    string // what a sticker stands for
}

// addPiece adds what stands beside a piece's body, which begins after a quote of
// so many code points.
func addPiece(el *Element, p piece, quote int) {
	if p.file != nil {
		addFile(el, p)
	}
	if p.literal {
		el.Add(NewElement(nsStyling, "unstyled")) // XEP-0393 §4.1
	}
	el.Add(markup(p.runs, quote))
	if p.hidden {
		el.Add(NewElement(nsSpoiler, "spoiler").AddText(p.hint))
	}
	size := 0
	for _, preview := range p.previews[:min(len(p.previews), maxPreviews)] {
		d := description(preview)
		if size += len(d.AppendTo(nil)); size <= maxAbouts {
			el.Add(d)
		}
	}
}

// pieces turns one part into what clients can show.
func (r Renderer) pieces(g gateway.Rendering, part gateway.Part) []piece {
	switch p := part.(type) {
	case nil:
		return nil
	case gateway.Text:
		return styledTexts(p)
	case gateway.Media:
		return r.file(g, p)
	case gateway.Sticker:
		return r.sticker(g, p)
	case gateway.Location:
		return r.location(g, p)
	case gateway.ContactCard:
		return texts(card(p))
	case gateway.Poll:
		how := gateway.TextPollOne
		if p.Multiple {
			how = gateway.TextPollMany
		}
		return texts(joined(p.Question, numbered(p.Options), r.say(g.Lang, how)))
	case gateway.Interactive:
		how := ""
		if len(p.Choices) > 0 {
			how = r.say(g.Lang, gateway.TextPollOne)
		}
		return texts(joined(p.Header, p.Body, numbered(p.Choices), p.Footer, how))
	case gateway.UnsupportedPart:
		return texts(r.unsupported(g, p.Type, p.Excerpt))
	}
	return texts(r.unsupported(g, gateway.PartKind(part), ""))
}

func (r Renderer) unsupported(g gateway.Rendering, kind, excerpt string) string {
	switch {
	case excerpt != "":
	case kind == gateway.UnsupportedEdit:
		return r.say(g.Lang, gateway.TextUnsupportedEdit)
	case kind == gateway.UnsupportedAny:
		return r.say(g.Lang, gateway.TextUnsupportedAny)
	}
	return strings.TrimSpace(r.say(g.Lang, gateway.TextUnsupportedPart, kind, excerpt))
}

// location is a body of nothing but a geo URI (RFC 5870), which clients open on
// a map, and what is known of the place after it.
func (r Renderer) location(g gateway.Rendering, l gateway.Location) []piece {
	coord := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	out := []piece{{body: "geo:" + coord(l.Lat) + "," + coord(l.Lon)}}
	live := ""
	if !l.LiveUntil.IsZero() {
		live = r.say(g.Lang, gateway.TextLiveUntil, l.LiveUntil.UTC().Format(time.TimeOnly[:5]))
	}
	if place := joined(l.Name, l.Address, live); place != "" {
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

// texts makes bodies of one text without styles. An empty text still is a message.
func texts(s string) []piece { return styledTexts(gateway.Text{Text: s}) }

// styledTexts makes bodies of one text, with its styles as marks and beside them.
func styledTexts(t gateway.Text) []piece {
	t = cleanedText(t)
	hidden := slices.ContainsFunc(t.Spans, func(s gateway.Span) bool { return s.Style == gateway.SpanSpoiler })
	t.Spans = slices.DeleteFunc(slices.Clone(t.Spans), func(s gateway.Span) bool { return s.Style == gateway.SpanSpoiler })
	marked, runs := gateway.Styled(t)
	literal := len(runs) == 0 && looksStyled(marked)
	var out []piece
	from := 0
	for n, c := range chunks(marked, maxBody) {
		to := from + utf8.RuneCountInString(c)
		p := piece{body: c, runs: gateway.CutSpans(runs, from, to), literal: literal, hidden: hidden}
		if n == 0 {
			p.previews = t.Previews
		}
		out, from = append(out, p), to
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
