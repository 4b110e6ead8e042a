package control

import (
	"errors"
	"fmt"
	"time"
)

// Persona is how a person behaves when nobody plays it.
type Persona string

// The personas.
const (
	// PersonaNone is played by a human on the page or by the control API: messages are delivered at once and read when shown.
	PersonaNone Persona = "none"
	// PersonaEcho reads at once and answers every message with the same content.
	PersonaEcho Persona = "echo"
	// PersonaSlow is echo with a delay before each step.
	PersonaSlow Persona = "slow"
	// PersonaSilent takes messages and tells nothing: neither delivered nor read.
	PersonaSilent Persona = "silent"
)

// Person is somebody who uses the platform.
type Person struct {
	// ID is the handle in the control API: 1 to 60 letters and digits, the same on every platform.
	ID string `json:"id"`
	// Native is the platform's own id (user id, wa_id); made from the handle when empty.
	Native   string `json:"native,omitempty"`
	Display  string `json:"display,omitempty"`
	First    string `json:"first,omitempty"` // first and last name; from Display when both are empty
	Last     string `json:"last,omitempty"`
	Username string `json:"username,omitempty"`
	Phone    string `json:"phone,omitempty"` // E.164 with the plus
	Lang     string `json:"lang,omitempty"`
	// IDs are further ids by the platform's name for them, as "user_id" of WhatsApp beside the wa_id.
	IDs map[string]string `json:"ids,omitempty"`
	// Avatar is a media id of POST /media; empty for none.
	Avatar  string  `json:"avatar,omitempty"`
	Persona Persona `json:"persona,omitempty"`
	// Absent people are not on the platform any more: what is sent to them fails.
	Absent bool `json:"absent,omitempty"`
}

// Account is the other end of the chats: a bot, a number or a page.
type Account struct {
	// ID is the platform's id of it, as in gateway.Event.Endpoint.
	ID       string `json:"id"`
	Kind     string `json:"kind,omitempty"` // in the platform's word: bot, number, page, instagram
	Name     string `json:"name,omitempty"`
	Username string `json:"username,omitempty"`
	Phone    string `json:"phone,omitempty"`
	// Token opens the API; Secret signs webhooks where the platform signs.
	Token  string `json:"token,omitempty"`
	Secret string `json:"secret,omitempty"`
	// IDs are further ids by the platform's name for them, as "waba_id".
	IDs  map[string]string `json:"ids,omitempty"`
	Hook Hook              `json:"hook"`
	// Subscribed says whether webhooks are wanted.
	Subscribed bool `json:"subscribed"`
	// Revoked tokens open nothing.
	Revoked bool `json:"revoked,omitempty"`
}

