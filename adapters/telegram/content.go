package telegram

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/gateway"
)

const (
	// maxExcerpt bounds what a notice repeats, in characters; maxUnknown how many notices a message gets.
	maxExcerpt = 200
	maxUnknown = 5
	// maxOptions is how many options of a poll are shown; the document says 12.
	maxOptions = 20
	// forwarded and quoted stand before who wrote what is passed on, and before what an answer quotes of another chat.
	forwarded = "↪ "
	quoted    = "» "
)

// envelopeKeys are members of a Message that are about it rather than in it.
var envelopeKeys = map[string]bool{
	"message_id": true, "date": true, "edit_date": true, "chat": true, "from": true, "sender_chat": true, "sender_business_bot": true,
	"sender_boost_count": true, "sender_tag": true, "message_thread_id": true, "direct_messages_topic": true, "is_topic_message": true,
	"is_automatic_forward": true, "reply_to_message": true, "external_reply": true, "quote": true, "reply_to_story": true,
	"reply_to_checklist_task_id": true, "forward_origin": true, "via_bot": true, "has_protected_content": true, "is_from_offline": true,
	"is_paid_post": true, "media_group_id": true, "author_signature": true, "paid_star_count": true, "business_connection_id": true,
	"entities": true, "caption_entities": true, "caption": true, "link_preview_options": true, "effect_id": true, "reply_markup": true,
	"has_media_spoiler": true, "show_caption_above_media": true, "suggested_post_info": true,
	// before Bot API 7.0, and sent on
	"forward_from": true, "forward_from_chat": true, "forward_from_message_id": true, "forward_signature": true, "forward_sender_name": true,
	"forward_date": true,
}

// parseContent turns a Message into parts: its file or other main content, then its words.
func parseContent(m message, members map[string]json.RawMessage) gateway.Content {
	main, known := mainParts(m)
	parts := main
	if !known && m.Text == "" {
		parts = append(parts, unknownParts(members)...)
	}
	text := gateway.Text{Text: m.Text, Spans: parseSpans(m.Text, m.Entities)}
	if m.Text == "" {
		text = gateway.Text{Text: m.Caption, Spans: parseSpans(m.Caption, m.CaptionSpans)}
	}
	if m.External != nil && m.Quote != nil && m.Quote.Text != "" {
		text = before(quoted+strings.ReplaceAll(m.Quote.Text, "\n", " "), text)
	}
	if m.Forward != nil {
		text = before(forwarded+first(m.Forward.name(), "?"), text)
	}
	if text.Text != "" {
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		parts = []gateway.Part{empty}
	}
	return gateway.Content{Parts: parts}
}

// empty stands for a message in which nothing is.
var empty = gateway.UnsupportedPart{Type: "empty"}

func isEmpty(c gateway.Content) bool { return len(c.Parts) == 1 && c.Parts[0] == gateway.Part(empty) }

// before puts a line of its own in front of a text.
func before(line string, t gateway.Text) gateway.Text {
	if t.Text == "" {
		return gateway.Text{Text: line}
	}
	line += "\n"
	by := utf8.RuneCountInString(line)
	out := gateway.Text{Text: line + t.Text}
	for _, s := range t.Spans {
		s.Start += by
		out.Spans = append(out.Spans, s)
	}
	return out
}

// name is who wrote what was passed on (MessageOrigin: a user, one who hides, a chat, or a channel).
func (o *origin) name() string {
	switch {
	case o.SenderUser != nil:
		return fullName(o.SenderUser.FirstName, o.SenderUser.LastName)
	case o.SenderChat != nil:
		return o.SenderChat.Title
	case o.Chat != nil:
		return o.Chat.Title
	}
	return o.SenderUserName
}

// mainParts reads the content besides words. Kinds that come with another for older readers are tested first: an animation has a
// document too, a venue a location.
func mainParts(m message) (parts []gateway.Part, known bool) {
	one := func(p gateway.Part) ([]gateway.Part, bool) { return []gateway.Part{p}, true }
	switch {
	case m.Animation != nil:
		return one(m.Animation.media(gateway.MediaVideo, "video/mp4"))
	case m.Venue != nil:
		p := m.Venue.Location.part(m.Date)
		p.Name, p.Address = m.Venue.Title, m.Venue.Address
		return one(p)
	case len(m.Photo) > 0:
		return one(largest(m.Photo))
	case m.Video != nil:
		return one(m.Video.media(gateway.MediaVideo, "video/mp4"))
	case m.VideoNote != nil:
		f := *m.VideoNote
		f.Width, f.Height = f.Length, f.Length
		return one(f.media(gateway.MediaVideo, "video/mp4"))
	case m.Voice != nil:
		return one(m.Voice.media(gateway.MediaVoice, "audio/ogg"))
	case m.Audio != nil:
		return one(m.Audio.media(gateway.MediaAudio, "audio/mpeg"))
	case m.Sticker != nil:
		return one(m.Sticker.part())
	case m.Document != nil:
		return one(m.Document.media(gateway.MediaFile, ""))
	case m.Location != nil:
		return one(m.Location.part(m.Date))
	case m.Contact != nil:
		c := gateway.ContactCard{Name: fullName(m.Contact.FirstName, m.Contact.LastName)}
		if m.Contact.Phone != "" {
			c.Phones = []string{m.Contact.Phone}
		}
		return one(c)
	case m.Poll != nil:
		p := gateway.Poll{Question: m.Poll.Question, Multiple: m.Poll.Multiple}
		for i, o := range m.Poll.Options[:min(len(m.Poll.Options), maxOptions)] {
			p.Options = append(p.Options, gateway.Choice{ID: strconv.Itoa(i), Title: o.Text})
		}
		return one(p)
	case m.Dice != nil:
		return one(gateway.Text{Text: strings.TrimSpace(m.Dice.Emoji + " " + strconv.Itoa(m.Dice.Value))})
	}
	return nil, false
}

