package gateway

import (
	"strings"
	"time"
	"unicode/utf8"
)

const (
	excerptsKept = 4096           // messages whose beginning is known, in this process
	excerptsFor  = 24 * time.Hour // replies are to what was said lately
	excerptLong  = 160            // code points
)

// excerptOf returns the beginning of what a content says, for quotations.
func excerptOf(c Content) string {
	for _, p := range c.Parts {
		text := ""
		switch p := p.(type) {
		case Text:
			text = p.Text
		case Media:
			text = p.Name
		case Location:
			text = p.Name
		case ContactCard:
			text = p.Name
		case Poll:
			text = p.Question
		case Interactive:
			text = p.Body
		case Sticker:
			text = p.Emoji
		case UnsupportedPart:
			text = p.Excerpt
		}
		if utf8.RuneCountInString(text) > excerptLong {
			return string([]rune(text)[:excerptLong-1]) + "…"
		}
		if text != "" {
			return text
		}
	}
	return ""
}

// quotable keeps the beginning of a message in memory: platforms say to which message a reply is, not what that said, and
// clients without replies see the quotation alone (XEP-0461 §3.2).
func (g *Gateway) quotable(lane string, c Content, ids ...MessageID) {
	text := strings.Clone(excerptOf(c)) // not all that it is a part of
	for _, id := range ids {
		if text != "" {
			g.excerpts.store(lane+"/"+string(id), text)
		}
	}
}

// excerpt returns the beginning of a message that something points at, as far as anybody knows it.
func (g *Gateway) excerpt(lane string, t Target) string {
	if t.Excerpt != "" || len(t.IDs) == 0 {
		return t.Excerpt
	}
	text, _ := g.excerpts.load(lane + "/" + string(t.IDs[0]))
	return text
}
