package api

import (
	"time"

	"postern/gateway"
)

// What /v1 answers and takes, as JSON; openapi.yaml says what each member means.

// TokenView is a token without its secret.
type TokenView struct {
	Name  string       `json:"name"`
	Role  gateway.Role `json:"role"`
	Until time.Time    `json:"until,omitzero"`
}

// AdaptersView lists the adapters of the configuration.
type AdaptersView struct {
	Items []AdapterView `json:"items"`
}

// AdapterView is one of them.
type AdapterView struct {
	ID       gateway.AdapterID `json:"id"`
	Name     string            `json:"name"`
	Platform string            `json:"platform"`
	JID      string            `json:"jid"`
	// Stopped is set while the operator has stopped it.
	Stopped *StopView `json:"stopped,omitempty"`
	// Canary is set where one is configured.
	Canary *CanaryView `json:"canary,omitempty"`
}

// CanaryView is how an adapter's last canary ended; without result and times before the first one.
type CanaryView struct {
	Every   float64              `json:"every_seconds"`
	Result  gateway.CanaryResult `json:"result,omitempty"`
	At      time.Time            `json:"at,omitzero"`
	Success time.Time            `json:"last_success,omitzero"`
	Took    float64              `json:"last_success_seconds,omitempty"`
}

// QueuesView is what waits, and what parked chats wait for.
type QueuesView struct {
	Queues []QueueView  `json:"queues"`
	Parked []ParkedView `json:"parked"`
}

// QueueView is what waits in one place.
type QueueView struct {
	Where   string            `json:"where"`
	Adapter gateway.AdapterID `json:"adapter,omitempty"`
	Entries int               `json:"entries"`
	Oldest  time.Time         `json:"oldest,omitzero"`
}

// ParkedView is how many chats wait for the same thing.
type ParkedView struct {
	Where  string             `json:"where"`
	Reason gateway.ParkReason `json:"reason"`
	Chats  int                `json:"chats"`
	Next   time.Time          `json:"next"`
}

// DeadLettersView is a page of dead letters.
type DeadLettersView struct {
	Items []DeadLetterView `json:"items"`
	Next  gateway.LetterID `json:"next,omitempty"`
}

// DeadLetterView is one of them.
type DeadLetterView struct {
	ID      gateway.LetterID  `json:"id"`
	Adapter gateway.AdapterID `json:"adapter,omitempty"`
	Account gateway.AccountID `json:"account,omitempty"`
	Where   string            `json:"where"`
	What    string            `json:"what,omitempty"`
	Chat    string            `json:"chat,omitempty"`
	Class   string            `json:"class"`
	Code    string            `json:"code,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Taken   time.Time         `json:"taken"`
	Died    time.Time         `json:"died"`
}

// DeadLetterOrder chooses the dead letters that something is done to.
type DeadLetterOrder struct {
	Adapter string `json:"adapter,omitempty"`
	Account string `json:"account,omitempty"`
	Where   string `json:"where,omitempty"`
	Chat    string `json:"chat,omitempty"`
	Code    string `json:"code,omitempty"`
	// All must be true where nothing else is said: a forgotten filter is no order for everything.
	All bool `json:"all,omitempty"`
}

// CountView is how many something was done to.
type CountView struct {
	Count int `json:"count"`
}

// AuditView is a page of the audit log.
type AuditView struct {
	Items []gateway.AuditEntry `json:"items"`
	Next  int64                `json:"next,omitempty"`
}

// AccountsView lists a user's accounts.
type AccountsView struct {
	Items []AccountView `json:"items"`
}

// AccountView is one of them.
type AccountView struct {
	ID       gateway.AccountID       `json:"id"`
	Adapter  gateway.AdapterID       `json:"adapter"`
	Standing gateway.AccountStanding `json:"standing"`
	// Why, Code and Since say what made it stand so, and when, as far as that is known.
	Why   gateway.StandingCause `json:"standing_reason,omitempty"`
	Code  string                `json:"standing_code,omitempty"`
	Since time.Time             `json:"standing_since,omitzero"`
	// LastEvent is when the platform last sent something for it, LastSend when it last took something of it.
	LastEvent time.Time `json:"last_event,omitzero"`
	LastSend  time.Time `json:"last_send,omitzero"`
	Shared    bool      `json:"shared,omitempty"`
	Created   time.Time `json:"created"`
	Paused    time.Time `json:"paused_until,omitzero"`
}

// ExportView is a page of what is held of a user.
type ExportView struct {
	Schema string             `json:"schema"`
	Items  []gateway.Exported `json:"items"`
	Next   string             `json:"next,omitempty"`
}

// DeedsView lists lines of the audit log that are about a user.
type DeedsView struct {
	Items []gateway.Deed `json:"items"`
}

// ErasedView is what an erasure came to. Line is of the audit log; Salt proves that it is about this user, and is kept nowhere else.
type ErasedView struct {
	Accounts int    `json:"accounts"`
	Pending  int    `json:"pending"`
	Line     int64  `json:"line"`
	Salt     string `json:"salt"`
}
