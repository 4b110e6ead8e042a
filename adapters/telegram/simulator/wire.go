package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"time"
	"unicode/utf16"

	"postern/adapters/internal/sandbox"
)

// object is a JSON object.
type object map[string]any

func wireUser(p *sandbox.Person) object {
	u := object{"id": number(p.Native), "is_bot": false, "first_name": p.First}
	set(u, "last_name", p.Last)
	set(u, "username", p.Username)
	set(u, "language_code", p.Lang)
	return u
}

func botUser(a *sandbox.Account) object {
	u := object{"id": number(a.ID), "is_bot": true, "first_name": a.Name}
	set(u, "username", a.Username)
	return u
}

func wireChat(c *sandbox.Chat) object {
	if c.Group() {
		typ := "group"
		if strings.HasPrefix(c.Native, "-100") {
			typ = "supergroup"
		}
		return object{"id": number(c.Native), "type": typ, "title": c.Title}
	}
	out := object{"id": number(c.Native), "type": "private", "first_name": c.Person.First}
	set(out, "last_name", c.Person.Last)
	set(out, "username", c.Person.Username)
	return out
}

func set(o object, name, value string) {
	if value != "" {
		o[name] = value
	}
}

// wireMessage is a Message, with the one that it answers.
func wireMessage(st *sandbox.State, m *sandbox.Message) object {
	out := plainMessage(st, m)
	if to := st.Message(m.ReplyTo); to != nil && !to.Retracted {
		out["reply_to_message"] = plainMessage(st, to)
	}
	return out
}

func plainMessage(st *sandbox.State, m *sandbox.Message) object {
	out := object{"message_id": number(m.Native), "date": m.SentAt.Unix(), "chat": wireChat(m.Chat)}
	if m.FromUser {
		out["from"] = botUser(m.Chat.Account)
	} else {
		out["from"] = wireUser(m.Author)
	}
	if !m.EditedAt.IsZero() {
		out["edit_date"] = m.EditedAt.Unix()
	}
	if m.Album != "" {
		out["media_group_id"] = sandbox.Digits(m.Album, 17)
	}
	fill(st, out, m)
	return out
}

// fill writes what a message says.
func fill(st *sandbox.State, out object, m *sandbox.Message) {
	c := m.Content
	text, spans := "text", "entities"
	if len(c.Media) > 0 {
		text, spans = "caption", "caption_entities"
		fillFile(st, out, m.Chat.Account, c.Media[0])
	}
	if c.Text != "" {
		out[text] = c.Text
		if e := entities(c.Text, c.Spans); len(e) > 0 {
			out[spans] = e
		}
	}
	if l := c.Location; l != nil {
		at := object{"latitude": l.Latitude, "longitude": l.Longitude}
		if until, err := time.Parse(time.RFC3339, l.LiveUntil); err == nil {
			at["live_period"] = max(int64(until.Sub(m.SentAt)/time.Second), 1)
		}
		out["location"] = at
		if l.Name != "" {
			out["venue"] = object{"location": at, "title": l.Name, "address": l.Address}
		}
	}
	if p := c.Contact; p != nil {
		card := object{"phone_number": "", "first_name": p.Name}
		if len(p.Phones) > 0 {
			card["phone_number"] = p.Phones[0]
		}
		out["contact"] = card
	}
	if p := c.Poll; p != nil {
		options := []object{}
		for _, o := range p.Options {
			options = append(options, object{"text": o.Title, "voter_count": 0})
		}
		out["poll"] = object{
			"id": pollID(m), "question": p.Question, "options": options, "total_voter_count": 0, "is_closed": false, "is_anonymous": false, "type": "regular",
			"allows_multiple_answers": p.Multiple,
		}
	}
	if i := c.Interactive; i != nil {
		out["text"] = strings.TrimSpace(i.Header + "\n" + i.Body)
		keys := []object{}
		for _, choice := range i.Choices {
			keys = append(keys, object{"text": choice.Title, "callback_data": choice.ID})
		}
		out["reply_markup"] = object{"inline_keyboard": []any{keys}}
	}
	if c.Unsupported != "" {
		out[c.Unsupported] = object{}
	}
	var raw object
	if len(c.Raw) > 0 && json.Unmarshal(c.Raw, &raw) == nil {
		maps.Copy(out, raw)
	}
}

func pollID(m *sandbox.Message) string { return sandbox.Digits("poll "+m.ID, 19) }

