package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// Who has no session is asked to sign in, and comes back to where they wanted to go, if that is here.
func TestSignIn(t *testing.T) {
	g := newRig(t)
	nobody := g.visit("")
	if w := nobody.get("/"); w.Header().Get("Location") != "/console" {
		t.Errorf("/: got %d to %q, want a way to the console", w.Code, w.Header().Get("Location"))
	}
	w := nobody.get("/console/queues?x=1")
	if got, want := w.Header().Get("Location"), "/console/sign-in?next=%2Fconsole%2Fqueues%3Fx%3D1"; w.Code != http.StatusSeeOther || got != want {
		t.Errorf("without a session: got %d to %q, want 303 to %q", w.Code, got, want)
	}
	if w := nobody.get("/console/queues", func(r *http.Request) { r.Header.Set(liveHeader, "1") }); w.Code != http.StatusUnauthorized || w.Body.Len() > 0 {
		t.Errorf("a page that keeps itself fresh: got %d %s, want a bare 401", w.Code, w.Body)
	}
	for next, want := range map[string]string{
		"/console/queues?x=1": "/console/queues?x=1", "": "/console", "/console": "/console", "https://evil.example/console/": "/console", "//evil.example/console/x": "/console",
		"/console/../v1/audit": "/console", `/\evil.example`: "/console", "/console/sign-out": "/console", "/console/x\r\nSet-Cookie: a=b": "/console", "javascript:alert(1)": "/console",
		"/console/dead-letters?code=a%0D%0AX: y": "/console/dead-letters?code=a%0D%0AX%3A+y",
	} {
		w := nobody.post("/console/sign-in", url.Values{"token": {" " + g.secret[gateway.RoleViewer] + "\n"}, "next": {next}})
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want {
			t.Errorf("next %q: got %d to %q, want %q", next, w.Code, got, want)
		}
	}
	for _, secret := range []string{"", "x", "postern_admin_" + strings.Repeat("a", 52)} {
		w := nobody.post("/console/sign-in", url.Values{"token": {secret}})
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "unknown or over") || len(w.Result().Cookies()) > 0 || len(secret) > 1 && strings.Contains(w.Body.String(), secret) {
			t.Errorf("token %q: got %d, cookies %v", secret, w.Code, w.Result().Cookies())
		}
	}
}

