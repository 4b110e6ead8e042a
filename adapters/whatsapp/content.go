package whatsapp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"postern/gateway"
)

// Bounds of what one message becomes: each part is a stanza, an excerpt is in code points.
const (
	maxExcerpt = 200
	maxItems   = 50 // of an order or a form
	maxParts   = 20 // contact cards
)

// parseContent turns a message into parts. A type that is not known becomes a notice, so that nothing is dropped in silence.
func parseContent(m inbound, raw json.RawMessage) gateway.Content {
	parts := parseParts(m)
	if len(parts) == 0 {
		parts = []gateway.Part{unknown(m, raw)}
	}
	if c := m.Context; c != nil && c.ReferredProduct != nil {
		p := c.ReferredProduct
		parts = append(parts, gateway.UnsupportedPart{Type: "product", Excerpt: excerpt(strings.TrimSpace(string(p.ProductID) + " " + string(p.CatalogID)))})
	}
	if r := m.Referral; r != nil && (r.SourceURL != "" || r.Headline != "") {
		parts = append(parts, parseReferral(r))
	}
	return gateway.Content{Parts: parts}
}

func parseParts(m inbound) []gateway.Part {
	switch m.Type {
	case "text":
		if m.Text != nil && m.Text.Body != "" {
			return []gateway.Part{parseText(m.Text.Body)}
		}
	case "image":
		return parseMedia(m.Image, gateway.MediaImage)
	case "video":
		return parseMedia(m.Video, gateway.MediaVideo)
	case "audio":
		kind := gateway.MediaAudio
		if m.Audio != nil && m.Audio.Voice {
			kind = gateway.MediaVoice
		}
		return parseMedia(m.Audio, kind)
	case "document":
		return parseMedia(m.Document, gateway.MediaFile)
	case "sticker":
		if parts := parseMedia(m.Sticker, gateway.MediaImage); len(parts) > 0 {
			media, _ := parts[0].(gateway.Media)
			return []gateway.Part{gateway.Sticker{Media: media}}
		}
	case "location":
		return parseLocation(m.Location)
	case "contacts":
		return parseCards(m.Contacts)
	case "button":
		if m.Button != nil && first(m.Button.Text, m.Button.Payload) != "" {
			return []gateway.Part{gateway.Text{Text: first(m.Button.Text, m.Button.Payload)}}
		}
	case "interactive":
		return parsePicked(m.Interactive)
	case "order":
		return parseOrder(m.Order)
	}
	return nil
}

// parseText reads WhatsApp's marks, which are those of XEP-0393.
func parseText(s string) gateway.Text { return gateway.ParseStyling(s) }

func parseMedia(in *wireMedia, kind gateway.MediaKind) []gateway.Part {
	if in == nil || !mediaHandle.MatchString(string(in.ID)) {
		return nil
	}
	parts := []gateway.Part{gateway.Media{Kind: kind, Handle: string(in.ID), MIME: baseType(in.MIME), Name: in.Filename, SHA256: parseHash(in.SHA256)}}
	if in.Caption != "" {
		parts = append(parts, parseText(in.Caption))
	}
	return parts
}

func parseLocation(in *location) []gateway.Part {
	if in == nil {
		return nil
	}
	lat, err := strconv.ParseFloat(string(in.Latitude), 64)
	lon, err2 := strconv.ParseFloat(string(in.Longitude), 64)
	if err != nil || err2 != nil || lat < -90 || lat > 90 || lon < -180 || lon > 180 || lat != lat || lon != lon {
		return nil
	}
	return []gateway.Part{gateway.Location{Lat: lat, Lon: lon, Name: in.Name, Address: in.Address}}
}

