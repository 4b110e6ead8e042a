package gatekeeper

import (
	"encoding/json"
	"strings"
)

// The wire objects, named as in the document, with the fields in use.

type directory struct {
	Issuer   string            `json:"issuer"`
	Name     string            `json:"name"`
	Features map[string]string `json:"features"`
	Proofs   map[string]string `json:"identifier_proofs"`
	Limits   struct {
		TextBytes        int      `json:"text_bytes"`
		MediaBytes       int64    `json:"media_bytes"`
		MediaTypes       []string `json:"media_types"`
		EditWindowS      int64    `json:"edit_window_s"`
		RetractWindowS   int64    `json:"retract_window_s"`
		ReactionsPerUser int      `json:"reactions_per_user"`
		Reactions        []string `json:"reactions"`
	} `json:"limits"`
	Terms terms `json:"terms"`
}

// has says whether a feature is offered: by its own name, else by the one that stands for both directions.
func (d *directory) has(name string) bool {
	level, ok := d.Features[name]
	if !ok {
		level = d.Features[strings.TrimSuffix(strings.TrimSuffix(name, "_out"), "_in")]
	}
	return level == "native"
}

type terms struct {
	Version string `json:"version"`
	URL     string `json:"url,omitempty"`
	SHA256  string `json:"sha256"`
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

type content struct {
	Text     string       `json:"text,omitempty"`
	Spans    []span       `json:"spans,omitempty"`
	Media    []mediaPart  `json:"media,omitempty"`
	Location *location    `json:"location,omitempty"`
	Contact  *contactCard `json:"contact,omitempty"`
	Poll     *poll        `json:"poll,omitempty"`
	Answer   *picked      `json:"answer,omitempty"`
	Previews []preview    `json:"previews,omitempty"`
}

type span struct {
	Start  int    `json:"start"` // code points
	Length int    `json:"length"`
	Style  string `json:"style"`
	URL    string `json:"url,omitempty"`
}

type location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Accuracy  float64 `json:"accuracy_m,omitempty"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	LiveUntil string  `json:"live_until,omitempty"`
}

type contactCard struct {
	Name   string   `json:"name"`
	Phones []string `json:"phones,omitempty"`
	Emails []string `json:"emails,omitempty"`
}

type mediaPart struct {
	MediaID    string `json:"media_id"`
	Kind       string `json:"kind"`
	Type       string `json:"type"`
	Size       int64  `json:"size"`
	SHA256     string `json:"sha256"` // hex
	Name       string `json:"name,omitempty"`
	Width      int    `json:"width,omitempty"`
	Height     int    `json:"height,omitempty"`
	DurationMS int    `json:"duration_ms,omitempty"`
	Emoji      string `json:"emoji,omitempty"`
	Thumb      string `json:"thumb,omitempty"`
	ViewOnce   bool   `json:"view_once,omitempty"`
}

type choice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type poll struct {
	Question string   `json:"question"`
	Options  []choice `json:"options"`
	Multiple bool     `json:"multiple,omitempty"`
}

type interactive struct {
	Header  string   `json:"header"`
	Body    string   `json:"body"`
	Footer  string   `json:"footer"`
	Choices []choice `json:"choices"`
}

type picked struct {
	Choices []choice `json:"choices"`
}

type preview struct {
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Image       string `json:"image,omitempty"`
}

type mediaCreate struct {
	Type       string `json:"type"`
	Size       int64  `json:"size"`
	SHA256     string `json:"sha256"`
	Name       string `json:"name,omitempty"`
	Ciphertext bool   `json:"ciphertext"`
}

type mediaSlot struct {
	MediaID string `json:"media_id"`
}

type mediaObject struct {
	MediaID string `json:"media_id"`
	Type    string `json:"type"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	Name    string `json:"name"`
}

type profile struct {
	InternalID string       `json:"internal_id"`
	Display    string       `json:"display"`
	Avatar     *mediaObject `json:"avatar"`
}

type reportCreate struct {
	Accused   string            `json:"accused"`
	Category  string            `json:"category"`
	Statement string            `json:"statement,omitempty"`
	GoodFaith bool              `json:"good_faith"`
	Messages  []reportedMessage `json:"messages,omitempty"`
}

type reportedMessage struct {
	MessageID string `json:"message_id"`
}

type messageCreate struct {
	ClientID     string  `json:"client_id"`
	Sender       string  `json:"sender"`
	Conversation string  `json:"conversation,omitempty"`
	To           string  `json:"to,omitempty"`
	Mode         string  `json:"mode"`
	Content      content `json:"content"`
	ReplyTo      string  `json:"reply_to,omitempty"`
}

