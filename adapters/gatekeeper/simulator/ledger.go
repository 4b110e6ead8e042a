package simulator

import "time"

// posted is one accepted POST /v1/messages, in order of arrival.
type posted struct {
	N              int64     `json:"n"`
	At             time.Time `json:"at"`
	IdempotencyKey string    `json:"idempotency_key"`
	Replays        int       `json:"replays"`
	ClientID       string    `json:"client_id"`
	MessageID      string    `json:"message_id"`
	Conversation   string    `json:"conversation"`
	Sender         string    `json:"sender"`
	To             string    `json:"to"`
	Kind           string    `json:"kind"`
	Text           string    `json:"text,omitempty"`
	// Files are what the message shares, by its own words.
	Files     []postedFile `json:"files,omitempty"`
	UserAgent string       `json:"user_agent"`
}

type postedFile struct {
	MediaID string `json:"media_id"`
	Name    string `json:"name"`
}

// files lists the media of a content for the ledger.
func (c content) files() []postedFile {
	var out []postedFile
	for _, m := range c.Media {
		out = append(out, postedFile{m.MediaID, m.Name})
	}
	return out
}

// delivered is the end of one attempt to send one event. Result is a status code, or "dropped", "withdrawn", "error".
type delivered struct {
	N            int64     `json:"n"`
	At           time.Time `json:"at"`
	EventID      string    `json:"event_id"`
	Type         string    `json:"type"`
	Conversation string    `json:"conversation,omitempty"`
	Seq          int64     `json:"seq,omitempty"`
	Attempt      int       `json:"attempt"`
	Result       string    `json:"result"`
	Fault        string    `json:"fault,omitempty"`
	Error        string    `json:"error,omitempty"`
	DurationMS   int64     `json:"duration_ms"`
}
