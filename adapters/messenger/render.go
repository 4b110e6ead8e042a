package messenger

import (
	"mime"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"postern/gateway"
)

const (
	heart = "❤️"
	// maxImage is where a picture becomes a file on Messenger, and ends on Instagram (Send API, Attachments).
	maxImage = 8 << 20
	// maxName bounds the name of a file.
	maxName = 200
)

// Tags and types of messages.
const (
	typeResponse = "RESPONSE"
	typeTag      = "MESSAGE_TAG"
	tagAgent     = "HUMAN_AGENT"
)

// instagramTypes are the files that Instagram takes (Instagram Messaging, Send Messages, Media types).
var instagramTypes = []string{
	"image/png", "image/jpeg", "image/gif", "audio/aac", "audio/mp4", "audio/x-m4a", "audio/m4a", "audio/wav", "audio/x-wav", "audio/vnd.wave", "video/mp4",
	"video/ogg", "video/x-msvideo", "video/avi", "video/quicktime", "video/webm", "application/pdf",
}

var (
	// fileHandle is an attachment_id.
	fileHandle = regexp.MustCompile(`^[0-9]{1,32}$`)
	// messageForm is a mid.
	messageForm = regexp.MustCompile(`^[A-Za-z0-9_.:$=+/-]{1,512}$`)
)

// render turns an op into the requests that carry it out, in order. It is pure. An op that the API has no words for is Unsupported.
func (c *Config) render(op gateway.Op, now time.Time) ([]outbound, error) {
	if !idForm.MatchString(string(op.Chat.Contact)) {
		return nil, c.refuse(gateway.Permanent, "no_recipient", "this is no person of the platform")
	}
	to := outbound{Recipient: party{ID: loose(op.Chat.Contact)}}
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		to.Type = typeResponse
		// Send API, Message Tags: HUMAN_AGENT "within 7 days of a user's message", outside of the standard window.
		if c.HumanAgent && !op.LastInbound.IsZero() && now.Sub(op.LastInbound) >= windowFor {
			to = to.tagged()
		}
		return c.renderMessage(op, b, to)
	case gateway.OpReact:
		return c.renderReact(b, to)
	case gateway.OpMarkRead:
		to.Action = "mark_seen" // of the whole thread
		return []outbound{to}, nil
	case gateway.OpTyping:
		to.Action = "typing_off"
		if b.On {
			to.Action = "typing_on" // fades after 20 seconds, or with our message
		}
		return []outbound{to}, nil
	case gateway.OpEdit, gateway.OpRetract:
		return nil, c.refuse(gateway.Unsupported, "op", "the platform changes no message")
	case gateway.OpAnswer, gateway.OpReopen, gateway.OpGroup:
	}
	return nil, c.refuse(gateway.Unsupported, "op", "not offered here")
}

// tagged is a request under the tag of human agents.
func (o outbound) tagged() outbound {
	o.Type, o.Tag = typeTag, tagAgent
	return o
}

