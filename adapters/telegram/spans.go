package telegram

import (
	"net/url"
	"unicode/utf16"
	"unicode/utf8"

	"postern/gateway"
)

// maxSpans bounds the styles of a text; Telegram ignores what is beyond a hundred.
const maxSpans = 100

// styles names ours by the document's MessageEntity types. Those that are only addresses, such as url and hashtag, are plain text;
// underline has no counterpart.
var styles = map[string]gateway.SpanStyle{
	"bold": gateway.SpanStrong, "italic": gateway.SpanEmphasis, "strikethrough": gateway.SpanDeleted, "code": gateway.SpanCode,
	"pre": gateway.SpanPre, "blockquote": gateway.SpanQuote, "expandable_blockquote": gateway.SpanQuote, "spoiler": gateway.SpanSpoiler,
	"text_link": gateway.SpanLink, "mention": gateway.SpanMention, "text_mention": gateway.SpanMention,
}

// entityTypes are the same the other way. A mention needs a Telegram user, whom XMPP does not name.
var entityTypes = map[gateway.SpanStyle]string{
	gateway.SpanStrong: "bold", gateway.SpanEmphasis: "italic", gateway.SpanDeleted: "strikethrough", gateway.SpanCode: "code",
	gateway.SpanPre: "pre", gateway.SpanQuote: "blockquote", gateway.SpanSpoiler: "spoiler", gateway.SpanLink: "text_link",
}

// parseSpans turns entities, in UTF-16 code units, into spans, in code points. One that ends outside the text or within a character
// is left out.
func parseSpans(text string, entities []entity) []gateway.Span {
	if len(entities) == 0 {
		return nil
	}
	points := map[int]int{} // by code unit
	unit, point := 0, 0
	for _, r := range text {
		points[unit] = point
		unit += utf16.RuneLen(r)
		point++
	}
	points[unit] = point
	var out []gateway.Span
	for _, e := range entities[:min(len(entities), maxSpans)] {
		style, known := styles[e.Type]
		from, begins := points[e.Offset]
		to, ends := points[e.Offset+e.Length]
		if !known || !begins || !ends || to <= from {
			continue
		}
		s := gateway.Span{Start: from, Length: to - from, Style: style}
		if style == gateway.SpanLink {
			if !absolute(e.URL) {
				continue
			}
			s.URL = e.URL
		}
		out = append(out, s)
	}
	return out
}

// renderSpans is parseSpans the other way, for a text that stands after offset code units.
func renderSpans(text string, spans []gateway.Span, offset int) []entity {
	if len(spans) == 0 {
		return nil
	}
	units := make([]int, 0, utf8.RuneCountInString(text)+1) // by code point
	unit := offset
	for _, r := range text {
		units = append(units, unit)
		unit += utf16.RuneLen(r)
	}
	units = append(units, unit)
	var out []entity
	for _, s := range spans {
		typ, known := entityTypes[s.Style]
		if !known || s.Start < 0 || s.Length < 1 || s.Start > len(units)-1-s.Length || len(out) == maxSpans {
			continue
		}
		e := entity{Type: typ, Offset: units[s.Start], Length: units[s.Start+s.Length] - units[s.Start]}
		if s.Style == gateway.SpanLink {
			if !absolute(s.URL) {
				continue
			}
			e.URL = s.URL
		}
		out = append(out, e)
	}
	return out
}

func absolute(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.IsAbs()
}

// units counts a text as Telegram counts offsets. It limits texts by characters; fewer of these are never more of those.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
