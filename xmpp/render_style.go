package xmpp

import (
	"strconv"
	"strings"

	"postern/gateway"
)

// cleanedText returns a text with the characters that may stand in XML, and its
// spans where their words are then.
func cleanedText(t gateway.Text) gateway.Text {
	if len(t.Spans) == 0 {
		t.Text = cleaned(t.Text)
		return t
	}
	var b strings.Builder
	runes := []rune(t.Text)
	at, n := make([]int, len(runes)+1), 0 // where each code point went
	for i, r := range runes {
		at[i] = n
		c := ""
		if r != '\r' || i+1 == len(runes) || runes[i+1] != '\n' {
			c = cleaned(string(r))
		}
		b.WriteString(c)
		n += len([]rune(c))
	}
	at[len(runes)] = n
	out := gateway.Text{Text: b.String(), Previews: t.Previews}
	for _, s := range gateway.CutSpans(t.Spans, 0, len(runes)) {
		s.Start, s.Length = at[s.Start], at[s.Start+s.Length]-at[s.Start]
		out.Spans = append(out.Spans, s)
	}
	return out
}

// looksStyled tells whether a client would style words that are not (XEP-0393).
func looksStyled(s string) bool {
	if !strings.ContainsAny(s, "*_~`>") {
		return false
	}
	read := gateway.ParseStyling(s)
	return len(read.Spans) > 0
}

// markup says which code points of a body are styled (XEP-0394 §4); quote is
// how many stand before those that the runs count. A text of more styles than
// anybody writes has its marks alone.
func markup(runs []gateway.Span, quote int) *Element {
	if len(runs) == 0 || len(runs) > maxSpans {
		return nil
	}
	out := NewElement(nsMarkup, "markup")
	for _, s := range runs {
		start, end := strconv.Itoa(quote+s.Start), strconv.Itoa(quote+s.Start+s.Length)
		switch s.Style {
		case gateway.SpanStrong, gateway.SpanEmphasis, gateway.SpanDeleted, gateway.SpanCode:
			out.Add(NewElement(nsMarkup, "span", "start", start, "end", end).Add(NewElement(nsMarkup, string(s.Style))))
		case gateway.SpanPre:
			out.Add(NewElement(nsMarkup, "bcode", "start", start, "end", end))
		case gateway.SpanQuote:
			out.Add(NewElement(nsMarkup, "bquote", "start", start, "end", end))
		case gateway.SpanSpoiler, gateway.SpanLink, gateway.SpanMention:
		}
	}
	return out
}

// description says what a link leads to (XEP-0511 §4).
func description(p gateway.Preview) *Element {
	if !isWeb(p.URL) {
		return nil
	}
	el := NewElement(nsRDF, "Description").setAttr(nsRDF, "about", p.URL)
	for _, f := range []struct{ name, value string }{
		{"title", shortened(p.Title, maxAbout)}, {"description", shortened(p.Description, maxAbout)}, {"url", p.URL}, {"image", p.Image},
	} {
		if f.value != "" && len(f.value) <= maxURL {
			el.Add(NewElement(nsOG, f.name).AddText(f.value))
		}
	}
	return el
}