// Hook is where an account wants its webhooks.
type Hook struct {
	URL    string `json:"url,omitempty"`
	Secret string `json:"secret,omitempty"` // sent with each attempt or the verify token, as the platform has it
	// Events are the types that are wanted; empty: all.
	Events []string `json:"events,omitempty"`
	// MaxParallel bounds the attempts at once; zero: what the platform does.
	MaxParallel int `json:"max_parallel,omitempty"`
	// Disabled by the platform, after too many failures.
	Disabled  bool   `json:"disabled,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// Faults is what goes wrong on purpose. Rates are probabilities from 0 to 1, drawn from the seeded dice; zero is no fault.
type Faults struct {
	// LatencyMS and JitterMS delay every API request: fixed, and up to that much more.
	LatencyMS int `json:"latency_ms"`
	JitterMS  int `json:"jitter_ms"`
	// ErrorRate answers 503 before anything was done.
	ErrorRate float64 `json:"error_rate"`
	// LimitRate answers 429 before anything was done, with Retry-After unless LimitRetryAfterS is zero.
	LimitRate        float64 `json:"limit_rate"`
	LimitRetryAfterS int     `json:"limit_retry_after_s"`
	// TimeoutRate does what was asked but keeps the answer back: until the client leaves, at most TimeoutHoldMS (zero: 30 s), then 504.
	TimeoutRate   float64 `json:"timeout_rate"`
	TimeoutHoldMS int     `json:"timeout_hold_ms"`
	// WebhookParallel sends up to that many events of one conversation at once (1 to 8), so that they may arrive out of order. Zero: 1.
	WebhookParallel int `json:"webhook_parallel"`
	// WebhookDropRate loses an event: it counts as sent.
	WebhookDropRate float64 `json:"webhook_drop_rate"`
	// WebhookReplayRate sends a taken event once more.
	WebhookReplayRate float64 `json:"webhook_replay_rate"`
	// WebhookBadSignatureRate spoils the signature of an attempt, WebhookStaleRate dates it ten minutes back.
	WebhookBadSignatureRate float64 `json:"webhook_bad_signature_rate"`
	WebhookStaleRate        float64 `json:"webhook_stale_rate"`
}

// Validate reports everything that is out of range.
func (f Faults) Validate() error {
	var errs []error
	for name, rate := range map[string]float64{
		"error_rate": f.ErrorRate, "limit_rate": f.LimitRate, "timeout_rate": f.TimeoutRate, "webhook_drop_rate": f.WebhookDropRate,
		"webhook_replay_rate": f.WebhookReplayRate, "webhook_bad_signature_rate": f.WebhookBadSignatureRate, "webhook_stale_rate": f.WebhookStaleRate,
	} {
		if !(rate >= 0 && rate <= 1) {
			errs = append(errs, fmt.Errorf("faults: %s %v: want 0 to 1", name, rate))
		}
	}
	for name, n := range map[string]int{
		"latency_ms": f.LatencyMS, "jitter_ms": f.JitterMS, "limit_retry_after_s": f.LimitRetryAfterS, "timeout_hold_ms": f.TimeoutHoldMS,
	} {
		if n < 0 || n > 600_000 {
			errs = append(errs, fmt.Errorf("faults: %s %d: want 0 to 600000", name, n))
		}
	}
	if f.WebhookParallel < 0 || f.WebhookParallel > 8 {
		errs = append(errs, fmt.Errorf("faults: webhook_parallel %d: want 1 to 8", f.WebhookParallel))
	}
	return errors.Join(errs...)
}

// Batching puts several updates into one webhook, where the platform does that.
type Batching struct {
	Max      int `json:"max"`       // updates in one request; zero and one: never several
	LingerMS int `json:"linger_ms"` // how long an update waits for company
}

// Post is one message that the API accepted, in order of arrival.
type Post struct {
	N              int64     `json:"n"`
	At             time.Time `json:"at"`
	IdempotencyKey string    `json:"idempotency_key"`
	Replays        int       `json:"replays"`
	ClientID       string    `json:"client_id"` // the reference that the caller gave, where the platform has a field for it
	MessageID      string    `json:"message_id"`
	Native         string    `json:"native,omitempty"`
	Conversation   string    `json:"conversation"`
	Sender         string    `json:"sender"`
	To             string    `json:"to"`
	Kind           string    `json:"kind"`
	Text           string    `json:"text,omitempty"`
	UserAgent      string    `json:"user_agent"`
}

// Delivery is the end of one attempt to send one update. Result is a status code, or "dropped", "expired", "withdrawn", "error".
type Delivery struct {
	N            int64     `json:"n"`
	At           time.Time `json:"at"`
	EventID      string    `json:"event_id"` // account and number of the update
	Type         string    `json:"type"`
	Conversation string    `json:"conversation,omitempty"`
	Seq          int64     `json:"seq,omitempty"` // number of the update among those of its account
	Attempt      int       `json:"attempt"`
	Result       string    `json:"result"`
	Fault        string    `json:"fault,omitempty"`
	Error        string    `json:"error,omitempty"`
	DurationMS   int64     `json:"duration_ms"`
	Batch        int       `json:"batch,omitempty"` // updates in the same request, when there were several
}

// Ledger is a part of a ledger. Next is the `after` of the part that follows.
type Ledger[T any] struct {
	Items     []T   `json:"items"`
	Next      int64 `json:"next"`
	Total     int64 `json:"total"`
	Forgotten int64 `json:"forgotten"`
}
