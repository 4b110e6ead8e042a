package gatekeeper_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/adapters/adaptertest"
	"postern/gateway"
)

// errorCases are recorded answers of a gatekeeper, one for each code of the document that an op can meet, and a few without one.
func errorCases() []adaptertest.ErrorCase {
	problem := func(status int, code string, class gateway.Class) adaptertest.ErrorCase {
		return adaptertest.ErrorCase{
			Name: code, Status: status, Header: http.Header{"Content-Type": {"application/problem+json"}}, Class: class, Code: code,
			Body: fmt.Sprintf(`{"type":"about:blank","title":"No","status":%d,"code":%q,"detail":"about canary-c0ffee"}`, status, code),
		}
	}
	cases := []adaptertest.ErrorCase{
		problem(400, "invalid_request", gateway.Permanent), problem(401, "unauthenticated", gateway.Retryable),
		problem(401, "assertion_invalid", gateway.ReauthNeeded), problem(403, "not_permitted", gateway.Permanent),
		problem(403, "not_enlisted", gateway.ReauthNeeded), problem(403, "reconsent_required", gateway.ReauthNeeded),
		problem(403, "terms_outdated", gateway.ReauthNeeded), problem(403, "region_denied", gateway.Permanent),
		problem(403, "suspended", gateway.Permanent), problem(403, "no_consent", gateway.NotReachable),
		problem(403, "blocked_by_policy", gateway.Permanent), problem(403, "mode_not_allowed", gateway.Permanent),
		problem(403, "plaintext_forbidden", gateway.Permanent), problem(403, "verification_failed", gateway.Permanent),
		problem(410, "verification_expired", gateway.Permanent), problem(404, "not_found", gateway.Permanent),
		problem(404, "unavailable", gateway.NotReachable), problem(405, "method_not_allowed", gateway.Permanent),
		problem(409, "identity_changed", gateway.Permanent), problem(409, "epoch_conflict", gateway.Retryable),
		problem(409, "keys_exhausted", gateway.Retryable), problem(412, "stale_version", gateway.Permanent),
		problem(413, "too_large", gateway.Unsupported), problem(415, "unsupported_type", gateway.Unsupported),
		problem(422, "idempotency_conflict", gateway.Permanent), problem(429, "rate_limited", gateway.RateLimited),
		problem(429, "quota_first_contact", gateway.RateLimited), problem(500, "internal", gateway.Uncertain),
		problem(501, "feature_unavailable", gateway.Unsupported), problem(503, "upstream_down", gateway.Uncertain),
	}
	wait := problem(429, "rate_limited", gateway.RateLimited)
	wait.Name, wait.RetryAfter, wait.Header = "rate_limited with Retry-After", 3*time.Second, http.Header{"Retry-After": {"3"}}
	inBody := problem(429, "rate_limited", gateway.RateLimited)
	inBody.Name, inBody.RetryAfter, inBody.Body = "rate_limited with after_s", 4*time.Second, `{"code":"rate_limited","retry":{"after_s":4,"strategy":"after"}}`
	date := problem(503, "upstream_down", gateway.Uncertain)
	date.Name, date.RetryAfter = "upstream_down with a date", 90*time.Second
	date.Header = http.Header{"Date": {"Sun, 22 Nov 2026 14:00:00 GMT"}, "Retry-After": {"Sun, 22 Nov 2026 14:01:30 GMT"}}
	return append(
		cases, wait, inBody, date,
		adaptertest.ErrorCase{Name: "a proxy's 413", Status: 413, Body: "<html>", Class: gateway.Unsupported},
		adaptertest.ErrorCase{Name: "a proxy's 404", Status: 404, Body: "<html>", Class: gateway.Permanent},
		adaptertest.ErrorCase{Name: "a proxy's 401", Status: 401, Body: "<html>", Class: gateway.Retryable},
		adaptertest.ErrorCase{Name: "a redirect elsewhere", Status: 307, Header: http.Header{"Location": {"https://evil.example/v1/messages"}}, Class: gateway.Retryable},
		adaptertest.ErrorCase{Name: "a code that is no code", Status: 400, Body: `{"code":"canary-c0ffee says hello"}`, Class: gateway.Permanent},
		adaptertest.ErrorCase{Name: "accepted without an id", Status: 202, Body: `{}`, Class: gateway.Uncertain},
		adaptertest.ErrorCase{Name: "endless", Status: 202, Body: `{"message_id":"` + strings.Repeat("x", 1<<20) + `"}`, Class: gateway.Uncertain},
		adaptertest.ErrorCase{Name: "receipt refused", Status: 404, Body: `{"code":"not_found"}`, Op: gateway.OpMarkRead{UpTo: gateway.Target{IDs: []gateway.MessageID{"msg_1"}}}, Class: gateway.Permanent, Code: "not_found"},
	)
}
