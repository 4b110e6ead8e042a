package gatekeeper

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// The document's limits of Content.spans, media and previews, of a thumbnail and of a URL.
const (
	maxSpans    = 500
	maxMedia    = 20
	maxPreviews = 5
	maxThumb    = 4096
	maxURL      = 2000
)

var thumbForm = regexp.MustCompile(`^data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$`)

// maxReactions is the document's limit of ReactionSet; allows holds ops against it.
const maxReactions = 20

// render turns an op into the requests that carry it out, in order. All but the first follow from a message that was split.
// It is pure; the headers of authentication are the client's. An op that the API has no words for is Unsupported.
func render(op gateway.Op, sender gateway.Endpoint) ([]rest.Call, error) {
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		return renderMessage(op, b, sender)
	case gateway.OpEdit:
		return renderEdit(b)
	case gateway.OpRetract:
		return retractAll(b.Target.IDs)
	case gateway.OpReact:
		return renderReact(b)
	case gateway.OpMarkRead:
		return renderMarkRead(op, b)
	case gateway.OpAnswer:
		return renderAnswer(op, b, sender)
	case gateway.OpTyping:
		state := "paused"
		if b.On {
			state = "composing"
		}
		return one(rest.Call{
			Name: "sendTyping", Method: http.MethodPost, Path: rest.Path("v1", "conversations", conversationRef(op.Chat), "typing"),
			Body: typingChange{State: state},
		})
	case gateway.OpReopen: // a gatekeeper has no reply window
		return nil, refuse(gateway.Unsupported, "op", "there is no window to open")
	case gateway.OpGroup:
		return nil, refuse(gateway.Unsupported, "groups", "groups are not carried")
	}
	return nil, refuse(gateway.Unsupported, "op", "unknown op")
}

func one(c rest.Call) ([]rest.Call, error) { return []rest.Call{c}, nil }

func renderMessage(op gateway.Op, b gateway.OpMessage, sender gateway.Endpoint) ([]rest.Call, error) {
	c, err := renderContent(b.Content)
	if err != nil {
		return nil, err
	}
	return renderCreate(op, c, b.ReplyTo, sender)
}

// renderAnswer picks options: a message of its own that answers the one with the options.
func renderAnswer(op gateway.Op, b gateway.OpAnswer, sender gateway.Endpoint) ([]rest.Call, error) {
	if len(b.Target.IDs) == 0 {
		return nil, noTarget()
	}
	return renderCreate(op, content{Answer: &picked{Choices: renderChoices(b.Choices)}}, &b.Target, sender)
}

func renderCreate(op gateway.Op, c content, replyTo *gateway.Target, sender gateway.Endpoint) ([]rest.Call, error) {
	m := messageCreate{ClientID: string(op.ID), Sender: string(sender), Mode: "plaintext", Content: c}
	// The document wants either; a person's id never goes stale, a conversation may not be known yet.
	if op.Chat.Contact != "" {
		m.To = string(op.Chat.Contact)
	} else {
		m.Conversation = string(op.Chat.ID)
	}
	if replyTo != nil && len(replyTo.IDs) > 0 {
		m.ReplyTo = string(replyTo.IDs[0])
	}
	return one(rest.Call{Name: "sendMessage", Method: http.MethodPost, Path: rest.Path("v1", "messages"), Header: idempotencyKey(op.ID), Body: m})
}

// renderEdit puts the new content in the first message and takes back the others, so that the text stands once.
func renderEdit(b gateway.OpEdit) ([]rest.Call, error) {
	c, err := renderContent(b.Content)
	if err != nil {
		return nil, err
	}
	if len(b.Target.IDs) == 0 {
		return nil, noTarget()
	}
	calls := []rest.Call{{Name: "editMessage", Method: http.MethodPatch, Path: messagePath(b.Target.IDs[0]), Body: messageEdit{Content: c}}}
	for _, id := range b.Target.IDs[1:] {
		calls = append(calls, retract(id))
	}
	return calls, nil
}

