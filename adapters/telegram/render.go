package telegram

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"postern/gateway"
)

// The document's limits of what is sent, texts in characters, which are counted in UTF-16 code units here (see units).
const (
	maxText     = 4096
	maxCaption  = 1024
	maxQuestion = 300
	maxOption   = 100
	maxVCard    = 2048 // bytes
	minOptions  = 2
	sentOptions = 12
)

// fileID is the form of file_id, an opaque word.
var fileID = regexp.MustCompile(`^[A-Za-z0-9_-]{10,250}$`)

// call is one request.
type call struct {
	method string
	params params
	// file names the parameter that is the file whose bytes come along; media describes it.
	file  string
	media gateway.Media
	// or is made instead where the platform says that this one does not fit.
	or *call
	// once: what it asks for may be so already, which is as good.
	once bool
}

// render turns an op into the requests that carry it out, in order. It is pure. An op that the API has no words for is Unsupported.
func render(op gateway.Op) ([]call, error) {
	chat, err := chatID(op.Chat)
	if err != nil {
		return nil, err
	}
	switch b := op.Body.(type) {
	case gateway.OpMessage:
		return renderMessage(chat, b)
	case gateway.OpEdit:
		return renderEdit(chat, b)
	case gateway.OpRetract:
		return renderRetract(chat, b.Target.IDs)
	case gateway.OpReact:
		return renderReact(chat, b)
	case gateway.OpTyping:
		if !b.On { // "The status is set for 5 seconds or less"; there is none for its end
			return nil, nil
		}
		return []call{{method: "sendChatAction", params: params{"chat_id": chat, "action": "typing"}}}, nil
	case gateway.OpMarkRead, gateway.OpAnswer, gateway.OpReopen, gateway.OpGroup:
	}
	return nil, refuse(gateway.Unsupported, gateway.OpKind(op.Body), "the Bot API has no method for it")
}

// chatID names the chat. That of two has the person's own id, which never goes stale.
func chatID(c gateway.Chat) (json.Number, error) {
	id := string(c.ID)
	if c.Kind == gateway.ChatDirect && c.Contact != "" {
		id = string(c.Contact)
	}
	if !isID(id) {
		return "", refuse(gateway.Permanent, "no_chat", "this is no chat of Telegram")
	}
	return json.Number(id), nil
}

// number is a message's number within its chat; ok is false for what was no message, such as a button that was pressed.
func number(id gateway.MessageID) (n json.Number, ok bool) {
	own := string(id)
	if chat, n, group := strings.Cut(own, "/"); group {
		if own = n; !isID(chat) {
			return "", false
		}
	}
	return json.Number(own), isID(own) && own[0] != '-'
}

func renderMessage(chat json.Number, b gateway.OpMessage) ([]call, error) {
	text, spans := joinTexts(b.Content)
	var calls []call
	for _, p := range b.Content.Parts {
		c, err := renderPart(chat, p)
		if err != nil {
			return nil, err
		}
		if c != nil {
			calls = append(calls, *c)
		}
	}
	switch {
	case text == "":
	case len(calls) > 0 && calls[0].media.Handle != "" && calls[0].method != "sendSticker" && units(text) <= maxCaption:
		calls[0].caption(text, spans)
	default:
		calls = append(calls, sendText(chat, text, spans))
	}
	if len(calls) == 0 {
		// "text must be non-empty": the server trims white space before it looks.
		return nil, refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
	}
	if b.ReplyTo != nil && len(b.ReplyTo.IDs) > 0 {
		if n, ok := number(b.ReplyTo.IDs[0]); ok {
			calls[0].reply(n)
		}
	}
	return calls, nil
}

func sendText(chat json.Number, text string, spans []entity) call {
	p := params{"chat_id": chat, "text": text}
	if len(spans) > 0 {
		p["entities"] = spans
	}
	return call{method: "sendMessage", params: p}
}

