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

// ring keeps the newest max items and counts all.
type ring[T any] struct {
	max   int
	items []T
	total int64
}

func (r *ring[T]) add(item T) {
	r.total++
	r.items = append(r.items, item)
	if len(r.items) > r.max {
		var zero T
		r.items[0] = zero
		r.items = r.items[1:]
	}
}

func (r *ring[T]) last() T {
	var zero T
	if len(r.items) == 0 {
		return zero
	}
	return r.items[len(r.items)-1]
}

// after gives up to limit items whose number is higher than n, and the number of the last of them.
func (r *ring[T]) after(n int64, limit int) ([]T, int64) {
	first := r.total - int64(len(r.items)) // number of the item before the first kept one
	skip := max(n-first, 0)
	if skip >= int64(len(r.items)) {
		return []T{}, max(n, first)
	}
	out := r.items[skip:]
	if len(out) > limit {
		out = out[:limit]
	}
	return append([]T(nil), out...), first + skip + int64(len(out))
}
