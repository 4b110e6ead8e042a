package control

import "encoding/json"

// Content is what a message says. A member is absent when the message has nothing of the kind.
type Content struct {
	Text        string       `json:"text,omitempty"`
	Spans       []Span       `json:"spans,omitempty"`
	Media       []MediaPart  `json:"media,omitempty"`
	Location    *Location    `json:"location,omitempty"`
	Contact     *Contact     `json:"contact,omitempty"`
	Poll        *Poll        `json:"poll,omitempty"`
	Interactive *Interactive `json:"interactive,omitempty"`
	Answer      *Answer      `json:"answer,omitempty"`
	Previews    []Preview    `json:"previews,omitempty"`
	// Unsupported names a kind that the platform has and that Postern does not know.
	Unsupported string `json:"unsupported,omitempty"`
	// Raw is for the platform alone: members of its own wire format that its simulator puts into what it sends.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// Span styles a part of the text. Start and Length count code points.
type Span struct {
	Start  int    `json:"start"`
	Length int    `json:"length"`
	Style  string `json:"style"` // bold, italic, strike, code, pre, quote, spoiler, link, mention
	URL    string `json:"url,omitempty"`
}

// MediaPart is one file of a message.
type MediaPart struct {
	MediaID    string `json:"media_id,omitempty"`
	Kind       string `json:"kind"` // image, video, audio, voice, file, sticker, animation, video_note
	Type       string `json:"type,omitempty"`
	Size       int64  `json:"size,omitempty"`
	SHA256     string `json:"sha256,omitempty"` // hex
	Name       string `json:"name,omitempty"`
	Emoji      string `json:"emoji,omitempty"`
	Thumb      string `json:"thumb,omitempty"`
	Width      int    `json:"width,omitempty"`
	Height     int    `json:"height,omitempty"`
	DurationMS int    `json:"duration_ms,omitempty"`
	ViewOnce   bool   `json:"view_once,omitempty"`
}

// Location is a place; LiveUntil (RFC 3339) is set while it moves.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	LiveUntil string  `json:"live_until,omitempty"`
}

// Contact is a card.
type Contact struct {
	Name   string   `json:"name"`
	Phones []string `json:"phones,omitempty"`
	Emails []string `json:"emails,omitempty"`
}

// Choice is an option of a poll, a button, or what was chosen.
type Choice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Poll asks a question.
type Poll struct {
	Question string   `json:"question"`
	Options  []Choice `json:"options"`
	Multiple bool     `json:"multiple,omitempty"`
}

// Interactive is a text with buttons or a list.
type Interactive struct {
	Header  string   `json:"header,omitempty"`
	Body    string   `json:"body"`
	Footer  string   `json:"footer,omitempty"`
	Choices []Choice `json:"choices"`
}

// Answer chooses from a poll or from buttons; none takes an answer back.
type Answer struct {
	Choices []Choice `json:"choices"`
}

// Preview is what is shown of a link.
type Preview struct {
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

// Text makes content of words alone.
func Text(words string) Content { return Content{Text: words} }

// Kind names what a content is about: answer, poll, interactive, sticker, media, location, contact, unsupported or text.
func (c Content) Kind() string {
	switch {
	case c.Answer != nil:
		return "answer"
	case c.Poll != nil:
		return "poll"
	case c.Interactive != nil:
		return "interactive"
	case len(c.Media) > 0 && c.Media[0].Kind == "sticker":
		return "sticker"
	case len(c.Media) > 0:
		return "media"
	case c.Location != nil:
		return "location"
	case c.Contact != nil:
		return "contact"
	case c.Unsupported != "":
		return "unsupported"
	}
	return "text"
}

// Empty says that there is nothing in it.
func (c Content) Empty() bool {
	return c.Kind() == "text" && c.Text == "" && len(c.Previews) == 0 && len(c.Raw) == 0
}