// caption puts words below a file.
func (c *call) caption(text string, spans []entity) {
	for ; c != nil; c = c.or {
		c.params["caption"] = text
		if len(spans) > 0 {
			c.params["caption_entities"] = spans
		}
	}
}

// reply makes a message an answer, or none where what it answers is gone.
func (c *call) reply(to json.Number) {
	for ; c != nil; c = c.or {
		c.params["reply_parameters"] = params{"message_id": to, "allow_sending_without_reply": true}
	}
}

// joinTexts makes paragraphs of the texts of a message.
func joinTexts(c gateway.Content) (string, []entity) {
	var b strings.Builder
	var spans []entity
	at := 0
	for _, p := range c.Parts {
		t, ok := p.(gateway.Text)
		if !ok || strings.TrimSpace(t.Text) == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			at++
		}
		b.WriteString(t.Text)
		spans = append(spans, renderSpans(t.Text, t.Spans, at)...)
		at += units(t.Text)
	}
	return b.String(), spans[:min(len(spans), maxSpans)]
}

// renderPart renders everything but words, for which it returns nil.
func renderPart(chat json.Number, p gateway.Part) (*call, error) {
	switch p := p.(type) {
	case gateway.Text:
		return nil, nil
	case gateway.Media:
		return renderFile(chat, p, "")
	case gateway.Sticker:
		return renderFile(chat, p.Media, p.Emoji)
	case gateway.Location:
		return renderLocation(chat, p), nil
	case gateway.ContactCard:
		return renderContact(chat, p)
	case gateway.Poll:
		return renderPoll(chat, p)
	case gateway.Interactive, gateway.UnsupportedPart:
	}
	return nil, refuse(gateway.Unsupported, gateway.PartKind(p), "this kind of content is not carried")
}

// renderLocation: a venue needs both title and address. Live locations are not kept alive, so that none is promised.
func renderLocation(chat json.Number, l gateway.Location) *call {
	p := params{"chat_id": chat, "latitude": l.Lat, "longitude": l.Lon}
	if l.Name != "" || l.Address != "" {
		p["title"], p["address"] = first(l.Name, l.Address), first(l.Address, l.Name)
		return &call{method: "sendVenue", params: p}
	}
	if l.Accuracy > 0 { // "0-1500"
		p["horizontal_accuracy"] = min(l.Accuracy, 1500)
	}
	return &call{method: "sendLocation", params: p}
}

func renderContact(chat json.Number, c gateway.ContactCard) (*call, error) {
	if len(c.Phones) == 0 {
		return nil, refuse(gateway.Unsupported, "no_phone", "a contact needs a number")
	}
	p := params{"chat_id": chat, "phone_number": c.Phones[0], "first_name": cut(first(c.Name, c.Phones[0]), 64)}
	if card := vcard(c); len(c.Phones)+len(c.Emails) > 1 && len(card) <= maxVCard {
		p["vcard"] = card
	}
	return &call{method: "sendContact", params: p}, nil
}

// vcard writes what sendContact has no parameters for (RFC 6350 §3.4: a comma, a semicolon and a backslash are escaped).
func vcard(c gateway.ContactCard) string {
	escape := strings.NewReplacer("\\", "\\\\", ",", "\\,", ";", "\\;", "\r", "", "\n", "\\n")
	lines := []string{"BEGIN:VCARD", "VERSION:3.0", "FN:" + escape.Replace(c.Name)}
	for _, tel := range c.Phones {
		lines = append(lines, "TEL:"+escape.Replace(tel))
	}
	for _, mail := range c.Emails {
		lines = append(lines, "EMAIL:"+escape.Replace(mail))
	}
	return strings.Join(append(lines, "END:VCARD"), "\n")
}

