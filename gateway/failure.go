package gateway

import (
	"errors"
	"fmt"
	"time"
)

// Class is the kind of a failure. Each has one fixed reaction of the core; an adapter only names the class.
type Class uint8

// The classes. Uncertain is the zero value on purpose: an adapter that forgets to decide gets the careful reaction.
const (
	// Uncertain: the request may have been acted on (time-out after the request was written, 5xx after a POST).
	// The core asks the Reconciler or resends under the same idempotency key.
	Uncertain Class = iota
	// Retryable: nothing was taken (dial error, 503 before the body). The lane waits with jittered backoff.
	Retryable
	// RateLimited: the platform says slow down. The account pauses for as long as it says.
	RateLimited
	// ReauthNeeded: the account's credentials no longer work. The account parks, its user gets one notice.
	ReauthNeeded
	// WindowClosed: the platform's reply window is shut. Parked or refused by policy.
	WindowClosed
	// Unsupported: this kind, size or type is not possible here. The sender hears so.
	Unsupported
	// NotReachable: the person is not on the network, opted out, or blocked us.
	NotReachable
	// Permanent: the platform refused for good. The sender gets an error, the operator a dead letter.
	Permanent
)

var classNames = [...]string{"uncertain", "retryable", "rate_limited", "reauth_needed", "window_closed", "unsupported", "not_reachable", "permanent"}

// Classes lists every class, for tables and metrics.
func Classes() []Class {
	return []Class{Uncertain, Retryable, RateLimited, ReauthNeeded, WindowClosed, Unsupported, NotReachable, Permanent}
}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "uncertain"
}

// MarshalText implements encoding.TextMarshaler.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; an unknown name is Uncertain.
func (c *Class) UnmarshalText(b []byte) error {
	for i, n := range classNames {
		if n == string(b) {
			*c = Class(i)
			return nil
		}
	}
	*c = Uncertain
	return nil
}

// SendError is the only kind of error that leaves an adapter's Send.
type SendError struct {
	Class Class
	// Code is the platform's own code, from a small set: it stands in logs and metrics.
	Code string
	// RetryAfter is the platform's wish; 0 lets the core decide.
	RetryAfter time.Duration
	// Scope is what a RateLimited stands for; empty is the account.
	Scope LimitScope
	// Err is the cause, without secrets, content or phone numbers.
	Err error
}

func (e *SendError) Error() string {
	switch {
	case e.Err == nil:
		return fmt.Sprintf("%s: %s", e.Class, e.Code)
	case e.Code == "":
		return fmt.Sprintf("%s: %v", e.Class, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Class, e.Code, e.Err)
}

func (e *SendError) Unwrap() error { return e.Err }

// ClassOf returns the class of an error from Send; an error that is no *SendError is Uncertain.
func ClassOf(err error) Class {
	if se, ok := errors.AsType[*SendError](err); ok {
		return se.Class
	}
	return Uncertain
}

// Failure is a SendError as data, for events and dead letters.
type Failure struct {
	Class      Class         `json:"class"`
	Code       string        `json:"code,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}
