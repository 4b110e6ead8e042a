package whatsapp

import (
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"postern/gateway"
)

// The document's limits (Messages), in characters or counts.
const (
	maxCaption  = 1024
	maxFilename = 240
	maxCards    = 257
	maxLines    = 10 // numbers and addresses of a card
	maxVariable = 512
)

// render turns an op into the messages that carry it out, in order. It is pure. An op that the API has no words for is Unsupported.
func (c *Config) render(op gateway.Op) ([]outbound, error) {
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		return renderMessage(op, b)
	case gateway.OpReact:
		return renderReact(op, b)
	case gateway.OpMarkRead:
		if len(b.UpTo.IDs) == 0 {
			return nil, noTarget()
		}
		// "Marking one message marks all earlier ones in the thread."
		return one(read(b.UpTo))
	case gateway.OpTyping:
		return renderTyping(b)
	case gateway.OpReopen:
		return c.renderReopen(op, b)
	case gateway.OpEdit, gateway.OpRetract:
		return nil, refuse(gateway.Unsupported, "op", "the Cloud API changes no message")
	case gateway.OpAnswer:
		return nil, refuse(gateway.Unsupported, string(gateway.FeatureAnswer), "people send no buttons")
	case gateway.OpGroup:
		return nil, refuse(gateway.Unsupported, string(gateway.FeatureGroups), "groups are not carried")
	}
	return nil, refuse(gateway.Unsupported, "op", "unknown op")
}

func one(m outbound) ([]outbound, error) { return []outbound{m}, nil }

func noTarget() error {
	return refuse(gateway.Permanent, "no_target", "the earlier message is not known on the platform")
}

// to addresses a message: digits are a phone number, what has a full stop is a business-scoped user id.
func to(op gateway.Op) (outbound, error) {
	who := string(op.Chat.Contact)
	m := outbound{Product: product, Recipient: "individual", CallbackRef: callback(op)}
	switch {
	case phoneForm.MatchString(who):
		m.To = who
	case userForm.MatchString(who):
		m.User = who
	default:
		return m, refuse(gateway.Permanent, "no_recipient", "this is no person of WhatsApp")
	}
	return m, nil
}

// callback is what statuses bring back: our op, and under which id of the person it was sent.
func callback(op gateway.Op) string { return string(op.ID) + "/" + string(op.Chat.Contact) }

