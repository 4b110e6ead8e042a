package simulator_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/adapters/gatekeeper/simulator"
)

// TestTypingBeforeTheFirstMessage: the other person's id names a conversation that does not exist yet, where they may be written to.
func TestTypingBeforeTheFirstMessage(t *testing.T) {
	b := newSandbox(t, nil)
	b.enlist(romeo)
	b.must(http.StatusNoContent, "POST", "/v1/conversations/gku_nurse/typing", romeo, obj{"state": "composing"}, "Idempotency-Key", "")
	if got := b.control("POST", "/wait", obj{"kind": "typing", "person": "nurse", "user": romeo}); got["ok"] != true {
		t.Errorf("got %v, want romeo typing", got)
	}
	b.must(http.StatusForbidden, "POST", "/v1/conversations/gku_juliet/typing", romeo, obj{"state": "composing"}, "Idempotency-Key", "")
	b.must(http.StatusNotFound, "POST", "/v1/conversations/gku_nobody/typing", romeo, obj{"state": "composing"}, "Idempotency-Key", "")
}

func TestControlRefuses(t *testing.T) {
	b := newSandbox(t, nil)
	b.enlist(romeo)
	tests := []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"unknown person", "POST", "/people/nobody/messages", obj{"to": romeo, "text": "x"}, 404},
		{"unknown user", "POST", "/people/nurse/messages", obj{"to": "paris@montague.example", "text": "x"}, 404},
		{"empty text", "POST", "/people/nurse/messages", obj{"to": romeo}, 400},
		{"unknown field", "POST", "/people/nurse/messages", obj{"to": romeo, "txt": "x"}, 400},
		{"person who is out", "POST", "/people/tybalt/messages", obj{"to": romeo, "text": "x"}, 400},
		{"typing state", "POST", "/people/nurse/typing", obj{"to": romeo, "state": "asleep"}, 400},
		{"no request", "POST", "/people/juliet/answer", obj{"to": romeo, "accept": true}, 404},
		{"unknown message", "PATCH", "/messages/msg_x", obj{"text": "x"}, 404},
		{"unknown chat", "GET", "/chats/cnv_x", nil, 404},
		{"fault rate", "PUT", "/faults", obj{"error_rate": 2}, 400},
		{"fault name", "PUT", "/faults", obj{"eror_rate": 1}, 400},
		{"taken identifier", "PUT", "/people/rosaline", simulator.Person{Identifiers: []simulator.Identifier{{Type: "username", Value: "JULIET"}}}, 400},
		{"persona", "PATCH", "/people/juliet", obj{"persona": "angry"}, 400},
		{"user state", "PUT", "/users/" + romeo + "/state", obj{"state": "happy"}, 400},
		{"wait kind", "POST", "/wait", obj{"kind": "miracle"}, 400},
		{"ledger", "GET", "/ledger/messages?limit=0", nil, 400},
		{"partner", "PUT", "/partners/other", obj{"jwks": obj{"keys": []obj{{"kty": "oct", "k": "AAAA"}}}}, 400},
	}
	for _, tt := range tests {
		status, out := b.tryControl(tt.method, tt.path, tt.body)
		if status != tt.status || out["error"] == "" || out["error"] == nil {
			t.Errorf("%s: got %d %v, want %d and an error", tt.name, status, out, tt.status)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", origin+"/sandbox/v1/reset", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("cross-site reset: got %d, want 403", w.Code)
	}
}

func TestControlWaitAndReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		defer b.run()()
		usr := b.enlist(romeo)
		began := time.Now()
		if got := b.control("POST", "/wait", obj{"kind": "message", "person": "nurse", "timeout_ms": 1500}); got["ok"] != false || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("got %v after %v, want not ok after 1.5s", got, time.Since(began))
		}
		done := make(chan obj, 1)
		go func() {
			done <- b.control("POST", "/wait", obj{"kind": "message", "person": "nurse", "user": romeo, "contains": "moon", "status": "delivered", "timeout_ms": 60000})
		}()
		synctest.Wait()
		b.must(202, "POST", "/v1/messages", romeo, message("c1", usr, "gku_nurse", "By yonder blessed moon"))
		if got := <-done; got["ok"] != true || got["count"] != 1.0 {
			t.Errorf("got %v, want the message", got)
		}
		if got := b.control("POST", "/wait", obj{"kind": "webhooks", "type": "message.status", "timeout_ms": 1000}); got["ok"] != true {
			t.Errorf("got %v, want one status taken", got)
		}
		if got := b.control("POST", "/wait", obj{"kind": "enlistment", "user": romeo, "state": "active"}); got["ok"] != true {
			t.Errorf("got %v, want romeo enlisted", got)
		}
		b.control("POST", "/reset", nil)
		b.must(401, "GET", "/v1/status", "", nil)
		b.token = ""
		if got := b.call("GET", "/v1/blocks", romeo, nil); got.str("code") != "not_enlisted" {
			t.Errorf("after reset: got %d %s, want not_enlisted", got.status, got.raw)
		}
	})
}

func TestPartnerByControl(t *testing.T) {
	b := newSandbox(t, func(c *simulator.Config) { c.Partners = nil })
	if got := b.askToken(b.jwt(b.claims("postern"))); got.status != 401 {
		t.Errorf("unregistered: got %d, want 401", got.status)
	}
	b.control("PUT", "/partners/postern", map[string]any{"jwks": rawJSON(publicSet(t, b.key)), "webhook_url": hook, "webhook_secret": secret})
	b.enlist(romeo)
	if got := b.must(200, "GET", "/v1/webhook", "", nil); got.str("url") != hook {
		t.Errorf("got %s, want the preset endpoint", got.raw)
	}
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// The page loads nothing from elsewhere and runs nothing inline; what strangers choose is never markup.
func TestPageIsStrict(t *testing.T) {
	b := newSandbox(t, nil)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		b.sim.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", origin+path, nil))
		return w
	}
	foreign := regexp.MustCompile(`(?i)(https?:)?//[a-z]`)
	for path, kind := range map[string]string{"/": "text/html", "/page/app.js": "text/javascript", "/page/style.css": "text/css", "/page/icon.svg": "image/svg+xml", "/page/terms.html": "text/html"} {
		w := get(path)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: got %d %q, want 200 %s", path, w.Code, w.Header().Get("Content-Type"), kind)
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: got policy %q", path, csp)
		}
		text := strings.ReplaceAll(w.Body.String(), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := foreign.FindString(text); found != "" {
			t.Errorf("%s: refers to another origin: %q", path, found)
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " onclick=", " style=", "<script>", "<style"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: contains %q", path, bad)
			}
		}
	}
	if w := get("/page/"); strings.Contains(w.Body.String(), "terms.html") {
		t.Error("the folder is listed")
	}
}

func TestChangesStream(t *testing.T) {
	b := newSandbox(t, nil)
	server := httptest.NewServer(b.sim.Control())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/sandbox/v1/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 200)
	read := func() string {
		n, err := resp.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	if got := read(); !strings.HasPrefix(got, "data: {\"revision\":") {
		t.Fatalf("got %q, want a revision", got)
	}
	b.enlist(romeo)
	if got := read(); !strings.HasPrefix(got, "data: {\"revision\":") {
		t.Errorf("got %q, want another revision", got)
	}
	cancel()
}

func TestConfigValidate(t *testing.T) {
	if err := (simulator.Config{}).Validate(); err != nil {
		t.Errorf("zero value: %v", err)
	}
	for name, c := range map[string]simulator.Config{
		"issuer":     {Issuer: "gatekeeper.example"},
		"partner":    {Partners: []simulator.Partner{{}}},
		"secret":     {Partners: []simulator.Partner{{ClientID: "p", WebhookSecret: "x"}}},
		"person":     {People: []simulator.Person{{ID: "a b"}}},
		"persona":    {People: []simulator.Person{{ID: "a", Persona: "x"}}},
		"twice":      {People: []simulator.Person{{ID: "a"}, {ID: "a"}}},
		"identifier": {People: []simulator.Person{{ID: "a", Identifiers: []simulator.Identifier{{Type: "shoe", Value: "42"}}}}},
		"faults":     {Faults: simulator.Faults{WebhookParallel: 9}},
		"key":        {SigningKey: []byte{1}},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "simulator: config: ") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
}
