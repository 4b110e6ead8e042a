package simulator

import (
	"encoding/json"
	"image"
	_ "image/jpeg" // photos
	_ "image/png"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/adapters/internal/sandbox"
)

// chat finds the chat of chat_id and says whether the bot may write there.
func (c *call) chat() (*sandbox.Chat, *fault) {
	id := c.in.text("chat_id")
	if id == "" {
		return nil, bad("chat_id is empty")
	}
	to := c.st.ChatOf(c.bot, id)
	if to == nil {
		return nil, bad("chat not found")
	}
	return to, nil
}

func (c *call) writable() (*sandbox.Chat, *fault) {
	to, f := c.chat()
	switch {
	case f != nil:
		return nil, f
	case to.Group() && !to.Granted:
		return nil, forbidden("bot was kicked from the group chat")
	case !to.Group() && to.Person.Absent:
		return nil, forbidden("user is deactivated")
	case to.Blocked:
		return nil, forbidden("bot was blocked by the user")
	case !to.Granted:
		return nil, forbidden("bot can't initiate conversation with a user")
	}
	return to, nil
}

// room spends what a message costs.
func (c *call) room(to *sandbox.Chat) *fault {
	rule := ruleChat
	if to.Group() {
		rule = ruleGroup
	}
	if refused, wait := c.st.Spend(rule, c.bot.ID+" "+to.Native); refused {
		return tooMany(wait)
	}
	return nil
}

// accept makes a message of what a bot sends.
func (c *call) accept(content sandbox.Content) (any, *fault) {
	to, f := c.writable()
	if f != nil {
		return nil, f
	}
	draft := sandbox.Draft{Content: content, UserAgent: c.agent}
	var reply struct {
		ID      json.Number `json:"message_id"`
		Without bool        `json:"allow_sending_without_reply"`
		Quote   string      `json:"quote"`
	}
	if !c.in.object("reply_parameters", &reply) {
		return nil, bad("can't parse reply parameters JSON object")
	}
	if reply.ID != "" {
		switch m := to.Message(string(reply.ID)); {
		case m != nil && !m.Retracted && reply.Quote != "" && !strings.Contains(m.Content.Text, reply.Quote):
			return nil, bad("QUOTE_TEXT_INVALID")
		case m != nil && !m.Retracted:
			draft.ReplyTo = m.ID
		case !reply.Without:
			return nil, bad("message to be replied not found")
		}
	}
	if f := c.room(to); f != nil {
		return nil, f
	}
	return wireMessage(c.st, c.st.Accept(to, draft)), nil
}

// words reads a text with its entities. The server trims white space.
func (c *call) words(name, spans string, most int, tooLong string) (sandbox.Content, *fault) {
	text := c.in.text(name)
	var in []entity
	if !c.in.object(spans, &in) {
		return sandbox.Content{}, bad("can't parse entities: not a JSON array")
	}
	styled, ok := spansOf(text, in)
	if !ok {
		return sandbox.Content{}, bad("ENTITY_BOUNDS_INVALID")
	}
	if utf8.RuneCountInString(text) > most {
		return sandbox.Content{}, bad(tooLong)
	}
	out := sandbox.Content{Text: strings.TrimRight(text, " \n\t"), Spans: styled}
	for strings.TrimSpace(out.Text) == "" && out.Text != "" {
		out.Text = ""
	}
	return out, nil
}

func sendMessage(c *call) (any, *fault) {
	content, f := c.words("text", "entities", maxText, "message is too long")
	if f != nil {
		return nil, f
	}
	if content.Text == "" {
		return nil, bad("message text is empty")
	}
	var markup struct {
		Keyboard [][]struct {
			Text string `json:"text"`
			Data string `json:"callback_data"`
		} `json:"inline_keyboard"`
	}
	if !c.in.object("reply_markup", &markup) {
		return nil, bad("can't parse reply keyboard markup JSON object")
	}
	var choices []sandbox.Choice
	for _, row := range markup.Keyboard {
		for _, b := range row {
			if len(b.Data) < 1 || len(b.Data) > 64 {
				return nil, bad("BUTTON_DATA_INVALID")
			}
			choices = append(choices, sandbox.Choice{ID: b.Data, Title: b.Text})
		}
	}
	if len(choices) > 0 {
		content.Interactive = &sandbox.Interactive{Body: content.Text, Choices: choices}
	}
	return c.accept(content)
}

