package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/gateway"
)

// Every answer keeps strangers out of the page, whatever it is.
func TestHeaders(t *testing.T) {
	g := inhabited(t)
	v, nobody := g.visit(gateway.RoleAdmin), g.visit("")
	answers := map[string]http.Header{
		"sign in": nobody.get("/console/sign-in").Header(), "redirect": nobody.get("/console").Header(), "wrong token": nobody.post("/console/sign-in", url.Values{}).Header(),
		"foreign form": nobody.post("/console/sign-in", url.Values{}, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }).Header(),
		"export":       v.post("/console/users/export", url.Values{"jid": {romeo}, "again": {romeo}}).Header(),
	}
	for _, path := range []string{
		"/console", "/console/queues", "/console/dead-letters", "/console/users", "/console/audit", "/console/fidelity", "/console/nothing", "/console/style.css", "/console/live.js", "/v1/docs", "/v1/docs/style.css",
	} {
		answers[path] = v.get(path).Header()
	}
	for what, h := range answers {
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
		} {
			if got := h.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s: got %q, want %q", what, name, got, want)
			}
		}
		policy := map[string]string{}
		for part := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
			policy[name] = value
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'",
		} {
			if policy[name] != want {
				t.Errorf("%s: %s: got %q, want %q", what, name, policy[name], want)
			}
		}
	}
}

// A form from elsewhere does nothing, however it comes: by what the browser says of it, or without the word of the session.
func TestForeignForms(t *testing.T) {
	g := inhabited(t)
	v, other := g.visit(gateway.RoleAdmin), g.visit(gateway.RoleAdmin)
	site := func(site, origin string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			r.Header.Set("Origin", origin)
		}
	}
	order := func() url.Values { return url.Values{"do": {"drop"}} }
	for what, try := range map[string]struct {
		form url.Values
		edit func(*http.Request)
	}{
		"of another site":           {order(), site("cross-site", "https://evil.example")},
		"of a site beside":          {order(), site("same-site", "http://127.0.0.1:9999")},
		"of an old browser":         {order(), site("", "http://evil.example")},
		"without a word":            {url.Values{"do": {"drop"}, "form": {""}}, site("same-origin", "null")},
		"with another's word":       {url.Values{"do": {"drop"}, "form": {other.form}}, site("same-origin", "null")},
		"with a guess":              {url.Values{"do": {"drop"}, "form": {strings.Repeat("a", 52)}}, site("same-origin", "null")},
		"over http, from elsewhere": {order(), func(r *http.Request) { site("", "null")(r); r.Host = "gateway.example.org" }},
		"with the word in the address": {url.Values{"do": {"drop"}, "form": {""}}, func(r *http.Request) {
			r.URL.RawQuery = url.Values{"form": {v.form}}.Encode()
		}},
	} {
		if w := v.post("/console/dead-letters", try.form, try.edit); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Nothing was done") {
			t.Errorf("a form %s: got %d, want 403 that says that nothing was done", what, w.Code)
		}
	}
	if w := g.visit("").post("/console/sign-in", url.Values{"token": {g.secret[gateway.RoleAdmin]}}, site("cross-site", "https://evil.example")); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
		t.Errorf("signed in from elsewhere: got %d, cookies %v", w.Code, w.Result().Cookies())
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		if w := v.do(method, "/console/users/erase?jid="+romeo+"&again="+romeo+"&form="+v.form, nil); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s of an erasure: got %d, want 405", method, w.Code)
		}
	}
	if len(g.world.did) > 0 || g.audited() != "" {
		t.Fatalf("did %q, audited %q", g.world.did, g.audited())
	}
	if w := v.post("/console/dead-letters", order(), site("", "http://127.0.0.1:8480")); w.Code != http.StatusSeeOther {
		t.Errorf("from here, by a browser that tells its origin alone: got %d, want 303", w.Code)
	}
	big := url.Values{"do": {"drop"}, "x": {strings.Repeat("x", maxForm)}}
	if w := v.post("/console/dead-letters", big); w.Code != http.StatusBadRequest {
		t.Errorf("a form too long: got %d, want 400", w.Code)
	}
}

// No address leads out of the console, and no parameter into a header.
func TestStrangeAddresses(t *testing.T) {
	g := inhabited(t)
	v := g.visit(gateway.RoleAdmin)
	for _, path := range []string{
		"/console/../v1/audit", "/console/%2e%2e/v1/audit", "/console/..%2f..%2fetc%2fpasswd", "/console/style.css/../../page.go", "/console/pages/frame.tmpl", "/console/frame.tmpl", "/console/files",
		"/console/adapters/..%2f..%2fetc", "/console/adapters/nothing", "/console/dead-letters/confirm/x", "/console/dead-letters/confirm?do=drop&id=s99/9-9", "/console//style.css", "/v1/docs/..%2fopenapi.yaml", "/v1/docs/page.go",
	} {
		if w := v.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, w.Code)
		}
	}
	const evil = "a\r\nSet-Cookie: x=y\r\n\r\n<script>"
	for _, w := range []http.Header{
		v.get("/console/dead-letters?code=" + url.QueryEscape(evil)).Header(), g.visit("").get("/console/dead-letters?code=" + url.QueryEscape(evil)).Header(),
		v.post("/console/dead-letters", url.Values{"do": {"drop"}, "code": {evil}}).Header(),
	} {
		for name, values := range w {
			if strings.ContainsAny(strings.Join(values, ""), "\r\n") || name == "Set-Cookie" {
				t.Errorf("%s: %q", name, values)
			}
		}
	}
}

// What people are called stays text.
func TestHostileNames(t *testing.T) {
	g := inhabited(t)
	v := g.visit(gateway.RoleAdmin)
	for _, path := range []string{
		"/console", "/console/adapters/whatsapp", "/console/dead-letters", "/console/dead-letters?code=" + url.QueryEscape(hostile), "/console/users?jid=" + url.QueryEscape("a@b"+hostile),
		"/console/users?jid=" + url.QueryEscape(hostile), "/console/dead-letters/confirm?do=drop&id=" + url.QueryEscape("s02/1764400000002-0"), "/console/sign-in?next=" + url.QueryEscape(hostile),
	} {
		w := v.get(path)
		if w.Code != http.StatusSeeOther {
			shown(t, path, w.Body.String())
		}
	}
	if body := v.get("/console/dead-letters").Body.String(); !strings.Contains(body, "&lt;img src=x onerror=") {
		t.Error("the hostile reason is not shown as text")
	}
}

// A fault stays on its page.
func TestPanicIsAPage(t *testing.T) {
	g := newRig(t)
	v := g.visit(gateway.RoleViewer)
	g.Control.Operations = nil
	w := v.get("/console/queues")
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "met a fault of the gateway") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
}
