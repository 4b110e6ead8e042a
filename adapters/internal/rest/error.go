package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a platform may ask for: longer than a day is a mistake or an attack.
const maxRetryAfter = 24 * time.Hour

// Error is why a call did not succeed: without an answer (Status 0), or with one that is not 2xx, too long or unreadable.
type Error struct {
	// Call is the name of the call.
	Call string
	// Status is the HTTP status, 0 when no answer came.
	Status int
	// Written is true when any of the request reached the wire: only then can the platform have acted on it.
	Written bool
	// RetryAfter is the platform's wish; 0 when it has none.
	RetryAfter time.Duration
	// Header is the answer's header, nil when none came.
	Header http.Header
	// Err is the cause where there is one besides the status, without address and content.
	Err error

	body []byte
}

// Answered reports whether the platform said no itself: whatever it thinks of the request, or of who made it, its host works.
func (e *Error) Answered() bool { return e.Status >= 300 && e.Status < 500 }

func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return fmt.Sprintf("%s: status %d", e.Call, e.Status)
	case e.Status == 0:
		return fmt.Sprintf("%s: %v", e.Call, e.Err)
	}
	return fmt.Sprintf("%s: status %d: %v", e.Call, e.Status, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// GoString keeps %#v from printing the answer's body and header.
func (e *Error) GoString() string { return "rest.Error(" + e.Error() + ")" }

// Decode reads the answer's body, such as the platform's error object or an RFC 9457 problem.
func (e *Error) Decode(into any) error {
	if err := json.Unmarshal(e.body, into); err != nil {
		return errors.New("rest: error body is not JSON")
	}
	return nil
}

// Code returns s when it looks like a platform's code, a short name or number, and "" when it does not: codes stand in logs and metrics.
func Code(s string) string {
	if len(s) > 64 {
		return ""
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.', c == '/':
		default:
			return ""
		}
	}
	return s
}

// RetryAfter reads the Retry-After header, seconds or an HTTP date (RFC 9110 §10.2.3); a date counts from the answer's own
// Date where it has one, so that clocks need not agree. The result lies between 0 and a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var wait time.Duration
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		wait = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
