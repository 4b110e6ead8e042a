package gatekeeper

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/gateway"
)

// maxExcerpt bounds what a notice about unknown content repeats, in code points; maxUnknown how many notices a message gets, for
// each becomes a stanza. maxLines bounds the numbers and addresses of a contact card, as the document does.
const (
	maxExcerpt = 200
	maxUnknown = 10
	maxLines   = 10
)

// parseContent turns a Content object into parts. A member that the document does not describe becomes a notice with an
// excerpt, so that nothing is dropped in silence. In relay mode the content is an envelope that nobody here can open.
func parseContent(d eventData) (gateway.Content, error) {
	if len(d.Content) == 0 {
		return gateway.Content{Parts: []gateway.Part{gateway.UnsupportedPart{Type: "encrypted"}}}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(d.Content, &members); err != nil {
		return gateway.Content{}, errBadJSON
	}
	names := make([]string, 0, len(members))
	for name := range members {
		if name != "spans" && name != "previews" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, byPartOrder)
	var out gateway.Content
	for n, name := range names {
		if n >= maxUnknown && !slices.Contains(partOrder, name) {
			continue
		}
		out.Parts = append(out.Parts, parsePart(name, members)...)
	}
	if len(out.Parts) == 0 {
		out.Parts = []gateway.Part{gateway.UnsupportedPart{Type: "empty"}}
	}
	return out, nil
}

// partOrder is how parts follow each other: what is unknown first, and media before the text that is its caption.
var partOrder = []string{"media", "location", "contact", "poll", "interactive", "answer", "unsupported", "text"}

func byPartOrder(a, b string) int {
	if d := slices.Index(partOrder, a) - slices.Index(partOrder, b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func parsePart(name string, members map[string]json.RawMessage) []gateway.Part {
	raw := members[name]
	switch name {
	case "text":
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return []gateway.Part{gateway.Text{
				Text: text, Spans: parseSpans(members["spans"], utf8.RuneCountInString(text)), Previews: parsePreviews(members["previews"]),
			}}
		}
	case "location":
		var l location
		if json.Unmarshal(raw, &l) == nil {
			return []gateway.Part{gateway.Location{
				Lat: l.Latitude, Lon: l.Longitude, Accuracy: l.Accuracy, Name: l.Name, Address: l.Address, LiveUntil: firstTime(l.LiveUntil),
			}}
		}
	case "poll":
		var p poll
		if json.Unmarshal(raw, &p) == nil && len(p.Options) > 0 {
			return []gateway.Part{gateway.Poll{Question: p.Question, Options: parseChoices(p.Options), Multiple: p.Multiple}}
		}
	case "interactive":
		var i interactive
		if json.Unmarshal(raw, &i) == nil && len(i.Choices) > 0 {
			return []gateway.Part{gateway.Interactive{Header: i.Header, Body: i.Body, Footer: i.Footer, Choices: parseChoices(i.Choices)}}
		}
	case "answer":
		// What the person picked, in the words of the option: the message that it answers is its reply_to.
		var a picked
		if json.Unmarshal(raw, &a) == nil && len(a.Choices) > 0 {
			return []gateway.Part{gateway.Text{Text: titles(a.Choices)}}
		}
	case "contact":
		var c contactCard
		if json.Unmarshal(raw, &c) == nil {
			return []gateway.Part{gateway.ContactCard{Name: c.Name, Phones: c.Phones[:min(len(c.Phones), maxLines)], Emails: c.Emails[:min(len(c.Emails), maxLines)]}}
		}
	case "media":
		var media []mediaPart
		if json.Unmarshal(raw, &media) == nil && len(media) > 0 {
			return parseMedia(media)
		}
	case "unsupported":
		var kind string
		if json.Unmarshal(raw, &kind) == nil {
			return []gateway.Part{gateway.UnsupportedPart{Type: kind}}
		}
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = ""
	}
	return []gateway.Part{gateway.UnsupportedPart{Type: excerpt(name), Excerpt: excerpt(text)}}
}

var mediaKinds = map[string]gateway.MediaKind{
	"image": gateway.MediaImage, "video": gateway.MediaVideo, "audio": gateway.MediaAudio, "voice": gateway.MediaVoice, "file": gateway.MediaFile,
	"sticker": gateway.MediaImage,
}

// parseMedia reads media parts. One that the gatekeeper does not hold, or of a kind that is not known, becomes a notice.
func parseMedia(in []mediaPart) []gateway.Part {
	var out []gateway.Part
	for _, p := range in[:min(len(in), maxMedia)] {
		kind, ok := mediaKinds[p.Kind]
		if !ok || !mediaHandle.MatchString(p.MediaID) {
			out = append(out, gateway.UnsupportedPart{Type: first(excerpt(p.Kind), "media"), Excerpt: excerpt(p.Name)})
			continue
		}
		m := gateway.Media{
			Kind: kind, Handle: p.MediaID, MIME: p.Type, Name: p.Name, Size: max(p.Size, 0), Width: max(p.Width, 0), Height: max(p.Height, 0),
			Duration: max(p.DurationMS, 0), Thumb: thumb(p.Thumb), ViewOnce: p.ViewOnce,
		}
		if sum, err := hex.DecodeString(p.SHA256); err == nil && len(sum) == sha256.Size {
			m.SHA256 = sum
		}
		if p.Kind == "sticker" {
			out = append(out, gateway.Sticker{Media: m, Emoji: p.Emoji})
			continue
		}
		out = append(out, m)
	}
	return out
}

// maxChoices is the document's limit of options and buttons.
const maxChoices = 20

func parseChoices(in []choice) []gateway.Choice {
	out := make([]gateway.Choice, 0, min(len(in), maxChoices))
	for _, c := range in[:min(len(in), maxChoices)] {
		out = append(out, gateway.Choice(c))
	}
	return out
}

func titles(in []choice) string {
	all := make([]string, 0, len(in))
	for _, c := range in[:min(len(in), maxChoices)] {
		all = append(all, c.Title)
	}
	return strings.Join(all, "\n")
}

func parsePreviews(raw json.RawMessage) []gateway.Preview {
	var in []preview
	if len(raw) == 0 || json.Unmarshal(raw, &in) != nil {
		return nil
	}
	var out []gateway.Preview
	for _, p := range in[:min(len(in), maxPreviews)] {
		if p.URL != "" {
			out = append(out, gateway.Preview(p))
		}
	}
	return out
}

func excerpt(s string) string { return cut(s, maxExcerpt) }

// parseSpans reads the spans that lie inside a text of that many code points; others and unknown styles are left out.
func parseSpans(raw json.RawMessage, length int) []gateway.Span {
	var spans []span
	if len(raw) == 0 || json.Unmarshal(raw, &spans) != nil {
		return nil
	}
	var out []gateway.Span
	for _, s := range spans {
		if s.Start < 0 || s.Length < 1 || s.Start > length-s.Length {
			continue
		}
		for ours, theirs := range spanStyles {
			if theirs == s.Style {
				out = append(out, gateway.Span{Start: s.Start, Length: s.Length, Style: ours, URL: s.URL})
			}
		}
	}
	return out
}
