package simulator_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"postern/adapters/gatekeeper/simulator"
)

// withClaims changes good claims.
func (b *sandbox) withClaims(sub string, change obj) string {
	c := b.claims(sub)
	for k, v := range change {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return b.jwt(c)
}

func TestClientAssertion(t *testing.T) {
	b := newSandbox(t, nil)
	hmacKey := make([]byte, 32)
	rand.Read(hmacKey)
	symmetric, err := jws.Sign([]byte(`{"iss":"postern"}`), jws.WithKey(jwa.HS256(), hmacKey))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(b.jwt(b.claims("postern")), ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`)) + "." + parts[1] + "."
	now := time.Now()
	tests := []struct {
		name, assertion string
		status          int
		code            string
	}{
		{"good", b.jwt(b.claims("postern")), 200, ""},
		{"token url as audience", b.withClaims("postern", obj{"aud": []string{origin + "/oauth/token"}}), 200, ""},
		{"none", none, 401, "invalid_client"},
		{"symmetric", string(symmetric), 401, "invalid_client"},
		{"cut signature", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86), 401, "invalid_client"},
		{"unknown client", b.withClaims("postern", obj{"iss": "somebody"}), 401, "invalid_client"},
		{"other subject", b.jwt(b.claims(romeo)), 401, "invalid_client"},
		{"other audience", b.withClaims("postern", obj{"aud": "https://other.example"}), 401, "invalid_client"},
		{"no jti", b.withClaims("postern", obj{"jti": nil}), 401, "invalid_client"},
		{"no exp", b.withClaims("postern", obj{"exp": nil}), 401, "invalid_client"},
		{"long life", b.withClaims("postern", obj{"exp": now.Add(11 * time.Minute).Unix()}), 401, "invalid_client"},
		{"expired", b.withClaims("postern", obj{"iat": now.Add(-9 * time.Minute).Unix(), "exp": now.Add(-time.Second).Unix()}), 401, "invalid_client"},
		{"from the future", b.withClaims("postern", obj{"iat": now.Add(2 * time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix()}), 401, "invalid_client"},
		{"not a jwt", "aaaaaaaaaaaaaaaaaaaaaaaa", 401, "invalid_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := b.askToken(tt.assertion)
			if got.status != tt.status || got.str("error") != tt.code {
				t.Errorf("got %d %s, want %d %q", got.status, got.raw, tt.status, tt.code)
			}
		})
	}
	again := b.jwt(b.claims("postern"))
	if first, second := b.askToken(again), b.askToken(again); first.status != 200 || second.status != 401 {
		t.Errorf("got %d then %d, want 200 then 401: a jti is used once", first.status, second.status)
	}
}

func TestBearerAndUserAssertion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSandbox(t, nil)
		b.enlist(romeo)
		path := "/v1/contact-requests"
		tests := []struct {
			name    string
			headers []string
			status  int
			code    string
		}{
			{"good", nil, 200, ""},
			{"no token", []string{"Authorization", ""}, 401, "unauthenticated"},
			{"wrong token", []string{"Authorization", "Bearer nonsense"}, 401, "unauthenticated"},
			{"no version", []string{"GIA-Version", ""}, 400, "invalid_request"},
			{"old version", []string{"GIA-Version", "2020-01-01"}, 400, "invalid_request"},
			{"no assertion", []string{"GIA-User-Assertion", ""}, 400, "invalid_request"},
			{"assertion of nobody", []string{"GIA-User-Assertion", b.jwt(b.claims("nobody@montague.example"))}, 403, "not_enlisted"},
			{"assertion for another gatekeeper", []string{"GIA-User-Assertion", b.withClaims(romeo, obj{"aud": "https://other.example"})}, 401, "assertion_invalid"},
			{"long-lived assertion", []string{"GIA-User-Assertion", b.withClaims(romeo, obj{"exp": time.Now().Add(time.Hour).Unix()})}, 401, "assertion_invalid"},
			{"garbage", []string{"GIA-User-Assertion", "aaaaaaaaaaaaaaaaaaaaaa"}, 401, "assertion_invalid"},
		}
		for _, tt := range tests {
			got := b.call("GET", path, romeo, nil, tt.headers...)
			if got.status != tt.status || got.str("code") != tt.code {
				t.Errorf("%s: got %d %s, want %d %q", tt.name, got.status, got.raw, tt.status, tt.code)
			}
		}
		// The assertion lives for its own time, the token for five minutes.
		assertion := b.jwt(b.claims(romeo))
		b.must(200, "GET", path, romeo, nil, "GIA-User-Assertion", assertion)
		pass(4*time.Minute + 59*time.Second)
		b.must(200, "GET", path, romeo, nil, "GIA-User-Assertion", assertion)
		pass(2 * time.Second)
		b.must(401, "GET", path, romeo, nil)
		b.token = ""
		if got := b.call("GET", path, romeo, nil, "GIA-User-Assertion", assertion); got.str("code") != "assertion_invalid" {
			t.Errorf("got %d %s, want assertion_invalid", got.status, got.raw)
		}
	})
}

func TestPartnerKeysAreFetched(t *testing.T) {
	key := newKey(t)
	fetched := 0
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched++
		if _, err := w.Write(publicSet(t, key)); err != nil {
			t.Error(err)
		}
	}))
	defer keys.Close()
	b := newSandbox(t, func(c *simulator.Config) {
		c.Partners = []simulator.Partner{{ClientID: "postern", JWKSURL: keys.URL}}
		c.Client = nil
	})
	b.key = key
	for range 3 {
		if got := b.askToken(b.jwt(b.claims("postern"))); got.status != 200 {
			t.Fatalf("got %d %s, want 200", got.status, got.raw)
		}
	}
	b.key = newKey(t)
	if got := b.askToken(b.jwt(b.claims("postern"))); got.status != 401 {
		t.Errorf("foreign key: got %d, want 401", got.status)
	}
	if fetched != 1 {
		t.Errorf("got %d fetches, want 1", fetched)
	}
}
