package gatekeeper

import (
	"errors"
	"net/http"
	"time"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// codeClasses says for every ProblemCode of the document what kind of failure it is.
var codeClasses = map[string]gateway.Class{
	"invalid_request": gateway.Permanent,
	// Ours is the bearer token, the user's is the assertion: only the latter is cured by enlisting again.
	"unauthenticated":      gateway.Retryable,
	"assertion_invalid":    gateway.ReauthNeeded,
	"not_permitted":        gateway.Permanent,
	"not_enlisted":         gateway.ReauthNeeded,
	"reconsent_required":   gateway.ReauthNeeded,
	"terms_outdated":       gateway.ReauthNeeded,
	"region_denied":        gateway.Permanent,
	"suspended":            gateway.Permanent,
	"no_consent":           gateway.NotReachable,
	"blocked_by_policy":    gateway.Permanent,
	"mode_not_allowed":     gateway.Permanent,
	"plaintext_forbidden":  gateway.Permanent,
	"verification_failed":  gateway.Permanent,
	"verification_expired": gateway.Permanent,
	"not_found":            gateway.Permanent,
	"unavailable":          gateway.NotReachable,
	"method_not_allowed":   gateway.Permanent,
	"identity_changed":     gateway.Permanent,
	"epoch_conflict":       gateway.Retryable,
	"keys_exhausted":       gateway.Retryable,
	"stale_version":        gateway.Permanent,
	"too_large":            gateway.Unsupported,
	"unsupported_type":     gateway.Unsupported,
	"idempotency_conflict": gateway.Permanent,
	"rate_limited":         gateway.RateLimited,
	"quota_first_contact":  gateway.RateLimited,
	// "A request that ended with 429 or 5xx is not remembered", but nothing says that it was not acted on.
	"internal":            gateway.Uncertain,
	"feature_unavailable": gateway.Unsupported,
	"upstream_down":       gateway.Uncertain,
}

// paramFeatures says what is lacking where `feature_unavailable` names the member of a message that is not taken. It is met before
// capability.changed is: the gateway then does without.
var paramFeatures = map[string]gateway.Feature{
	"/content/spans": gateway.FeatureStyling, "/content/location": gateway.FeatureLocation, "/content/contact": gateway.FeatureContact,
	"/content/poll": gateway.FeaturePoll, "/content/answer": gateway.FeatureAnswer, "/reply_to": gateway.FeatureReply,
}

// statusClass decides about an answer without a code of the document, such as a proxy's.
func statusClass(status int) gateway.Class {
	switch {
	case status == http.StatusTooManyRequests:
		return gateway.RateLimited
	case status == http.StatusRequestEntityTooLarge, status == http.StatusUnsupportedMediaType, status == http.StatusNotImplemented:
		return gateway.Unsupported
	case status == http.StatusUnauthorized, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return gateway.Retryable
	case status >= 300 && status < 400:
		// A redirect off the base host is the operator's to mend; nothing was acted on.
		return gateway.Retryable
	case status >= 400 && status < 500:
		return gateway.Permanent
	}
	return gateway.Uncertain
}

// sendError turns what the client returned into the error that leaves the adapter.
func sendError(err error) *gateway.SendError {
	if se, ok := errors.AsType[*gateway.SendError](err); ok {
		return se
	}
	out := &gateway.SendError{Err: cause{err}}
	re, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return out
	}
	var p problem
	if re.Status != 0 && re.Decode(&p) == nil {
		out.Code = rest.Code(p.Code)
	}
	var t tokenError
	if re.Status != 0 && out.Code == "" && re.Decode(&t) == nil {
		out.Code = rest.Code(t.Error)
	}
	if f, ok := paramFeatures[p.Param]; ok && p.Code == "feature_unavailable" {
		out.Code = string(f)
	}
	out.RetryAfter = re.RetryAfter
	if out.RetryAfter == 0 && p.Retry.AfterS > 0 {
		out.RetryAfter = min(time.Duration(p.Retry.AfterS), 24*60*60) * time.Second
	}
	class, known := codeClasses[p.Code]
	switch {
	case !re.Written:
		// The op itself never left: dialling failed, or the token or the directory could not be had.
		out.Class = gateway.Retryable
		if re.Status == http.StatusTooManyRequests {
			out.Class = gateway.RateLimited
		}
	case re.Status == 0 || re.Status < 300:
		// No answer, or a 2xx that cannot be read.
		out.Class = gateway.Uncertain
	case known:
		out.Class = class
	default:
		out.Class = statusClass(re.Status)
	}
	return out
}

// cause gives an error the adapter's name in front.
type cause struct{ err error }

func (c cause) Error() string { return "gatekeeper: " + c.err.Error() }
func (c cause) Unwrap() error { return c.err }

// refuse is an error of our own, before any network I/O.
func refuse(class gateway.Class, code, why string) *gateway.SendError {
	return &gateway.SendError{Class: class, Code: code, Err: errors.New("gatekeeper: " + why)}
}
