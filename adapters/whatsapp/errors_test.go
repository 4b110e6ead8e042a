package whatsapp_test

import (
	"net/http"
	"time"

	"postern/adapters/adaptertest"
	"postern/adapters/internal/graph"
	"postern/gateway"
)

// errorCases are recorded answers of the API.
func errorCases() []adaptertest.ErrorCase {
	fault := func(code string) string {
		return `{"error":{"message":"(#` + code + `) to 34600111222","type":"OAuthException","code":` + code + `,"error_data":{"messaging_product":"whatsapp","details":"x"},"fbtrace_id":"A"}}`
	}
	cases := []adaptertest.ErrorCase{
		{Name: "pair", Status: 400, Header: http.Header{"Retry-After": {"4"}}, Body: fault("131056"), Class: gateway.RateLimited, Scope: gateway.LimitChat, Code: "131056", RetryAfter: 4 * time.Second},
		{Name: "account calls, told how long", Status: 400, Header: http.Header{graph.HeaderBusinessUsage: {`{"9":[{"type":"whatsapp","call_count":101,"estimated_time_to_regain_access":2}]}`}}, Body: fault("80007"), Class: gateway.RateLimited, Code: "80007", RetryAfter: 2 * time.Minute},
		{Name: "html", Status: 503, Body: "<html>", Class: gateway.Uncertain},
		{Name: "no id in the answer", Status: 200, Body: `{"messaging_product":"whatsapp"}`, Class: gateway.Uncertain},
	}
	for _, c := range []struct {
		code   string
		status int
		class  gateway.Class
	}{
		{"0", 401, gateway.ReauthNeeded},
		{"3", 500, gateway.ReauthNeeded},
		{"10", 403, gateway.ReauthNeeded},
		{"190", 401, gateway.ReauthNeeded},
		{"200", 403, gateway.ReauthNeeded},
		{"299", 403, gateway.ReauthNeeded},
		{"131005", 403, gateway.ReauthNeeded},
		{"33", 400, gateway.ReauthNeeded},
		{"131031", 403, gateway.ReauthNeeded},
		{"133010", 400, gateway.ReauthNeeded},
		{"4", 400, gateway.RateLimited},
		{"80007", 400, gateway.RateLimited},
		{"130429", 400, gateway.RateLimited},
		{"131048", 400, gateway.RateLimited},
		{"133016", 400, gateway.RateLimited},
		{"131208", 429, gateway.RateLimited},
		{"368", 403, gateway.RateLimited},
		{"132069", 400, gateway.RateLimited},
		{"131056", 400, gateway.RateLimited},
		{"131016", 500, gateway.Retryable},
		{"131057", 500, gateway.Retryable},
		{"133004", 503, gateway.Retryable},
		{"1", 400, gateway.Uncertain},
		{"2", 503, gateway.Uncertain},
		{"131000", 500, gateway.Uncertain},
		{"999999", 500, gateway.Uncertain},
		{"131047", 400, gateway.WindowClosed},
		{"131026", 400, gateway.NotReachable},
		{"131049", 400, gateway.NotReachable},
		{"131050", 400, gateway.NotReachable},
		{"130472", 400, gateway.NotReachable},
		{"130497", 403, gateway.NotReachable},
		{"131051", 400, gateway.Unsupported},
		{"131052", 400, gateway.Unsupported},
		{"131053", 400, gateway.Unsupported},
		{"130501", 400, gateway.Unsupported},
		{"100", 400, gateway.Permanent},
		{"131008", 400, gateway.Permanent},
		{"131009", 400, gateway.Permanent},
		{"131021", 400, gateway.Permanent},
		{"132001", 404, gateway.Permanent},
		{"131042", 400, gateway.Permanent},
		{"137000", 400, gateway.Permanent},
		{"999999", 400, gateway.Permanent},
	} {
		cases = append(cases, adaptertest.ErrorCase{Name: c.code + " " + http.StatusText(c.status), Status: c.status, Body: fault(c.code), Class: c.class, Code: c.code})
	}
	return cases
}
