//go:build servers

package apifuzz

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"postern/gateway"
)

// What requests are made of that no client library makes.
var (
	methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "get"}
	places  = []string{
		"/v1", "/v1/whoami", "/v1/adapters", "/v1/adapters/*/stop", "/v1/adapters/*/start", "/v1/queues", "/v1/dead-letters", "/v1/dead-letters/replay",
		"/v1/dead-letters/*/*", "/v1/dead-letters/*/*/replay", "/v1/users/*", "/v1/users/*/accounts", "/v1/users/*/export", "/v1/policy", "/v1/blocks", "/v1/blocks/*",
		"/v1/audit", "/v1/docs/*", "/v1/*",
	}
	names = []string{
		"", ".", "..", "../..", "%2e%2e%2f%2e%2e", "..%2f..%2fetc%2fpasswd", "..%5c..", "%00", "%ff", "%c0%ae", "%0d%0aX-Evil:%201", "%25", "%252f", "*", "?", "romeo@example.org",
		"romeo%40example.org", "romeo@example.org%2fx", "@", "a@b@c", "s07", "1-0", "0-0", "-", "99999999999999999999-1", "telegram", "juliet@example.org", "%F0%9F%92%A9", "%E2%80%AE", "style.css",
		strings.Repeat("a", 5000), strings.Repeat("%41", 2000), strings.Repeat("../", 500),
	}
	queries = []string{
		"", "?", "?limit=0", "?limit=-1", "?limit=1000", "?limit=99999999999999999999", "?limit=1&limit=2", "?after=%00", "?after=-1", "?after=%ff", "?%zz", "?a;b", "?after=" + strings.Repeat("9", 400),
		"?user=%00@x", "?user=romeo@example.org&adapter=telegram", "?where=out", "?=", "?&&", "?[]=1",
	}
	bodies = []string{
		"", "{", "null", "[]", "{}", "\"x\"", "1e999", "\x00", "\xff\xfe", `{"all":true,"all":false}`, `{"reason":"` + strings.Repeat("x", 70_000) + `"}`, `{"jid":"\ud800","reason":"x"}`,
		`{"reason":" "}`, `{"adapter":"` + strings.Repeat("\\u0000", 100) + `"}`, strings.Repeat("[", 10_000), `{"jid":"..","reason":"a\u0000b"}`, `{"where":"in"}`,
	}
	kinds = []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=utf-7", "*/*", ";;"}
)

// rude sends n such requests past the proxy, which would not let them through.
func (w *watch) rude(t *testing.T, seed, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	tokens := []string{w.site.tokens[gateway.RoleViewer], w.site.tokens[gateway.RoleOperator], w.site.tokens[gateway.RoleAdmin], w.site.tokens[gateway.RoleAdmin]}
	for range n {
		path := pick(places)
		for strings.Contains(path, "*") {
			path = strings.Replace(path, "*", strings.ReplaceAll(pick(names), "*", "%2a"), 1)
		}
		req, err := http.NewRequestWithContext(t.Context(), pick(methods), "http://"+w.site.addr+"/", strings.NewReader(pick(bodies)))
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = path + pick(queries) // as it stands
		req.Header["Content-Type"] = []string{pick(kinds)}
		req.Header.Set("Authorization", "Bearer "+pick(tokens))
		resp, err := w.RoundTrip(req)
		if err != nil {
			w.fault(req, "no answer: %v", err)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body) // read already
		resp.Body.Close()
	}
}