func renderPoll(chat json.Number, in gateway.Poll) (*call, error) {
	if n := len(in.Options); n < minOptions || n > sentOptions || units(in.Question) > maxQuestion || strings.TrimSpace(in.Question) == "" {
		return nil, refuse(gateway.Unsupported, "poll_size", "a poll has 2 to 12 options and a question of at most 300 characters")
	}
	options := make([]params, len(in.Options))
	for i, o := range in.Options {
		if units(o.Title) > maxOption || strings.TrimSpace(o.Title) == "" {
			return nil, refuse(gateway.Unsupported, "poll_size", "an option has 1 to 100 characters")
		}
		options[i] = params{"text": o.Title}
	}
	// Votes in an anonymous poll are not told.
	p := params{"chat_id": chat, "question": in.Question, "options": options, "is_anonymous": false}
	if in.Multiple {
		p["allows_multiple_answers"] = true
	}
	return &call{method: "sendPoll", params: p}, nil
}

// renderEdit puts the new words in the first message, below its file where it is one, and takes back the others, so that they stand once.
func renderEdit(chat json.Number, b gateway.OpEdit) ([]call, error) {
	for _, p := range b.Content.Parts {
		if _, ok := p.(gateway.Text); !ok {
			return nil, refuse(gateway.Unsupported, "edit_content", "only words can be edited")
		}
	}
	text, spans := joinTexts(b.Content)
	if text == "" {
		return nil, refuse(gateway.Unsupported, "empty", "an empty text cannot be sent")
	}
	if len(b.Target.IDs) == 0 {
		return nil, noTarget()
	}
	n, ok := number(b.Target.IDs[0])
	if !ok {
		return nil, noTarget()
	}
	edit := sendText(chat, text, spans)
	edit.method, edit.once = "editMessageText", true
	edit.params["message_id"] = n
	if units(text) <= maxCaption {
		below := call{method: "editMessageCaption", params: params{"chat_id": chat, "message_id": n}, once: true}
		below.caption(text, spans)
		edit.or = &below
	}
	return append([]call{edit}, retractions(chat, b.Target.IDs[1:])...), nil
}

func renderRetract(chat json.Number, ids []gateway.MessageID) ([]call, error) {
	calls := retractions(chat, ids)
	if len(calls) == 0 {
		return nil, noTarget()
	}
	return calls, nil
}

func retractions(chat json.Number, ids []gateway.MessageID) []call {
	var calls []call
	for _, id := range ids {
		if n, ok := number(id); ok {
			calls = append(calls, call{method: "deleteMessage", params: params{"chat_id": chat, "message_id": n}, once: true})
		}
	}
	return calls
}

// renderReact: "bots can set up to one reaction per message"; an empty list removes it.
func renderReact(chat json.Number, b gateway.OpReact) ([]call, error) {
	if len(b.Target.IDs) == 0 {
		return nil, noTarget()
	}
	n, ok := number(b.Target.IDs[0])
	if !ok {
		return nil, noTarget()
	}
	set := []params{}
	for _, e := range b.Emojis {
		plain := strings.ReplaceAll(e, "\uFE0F", "")
		if !slices.Contains(reactions, plain) {
			return nil, refuse(gateway.Unsupported, "REACTION_INVALID", "this emoji is not among the reactions of the platform")
		}
		set = append(set, params{"type": "emoji", "emoji": plain})
	}
	return []call{{method: "setMessageReaction", params: params{"chat_id": chat, "message_id": n, "reaction": set}}}, nil
}

func noTarget() error {
	return refuse(gateway.Permanent, "no_target", "the earlier message is not known on the platform")
}

// form writes parameters as multipart/form-data has them: everything but words as JSON.
func (p params) form() map[string][]string {
	out := map[string][]string{}
	for name, v := range p {
		switch v := v.(type) {
		case string:
			out[name] = []string{v}
		case json.Number:
			out[name] = []string{string(v)}
		case int:
			out[name] = []string{strconv.Itoa(v)}
		default:
			raw, err := json.Marshal(v)
			if err == nil { // nothing here fails to encode
				out[name] = []string{string(raw)}
			}
		}
	}
	return out
}

// reactions are the emoji of ReactionTypeEmoji, without the selector U+FE0F.
var reactions = strings.Fields(`❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡`)
