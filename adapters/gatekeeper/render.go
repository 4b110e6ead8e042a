package gatekeeper

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// maxSpans is the document's limit of Content.spans.
const maxSpans = 500

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
	case gateway.OpTyping:
		state := "paused"
		if b.On {
			state = "composing"
		}
		return one(rest.Call{
			Name: "sendTyping", Method: http.MethodPost, Path: rest.Path("v1", "conversations", conversationRef(op.Chat), "typing"),
			Body: typingChange{State: state},
		})
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
	m := messageCreate{ClientID: string(op.ID), Sender: string(sender), Mode: "plaintext", Content: c}
	// The document wants either; a person's id never goes stale, a conversation may not be known yet.
	if op.Chat.Contact != "" {
		m.To = string(op.Chat.Contact)
	} else {
		m.Conversation = string(op.Chat.ID)
	}
	if b.ReplyTo != nil && len(b.ReplyTo.IDs) > 0 {
		m.ReplyTo = string(b.ReplyTo.IDs[0])
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

// idempotencyKey is the op's id, the same in every retry.
func idempotencyKey(id gateway.OpID) http.Header { return http.Header{"Idempotency-Key": {string(id)}} }

// renderContent writes what Caps offers: text with spans. Several texts become paragraphs.
func renderContent(in gateway.Content) (content, error) {
	var out content
	var b strings.Builder
	offset := 0
	for i, p := range in.Parts {
		t, ok := p.(gateway.Text)
		if !ok {
			return content{}, refuse(gateway.Unsupported, gateway.PartKind(p), "this kind of content is not carried")
		}
		if i > 0 {
			b.WriteByte('\n')
			offset++
		}
		b.WriteString(t.Text)
		length := len([]rune(t.Text))
		out.Spans = append(out.Spans, renderSpans(t.Spans, offset, length)...)
		offset += length
	}
	out.Text = b.String()
	if out.Text == "" {
		return content{}, refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
	}
	out.Spans = out.Spans[:min(len(out.Spans), maxSpans)]
	return out, nil
}

var spanStyles = map[gateway.SpanStyle]string{
	gateway.SpanStrong: "bold", gateway.SpanEmphasis: "italic", gateway.SpanDeleted: "strike", gateway.SpanCode: "code",
	gateway.SpanPre: "pre", gateway.SpanQuote: "quote", gateway.SpanLink: "link", gateway.SpanMention: "mention",
}

// renderSpans shifts spans by offset and leaves out what the document has no words for: unknown styles, links without an address,
// stretches outside the text, and spans that overlap another in part ("Spans may nest, not overlap in part"). The text stays whole.
func renderSpans(spans []gateway.Span, offset, length int) []span {
	var out []span
	for _, s := range spans {
		style, ok := spanStyles[s.Style]
		if !ok || s.Start < 0 || s.Length < 1 || s.Start > length-s.Length {
			continue
		}
		w := span{Start: offset + s.Start, Length: s.Length, Style: style}
		if s.Style == gateway.SpanLink {
			if u, err := url.Parse(s.URL); err != nil || !u.IsAbs() {
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