// Wrong tokens count together, here and at /v1.
func TestSignInTired(t *testing.T) {
	g := newRig(t)
	nobody := g.visit("")
	for n := range 10 {
		if n%2 == 0 {
			nobody.post("/console/sign-in", url.Values{"token": {"x"}})
			continue
		}
		nobody.get("/v1/whoami", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") })
	}
	w := nobody.post("/console/sign-in", url.Values{"token": {g.secret[gateway.RoleAdmin]}})
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || len(w.Result().Cookies()) > 0 {
		t.Errorf("after ten wrong ones: got %d, cookies %v, want 429", w.Code, w.Result().Cookies())
	}
	w = nobody.post("/console/sign-in", url.Values{"token": {g.secret[gateway.RoleAdmin]}}, func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1" })
	if w.Code != http.StatusSeeOther {
		t.Errorf("from another address: got %d, want 303", w.Code)
	}
}

func TestCookie(t *testing.T) {
	g := newRig(t)
	for host, want := range map[string]string{
		"127.0.0.1:8480": "postern=WORD; Path=/console; HttpOnly; SameSite=Strict", "[::1]:8480": "postern=WORD; Path=/console; HttpOnly; SameSite=Strict",
		"localhost": "postern=WORD; Path=/console; HttpOnly; SameSite=Strict", "admin.localhost:1": "postern=WORD; Path=/console; HttpOnly; SameSite=Strict",
		"admin.example.org": "__Host-postern=WORD; Path=/; HttpOnly; Secure; SameSite=Strict", "192.0.2.1:8480": "__Host-postern=WORD; Path=/; HttpOnly; Secure; SameSite=Strict",
		"localhost.example.org": "__Host-postern=WORD; Path=/; HttpOnly; Secure; SameSite=Strict", "127.0.0.1.example.org": "__Host-postern=WORD; Path=/; HttpOnly; Secure; SameSite=Strict",
	} {
		w := g.visit("").post("/console/sign-in", url.Values{"token": {g.secret[gateway.RoleViewer]}}, func(r *http.Request) { r.Host = host })
		if len(w.Result().Cookies()) != 1 {
			t.Fatalf("%s: got %d, cookies %v", host, w.Code, w.Result().Cookies())
		}
		word := w.Result().Cookies()[0].Value
		if got := strings.Replace(w.Header().Get("Set-Cookie"), word, "WORD", 1); got != want || len(word) < 50 {
			t.Errorf("%s: got cookie %q, want %q", host, got, want)
		}
	}
}

// A session ends when nobody uses it, when its time is over, when its token is, and when its owner says so.
func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		there := func(v *visitor, edit ...func(*http.Request)) bool {
			code := v.get("/console/fidelity", edit...).Code
			return code == http.StatusOK
		}
		idle, busy, live := g.visit(gateway.RoleViewer), g.visit(gateway.RoleViewer), g.visit(gateway.RoleViewer)
		fresh := func(r *http.Request) { r.Header.Set(liveHeader, "1") }
		for range 2 {
			gatewaytest.Advance(sessionIdle / 2)
			there(busy)
			there(live, fresh)
		}
		if there(idle) || !there(busy) || there(live, fresh) {
			t.Errorf("after half an hour: idle %t, used %t, only kept fresh %t, want the used one alone", there(idle), there(busy), there(live))
		}
		for range sessionMost / (sessionIdle / 2) {
			gatewaytest.Advance(sessionIdle / 2)
			there(busy)
		}
		if there(busy) {
			t.Error("after half a day the session is still there")
		}

		left := g.visit(gateway.RoleViewer)
		w := left.post("/console/sign-out", url.Values{})
		if c := w.Result().Cookies(); w.Header().Get("Location") != "/console/sign-in" || len(c) != 1 || c[0].MaxAge >= 0 || there(left) {
			t.Errorf("signed out: got %d, cookies %v, still there %t", w.Code, c, there(left))
		}

		over, err := g.tokens.Create(t.Context(), "brief", gateway.RoleAdmin, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		g.secret[gateway.RoleAdmin] = over
		brief, revoked := g.visit(gateway.RoleAdmin), g.visit(gateway.RoleOperator)
		if err := g.tokens.Revoke(t.Context(), "operator"); err != nil {
			t.Fatal(err)
		}
		if there(revoked) {
			t.Error("the token was revoked, and its session is still there")
		}
		for range 4 {
			gatewaytest.Advance(15 * time.Minute)
			there(brief)
		}
		if there(brief) {
			t.Error("the token is over, and its session is still there")
		}
	})
}

// Signing in gives a new word, whatever cookie was there before; the old one is worth nothing.
func TestSignInAnew(t *testing.T) {
	g := newRig(t)
	v := g.visit(gateway.RoleViewer)
	old := v.cookies
	w := v.post("/console/sign-in", url.Values{"token": {g.secret[gateway.RoleAdmin]}})
	if c := w.Result().Cookies(); len(c) != 1 || c[0].Value == old[0].Value {
		t.Fatalf("got cookies %v, want another word", c)
	}
	if v.get("/console").Code != http.StatusSeeOther {
		t.Error("the old word still names a session")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sessions
		first := s.begin(gateway.Token{Name: "first"})
		kept := s.begin(gateway.Token{Name: "kept"})
		for n := range 3 * maxSessions {
			gatewaytest.Advance(time.Millisecond)
			s.begin(gateway.Token{Name: fmt.Sprint(n)})
			s.seen(kept, true)
		}
		if len(s.by) != maxSessions || s.seen(first, true) != nil || s.seen(kept, true) == nil {
			t.Errorf("got %d sessions, the first there: %t, the used one there: %t", len(s.by), s.seen(first, true) != nil, s.seen(kept, true) != nil)
		}
	})
}
