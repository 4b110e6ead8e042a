package example

import (
	"errors"
	"net/http"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// classes says what each status means; 5xx and unreadable answers are Uncertain: Pigeon may have acted.
var classes = map[int]gateway.Class{
	http.StatusUnauthorized: gateway.ReauthNeeded, http.StatusForbidden: gateway.NotReachable, http.StatusNotFound: gateway.NotReachable,
	http.StatusRequestEntityTooLarge: gateway.Unsupported, http.StatusTooManyRequests: gateway.RateLimited, http.StatusBadRequest: gateway.Permanent,
}

// sendError turns what the client returned into the error that leaves the adapter.
func sendError(err error) *gateway.SendError {
	re, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return &gateway.SendError{Class: gateway.Uncertain, Err: err}
	}
	var f failure
	_ = re.Decode(&f) // a proxy's page says nothing
	class := classes[re.Status]
	if !re.Written {
		class = gateway.Retryable
	}
	return &gateway.SendError{Class: class, Code: rest.Code(f.Error), RetryAfter: re.RetryAfter, Err: re}
}

// refuse is an error of our own, before any network I/O.
func refuse(what string) *gateway.SendError {
	return &gateway.SendError{Class: gateway.Unsupported, Code: what, Err: errors.New("pigeon: not offered here")}
}
