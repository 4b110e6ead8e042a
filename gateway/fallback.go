package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// before puts words before the first text of a content, or makes them its first.
func before(words Text, c Content) Content {
	out := Content{Parts: slices.Clone(c.Parts)}
	for i, p := range out.Parts {
		if t, ok := p.(Text); ok {
			spans := append(slices.Clone(words.Spans), shifted(t.Spans, len([]rune(words.Text)))...)
			out.Parts[i] = Text{Text: words.Text + t.Text, Spans: spans, Previews: t.Previews}
			return out
		}
	}
	words.Text = strings.TrimSpace(words.Text)
	out.Parts = slices.Insert(out.Parts, 0, Part(words))
	return out
}

// prefixed puts a mark before the first text of a content.
func prefixed(mark string, c Content) Content { return before(Text{Text: mark}, c) }

// quoted puts an excerpt before the first text, as a quote.
func quoted(excerpt string, c Content) Content {
	if excerpt == "" {
		return c
	}
	quote := Span{Length: len([]rune(excerpt)), Style: SpanQuote}
	return before(Text{Text: excerpt + "\n", Spans: []Span{quote}}, c)
}

// quotedPlain does the same in characters, in the way that XEP-0393 and most messengers quote.
func quotedPlain(excerpt string, c Content) Content {
	if excerpt == "" {
		return c
	}
	var b strings.Builder
	for line := range strings.SplitSeq(excerpt, "\n") {
		b.WriteString("> " + line + "\n")
	}
	return before(Text{Text: b.String()}, c)
}

// unstyled writes the styles of a text as marks, and reports whether there were any that show.
func unstyled(t Text) (Text, bool) {
	marked, _ := Styled(t)
	return Text{Text: marked, Previews: t.Previews}, marked != t.Text
}

// acted tells in the third person what a user does with "/me" (XEP-0245): platforms have no such thing.
func acted(b OpBody, name string) OpBody {
	act := func(c Content) Content {
		for i, p := range c.Parts {
			t, ok := p.(Text)
			rest, me := strings.CutPrefix(t.Text, "/me ")
			if !ok || !me {
				continue
			}
			parts := slices.Clone(c.Parts)
			shift := len([]rune("* "+name+" ")) - len("/me ")
			parts[i] = Text{Text: "* " + name + " " + rest, Spans: shifted(t.Spans, shift), Previews: t.Previews}
			return Content{Parts: parts}
		}
		return c
	}
	switch b := b.(type) {
	case OpMessage:
		b.Content = act(b.Content)
		return b
	case OpEdit:
		b.Content = act(b.Content)
		return b
	case OpRetract, OpReact, OpMarkRead, OpAnswer, OpTyping, OpReopen, OpGroup:
	}
	return b
}

func shifted(spans []Span, by int) []Span {
	out := slices.Clone(spans)
	for i := range out {
		out[i].Start = max(0, out[i].Start+by)
	}
	return out
}

func numbered(options []Choice) string {
	lines := make([]string, len(options))
	for i, o := range options {
		lines[i] = strconv.Itoa(i+1) + ". " + o.Title
	}
	return strings.Join(lines, "\n")
}

func joinedWords(words []string) string { return strings.Join(words, " ") }

// geoURI writes a location as RFC 5870 has it.
func geoURI(l Location) string { return fmt.Sprintf("geo:%g,%g", l.Lat, l.Lon) }
