package xmpp

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"postern/gateway"
)

const (
	nsStyling = "urn:xmpp:styling:0"                          // XEP-0393
	nsMarkup  = "urn:xmpp:markup:0"                           // XEP-0394
	nsSpoiler = "urn:xmpp:spoiler:0"                          // XEP-0382
	nsRDF     = "http://www.w3.org/1999/02/22-rdf-syntax-ns#" // XEP-0511
	nsOG      = "https://ogp.me/ns#"                          // XEP-0511
)

const (
	maxSpans    = 200      // of one body
	maxRanges   = 100      // of one body that stand in for a feature
	maxPreviews = 5        // of one message
	maxAbout    = 500      // code points of what a preview says
	maxAbouts   = 16 << 10 // bytes of all that they say
	maxURL      = 2000     // bytes
)

// script is a body on its way to become a text: what falls away is marked first
// and cut at the end, since offsets count from the body as it was sent.
type script struct {
	body  string
	runes []rune // of the body
	gone  []bool
}

func newScript(body string) *script {
	r := []rune(body)
	return &script{body: body, runes: r, gone: make([]bool, len(r))}
}

// drop marks [from, to) and returns what still stood there.
func (s *script) drop(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		if !s.gone[i] {
			s.gone[i] = true
			b.WriteRune(s.runes[i])
		}
	}
	return b.String()
}

// dropWord marks the first place where a string still stands.
func (s *script) dropWord(word string) {
	rest, at := s.rest()
	before, _, ok := strings.Cut(rest, word)
	if !ok || word == "" {
		return
	}
	n, end := len([]rune(before)), len([]rune(before))+len([]rune(word))
	for i := range s.runes {
		if !s.gone[i] && at[i] >= n && at[i] < end {
			s.gone[i] = true
		}
	}
}

// trim marks the white space around what is left.
func (s *script) trim() {
	for i := 0; i < len(s.runes) && (s.gone[i] || unicode.IsSpace(s.runes[i])); i++ {
		s.gone[i] = true
	}
	for i := len(s.runes) - 1; i >= 0 && (s.gone[i] || unicode.IsSpace(s.runes[i])); i-- {
		s.gone[i] = true
	}
}

// left returns what is left: nearly always all of it.
func (s *script) left() string {
	if !slices.Contains(s.gone, true) {
		return s.body
	}
	rest, _ := s.rest()
	return rest
}

// rest returns what is left, and where in it each code point of the body went.
func (s *script) rest() (string, []int) {
	var b strings.Builder
	at, n := make([]int, len(s.runes)+1), 0
	for i, r := range s.runes {
		at[i] = n
		if !s.gone[i] {
			b.WriteRune(r)
			n++
		}
	}
	at[len(s.runes)] = n
	return b.String(), at
}