func renderMessage(op gateway.Op, b gateway.OpMessage) ([]outbound, error) {
	var out []outbound
	for i, p := range b.Content.Parts {
		m, err := to(op)
		if err != nil {
			return nil, err
		}
		if i > 0 && caption(out, p) {
			continue
		}
		if err := addPart(&m, p); err != nil {
			return nil, err
		}
		if len(out) == 0 && b.ReplyTo != nil && len(b.ReplyTo.IDs) > 0 {
			m.Context = &outContext{MessageID: string(b.ReplyTo.IDs[0])}
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
	}
	return out, nil
}

// caption puts a text below the file before it, where that kind of file has captions and this one none yet.
func caption(out []outbound, p gateway.Part) bool {
	t, ok := p.(gateway.Text)
	if !ok || len(out) == 0 {
		return false
	}
	text := styled(t, maxCaption)
	if utf8.RuneCountInString(text) > maxCaption {
		return false
	}
	m := out[len(out)-1]
	for _, media := range []*outMedia{m.Image, m.Video, m.Document} {
		if media != nil && media.Caption == "" {
			media.Caption = text
			return true
		}
	}
	return false
}

func addPart(m *outbound, p gateway.Part) error {
	switch p := p.(type) {
	case gateway.Text:
		text := styled(p, maxText)
		switch n := utf8.RuneCountInString(text); {
		case strings.TrimSpace(text) == "":
			return refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
		case n > maxText:
			return refuse(gateway.Unsupported, "too_large", "the text is longer than WhatsApp allows")
		}
		m.Type, m.Text = "text", &textBody{Body: text, PreviewURL: len(p.Previews) > 0}
	case gateway.Media:
		return addMedia(m, p, mediaType(p))
	case gateway.Sticker:
		kind := "sticker"
		if p.Media.MIME != "image/webp" || p.Media.Size > maxSticker {
			kind = mediaType(p.Media)
		}
		return addMedia(m, p.Media, kind)
	case gateway.Location:
		if math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180 || math.IsNaN(p.Lat) || math.IsNaN(p.Lon) {
			return refuse(gateway.Permanent, "location", "this is no place on earth")
		}
		m.Type, m.Location = "location", &outLocation{Latitude: p.Lat, Longitude: p.Lon, Name: cut(p.Name, 1000), Address: cut(p.Address, 1000)}
	case gateway.ContactCard:
		m.Type, m.Contacts = "contacts", []card{renderCard(p)}
	case gateway.Poll, gateway.Interactive, gateway.UnsupportedPart:
		return refuse(gateway.Unsupported, gateway.PartKind(p), "this kind of content is not carried")
	}
	return nil
}

// styled writes spans as the marks that WhatsApp shares with XEP-0393. Marks that would make a text too long are left out.
func styled(t gateway.Text, most int) string {
	marked, _ := gateway.Styled(t)
	if utf8.RuneCountInString(marked) > most {
		return t.Text
	}
	return marked
}

func addMedia(m *outbound, media gateway.Media, kind string) error {
	if !mediaHandle.MatchString(media.Handle) {
		return refuse(gateway.Unsupported, "media", "the file was not uploaded to WhatsApp")
	}
	out := &outMedia{ID: media.Handle}
	switch m.Type = kind; kind {
	case "image":
		m.Image = out
	case "video":
		m.Video = out
	case "audio":
		// "voice: true needs ogg/opus"; anything else is refused with it.
		out.Voice = media.Kind == gateway.MediaVoice && baseType(media.MIME) == "audio/ogg"
		m.Audio = out
	case "sticker":
		m.Sticker = out
	default:
		// "Set filename or the client shows none."
		out.Filename = cut(media.Name, maxFilename)
		m.Document = out
	}
	return nil
}

// renderCard writes a card. "name.formatted_name required and at least one other name part."
func renderCard(p gateway.ContactCard) card {
	name := strings.TrimSpace(cut(p.Name, 200))
	if name == "" {
		name = first(append(append([]string{}, p.Phones...), p.Emails...)...)
	}
	c := card{Name: cardName{Formatted: name, First: name}}
	for _, n := range p.Phones[:min(len(p.Phones), maxLines)] {
		phone := cardPhone{Phone: n, Type: "CELL"}
		if d := digits(n); strings.HasPrefix(strings.TrimSpace(n), "+") && phoneForm.MatchString(d) {
			phone.WaID = d // makes the client offer to write there
		}
		c.Phones = append(c.Phones, phone)
	}
	for _, e := range p.Emails[:min(len(p.Emails), maxLines)] {
		c.Emails = append(c.Emails, cardEmail{Email: e})
	}
	return c
}

// renderReact writes the one reaction that a business has; none takes it back.
func renderReact(op gateway.Op, b gateway.OpReact) ([]outbound, error) {
	if len(b.Target.IDs) == 0 {
		return nil, noTarget()
	}
	if len(b.Emojis) > 1 {
		return nil, refuse(gateway.Unsupported, "too_many", "a message has one reaction of each")
	}
	m, err := to(op)
	if err != nil {
		return nil, err
	}
	m.Type, m.Reaction = "reaction", &outReaction{MessageID: string(b.Target.IDs[0]), Emoji: first(b.Emojis...)}
	return one(m)
}

func read(upTo gateway.Target) outbound {
	return outbound{Product: product, Status: "read", MessageID: string(upTo.IDs[len(upTo.IDs)-1])}
}

// renderTyping shows typing below the person's last message, which is thereby read. That we stopped cannot be said: it ends by itself after
// 25 seconds, or with our message.
func renderTyping(b gateway.OpTyping) ([]outbound, error) {
	if !b.On || b.After == nil || len(b.After.IDs) == 0 {
		return nil, nil
	}
	m := read(*b.After)
	m.Typing = &outTyping{Type: "text"}
	return one(m)
}

var namedVariable = regexp.MustCompile(`^([a-z][a-z0-9_]{0,63})=(.*)$`)

// renderReopen writes the operator's template, which alone may be sent outside the window.
func (c *Config) renderReopen(op gateway.Op, b gateway.OpReopen) ([]outbound, error) {
	m, err := to(op)
	if err != nil {
		return nil, err
	}
	t := &outTemplate{Name: c.ReopenTemplate, Language: outLanguage{Code: c.ReopenLanguage}}
	if len(c.ReopenVariables) > 0 {
		body := outComponent{Type: "body"}
		for _, v := range c.ReopenVariables {
			p := outParameter{Type: "text", Text: v}
			if named := namedVariable.FindStringSubmatch(v); named != nil {
				p.Name, p.Text = named[1], named[2]
			}
			// Variables take neither line feeds nor tabs nor runs of spaces (132012).
			p.Text = strings.Join(strings.Fields(cut(strings.ReplaceAll(p.Text, "{from}", b.From), maxVariable)), " ")
			body.Parameters = append(body.Parameters, p)
		}
		t.Components = []outComponent{body}
	}
	m.Type, m.Template = "template", t
	return one(m)
}

// cut shortens to a number of characters.
func cut(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i]
		}
		n++
	}
	return s
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
