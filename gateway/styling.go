package gateway

import (
	"slices"
	"strings"
	"unicode"
)

// Styled writes a text's spans as the marks of XEP-0393, which clients style and people read, and returns where the styled
// runs then are, in code points of what it wrote (XEP-0426), without their marks. A span beyond the end is cut short. What the
// marks cannot say is said in the usual way of chats: a spoiler between bars, a link's address in brackets.
func Styled(t Text) (marked string, runs []Span) {
	if len(t.Spans) == 0 {
		return t.Text, nil
	}
	w := marker{runes: []rune(t.Text), before: make(map[int]string), after: make(map[int]string), left: maxMarks}
	spans := slices.Clone(t.Spans[:min(len(t.Spans), maxStyles)])
	slices.SortStableFunc(spans, func(a, b Span) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.Length - a.Length // the outer one first
	})
	for _, s := range spans {
		w.mark(s)
	}
	return w.write()
}

// marker collects the marks that stand before and after the code points of a text.
type marker struct {
	runes         []rune
	before, after map[int]string
	runs          []Span // in code points of the text without marks
	left          int    // how many more lines get marks
}

// maxMarks is how many lines of one text get marks, each for each style: what is styled behind them goes without.
const maxMarks = 10_000

func (w *marker) mark(s Span) {
	start := within(s.Start, len(w.runes))
	end := start + within(s.Length, len(w.runes)-start)
	if start == end || w.left <= 0 {
		return
	}
	switch s.Style {
	case SpanQuote:
		for i := start; i < end; i++ {
			if (i == start || w.runes[i-1] == '\n') && w.left > 0 && len(w.before[i]) < 2*maxQuoteDepth {
				w.left--
				w.before[i] = "> " + w.before[i]
			}
		}
		w.runs = append(w.runs, Span{Start: start, Length: end - start, Style: s.Style})
		return
	case SpanPre:
		if w.wholeLines(start, end) {
			w.before[start] += "```\n"
			w.after[end] = "\n```" + w.after[end]
			w.runs = append(w.runs, Span{Start: start, Length: end - start, Style: s.Style})
			return
		}
		s.Style = SpanCode
	case SpanStrong, SpanEmphasis, SpanDeleted, SpanCode, SpanSpoiler, SpanLink, SpanMention:
	}
	if s.Style == SpanLink {
		start = lastLine(w.runes, start, end) // its address once
	}
	lines := linesIn(w.runes, start, end)
	lines = lines[:min(len(lines), w.left)]
	w.left -= len(lines)
	for _, line := range lines {
		open, shut := marks(s, string(w.runes[line[0]:line[1]]))
		w.before[line[0]] += open
		w.after[line[1]] = shut + w.after[line[1]]
		if open != "" {
			w.runs = append(w.runs, Span{Start: line[0], Length: line[1] - line[0], Style: s.Style})
		}
	}
}

// wholeLines reports whether a range begins and ends where lines do and nothing stands before it: only then can fences stand
// around it.
func (w *marker) wholeLines(start, end int) bool {
	return w.before[start] == "" && (start == 0 || w.runes[start-1] == '\n') && (end == len(w.runes) || w.runes[end] == '\n')
}

func (w *marker) write() (string, []Span) {
	var b strings.Builder
	at, n := make([]int, len(w.runes)), 0 // where each code point of the text went
	put := func(s string) {
		b.WriteString(s)
		n += len([]rune(s))
	}
	for i := range len(w.runes) + 1 {
		put(w.after[i])
		put(w.before[i])
		if i < len(w.runes) {
			at[i] = n
			put(string(w.runes[i]))
		}
	}
	for i, r := range w.runs {
		start, last := at[r.Start], at[r.Start+r.Length-1]
		w.runs[i].Start, w.runs[i].Length = start, last+1-start
	}
	return b.String(), w.runs
}

// within brings an offset that came from outside into a text of that length.
func within(n, length int) int { return min(max(0, n), length) }

// marks returns what stands around a run of text in a style.
func marks(s Span, text string) (open, shut string) {
	switch s.Style {
	case SpanStrong:
		return "*", "*"
	case SpanEmphasis:
		return "_", "_"
	case SpanDeleted:
		return "~", "~"
	case SpanCode:
		return "`", "`"
	case SpanSpoiler:
		return "||", "||"
	case SpanLink:
		if s.URL != "" && s.URL != text {
			return "", " (" + s.URL + ")"
		}
	case SpanPre, SpanQuote, SpanMention:
	}
	return "", ""
}

// linesIn cuts a range into its lines without the spaces around them: a styled run neither spans lines nor touches space on
// its inside (XEP-0393 §6.2).
func linesIn(runes []rune, start, end int) [][2]int {
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

// lastLine returns where the last line of a range begins that is not blank.
func lastLine(runes []rune, start, end int) int {
	for end > start && unicode.IsSpace(runes[end-1]) {
		end--
	}
	for end > start && runes[end-1] != '\n' {
		end--
	}
	return end
}

// CutSpans returns the parts of spans that lie in [from, to), counted from there.
func CutSpans(spans []Span, from, to int) []Span {
	var out []Span
	for _, s := range spans {
		start, end := max(s.Start, from), to
		if left := to - s.Start; s.Length < left { // a length from outside may be near the largest number
			end = s.Start + s.Length
		}
		if start < end {
			s.Start, s.Length = start-from, end-start
			out = append(out, s)
		}
	}
	return out
}