func (c *Config) renderMessage(op gateway.Op, b gateway.OpMessage, to outbound) ([]outbound, error) {
	var out []outbound
	for _, p := range b.Content.Parts {
		r := to
		r.Message = &outMessage{}
		if c.Platform == Messenger {
			r.Message.Metadata = string(op.ID)
		}
		if err := c.addPart(&r, p); err != nil {
			return nil, err
		}
		if len(out) == 0 && b.ReplyTo != nil && len(b.ReplyTo.IDs) > 0 {
			r.ReplyTo = &outReply{MID: string(b.ReplyTo.IDs[0])} // beside the message, not in it
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, c.refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
	}
	return out, nil
}

func (c *Config) addPart(r *outbound, p gateway.Part) error {
	switch p := p.(type) {
	case gateway.Text:
		switch {
		case strings.TrimSpace(p.Text) == "":
			return c.refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
		case c.tooLong(p.Text):
			return c.refuse(gateway.Unsupported, "too_large", "the text is longer than the platform allows")
		}
		r.Message.Text = p.Text
		return nil
	case gateway.Media:
		return c.addMedia(r, p)
	case gateway.Sticker:
		return c.addMedia(r, p.Media)
	case gateway.Location, gateway.ContactCard, gateway.Poll, gateway.Interactive, gateway.UnsupportedPart:
	}
	return c.refuse(gateway.Unsupported, gateway.PartKind(p), "this kind of content is not carried")
}

func (c *Config) tooLong(s string) bool {
	if c.Platform == Instagram {
		return len(s) > maxTextBytes
	}
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n > maxText
}

// addMedia names a file by its attachment_id, by its address, or has it go along.
func (c *Config) addMedia(r *outbound, m gateway.Media) error {
	typ, _, err := mime.ParseMediaType(m.MIME)
	if err != nil {
		typ = "application/octet-stream"
	}
	kind := c.attachmentType(m, typ)
	switch {
	case m.Size > maxFile, kind == "image" && m.Size > maxImage:
		return c.refuse(gateway.Unsupported, "too_large", "the file is larger than the platform allows")
	case c.Platform == Instagram && !slices.Contains(instagramTypes, typ):
		return c.refuse(gateway.Unsupported, "media", "files of this type are not taken")
	}
	r.Message.Attachment = &outAttachment{Type: kind}
	switch {
	case fileHandle.MatchString(m.Handle):
		r.Message.Attachment.Payload.ID = m.Handle
	case !strings.HasPrefix(m.Handle, "https://"):
		return c.refuse(gateway.Unsupported, "media", "the file is nowhere to be found")
	default:
		r.Message.Attachment.Payload.URL = m.Handle
		r.link, r.file = c.Media == MediaLink, &outFile{name: fileName(m, typ), mime: typ, size: m.Size}
	}
	return nil
}

// attachmentType says as what a file is sent. A picture of another format, or one that is too large, is a file where there are such.
func (c *Config) attachmentType(m gateway.Media, typ string) string {
	picture := slices.Contains([]string{"image/jpeg", "image/png", "image/gif"}, typ)
	class, _, _ := strings.Cut(typ, "/")
	if c.Platform == Messenger && (m.Kind == gateway.MediaFile || picture && m.Size > maxImage) {
		return "file"
	}
	switch {
	case picture:
		return "image"
	case class == "video", class == "audio":
		return class
	}
	return "file"
}

// fileName is what a file is called there; it may not be empty.
func fileName(m gateway.Media, typ string) string {
	if name := strings.TrimSpace(cut(m.Name, maxName)); name != "" {
		return name
	}
	if ext, err := mime.ExtensionsByType(typ); err == nil && len(ext) > 0 {
		return "file" + ext[0]
	}
	return "file"
}

// renderReact writes the one reaction that a page has; none takes it back.
func (c *Config) renderReact(b gateway.OpReact, to outbound) ([]outbound, error) {
	if len(b.Target.IDs) == 0 {
		return nil, c.refuse(gateway.Permanent, "no_target", "the earlier message is not known on the platform")
	}
	to.Action, to.Payload = "unreact", &outPayload{MessageID: string(b.Target.IDs[0])}
	if len(b.Emojis) > 0 {
		to.Action, to.Payload.Reaction = "react", b.Emojis[0]
		if c.Platform == Instagram && !c.AnyReaction {
			if plain(b.Emojis[0]) != plain(heart) {
				return nil, c.refuse(gateway.Unsupported, string(gateway.FeatureReact), "the heart is the only reaction here")
			}
			to.Payload.Reaction = "love" // "reaction: love" is what every account takes
		}
	}
	return []outbound{to}, nil
}

// plain takes the selector for colour away.
func plain(emoji string) string { return strings.ReplaceAll(emoji, "\uFE0F", "") }

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
