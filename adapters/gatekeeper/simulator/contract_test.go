package simulator_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

// What the document does not describe is refused, and the problem names the field.
func TestUndocumentedIsRefused(t *testing.T) {
	b := newSandbox(t, nil)
	usr := b.enlist(romeo)
	good := message("c1", usr, "gku_nurse", "Hi")
	with := func(k string, v any) obj {
		m := obj{}
		maps.Copy(m, good)
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
		return m
	}
	tests := []struct {
		name, method, path string
		body               any
		headers            []string
		status             int
		code, param        string
	}{
		{"path", "GET", "/v1/nowhere", nil, nil, 404, "not_found", ""},
		{"method", "DELETE", "/v1/messages", nil, nil, 405, "method_not_allowed", ""},
		{"query", "GET", "/v1/contact-requests?colour=red", nil, nil, 400, "invalid_request", "colour"},
		{"limit", "GET", "/v1/contact-requests?limit=201", nil, nil, 400, "invalid_request", "limit"},
		{"cursor", "GET", "/v1/contact-requests?cursor=c9", nil, nil, 410, "stale_version", "cursor"},
		{"field", "POST", "/v1/messages", with("colour", "red"), nil, 400, "invalid_request", "/colour"},
		{"deep field", "POST", "/v1/messages", with("content", obj{"text": "x", "html": "y"}), nil, 400, "invalid_request", "/content/html"},
		{"missing field", "POST", "/v1/messages", with("client_id", nil), nil, 400, "invalid_request", "/client_id"},
		{"wrong type", "POST", "/v1/messages", with("content", obj{"text": 7}), nil, 400, "invalid_request", "/content/text"},
		{"long client id", "POST", "/v1/messages", with("client_id", strings.Repeat("x", 65)), nil, 400, "invalid_request", "/client_id"},
		{"bad id", "POST", "/v1/messages", with("to", "juliet"), nil, 400, "invalid_request", "/to"},
		{"not json", "POST", "/v1/messages", "{", nil, 400, "invalid_request", "body"},
		{"no key", "POST", "/v1/messages", good, []string{"Idempotency-Key", ""}, 400, "invalid_request", "Idempotency-Key"},
		{"content type", "POST", "/v1/messages", good, []string{"Content-Type", "text/plain"}, 415, "unsupported_type", "Content-Type"},
		{"no content type", "POST", "/v1/webhook:rotate", "{}", []string{"Content-Type", ""}, 415, "unsupported_type", "Content-Type"},
		{"body too large", "POST", "/v1/messages", good["client_id"].(string) + strings.Repeat(" ", 1<<20), nil, 413, "too_large", ""},
		{"text too long", "POST", "/v1/messages", with("content", obj{"text": strings.Repeat("x", 16385)}), nil, 413, "too_large", "/content/text"},
		{"span beyond text", "POST", "/v1/messages", with("content", obj{"text": "häß", "spans": []obj{{"start": 2, "length": 2, "style": "bold"}}}), nil, 400, "invalid_request", "/content/spans"},
		{"relay", "POST", "/v1/messages", obj{"client_id": "c", "sender": usr, "to": "gku_nurse", "mode": "relay", "envelope": obj{"scheme": "mls10", "type": "message", "ciphertext": "AAAA"}}, nil, 403, "mode_not_allowed", "/mode"},
		{"other sender", "POST", "/v1/messages", with("sender", "usr_other"), nil, 401, "assertion_invalid", "/sender"},
		{"unknown person", "POST", "/v1/messages", with("to", "gku_nobody"), nil, 404, "unavailable", ""},
		{"person who is out", "POST", "/v1/messages", with("to", "gku_tybalt"), nil, 404, "unavailable", ""},
		{"late", "POST", "/v1/messages", with("expires_at", "2020-01-01T00:00:00.000Z"), nil, 400, "invalid_request", "/expires_at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := b.call(tt.method, tt.path, romeo, tt.body, tt.headers...)
			if got.status != tt.status || got.str("code") != tt.code || got.str("param") != tt.param {
				t.Errorf("got %d %s, want %d %s %s", got.status, got.raw, tt.status, tt.code, tt.param)
			}
			if ct := got.header.Get("Content-Type"); ct != "application/problem+json" || got.str("request_id") == "" {
				t.Errorf("got content type %q, request id %q", ct, got.str("request_id"))
			}
		})
	}
	if got := b.call("GET", "/v1/status", "", nil, "X-Request-Id", "abc"); got.header.Get("X-Request-Id") != "abc" {
		t.Errorf("got X-Request-Id %q, want abc", got.header.Get("X-Request-Id"))
	}
	if got := b.call("POST", "/v1/messages", romeo, with("content", obj{"text": "häß", "spans": []obj{{"start": 1, "length": 2, "style": "bold"}}})); got.status != 202 {
		t.Errorf("spans count code points: got %d %s, want 202", got.status, got.raw)
	}
}

