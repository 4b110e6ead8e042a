package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is an RFC 9457 problem of the API, with its stable code.
type problem struct {
	Type           string       `json:"type"`
	Title          string       `json:"title"`
	Status         int          `json:"status"`
	Detail         string       `json:"detail,omitempty"`
	Code           string       `json:"code"`
	Retry          *retryAdvice `json:"retry,omitempty"`
	Param          string       `json:"param,omitempty"`
	UserMessageKey string       `json:"user_message_key,omitempty"`
	RequestID      string       `json:"request_id,omitempty"`
	AvailableAfter string       `json:"available_after,omitempty"`
	header         [][2]string  // extra response headers
}

type retryAdvice struct {
	AfterS   *int   `json:"after_s,omitempty"`
	Strategy string `json:"strategy"`
}

// codeStatus is the HTTP status of each code (GIA, ProblemCode).
var codeStatus = map[string]int{
	"invalid_request": 400, "unauthenticated": 401, "assertion_invalid": 401, "not_permitted": 403, "not_enlisted": 403,
	"reconsent_required": 403, "terms_outdated": 403, "region_denied": 403, "suspended": 403, "no_consent": 403,
	"blocked_by_policy": 403, "mode_not_allowed": 403, "plaintext_forbidden": 403, "verification_failed": 403, "not_found": 404, "unavailable": 404,
	"method_not_allowed": 405, "identity_changed": 409, "epoch_conflict": 409, "keys_exhausted": 409, "verification_expired": 410, "stale_version": 412,
	"too_large": 413, "unsupported_type": 415, "idempotency_conflict": 422, "rate_limited": 429, "quota_first_contact": 429,
	"internal": 500, "feature_unavailable": 501, "upstream_down": 503,
}

// fail makes a problem from its code, with a detail for the developer who reads it.
func fail(code, detail string) *problem {
	status := codeStatus[code]
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

func invalid(param, detail string) *problem {
	p := fail("invalid_request", detail)
	p.Param = param
	return p
}

func (p *problem) withRetry(strategy string, seconds int) *problem {
	p.Retry = &retryAdvice{Strategy: strategy}
	if strategy == "after" {
		p.Retry.AfterS = &seconds
		p.header = append(p.header, [2]string{"Retry-After", strconv.Itoa(seconds)})
	}
	return p
}

// answer is what an operation returns: a status and a body to be sent as JSON, or none.
type answer struct {
	status int
	body   any
	etag   string
}

// reply is a finished response, as sent and as remembered for an idempotency key.
type reply struct {
	status      int
	contentType string
	etag        string
	header      [][2]string
	body        []byte
}

func (a answer) reply() (reply, error) {
	r := reply{status: a.status, etag: a.etag}
	if a.body == nil {
		return r, nil
	}
	body, err := json.Marshal(a.body)
	r.contentType, r.body = "application/json", body
	return r, err
}

func (p *problem) reply(requestID string) reply {
	c := *p
	c.RequestID = requestID
	body, err := json.Marshal(c)
	if err != nil { // only strings and ints inside: cannot happen, and must not hide the failure being told
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`)
	}
	return reply{status: p.Status, contentType: "application/problem+json", header: p.header, body: body}
}

func (r reply) write(w http.ResponseWriter) {
	h := w.Header()
	if r.contentType != "" {
		h.Set("Content-Type", r.contentType)
	}
	if r.etag != "" {
		h.Set("ETag", r.etag)
	}
	for _, kv := range r.header {
		h.Set(kv[0], kv[1])
	}
	w.WriteHeader(r.status)
	w.Write(r.body) //nolint:errcheck // a client that left is its own loss
}