func parseCards(in []card) []gateway.Part {
	var out []gateway.Part
	for _, c := range in[:min(len(in), maxParts)] {
		p := gateway.ContactCard{Name: first(c.Name.Formatted, strings.TrimSpace(c.Name.First+" "+c.Name.Last))}
		for _, n := range c.Phones[:min(len(c.Phones), maxLines)] {
			if phone := first(n.Phone, n.WaID); phone != "" {
				p.Phones = append(p.Phones, phone)
			}
		}
		for _, e := range c.Emails[:min(len(c.Emails), maxLines)] {
			if e.Email != "" {
				p.Emails = append(p.Emails, e.Email)
			}
		}
		if p.Name != "" || len(p.Phones) > 0 || len(p.Emails) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// parsePicked is what a person chose of something that the business sent, in the words that they saw.
func parsePicked(in *picked) []gateway.Part {
	switch {
	case in == nil:
	case in.Button != nil && first(in.Button.Title, in.Button.ID) != "":
		return []gateway.Part{gateway.Text{Text: first(in.Button.Title, in.Button.ID)}}
	case in.List != nil && first(in.List.Title, in.List.ID) != "":
		return []gateway.Part{gateway.Text{Text: first(in.List.Title, in.List.ID)}}
	case in.Flow != nil:
		return []gateway.Part{gateway.Text{Text: parseForm(in.Flow.Body, in.Flow.Response)}}
	case in.CallPermission != nil:
		return []gateway.Part{gateway.UnsupportedPart{Type: "call_permission_reply", Excerpt: excerpt(in.CallPermission.Response)}}
	}
	return nil
}

// parseForm writes the answers of a flow, a line for each; its token is the business's own.
func parseForm(title, response string) string {
	lines := []string{first(title, "flow")}
	var answers map[string]any
	if json.Unmarshal([]byte(response), &answers) != nil {
		return lines[0]
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		if name != "flow_token" && len(lines) <= maxItems {
			lines = append(lines, excerpt(fmt.Sprintf("%s: %v", name, answers[name])))
		}
	}
	return strings.Join(lines, "\n")
}

func parseOrder(in *order) []gateway.Part {
	if in == nil || len(in.Items) == 0 {
		return nil
	}
	var lines []string
	if in.Text != "" {
		lines = append(lines, in.Text)
	}
	for _, i := range in.Items[:min(len(in.Items), maxItems)] {
		lines = append(lines, excerpt(strings.TrimSpace(fmt.Sprintf("%s × %s (%s %s)", i.Quantity, i.ID, i.Price, i.Currency))))
	}
	return []gateway.Part{gateway.Text{Text: strings.Join(lines, "\n")}}
}

// parseReferral says what brought the person: an advertisement, or a post.
func parseReferral(r *referral) gateway.Part {
	t := gateway.Text{Text: strings.TrimSpace(cut(r.Headline, maxExcerpt) + "\n" + r.SourceURL)}
	if strings.HasPrefix(r.SourceURL, "https://") {
		p := gateway.Preview{URL: r.SourceURL, Title: cut(r.Headline, maxExcerpt), Description: cut(r.Body, maxExcerpt)}
		if image := first(r.ImageURL, r.ThumbURL); strings.HasPrefix(image, "https://") {
			p.Image = image
		}
		t.Previews = []gateway.Preview{p}
	}
	return t
}

// unknown is a notice of what has no name here: what the platform calls it, and why it did not come, or how it begins.
func unknown(m inbound, raw json.RawMessage) gateway.Part {
	u := gateway.UnsupportedPart{Type: first(cut(m.Type, maxExcerpt), "unknown")}
	if m.Type == "unsupported" && m.Unsupported != nil {
		u.Type = first(cut(m.Unsupported.Type, maxExcerpt), u.Type)
	}
	if len(m.Errors) > 0 && m.Errors[0].Code != "" {
		if code := string(m.Errors[0].Code); code == codeNoType || code == codeNoGroupType {
			return u // which says no more than the type does
		}
		u.Excerpt = "error " + cut(string(m.Errors[0].Code), 20)
		return u
	}
	// The member that is named like the type holds what it says.
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) == nil {
		var text string
		if said := members[m.Type]; json.Unmarshal(said, &text) == nil {
			u.Excerpt = excerpt(text)
		} else {
			u.Excerpt = excerpt(string(said))
		}
	}
	return u
}

func excerpt(s string) string { return strings.ToValidUTF8(cut(s, maxExcerpt), "�") }
