package messenger

import (
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/gateway"
)

// Bounds of what one message becomes: each part is a stanza, an excerpt is in code points.
const (
	maxExcerpt = 200
	maxParts   = 30
	maxItems   = 20 // of a template
)

// likes are the stickers of the button below a chat.
var likes = []loose{"369239263222822", "369239343222814", "369239383222810"}

// content turns a message into parts: files, then the words. A kind that is not known becomes a notice, so that nothing is dropped in
// silence.
func (p *parser) content(m wireMessage, raw json.RawMessage) gateway.Content {
	var parts []gateway.Part
	text := gateway.Text{Text: m.Text}
	if text.Text == "" && m.QuickReply != nil {
		text.Text = m.QuickReply.Payload
	}
	for i, a := range m.Attachments[:min(len(m.Attachments), maxParts)] {
		if pv, ok := preview(a); ok && strings.Contains(text.Text, pv.URL) { // a link, which the words have already
			text.Previews = append(text.Previews, pv)
			continue
		}
		parts = append(parts, p.attached(m.MID, i, a)...)
	}
	if m.ReplyTo != nil && m.ReplyTo.Story != nil && m.ReplyTo.Story.URL != "" {
		text = quoting(m.ReplyTo.Story.URL, text)
	}
	if strings.TrimSpace(text.Text) != "" {
		parts = append(parts, text)
	}
	if r := m.Referral; r != nil && r.Ad != nil && strings.TrimSpace(r.Ad.Title) != "" {
		parts = append(parts, gateway.Text{Text: cut(r.Ad.Title, maxExcerpt)}) // the advertisement that they answer
	}
	if len(parts) == 0 {
		parts = []gateway.Part{notice(m, raw)}
	}
	return gateway.Content{Parts: parts}
}

// quoting puts the address of a story before what was said of it.
func quoting(address string, t gateway.Text) gateway.Text {
	return gateway.Text{
		Text:  address + "\n" + t.Text,
		Spans: []gateway.Span{{Start: 0, Length: utf8.RuneCountInString(address), Style: gateway.SpanQuote}}, Previews: t.Previews,
	}
}

// notice is a message in which nothing has a name here.
func notice(m wireMessage, raw json.RawMessage) gateway.Part {
	if m.Unsupported {
		return gateway.UnsupportedPart{Type: "unsupported"}
	}
	var whole struct {
		Message json.RawMessage `json:"message"`
	}
	_ = json.Unmarshal(raw, &whole) // an excerpt of nothing is empty
	return gateway.UnsupportedPart{Type: "unknown", Excerpt: excerpt(string(whole.Message))}
}

// attached turns one attachment into parts.
func (p *parser) attached(mid loose, n int, a attachment) []gateway.Part {
	address := first(a.Payload.URL, a.URL)
	file := func(kind gateway.MediaKind) gateway.Media {
		return gateway.Media{Kind: kind, Handle: handleOf(p.endpoint, "m", string(mid)+"/"+strconv.Itoa(n), address), Name: nameOf(address)}
	}
	switch {
	case a.Type == "sticker" && address != "", a.Type == "image" && a.Payload.StickerID != "" && address != "":
		s := gateway.Sticker{Media: file(gateway.MediaImage)}
		if slices.Contains(likes, a.Payload.StickerID) {
			s.Emoji = "👍"
		}
		return []gateway.Part{s}
	case a.Type == "like_heart":
		return []gateway.Part{gateway.Text{Text: heart}}
	case a.Type == "location":
		if part, ok := place(a); ok {
			return []gateway.Part{part}
		}
	case a.Type == "template":
		if lines := templateLines(a); lines != "" {
			return []gateway.Part{gateway.Text{Text: lines}}
		}
	}
	if address == "" {
		return []gateway.Part{gateway.UnsupportedPart{Type: first(cut(a.Type, maxExcerpt), "attachment"), Excerpt: excerpt(first(a.Title, a.Payload.Title))}}
	}
	switch a.Type {
	case "image":
		return []gateway.Part{file(gateway.MediaImage)}
	case "video":
		return []gateway.Part{file(gateway.MediaVideo)}
	case "audio":
		// Instagram has voice messages alone; Messenger's recorder names them so.
		if p.platform == Instagram || strings.HasPrefix(nameOf(address), "audioclip") {
			return []gateway.Part{file(gateway.MediaVoice)}
		}
		return []gateway.Part{file(gateway.MediaAudio)}
	case "file":
		return []gateway.Part{file(gateway.MediaFile)}
	case "ephemeral":
		m := file("")
		m.ViewOnce = true
		return []gateway.Part{m}
	case "story_mention", "story", "ig_story":
		// What was shown, while it is: the story ends after a day.
		m := file("")
		m.Name = a.Type
		return []gateway.Part{m}
	case "fallback", "post", "ig_post", "reel", "ig_reel", "share":
		pv, _ := preview(a)
		return []gateway.Part{linked(pv, address)}
	}
	return []gateway.Part{gateway.UnsupportedPart{Type: first(cut(a.Type, maxExcerpt), "attachment"), Excerpt: excerpt(address)}}
}

// preview reads a link that a person shared.
func preview(a attachment) (gateway.Preview, bool) {
	address := first(a.Payload.URL, a.URL)
	pv := gateway.Preview{URL: address, Title: cut(first(a.Title, a.Payload.Title), maxExcerpt)}
	return pv, a.Type == "fallback" && strings.HasPrefix(address, "https://")
}

// linked is a shared post or link as words, with what their app knows of it.
func linked(pv gateway.Preview, address string) gateway.Part {
	t := gateway.Text{Text: strings.TrimSpace(pv.Title + "\n" + address)}
	if strings.HasPrefix(address, "https://") {
		t.Previews = []gateway.Preview{pv}
	}
	return t
}

func place(a attachment) (gateway.Location, bool) {
	c := a.Payload.Place
	if c == nil || c.Lat == nil || c.Long == nil {
		return gateway.Location{}, false
	}
	lat, lon := *c.Lat, *c.Long
	return gateway.Location{Lat: lat, Lon: lon, Name: a.Title}, lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180
}

// templateLines writes what a template or a shared product says, a line for each.
func templateLines(a attachment) string {
	lines := []string{first(a.Payload.Text, a.Title)}
	elements := a.Payload.Elements
	if a.Payload.Product != nil {
		elements = append(elements, a.Payload.Product.Elements...)
	}
	for _, e := range elements[:min(len(elements), maxItems)] {
		lines = append(lines, excerpt(strings.TrimSpace(e.Title+"\n"+e.Subtitle)))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// nameOf is the name of a file in its address, where that looks like one.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	base := path.Base(u.Path)
	if path.Ext(base) == "" || !utf8.ValidString(base) {
		return ""
	}
	return cut(base, maxName)
}

func excerpt(s string) string { return strings.ToValidUTF8(cut(s, maxExcerpt), "�") }