func (s *script) blank() bool {
	for i, r := range s.runes {
		if !s.gone[i] && !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// strip takes the ranges out of a body that a fallback marks as standing in for
// a feature (XEP-0428 §3), counted in code points, and returns what stood there.
func (s *script) strip(el *Element, feature string) string {
	var removed strings.Builder
	ranges := 0
	for _, f := range el.ChildrenNamed(nsFallback, "fallback") {
		if f.Attr("for") != feature {
			continue
		}
		bodies := f.ChildrenNamed(nsFallback, "body")
		if len(f.Children()) == 0 { // no range at all: the whole message stands in (XEP-0428 §3)
			bodies = []*Element{NewElement(nsFallback, "body")}
		}
		for _, b := range bodies {
			if ranges++; ranges > maxRanges {
				break
			}
			removed.WriteString(s.drop(s.between(b)))
		}
	}
	return removed.String()
}

// between reads a range; what is missing is the beginning or the end (XEP-0428 §3).
func (s *script) between(el *Element) (start, end int) {
	end = len(s.runes)
	if v, err := strconv.Atoi(el.Attr("end")); err == nil {
		end = within(v, len(s.runes))
	}
	if v, err := strconv.Atoi(el.Attr("start")); err == nil {
		start = within(v, len(s.runes))
	}
	return min(start, end), end
}

// within brings an offset that came from outside into a text of that length.
func within(n, length int) int { return min(max(0, n), length) }

// text returns what is left as text: with the spans that stand beside it
// (XEP-0394), else with those of its marks (XEP-0393), else as it is where the
// sender says that it has no styling.
func (s *script) text(el *Element) gateway.Text {
	markup := el.Child(nsMarkup, "markup")
	if markup == nil {
		rest := s.left()
		if el.Child(nsStyling, "unstyled") != nil {
			return gateway.Text{Text: rest}
		}
		return gateway.ParseStyling(rest)
	}
	var spans []gateway.Span
	for _, c := range markup.Children() {
		start, end := s.between(c)
		for _, style := range markupStyles(c) {
			if start == end || len(spans) == maxSpans {
				continue
			}
			s.dropMarks(style, start, end)
			spans = append(spans, gateway.Span{Start: start, Length: end - start, Style: style})
		}
	}
	rest, at := s.rest()
	out := gateway.Text{Text: rest}
	for _, sp := range spans {
		from, to := at[sp.Start], at[sp.Start+sp.Length]
		if from < to {
			out.Spans = append(out.Spans, gateway.Span{Start: from, Length: to - from, Style: sp.Style})
		}
	}
	return out
}

// markupStyles returns what an element of a markup means (XEP-0394 §4).
func markupStyles(c *Element) []gateway.SpanStyle {
	if c.Name.Space != nsMarkup {
		return nil
	}
	switch c.Name.Local {
	case "bcode":
		return []gateway.SpanStyle{gateway.SpanPre}
	case "bquote":
		return []gateway.SpanStyle{gateway.SpanQuote}
	case "span":
		var out []gateway.SpanStyle
		for _, kind := range []gateway.SpanStyle{gateway.SpanStrong, gateway.SpanEmphasis, gateway.SpanDeleted, gateway.SpanCode} {
			if c.Child(nsMarkup, string(kind)) != nil {
				out = append(out, kind)
			}
		}
		return out
	}
	return nil
}

// directives are the marks that may stand beside a span for clients without it.
var directives = map[gateway.SpanStyle]rune{
	gateway.SpanStrong: '*', gateway.SpanEmphasis: '_', gateway.SpanDeleted: '~', gateway.SpanCode: '`',
}

// dropMarks takes away the mark of XEP-0393 around or at the ends of a span:
// what the span says already is not said twice.
func (s *script) dropMarks(style gateway.SpanStyle, start, end int) {
	switch style {
	case gateway.SpanQuote:
		s.dropQuoteMarks(start, end)
		return
	case gateway.SpanPre:
		s.dropFences(start, end)
		return
	case gateway.SpanStrong, gateway.SpanEmphasis, gateway.SpanDeleted, gateway.SpanCode, gateway.SpanSpoiler, gateway.SpanLink, gateway.SpanMention:
	}
	mark, ok := directives[style]
	switch {
	case !ok:
	case start > 0 && end < len(s.runes) && s.runes[start-1] == mark && s.runes[end] == mark:
		s.gone[start-1], s.gone[end] = true, true
	case end-start > 2 && s.runes[start] == mark && s.runes[end-1] == mark:
		s.gone[start], s.gone[end-1] = true, true
	}
}

// dropFences takes away the lines of fences right before and behind a range.
func (s *script) dropFences(start, end int) {
	from, to := start-1, end+4
	for from > 0 && s.runes[from-1] != '\n' {
		from--
	}
	if from < 0 || s.runes[start-1] != '\n' || !strings.HasPrefix(string(s.runes[from:start]), "```") {
		return
	}
	if to > len(s.runes) || string(s.runes[end:to]) != "\n```" || to < len(s.runes) && s.runes[to] != '\n' {
		return
	}
	s.drop(from, start)
	s.drop(end, to)
}

// dropQuoteMarks takes one quote mark off each line of a range that has one in
// front; the first may stand right before the range.
func (s *script) dropQuoteMarks(start, end int) {
	for start > 0 && s.runes[start-1] != '\n' {
		start--
	}
	for i := start; i < end; i++ {
		if s.runes[i] != '>' || i > start && s.runes[i-1] != '\n' {
			continue
		}
		s.gone[i] = true
		if i+1 < end && s.runes[i+1] == ' ' {
			s.gone[i+1] = true
		}
	}
}

// bodyFor picks the body in the user's language, else one without a language of
// its own, else the first (RFC 6121 §5.2.3).
func bodyFor(el *Element, lang string) string {
	bodies := el.Bodies()
	if len(bodies) == 0 {
		return ""
	}
	for _, b := range bodies {
		if lang != "" && strings.EqualFold(b.Lang, lang) {
			return b.Text
		}
	}
	for _, c := range el.ChildrenNamed(nsClient, "body") {
		if c.Lang() == "" {
			return c.Text()
		}
	}
	return bodies[0].Text
}

// unquoted takes the quote marks off an excerpt.
func unquoted(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(l, ">"), " ")
	}
	s = strings.Join(lines, "\n")
	if r := []rune(s); len(r) > maxExcerpt {
		return string(r[:maxExcerpt])
	}
	return s
}

// withSubject puts a subject before the text as a bold line.
func withSubject(el *Element, t gateway.Text) gateway.Text {
	subject, _ := el.Subject()
	if subject = shortened(subject, maxExcerpt); subject == "" {
		return t
	}
	bold := gateway.Span{Length: len([]rune(subject)), Style: gateway.SpanStrong}
	t = after(subject+"\n", t)
	t.Spans = append([]gateway.Span{bold}, t.Spans...)
	return t
}

// withSpoiler hides the whole text where the sender asks for it; the hint stays
// in sight (XEP-0382 §2).
func withSpoiler(el *Element, t gateway.Text) gateway.Text {
	c := el.Child(nsSpoiler, "spoiler")
	if c == nil {
		return t
	}
	t.Spans = append(t.Spans, gateway.Span{Length: len([]rune(t.Text)), Style: gateway.SpanSpoiler})
	if hint := shortened(c.Text(), maxExcerpt); hint != "" {
		t = after(hint+"\n", t)
	}
	return t
}

// after puts words before a text.
func after(words string, t gateway.Text) gateway.Text {
	n := len([]rune(words))
	for i := range t.Spans {
		t.Spans[i].Start += n
	}
	t.Text = words + t.Text
	return t
}

// previews reads what the sender's client found behind links (XEP-0511 §4).
func previews(el *Element) []gateway.Preview {
	var out []gateway.Preview
	for _, d := range el.ChildrenNamed(nsRDF, "Description") {
		about, _ := d.LookupAttr(nsRDF, "about")
		p := gateway.Preview{
			URL: about, Title: shortened(d.Child(nsOG, "title").Text(), maxAbout),
			Description: shortened(d.Child(nsOG, "description").Text(), maxAbout),
			Image:       d.Child(nsOG, "image").Text(),
		}
		if !isWeb(p.URL) || len(out) == maxPreviews {
			continue
		}
		if !strings.HasPrefix(p.Image, "https://") || !isWeb(p.Image) {
			p.Image = ""
		}
		out = append(out, p)
	}
	return out
}