type messageAccepted struct {
	MessageID    string `json:"message_id"`
	Conversation string `json:"conversation"`
	AcceptedAt   string `json:"accepted_at"`
}

type messageEdit struct {
	Content content `json:"content"`
}

type reactionSet struct {
	Reactions []string `json:"reactions"`
}

type receiptBatch struct {
	Receipts []receipt `json:"receipts"`
}

type receipt struct {
	Conversation string `json:"conversation"`
	State        string `json:"state"`
	UpTo         string `json:"up_to"`
}

type typingChange struct {
	State string `json:"state"`
}

type identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type consentProof struct {
	ReceiptSHA256 string `json:"receipt_sha256"`
	Version       string `json:"version"`
	Locale        string `json:"locale"`
	GivenAt       string `json:"given_at"`
}

type enlistmentRequest struct {
	Identifier identifier   `json:"identifier"`
	Display    string       `json:"display,omitempty"`
	Mode       string       `json:"mode"`
	Consent    consentProof `json:"consent"`
	Terms      terms        `json:"terms"`
	Proof      *codeProof   `json:"proof,omitempty"`
}

type codeProof struct {
	VerificationID string `json:"verification_id"`
	Code           string `json:"code"`
}

type verificationBegun struct {
	Verification struct {
		ID string `json:"id"`
	} `json:"verification"`
}

type enlistment struct {
	ID         string     `json:"id"`
	InternalID string     `json:"internal_id"`
	Identifier identifier `json:"identifier"`
	State      string     `json:"state"`
}

type lookupRequest struct {
	Items []identifier `json:"items"`
}

type lookupResponse struct {
	Items []struct {
		Result     string `json:"result"`
		InternalID string `json:"internal_id"`
		Display    string `json:"display"`
		Mode       string `json:"mode"`
		Accepts    string `json:"accepts"`
	} `json:"items"`
}

type contactRequestCreate struct {
	To string `json:"to"`
}

type contactRequest struct {
	State string `json:"state"`
}

type webhookSet struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// problem is the error object (RFC 9457) with the API's code.
type problem struct {
	Code  string `json:"code"`
	Param string `json:"param"`
	Retry struct {
		AfterS int64 `json:"after_s"`
	} `json:"retry"`
}

// tokenError is the error object of /oauth/token (RFC 6749 §5.2).
type tokenError struct {
	Error string `json:"error"`
}

type event struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	OccurredAt string          `json:"occurred_at"`
	Seq        int64           `json:"seq"`
	Subject    eventSubject    `json:"subject"`
	Data       json.RawMessage `json:"data"`
}

type eventPage struct {
	Events []json.RawMessage `json:"events"`
}

type eventSubject struct {
	Conversation string `json:"conversation"`
	To           string `json:"to"`
	Peer         string `json:"peer"`
}

// eventData holds the fields of every data object in use; an event's type says which are set.
type eventData struct {
	MessageID    string          `json:"message_id"`
	ClientID     string          `json:"client_id"`
	Conversation string          `json:"conversation"`
	From         string          `json:"from"`
	FromDisplay  string          `json:"from_display"`
	To           string          `json:"to"`
	SentAt       string          `json:"sent_at"`
	EditedAt     string          `json:"edited_at"`
	At           string          `json:"at"`
	Content      json.RawMessage `json:"content"`
	Envelope     json.RawMessage `json:"envelope"`
	ReplyTo      string          `json:"reply_to"`
	Status       string          `json:"status"`
	By           string          `json:"by"`
	Reason       string          `json:"reason"`
	Reactions    []string        `json:"reactions"`
	State        string          `json:"state"`
	UpTo         string          `json:"up_to"`
	CallID       string          `json:"call_id"`
	Video        bool            `json:"video"`
	DurationS    int64           `json:"duration_s"`
	Profile      profile         `json:"profile"`
	Available    bool            `json:"available"`
	LastSeen     string          `json:"last_seen"`
	Feature      string          `json:"feature"`
	Level        string          `json:"level"`
	Enlistment   enlistment      `json:"enlistment"`
	Consent      struct {
		Requester string `json:"requester"`
		Target    string `json:"target"`
		Group     string `json:"group"`
		State     string `json:"state"`
		UpdatedAt string `json:"updated_at"`
	} `json:"consent"`
}
