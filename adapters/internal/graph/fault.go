package graph

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// Fault is the error object of an answer ("Handling Errors"). Its prose is left out.
type Fault struct {
	Status        int
	Type          string
	Code, Subcode int
	// Transient is Meta's word that trying again helps.
	Transient bool
}

// envelope is the wire form; numbers come as strings too.
type envelope struct {
	Error *struct {
		Type      string      `json:"type"`
		Code      json.Number `json:"code"`
		Subcode   json.Number `json:"error_subcode"`
		Transient bool        `json:"is_transient"`
	} `json:"error"`
}

// FaultOf reads the error object of a failed call; ok is false where the answer has none, as a proxy's page.
func FaultOf(re *rest.Error) (f Fault, ok bool) {
	var e envelope
	f.Status = re.Status
	if re.Status == 0 || re.Decode(&e) != nil || e.Error == nil {
		return f, false
	}
	code, err := strconv.Atoi(string(e.Error.Code))
	if err != nil {
		return f, false
	}
	subcode, _ := strconv.Atoi(string(e.Error.Subcode)) // absent is 0
	f.Type, f.Code, f.Subcode, f.Transient = rest.Code(e.Error.Type), code, subcode, e.Error.Transient
	return f, true
}

// Class says what kind of failure the general codes are; known is false for a platform's own.
func (f Fault) Class() (class gateway.Class, known bool) {
	switch {
	case f.Code == 190 || f.Code == 102, f.Code == 0 && f.Status == http.StatusUnauthorized:
		// 190 access token expired or revoked, 102 session invalid, 0 cannot authenticate.
		return gateway.ReauthNeeded, true
	case f.Code == 10, f.Code >= 200 && f.Code <= 299, f.Code == 3:
		// Permission: what the token was granted does not hold what the call needs. Granting it anew is the cure.
		return gateway.ReauthNeeded, true
	case f.Code == 4, f.Code == 17, f.Code == 32, f.Code == 613, f.Code >= 80000 && f.Code <= 80014, f.Code == 341:
		// "Rate Limits": 4 app, 17 user, 32 page, 613 custom, 80000 to 80014 business use case; 341 application limit.
		return gateway.RateLimited, true
	case f.Code == 368:
		// Temporarily blocked for policies violations.
		return gateway.RateLimited, true
	case f.Code == 2, f.Code == 1 && f.Transient:
		// 2 service, 1 unknown: nothing says whether the call was acted on.
		return gateway.Uncertain, true
	case f.Code == 506:
		// Duplicate post.
		return gateway.Permanent, true
	case f.Code == 100:
		return gateway.Permanent, true
	}
	return gateway.Uncertain, false
}

// Classes is a platform's own reading of a fault, asked before the general one.
type Classes func(Fault) (class gateway.Class, known bool)

// SendError turns what a call returned into the error that leaves an adapter of that name.
func SendError(name string, err error, own Classes) *gateway.SendError {
	if se, ok := errors.AsType[*gateway.SendError](err); ok {
		return se
	}
	out := &gateway.SendError{Err: cause{name, err}}
	re, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return out
	}
	fault, told := FaultOf(re)
	out.RetryAfter = re.RetryAfter
	if told {
		out.Code = strconv.Itoa(fault.Code)
	}
	switch {
	case !re.Written:
		// Dialling failed, or the call was never made.
		out.Class = gateway.Retryable
	case re.Status == 0 || re.Status < 300:
		// No answer, or a 2xx that cannot be read.
		out.Class = gateway.Uncertain
	default:
		out.Class = classOf(fault, told, own)
	}
	if out.Class == gateway.RateLimited && out.RetryAfter == 0 {
		out.RetryAfter = UsageOf(re.Header).Regain
	}
	return out
}

// classOf decides about an answer. The status is the last to be asked: "most throttles are 400".
func classOf(f Fault, told bool, own Classes) gateway.Class {
	if told {
		if own != nil {
			if class, known := own(f); known {
				return class
			}
		}
		if class, known := f.Class(); known {
			return class
		}
	}
	switch {
	case f.Status == http.StatusTooManyRequests:
		return gateway.RateLimited
	case f.Status == http.StatusUnauthorized && !told, f.Status == http.StatusRequestTimeout, f.Status == http.StatusTooEarly, f.Status < 400:
		// A proxy's word, or a redirect off the base host, which is the operator's to mend.
		return gateway.Retryable
	case f.Status == http.StatusRequestEntityTooLarge, f.Status == http.StatusUnsupportedMediaType, f.Status == http.StatusNotImplemented:
		return gateway.Unsupported
	case f.Status < 500 && !f.Transient:
		return gateway.Permanent
	}
	return gateway.Uncertain
}

// ReadError is SendError of a call that changes nothing: to try again is always right.
func ReadError(name string, err error, own Classes) *gateway.SendError {
	se := SendError(name, err, own)
	if se.Class == gateway.Uncertain {
		se.Class = gateway.Retryable
	}
	return se
}

// cause gives an error the adapter's name in front.
type cause struct {
	name string
	err  error
}

func (c cause) Error() string { return c.name + ": " + c.err.Error() }
func (c cause) Unwrap() error { return c.err }

// Refuse is an error of an adapter's own, before any network I/O.
func Refuse(name string, class gateway.Class, code, why string) *gateway.SendError {
	return &gateway.SendError{Class: class, Code: code, Err: errors.New(name + ": " + why)}
}

// maxMillis is the end of the year 9999, the last that encodes (RFC 3339).
const maxMillis = 253402300799999

// Unix reads the seconds or milliseconds by which Meta's webhooks date things, as a number or a string; zero for what is none.
func Unix(raw json.Number) time.Time {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n > maxMillis:
		return time.Time{}
	case n >= 1e11: // seconds would be the year 5138
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}
