package xmpp

import (
	"slices"
	"strings"
	"unicode"

	"postern/gateway"
)

// styled writes spans as the marks of XEP-0393, which clients style and people
// read. Offsets are code points of the text (XEP-0426); a span beyond its end is
// cut short.
func styled(t gateway.Text) string {
	if len(t.Spans) == 0 {
		return t.Text
	}
	runes := []rune(t.Text)
	before := make(map[int]string) // marks that stand before the rune at an offset
	after := make(map[int]string)  // marks that end there
	spans := slices.Clone(t.Spans)
	slices.SortStableFunc(spans, func(a, b gateway.Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.Length - a.Length // the outer one first
	})
	for _, s := range spans {
		start, end := within(s.Start, len(runes)), within(s.Start+max(0, s.Length), len(runes))
		if s.Style == gateway.SpanQuote {
			quoteLines(runes, start, end, before)
			continue
		}
		for _, line := range lines(runes, start, end) {
			open, shut := marks(s, string(runes[line[0]:line[1]]))
			before[line[0]] += open
			after[line[1]] = shut + after[line[1]]
		}
	}
	var b strings.Builder
	for i := range len(runes) + 1 {
		b.WriteString(after[i])
		b.WriteString(before[i])
		if i < len(runes) {
			b.WriteRune(runes[i])
		}
	}
	return b.String()
}

// within brings an offset that came from outside into a text of that length.
func within(n, length int) int { return min(max(0, n), length) }

// marks returns what stands around a run of text in a style.
func marks(s gateway.Span, text string) (open, shut string) {
	switch s.Style {
	case gateway.SpanStrong:
		return "*", "*"
	case gateway.SpanEmphasis:
		return "_", "_"
	case gateway.SpanDeleted:
		return "~", "~"
	case gateway.SpanCode, gateway.SpanPre:
		return "`", "`"
	case gateway.SpanLink:
		if s.URL != "" && s.URL != text {
			return "", " (" + s.URL + ")"
		}
	case gateway.SpanQuote, gateway.SpanSpoiler, gateway.SpanMention:
	}
	return "", ""
}

// lines cuts a range into its lines without the spaces around them: a styled
// run neither spans lines nor touches space on its inside (XEP-0393 §6).
func lines(runes []rune, start, end int) [][2]int {
	var out [][2]int
	for from := start; from < end; {
		to := from
		for to < end && runes[to] != '\n' {
			to++
		}
		a, b := from, to
		for a < b && unicode.IsSpace(runes[a]) {
			a++
		}
		for b > a && unicode.IsSpace(runes[b-1]) {
			b--
		}
		if a < b {
			out = append(out, [2]int{a, b})
		}
		from = to + 1
	}
	return out
}

func quoteLines(runes []rune, start, end int, before map[int]string) {
	for i := start; i < end; i++ {
		if i == start || runes[i-1] == '\n' {
			before[i] = "> " + before[i]
		}
	}
}