// The features that the directory calls unavailable answer 501.
func TestUnavailableFeatures(t *testing.T) {
	b := newSandbox(t, nil)
	usr := b.enlist(romeo)
	b.control("PATCH", "/capabilities", obj{"media": "unavailable"})
	sum := strings.Repeat("ab", 32)
	tests := []struct {
		method, path string
		body         any
	}{
		{"PUT", "/v1/users/" + usr + "/keys", obj{"scheme": "mls10", "key_packages": []string{"AAAA"}}},
		{"GET", "/v1/users/" + usr + "/keys/count", nil},
		{"POST", "/v1/users/" + usr + "/keys:claim", obj{"scheme": "mls10"}},
		{"GET", "/v1/users/" + usr + "/identity", nil},
		{"POST", "/v1/media", obj{"type": "image/png", "size": 3, "sha256": sum, "ciphertext": false}},
		{"GET", "/v1/media/med_1", nil},
		{"POST", "/v1/groups", obj{"name": "Verona", "members": []string{"gku_juliet"}}},
		{"GET", "/v1/groups", nil},
		{"GET", "/v1/groups/grp_1", nil},
		{"PATCH", "/v1/groups/grp_1", obj{"name": "x"}},
		{"POST", "/v1/groups/grp_1/members:add", obj{"members": []string{"gku_juliet"}}},
		{"POST", "/v1/groups/grp_1/members:remove", obj{"members": []string{"gku_juliet"}}},
		{"PUT", "/v1/groups/grp_1/members/gku_juliet/role", obj{"role": "admin"}},
		{"POST", "/v1/groups/grp_1/leave", nil},
		{"GET", "/v1/groups/grp_1/policy", nil},
		{"PUT", "/v1/groups/grp_1/policy", obj{"bots": false}},
		{"POST", "/v1/calls", obj{"to": "gku_juliet"}},
	}
	for _, tt := range tests {
		got := b.call(tt.method, tt.path, romeo, tt.body)
		if got.status != http.StatusNotImplemented || got.str("code") != "feature_unavailable" {
			t.Errorf("%s %s: got %d %s, want 501 feature_unavailable", tt.method, tt.path, got.status, got.raw)
		}
		if tt.path == "/v1/calls" && got.str("available_after") == "" {
			t.Error("calls: available_after is missing")
		}
	}
	dir := b.must(200, "GET", "/.well-known/gia", "", nil)
	features, _ := dir.body["features"].(obj)
	for _, f := range []string{"keys", "media", "groups", "calls"} {
		if features[f] != "unavailable" {
			t.Errorf("directory: got %s %v, want unavailable", f, features[f])
		}
	}
	keys := b.must(200, "GET", "/.well-known/gia/jwks.json", "", nil)
	if strings.Contains(string(keys.raw), `"d"`) {
		t.Error("the key set holds a private key")
	}
	if got := b.must(200, "GET", "/v1/status", "", nil); got.str("state") != "operational" {
		t.Errorf("got state %q, want operational", got.str("state"))
	}
}

func TestIdempotency(t *testing.T) {
	b := newSandbox(t, nil)
	usr := b.enlist(romeo)
	b.enlist("paris@montague.example")
	body := message("c1", usr, "gku_nurse", "Once")
	key := []string{"Idempotency-Key", "the-key-1"}
	first := b.must(202, "POST", "/v1/messages", romeo, body, key...)
	second := b.must(202, "POST", "/v1/messages", romeo, body, key...)
	if first.str("message_id") != second.str("message_id") || second.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("got %s then %s (%q), want the same answer, marked", first.raw, second.raw, second.header.Get("Idempotent-Replayed"))
	}
	if got := b.call("POST", "/v1/messages", romeo, message("c1", usr, "gku_nurse", "Twice"), key...); got.status != 422 || got.str("code") != "idempotency_conflict" {
		t.Errorf("other body: got %d %s, want 422 idempotency_conflict", got.status, got.raw)
	}
	if got := b.call("POST", "/v1/messages", "paris@montague.example", body, key...); got.status != 422 {
		t.Errorf("other user: got %d %s, want 422", got.status, got.raw)
	}
	ledger := b.control("GET", "/ledger/messages", nil)
	items := ledger["items"].([]any)
	if len(items) != 1 {
		t.Fatalf("got %d accepted messages, want 1", len(items))
	}
	entry := items[0].(obj)
	if entry["replays"] != 1.0 || entry["idempotency_key"] != "the-key-1" || entry["client_id"] != "c1" || entry["message_id"] != first.body["message_id"] {
		t.Errorf("got ledger %v", entry)
	}
}

func BenchmarkSendMessage(b *testing.B) {
	box := newSandbox(b, nil)
	usr := box.enlist(romeo)
	body := message("c1", usr, "gku_nurse", "Hi")
	assertion := box.jwt(box.claims(romeo))
	for b.Loop() {
		r := box.request("POST", "/v1/messages", "", body, "GIA-User-Assertion", assertion)
		if got := box.do(r); got.status != 202 {
			b.Fatalf("got %d %s", got.status, got.raw)
		}
	}
}
