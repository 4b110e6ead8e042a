package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// prefixed puts a mark before the first text of a content.
func prefixed(mark string, c Content) Content {
	out := Content{Parts: slices.Clone(c.Parts)}
	for i, p := range out.Parts {
		if t, ok := p.(Text); ok {
			out.Parts[i] = Text{Text: mark + t.Text, Spans: shifted(t.Spans, len([]rune(mark)))}
			return out
		}
	}
	out.Parts = slices.Insert(out.Parts, 0, Part(Text{Text: strings.TrimSpace(mark)}))
	return out
}

// quoted puts an excerpt before the first text in the way that XEP-0393 and most messengers quote.
func quoted(excerpt string, c Content) Content {
	if excerpt == "" {
		return c
	}
	var b strings.Builder
	for line := range strings.SplitSeq(excerpt, "\n") {
		b.WriteString("> " + line + "\n")
	}
	return prefixed(b.String(), c)
}

func shifted(spans []Span, by int) []Span {
	out := slices.Clone(spans)
	for i := range out {
		out[i].Start += by
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

// geoURI writes a location as RFC 5870 has it.
func geoURI(l Location) string { return fmt.Sprintf("geo:%g,%g", l.Lat, l.Lon) }
