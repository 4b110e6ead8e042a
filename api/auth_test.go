package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"postern/gateway"
)

// trusted is the network of a proxy in front, in which none of the other tests is.
func trusted() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} }

// Behind a trusted proxy each caller has its own wrong tokens counted; nobody else can say who they are.
func TestWrongTokensBehindProxy(t *testing.T) {
	c := newControl(t)
	as := func(peer, forwarded, secret string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/whoami", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Authorization", "Bearer "+secret)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		return w.Code
	}
	const proxy, other = "198.51.100.1:443", "192.0.2.9:1"
	good := c.secret[gateway.RoleViewer]
	for range wrongBurst {
		if got := as(proxy, "10.0.0.1, 203.0.113.7", "x"); got != http.StatusUnauthorized {
			t.Fatalf("a wrong token: got %d, want 401", got)
		}
	}
	for _, tt := range []struct {
		what, peer, forwarded string
		want                  int
	}{
		{"the one with the wrong tokens", proxy, "203.0.113.7", http.StatusTooManyRequests},
		{"the same, who says they are another", proxy, "203.0.113.8, 203.0.113.7", http.StatusTooManyRequests},
		{"another behind the proxy", proxy, "203.0.113.8", http.StatusOK},
		{"the proxy's own machine", proxy, "", http.StatusOK},
		{"who is not behind it", other, "203.0.113.7", http.StatusOK},
	} {
		if got := as(tt.peer, tt.forwarded, good); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.what, got, tt.want)
		}
	}
	for n := range wrongBurst { // who is not trusted cannot spread their tries over names
		as(other, "203.0.113."+string(rune('1'+n)), "x")
	}
	if got := as(other, "203.0.113.99", good); got != http.StatusTooManyRequests {
		t.Errorf("with names of their own: got %d, want 429", got)
	}
}

// TestWrongTokensAreBounded: whoever sends wrong ones, from however many addresses, memory is; and who has just sent too many waits.
func TestWrongTokensAreBounded(t *testing.T) {
	g := NewGuard(nil, nil, slog.New(slog.DiscardHandler))
	for n := range 3 * maxCallers {
		g.count(fmt.Sprint("2001:db8::", n))
	}
	for range wrongBurst {
		g.count("192.0.2.7")
	}
	if len(g.wrong) > maxCallers || !g.tired("192.0.2.7") {
		t.Errorf("got %d addresses remembered, want %d at most, and the newest among them", len(g.wrong), maxCallers)
	}
}
