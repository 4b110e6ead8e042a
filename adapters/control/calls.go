package control

import "encoding/json"

// SayIn is what somebody says: a text or content.
type SayIn struct {
	To      string   `json:"to,omitempty"`
	Text    string   `json:"text,omitempty"`
	Content *Content `json:"content,omitempty"`
	ReplyTo string   `json:"reply_to,omitempty"`
}

// Said names the message that came of it, the first where there are several.
type Said struct {
	MessageID    string `json:"message_id"`
	Native       string `json:"native"`
	Conversation string `json:"conversation"`
}

// OpenIn opens a chat: with an account, by an invite token, or by a link.
type OpenIn struct {
	To    string `json:"to,omitempty"`
	Token string `json:"token,omitempty"`
	URL   string `json:"url,omitempty"`
	// Draft shows what a link would say instead of saying it, and does not open a chat that no token opens.
	Draft bool `json:"draft,omitempty"`
}

// Opened is the chat that was opened, with what was said there, or would be.
type Opened struct {
	Chat
	Draft     string `json:"draft,omitempty"`
	MessageID string `json:"message_id,omitempty"`
}

// ReadIn says how far somebody read.
type ReadIn struct {
	To   string `json:"to,omitempty"`
	UpTo string `json:"up_to,omitempty"` // id of a message; empty: all
}

// CallIn is a call: ringing, missed or ended.
type CallIn struct {
	To        string `json:"to,omitempty"`
	State     string `json:"state"`
	CallID    string `json:"call_id,omitempty"`
	Video     bool   `json:"video,omitempty"`
	DurationS int    `json:"duration_s,omitempty"`
}

// GroupIn makes a group with an account in it.
type GroupIn struct {
	To      string   `json:"to,omitempty"`
	Native  string   `json:"native,omitempty"`
	Title   string   `json:"title"`
	Members []string `json:"members"`
}

// MediaIn says what file to make: the bytes themselves, or a description of bytes that are made.
type MediaIn struct {
	Type   string `json:"type,omitempty"` // media type; image/png when a picture is drawn
	Name   string `json:"name,omitempty"`
	Kind   string `json:"kind,omitempty"`   // MediaPart.Kind; by the type when empty
	Base64 []byte `json:"base64,omitempty"` // the bytes
	// Size makes that many bytes that begin like the type; Width and Height draw a PNG, of noise when Noise is set.
	Size       int64  `json:"size,omitempty"`
	Width      int    `json:"width,omitempty"`
	Height     int    `json:"height,omitempty"`
	Noise      bool   `json:"noise,omitempty"`
	Seed       uint64 `json:"seed,omitempty"`
	DurationMS int    `json:"duration_ms,omitempty"`
	Emoji      string `json:"emoji,omitempty"`
	Thumb      string `json:"thumb,omitempty"`
	ViewOnce   bool   `json:"view_once,omitempty"`
	// Cut breaks every download off after that many bytes.
	Cut int64 `json:"cut,omitempty"`
}

// Waited is how a wait ended. Items are what matched: messages, chats or accounts, at most 100.
type Waited struct {
	OK    bool              `json:"ok"`
	Count int64             `json:"count"`
	Items []json.RawMessage `json:"items"`
}
