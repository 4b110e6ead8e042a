package gateway

import "time"

// Content is what a message says: parts in order. A message with a caption is one Content of a Media and a Text.
type Content struct {
	Parts []Part
}

// Part is one piece of a Content. The set is closed: adding one makes the linter name every place that has not decided about it.
//
//sumtype:decl
type Part interface{ part() }

// Text is plain text with spans over it.
type Text struct {
	Text  string `json:"text"`
	Spans []Span `json:"spans,omitempty"`
	// Previews are what the writer's app found behind links in the text (XEP-0511). Nobody here ever fetches a link for one.
	Previews []Preview `json:"previews,omitempty"`
}

// Preview is what a link leads to, as the writer's app described it.
type Preview struct {
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Image       string `json:"image,omitempty"` // an https URL
}

// Span marks a range of a Text. Offsets and lengths count Unicode code points of the unescaped text (XEP-0426).
type Span struct {
	Start  int       `json:"start"`
	Length int       `json:"length"`
	Style  SpanStyle `json:"style"`
	// URL is set for SpanLink only.
	URL string `json:"url,omitempty"`
}

// SpanStyle is the meaning of a Span.
type SpanStyle string

// The styles that both sides know (XEP-0393, XEP-0394 and the platforms' entities).
const (
	SpanStrong   SpanStyle = "strong"
	SpanEmphasis SpanStyle = "emphasis"
	SpanDeleted  SpanStyle = "deleted"
	SpanCode     SpanStyle = "code"
	SpanPre      SpanStyle = "pre"
	SpanQuote    SpanStyle = "quote"
	SpanSpoiler  SpanStyle = "spoiler"
	SpanLink     SpanStyle = "link"
	SpanMention  SpanStyle = "mention"
)

// Media points at bytes held elsewhere; queues carry the handle only, never the bytes.
type Media struct {
	// Kind is empty where nothing tells yet: then the bytes do (Files).
	Kind MediaKind `json:"kind"`
	// Handle is the platform's media id towards and from an adapter, an https URL towards and from XMPP.
	Handle   string `json:"handle"`
	MIME     string `json:"mime,omitempty"`
	Name     string `json:"name,omitempty"`
	Size     int64  `json:"size,omitempty"` // bytes; 0 is unknown
	Width    int    `json:"width,omitempty"`
	Height   int    `json:"height,omitempty"`
	Duration int    `json:"duration_ms,omitempty"`
	SHA256   []byte `json:"sha256,omitempty"`
	// Thumb is a data: URI of at most 2 KiB that is shown while the file loads (XEP-0264).
	Thumb    string `json:"thumb,omitempty"`
	ViewOnce bool   `json:"view_once,omitempty"`
	// Incomplete: an image that ends before its end. Files finds that out.
	Incomplete bool `json:"incomplete,omitempty"`
}

// MediaKind says how a Media is meant to be shown.
type MediaKind string

// Kinds of media.
const (
	MediaImage MediaKind = "image"
	MediaVideo MediaKind = "video"
	MediaAudio MediaKind = "audio"
	MediaVoice MediaKind = "voice"
	MediaFile  MediaKind = "file"
)

// Location is a point on the WGS84 ellipsoid (RFC 5870).
type Location struct {
	Lat      float64 `json:"lat"`
	Lon      float64 `json:"lon"`
	Accuracy float64 `json:"accuracy_m,omitempty"`
	Name     string  `json:"name,omitempty"`
	Address  string  `json:"address,omitempty"`
	// LiveUntil is set for a location that the sender keeps updating.
	LiveUntil time.Time `json:"live_until,omitzero"`
}

// ContactCard is a person or business somebody shared.
type ContactCard struct {
	Name   string   `json:"name"`
	Phones []string `json:"phones,omitempty"`
	Emails []string `json:"emails,omitempty"`
}

// Poll is a question with options.
type Poll struct {
	Question string   `json:"question"`
	Options  []Choice `json:"options"`
	Multiple bool     `json:"multiple,omitempty"`
}

// Interactive is a message with buttons or a list, which XMPP shows as numbered text.
type Interactive struct {
	Header  string   `json:"header,omitempty"`
	Body    string   `json:"body"`
	Footer  string   `json:"footer,omitempty"`
	Choices []Choice `json:"choices"`
}

// Choice is one answer of a Poll or an Interactive; ID goes back to the platform.
type Choice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Sticker is a small image with the emoji it stands for.
type Sticker struct {
	Media Media  `json:"media"`
	Emoji string `json:"emoji,omitempty"`
}

// UnsupportedPart is what an adapter could not name. It is shown as a labelled notice, never dropped.
type UnsupportedPart struct {
	Type    string `json:"type"`
	Excerpt string `json:"excerpt,omitempty"`
}

// Types of UnsupportedPart that have a text of their own.
const (
	UnsupportedEdit = "edit"        // an edit of which the platform says nothing more
	UnsupportedAny  = "unsupported" // something that the platform does not name
)

func (Text) part()            {}
func (Media) part()           {}
func (Location) part()        {}
func (ContactCard) part()     {}
func (Poll) part()            {}
func (Interactive) part()     {}
func (Sticker) part()         {}
func (UnsupportedPart) part() {}

// PlainText returns a Content of one Text without spans.
func PlainText(s string) Content { return Content{Parts: []Part{Text{Text: s}}} }