// sendLocation is sendVenue too.
func sendLocation(c *call) (any, *fault) {
	lat, ok := c.in.float("latitude")
	lon, ok2 := c.in.float("longitude")
	if !ok || !ok2 || lat < -90 || lat > 90 || lon < -180 || lon > 180 {
		return nil, bad("can't parse location")
	}
	return c.accept(sandbox.Content{Location: &sandbox.Location{Latitude: lat, Longitude: lon, Name: c.in.text("title"), Address: c.in.text("address")}})
}

func sendContact(c *call) (any, *fault) {
	phone, name := c.in.text("phone_number"), strings.TrimSpace(c.in.text("first_name")+" "+c.in.text("last_name"))
	if phone == "" || name == "" {
		return nil, bad("PHONE_NUMBER_INVALID")
	}
	if len(c.in.text("vcard")) > 2048 {
		return nil, bad("vCard is too long")
	}
	return c.accept(sandbox.Content{Contact: &sandbox.Contact{Name: name, Phones: []string{phone}}})
}

func sendPoll(c *call) (any, *fault) {
	var options []struct {
		Text string `json:"text"`
	}
	if !c.in.object("options", &options) {
		return nil, bad("can't parse options JSON object")
	}
	q := c.in.text("question")
	switch {
	case q == "" || utf8.RuneCountInString(q) > 300:
		return nil, bad("poll question length must be 1 to 300")
	case len(options) < 1 || len(options) > 12:
		return nil, bad("poll must have 1 to 12 options")
	}
	p := &sandbox.Poll{Question: q, Multiple: c.in.bool("allows_multiple_answers")}
	for i, o := range options {
		if o.Text == "" || utf8.RuneCountInString(o.Text) > 100 {
			return nil, bad("poll option length must be 1 to 100")
		}
		p.Options = append(p.Options, sandbox.Choice{ID: strconv.Itoa(i), Title: o.Text})
	}
	return c.accept(sandbox.Content{Poll: p})
}

// actions are those of sendChatAction.
const actions = " typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker find_location record_video_note upload_video_note "

func sendChatAction(c *call) (any, *fault) {
	to, f := c.writable()
	if f != nil {
		return nil, f
	}
	if a := c.in.text("action"); a == "" || !strings.Contains(actions, " "+a+" ") {
		return nil, bad("wrong parameter action in request")
	}
	c.st.TypingOwn(to, typingLasts)
	return true, nil
}

// sendFile sends a file of a kind: uploaded, or one that Telegram has already.
func sendFile(field, kind string) func(*call) (any, *fault) {
	return func(c *call) (any, *fault) {
		m := c.in.files[strings.TrimPrefix(c.in.text(field), "attach://")]
		if m == nil {
			m = c.in.files[field]
		}
		fresh := m != nil
		if m == nil {
			m = fileOf(c.st, c.bot, c.in.text(field))
		}
		if m == nil {
			return nil, bad("wrong file identifier/HTTP URL specified")
		}
		if m.Size == 0 {
			return nil, bad("file must be non-empty")
		}
		content, f := c.words("caption", "caption_entities", maxCaption, "message caption is too long")
		if f != nil {
			return nil, f
		}
		part := m.Part(kind)
		if kind == "image" && fresh {
			if f := photo(m, &part); f != nil {
				return nil, f
			}
		}
		number := func(name string) int { n, _ := c.in.int(name); return int(n) }
		if kind == "video" || kind == "animation" {
			part.Width, part.Height = number("width"), number("height")
		}
		part.DurationMS, part.Emoji = number("duration")*1000, c.in.text("emoji")
		content.Media = []sandbox.MediaPart{part}
		return c.accept(content)
	}
}

// photo looks at a picture as Telegram does before it makes it smaller.
func photo(m *sandbox.Media, part *sandbox.MediaPart) *fault {
	if m.Size > maxPhoto {
		return bad("file is too big")
	}
	f := m.Open()
	defer func() { _ = f.Close() }()
	cfg, _, err := image.DecodeConfig(f)
	switch {
	case err != nil && m.Type != "image/webp": // which Go does not read
		return bad("IMAGE_PROCESS_FAILED")
	case cfg.Width+cfg.Height > 10000 || cfg.Width > 20*max(cfg.Height, 1) || cfg.Height > 20*max(cfg.Width, 1):
		return bad("PHOTO_INVALID_DIMENSIONS")
	}
	part.Width, part.Height, part.Name, part.Type = cfg.Width, cfg.Height, "", "image/jpeg"
	return nil
}