// unknownParts makes notices of members that have no name here: kinds of content and of service messages that the gateway has no
// words for, and those of later versions.
func unknownParts(members map[string]json.RawMessage) []gateway.Part {
	var out []gateway.Part
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if envelopeKeys[key] || len(out) == maxUnknown {
			continue
		}
		out = append(out, gateway.UnsupportedPart{Type: excerpt(key), Excerpt: said(members[key])})
	}
	return out
}

// said finds words in a piece of content: itself, or what it calls its title, text or question.
func said(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return excerpt(s)
	}
	var in struct{ Title, Text, Question, Name string }
	if json.Unmarshal(raw, &in) != nil {
		return ""
	}
	return excerpt(first(in.Title, in.Text, in.Question, in.Name))
}

func excerpt(s string) string { return cut(s, maxExcerpt) }

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

func (f *file) media(kind gateway.MediaKind, mime string) gateway.Part {
	if !fileID.MatchString(f.FileID) {
		return gateway.UnsupportedPart{Type: string(kind), Excerpt: excerpt(f.Name)}
	}
	return gateway.Media{
		Kind: kind, Handle: f.FileID, MIME: first(f.MIME, mime), Name: f.Name, Size: max(f.Size, 0), Width: max(f.Width, 0), Height: max(f.Height, 0),
		Duration: milliseconds(f.Duration),
	}
}

// milliseconds reads a duration in seconds; one of more than a week is not believed.
func milliseconds(s int) int {
	if s < 0 || s > 7*24*3600 {
		return 0
	}
	return s * 1000
}

// largest is the size of a photo with the most pixels. Photos are always JPEG.
func largest(sizes []photoSize) gateway.Part {
	best := slices.MaxFunc(sizes, func(a, b photoSize) int { return a.Width*a.Height - b.Width*b.Height })
	f := file{FileID: best.FileID, MIME: "image/jpeg", Size: best.Size, Width: best.Width, Height: best.Height}
	return f.media(gateway.MediaImage, "")
}

// part: a sticker is WebP; an animated one is a gzipped Lottie file that no client shows, a video one WebM.
func (s *sticker) part() gateway.Part {
	f := file{FileID: s.FileID, Size: s.Size, Width: s.Width, Height: s.Height}
	kind, mime := gateway.MediaImage, "image/webp"
	switch {
	case s.Animated:
		kind, mime, f.Name = gateway.MediaFile, "application/x-tgsticker", "sticker.tgs"
	case s.Video:
		kind, mime = gateway.MediaVideo, "video/webm"
	}
	m, ok := f.media(kind, mime).(gateway.Media)
	if !ok {
		return gateway.UnsupportedPart{Type: "sticker", Excerpt: excerpt(s.Emoji)}
	}
	return gateway.Sticker{Media: m, Emoji: s.Emoji}
}

func (l location) part(date int64) gateway.Location {
	p := gateway.Location{Lat: l.Latitude, Lon: l.Longitude, Accuracy: max(l.Accuracy, 0)}
	// "For active live locations only"; 0x7FFFFFFF has no end.
	if l.LivePeriod > 0 && l.LivePeriod <= 0x7FFFFFFF && date > 0 {
		p.LiveUntil = unix(date + l.LivePeriod)
	}
	return p
}

// replyTo is what a message answers. In a topic, what answers nothing names the topic's first message.
func replyTo(m message, c gateway.Chat, bot gateway.Endpoint) *gateway.Target {
	to := m.ReplyTo
	if to == nil || to.ID == 0 || to.TopicCreated != nil || m.IsTopic && to.ID == m.ThreadID {
		return nil
	}
	t := target(c, to.ID)
	t.At = unix(to.Date)
	t.Mine = to.From != nil && string(contactID(to.From.ID)) == string(bot)
	t.Excerpt = excerpt(first(to.Text, to.Caption))
	if m.Quote != nil && m.Quote.Text != "" {
		t.Excerpt = excerpt(m.Quote.Text)
	}
	return &t
}
