package gatekeeper

import "encoding/json"

// The wire objects, named as in the document, with the fields in use.

type directory struct {
	Issuer   string            `json:"issuer"`
	Name     string            `json:"name"`
	Features map[string]string `json:"features"`
	Limits   struct {
		TextBytes        int   `json:"text_bytes"`
		EditWindowS      int64 `json:"edit_window_s"`
		RetractWindowS   int64 `json:"retract_window_s"`
		ReactionsPerUser int   `json:"reactions_per_user"`
	} `json:"limits"`
	Terms terms `json:"terms"`
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
	Text  string `json:"text,omitempty"`
	Spans []span `json:"spans,omitempty"`
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
	Accuracy  float64 `json:"accuracy_m"`
	Name      string  `json:"name"`
	Address   string  `json:"address"`
}

type contactCard struct {
	Name   string   `json:"name"`
	Phones []string `json:"phones"`
	Emails []string `json:"emails"`
}

type mediaPart struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
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
	Enlistment   enlistment      `json:"enlistment"`
	Consent      struct {
		Requester string `json:"requester"`
		Target    string `json:"target"`
		Group     string `json:"group"`
		State     string `json:"state"`
		UpdatedAt string `json:"updated_at"`
	} `json:"consent"`
}
