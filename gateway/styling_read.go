package gateway

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxQuoteDepth = 8    // how deep quotes nest; what is deeper is text
	maxStyles     = 1000 // spans of one text; what is styled behind them keeps its marks
)

// ParseStyling reads the marks of XEP-0393 into spans over the text without them. What is no styling by the rules of the
// document stays as it is.
func ParseStyling(s string) Text {
	if !strings.ContainsAny(s, "*_~`>") && utf8.ValidString(s) { // nearly all that is written
		return Text{Text: s}
	}
	p := stylist{}
	p.blocks(strings.Split(s, "\n"), 0)
	return Text{Text: string(p.out), Spans: p.spans}
}

// stylist collects a text without its marks.
type stylist struct {
	out   []rune
	spans []Span
	begun bool // a line has been written
}

// span opens a span here and returns what closes it.
func (p *stylist) span(style SpanStyle) func() {
	n := len(p.spans)
	p.spans = append(p.spans, Span{Start: len(p.out), Style: style})
	return func() { p.spans[n].Length = len(p.out) - p.spans[n].Start }
}

// blocks reads lines as blocks: preformatted text between fences, quotes, and plain lines (XEP-0393 §5.1).
func (p *stylist) blocks(lines []string, depth int) {
	open := false // a fence that nothing closes from here on
	for i := 0; i < len(lines); {
		switch line := lines[i]; {
		case strings.HasPrefix(line, "```") && !open && len(p.spans) < maxStyles:
			end := i + 1
			for end < len(lines) && lines[end] != "```" {
				end++
			}
			open = end == len(lines)
			if open || end == i+1 { // without an end or of nothing: words like others
				p.line(line)
				i++
				continue
			}
			p.fenced(lines[i+1 : end])
			i = end + 1
		case strings.HasPrefix(line, ">") && depth < maxQuoteDepth && len(p.spans) < maxStyles:
			end := i
			var inner []string
			for ; end < len(lines) && strings.HasPrefix(lines[end], ">"); end++ {
				inner = append(inner, strings.TrimPrefix(lines[end][1:], " "))
			}
			p.newline()
			p.begun = false
			shut := p.span(SpanQuote)
			p.blocks(inner, depth+1)
			p.begun = true
			shut()
			i = end
		default:
			p.line(line)
			i++
		}
	}
}

func (p *stylist) newline() {
	if p.begun {
		p.out = append(p.out, '\n')
	}
	p.begun = true
}

func (p *stylist) fenced(lines []string) {
	p.newline()
	shut := p.span(SpanPre)
	p.out = append(p.out, []rune(strings.Join(lines, "\n"))...)
	shut()
}

func (p *stylist) line(s string) {
	p.newline()
	p.inline([]rune(s))
}

// inline reads the spans of one line. A directive opens at the beginning, behind white space or behind another that opens, and
// never before white space or its like; it closes at the next of its kind that is not behind white space (XEP-0393 §6.2).
func (p *stylist) inline(runes []rune) {
	none := make(map[rune]bool, 4) // directives that nothing closes from here on
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		style := styleOf(r)
		if style == "" || none[r] || len(p.spans) >= maxStyles || i > 0 && !unicode.IsSpace(runes[i-1]) || i+1 < len(runes) && (runes[i+1] == r || unicode.IsSpace(runes[i+1])) {
			p.out = append(p.out, r)
			continue
		}
		end := i + 2
		for end < len(runes) && (runes[end] != r || unicode.IsSpace(runes[end-1])) {
			end++
		}
		if end >= len(runes) {
			none[r] = true
			p.out = append(p.out, r)
			continue
		}
		shut := p.span(style)
		if inner := runes[i+1 : end]; style == SpanCode {
			p.out = append(p.out, inner...)
		} else {
			p.inline(inner)
		}
		shut()
		i = end
	}
}

// styleOf returns what a styling directive means, empty for any other character.
func styleOf(r rune) SpanStyle {
	switch r {
	case '*':
		return SpanStrong
	case '_':
		return SpanEmphasis
	case '~':
		return SpanDeleted
	case '`':
		return SpanCode
	}
	return ""
}