// fillFile writes the member of a file by its kind.
func fillFile(st *sandbox.State, out object, bot *sandbox.Account, p sandbox.MediaPart) {
	f := object{"file_id": fileID(bot, p.MediaID), "file_unique_id": uniqueID(p.MediaID), "file_size": p.Size}
	set(f, "file_name", p.Name)
	set(f, "mime_type", p.Type)
	sized := func() {
		f["width"], f["height"] = max(p.Width, 1), max(p.Height, 1)
	}
	timed := func() { f["duration"] = p.DurationMS / 1000 }
	switch p.Kind {
	case "image":
		out["photo"] = photoSizes(st, bot, p)
		return
	case "video":
		sized()
		timed()
		out["video"] = f
	case "animation":
		sized()
		timed()
		out["animation"], out["document"] = f, f
	case "video_note":
		f["length"] = max(p.Width, 240)
		timed()
		out["video_note"] = f
	case "voice":
		delete(f, "file_name")
		timed()
		out["voice"] = f
	case "audio":
		timed()
		out["audio"] = f
	case "sticker":
		delete(f, "mime_type")
		delete(f, "file_name")
		sized()
		set(f, "emoji", p.Emoji)
		f["type"], f["is_animated"], f["is_video"] = "regular", p.Type == "application/x-tgsticker", p.Type == "video/webm"
		out["sticker"] = f
	default:
		out["document"] = f
	}
}

// photoSizes: a thumbnail, then the picture; neither has a name or a type.
func photoSizes(_ *sandbox.State, bot *sandbox.Account, p sandbox.MediaPart) []object {
	w, h := max(p.Width, 1), max(p.Height, 1)
	one := func(w, h int, size int64, mark string) object {
		return object{"file_id": fileID(bot, p.MediaID), "file_unique_id": uniqueID(p.MediaID + mark), "width": w, "height": h, "file_size": size}
	}
	return []object{one(max(w/8, 1), max(h/8, 1), min(p.Size, 1200), "s"), one(w, h, p.Size, "x")}
}

// fileID names a file for one bot.
func fileID(bot *sandbox.Account, media string) string {
	return "AgAC" + base64.RawURLEncoding.EncodeToString([]byte(bot.ID+"/"+media))
}

// fileOf finds what a file_id names; nil when it is another bot's or none.
func fileOf(st *sandbox.State, bot *sandbox.Account, id string) *sandbox.Media {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(id, "AgAC"))
	owner, media, ok := strings.Cut(string(raw), "/")
	if err != nil || !ok || owner != bot.ID {
		return nil
	}
	return st.Media(media)
}

func uniqueID(media string) string {
	sum := sha256.Sum256([]byte(media))
	return "AQAD" + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// spanTypes are the sandbox's styles as MessageEntity types.
var spanTypes = map[string]string{
	"bold": "bold", "italic": "italic", "strike": "strikethrough", "code": "code", "pre": "pre", "quote": "blockquote", "spoiler": "spoiler",
	"link": "text_link", "mention": "mention",
}

// entities counts in UTF-16 code units.
func entities(text string, spans []sandbox.Span) []object {
	runes := []rune(text)
	width := func(from, to int) int { return len(utf16.Encode(runes[from:to])) }
	out := []object{}
	for _, s := range spans {
		if s.Start < 0 || s.Length < 1 || s.Start+s.Length > len(runes) || spanTypes[s.Style] == "" {
			continue
		}
		e := object{"type": spanTypes[s.Style], "offset": width(0, s.Start), "length": width(s.Start, s.Start+s.Length)}
		set(e, "url", s.URL)
		out = append(out, e)
	}
	if strings.HasPrefix(text, "/") {
		word, _, _ := strings.Cut(text, " ")
		out = append(out, object{"type": "bot_command", "offset": 0, "length": len(utf16.Encode([]rune(word)))})
	}
	return out
}

// entity is a MessageEntity that a bot sent.
type entity struct {
	Type   string `json:"type"`
	Offset int    `json:"offset"`
	Length int    `json:"length"`
	URL    string `json:"url"`
}

// spansOf is entities the other way. One that does not lie within the text is an error of the bot.
func spansOf(text string, in []entity) ([]sandbox.Span, bool) {
	coded := utf16.Encode([]rune(text))
	var out []sandbox.Span
	for _, e := range in {
		if e.Offset < 0 || e.Length < 1 || e.Offset+e.Length > len(coded) {
			return nil, false
		}
		s := sandbox.Span{
			Start: len(utf16.Decode(coded[:e.Offset])), Length: len(utf16.Decode(coded[e.Offset : e.Offset+e.Length])), URL: e.URL,
		}
		for ours, theirs := range spanTypes {
			if theirs == e.Type {
				s.Style = ours
				out = append(out, s)
			}
		}
	}
	return out, true
}