func retractAll(ids []gateway.MessageID) ([]rest.Call, error) {
	if len(ids) == 0 {
		return nil, noTarget()
	}
	calls := make([]rest.Call, len(ids))
	for i, id := range ids {
		calls[i] = retract(id)
	}
	return calls, nil
}

func retract(id gateway.MessageID) rest.Call {
	return rest.Call{Name: "retractMessage", Method: http.MethodDelete, Path: messagePath(id)}
}

func renderReact(b gateway.OpReact) ([]rest.Call, error) {
	if len(b.Target.IDs) == 0 {
		return nil, noTarget()
	}
	set := reactionSet{Reactions: distinct(b.Emojis)}
	return one(rest.Call{Name: "setReactions", Method: http.MethodPut, Path: messagePath(b.Target.IDs[0]) + "/reactions", Body: set})
}

// distinct returns each emoji once ("uniqueItems"), never nil, because an empty set is written too.
func distinct(emojis []string) []string {
	out := []string{}
	for _, e := range emojis {
		if e != "" && !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

func renderMarkRead(op gateway.Op, b gateway.OpMarkRead) ([]rest.Call, error) {
	if len(b.UpTo.IDs) == 0 {
		return nil, noTarget()
	}
	last := b.UpTo.IDs[len(b.UpTo.IDs)-1]
	return one(rest.Call{
		Name: "sendReceipts", Method: http.MethodPost, Path: rest.Path("v1", "receipts"), Header: idempotencyKey(op.ID),
		Body: receiptBatch{Receipts: []receipt{{Conversation: conversationRef(op.Chat), State: "read", UpTo: string(last)}}},
	})
}

func noTarget() error {
	return refuse(gateway.Permanent, "no_target", "the earlier message is not known on the platform")
}

func messagePath(id gateway.MessageID) string { return rest.Path("v1", "messages", string(id)) }

// conversationRef names a chat where the document takes a ConversationRef: the person may stand in for the conversation.
func conversationRef(c gateway.Chat) string {
	if c.Contact != "" {
		return string(c.Contact)
	}
	return string(c.ID)
}

// The document's headers, in the form that net/http keeps them in. headerKey makes a repeated POST harmless.
const (
	headerKey       = "Idempotency-Key"
	headerVersion   = "Gia-Version"
	headerAssertion = "Gia-User-Assertion"
)

// idempotencyKey is the op's id, the same in every retry.
func idempotencyKey(id gateway.OpID) http.Header { return http.Header{headerKey: {string(id)}} }

// renderContent writes what Caps offers. Several texts become paragraphs; of places, cards and polls a message holds one of each.
func renderContent(in gateway.Content) (content, error) {
	var out content
	var b strings.Builder
	offset := 0
	for _, p := range in.Parts {
		switch p := p.(type) {
		case gateway.Text:
			if b.Len() > 0 {
				b.WriteByte('\n')
				offset++
			}
			b.WriteString(p.Text)
			length := len([]rune(p.Text))
			out.Spans = append(out.Spans, renderSpans(p.Spans, offset, length)...)
			offset += length
			out.Previews = append(out.Previews, renderPreviews(p.Previews)...)
		case gateway.Media:
			if err := addMedia(&out, p, string(p.Kind), ""); err != nil {
				return content{}, err
			}
		case gateway.Sticker:
			if err := addMedia(&out, p.Media, "sticker", p.Emoji); err != nil {
				return content{}, err
			}
		case gateway.Location:
			if out.Location != nil {
				return content{}, several(p)
			}
			l := location{Latitude: p.Lat, Longitude: p.Lon, Accuracy: p.Accuracy, Name: cut(p.Name, 200), Address: cut(p.Address, 500)}
			out.Location = &l
		case gateway.ContactCard:
			if out.Contact != nil {
				return content{}, several(p)
			}
			out.Contact = &contactCard{Name: cut(p.Name, 200), Phones: p.Phones[:min(len(p.Phones), maxLines)], Emails: p.Emails[:min(len(p.Emails), maxLines)]}
		case gateway.Poll:
			if out.Poll != nil {
				return content{}, several(p)
			}
			out.Poll = &poll{Question: cut(p.Question, 300), Options: renderChoices(p.Options), Multiple: p.Multiple}
		case gateway.Interactive, gateway.UnsupportedPart:
			return content{}, refuse(gateway.Unsupported, gateway.PartKind(p), "this kind of content is not carried")
		}
	}
	out.Text = b.String()
	if out.Text == "" && len(out.Media) == 0 && out.Location == nil && out.Contact == nil && out.Poll == nil {
		return content{}, refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
	}
	out.Spans = out.Spans[:min(len(out.Spans), maxSpans)]
	out.Previews = out.Previews[:min(len(out.Previews), maxPreviews)]
	return out, nil
}

func several(p gateway.Part) error {
	return refuse(gateway.Unsupported, gateway.PartKind(p), "a message holds one of it")
}

// addMedia names an object that Upload put there before; what is not there cannot be sent.
func addMedia(out *content, m gateway.Media, kind, emoji string) error {
	if !mediaHandle.MatchString(m.Handle) || len(m.SHA256) == 0 {
		return refuse(gateway.Unsupported, "media", "the file was not uploaded to the gatekeeper")
	}
	if len(out.Media) == maxMedia {
		return refuse(gateway.Unsupported, "media", "too many files in one message")
	}
	out.Media = append(out.Media, mediaPart{
		MediaID: m.Handle, Kind: kind, Type: m.MIME, Size: m.Size, SHA256: hex.EncodeToString(m.SHA256), Name: cut(m.Name, 255),
		Width: m.Width, Height: m.Height, DurationMS: m.Duration, Emoji: emoji, Thumb: thumb(m.Thumb), ViewOnce: m.ViewOnce,
	})
	return nil
}

// thumb passes on what the document's pattern takes.
func thumb(s string) string {
	if len(s) > maxThumb || !thumbForm.MatchString(s) {
		return ""
	}
	return s
}

func renderChoices(in []gateway.Choice) []choice {
	out := make([]choice, len(in))
	for i, c := range in {
		out[i] = choice{ID: c.ID, Title: cut(c.Title, 200)}
	}
	return out
}

func renderPreviews(in []gateway.Preview) []preview {
	var out []preview
	for _, p := range in {
		if absolute(p.URL) && len(p.URL) <= maxURL {
			w := preview{URL: p.URL, Title: cut(p.Title, 300), Description: cut(p.Description, 1000)}
			if absolute(p.Image) && len(p.Image) <= maxURL {
				w.Image = p.Image
			}
			out = append(out, w)
		}
	}
	return out
}

func absolute(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.IsAbs()
}

// cut shortens to a number of characters, the unit of a schema's maxLength.
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

var spanStyles = map[gateway.SpanStyle]string{
	gateway.SpanStrong: "bold", gateway.SpanEmphasis: "italic", gateway.SpanDeleted: "strike", gateway.SpanCode: "code",
	gateway.SpanPre: "pre", gateway.SpanQuote: "quote", gateway.SpanSpoiler: "spoiler", gateway.SpanLink: "link",
	gateway.SpanMention: "mention",
}

// renderSpans shifts spans by offset and leaves out what the document has no words for: unknown styles, links without an address,
// stretches outside the text, and spans that overlap another in part ("Spans may nest, not overlap in part"). The text stays whole.
func renderSpans(spans []gateway.Span, offset, length int) []span {
	var out []span
	for _, s := range spans {
		if len(out) == maxSpans {
			break
		}
		style, ok := spanStyles[s.Style]
		if !ok || s.Start < 0 || s.Length < 1 || s.Start > length-s.Length {
			continue
		}
		w := span{Start: offset + s.Start, Length: s.Length, Style: style}
		if s.Style == gateway.SpanLink {
			if !absolute(s.URL) {
				continue
			}
			w.URL = s.URL
		}
		if !crosses(out, w) {
			out = append(out, w)
		}
	}
	return out
}

func crosses(spans []span, s span) bool {
	for _, o := range spans {
		oEnd, sEnd := o.Start+o.Length, s.Start+s.Length
		if o.Start < s.Start && s.Start < oEnd && oEnd < sEnd || s.Start < o.Start && o.Start < sEnd && sEnd < oEnd {
			return true
		}
	}
	return false
}
