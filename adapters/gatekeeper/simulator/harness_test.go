package simulator_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"postern/adapters/gatekeeper/openapi"
	"postern/adapters/gatekeeper/simulator"
)

const (
	origin = "https://gatekeeper.example"
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	hook   = "https://partner.example/gia/events"
	romeo  = "romeo@montague.example"
)

// document is the OpenAPI document, read once for all tests.
var document = sync.OnceValues(func() (validator.Validator, *v3.Document) {
	doc, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		panic(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		panic(errs[0])
	}
	m, err := doc.BuildV3Model()
	if err != nil {
		panic(err)
	}
	return v, &m.Model
})

// sandbox is a simulator with one partner, all in process: requests and webhooks go through handlers, not sockets, so that it works
// under virtual time.
type sandbox struct {
	t     testing.TB
	sim   *simulator.Server
	key   jwk.Key
	token string
	// sink answers webhooks; nil: 204.
	mu     sync.Mutex
	sink   func(*hookEvent) int
	events []*hookEvent
	extra  int
}

func newKey(t testing.TB) jwk.Key {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.Import(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Set(jwk.KeyIDKey, "k1"); err != nil {
		t.Fatal(err)
	}
	return key
}

func publicSet(t testing.TB, key jwk.Key) []byte {
	t.Helper()
	pub, err := jwk.PublicKeyOf(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"keys": []any{pub}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// newSandbox makes one; change may alter the configuration.
func newSandbox(t testing.TB, change func(*simulator.Config)) *sandbox {
	t.Helper()
	b := &sandbox{t: t, key: newKey(t)}
	cfg := simulator.Config{
		Issuer:   origin,
		Partners: []simulator.Partner{{ClientID: "postern", JWKS: publicSet(t, b.key), WebhookURL: hook, WebhookSecret: secret}},
		Client:   &http.Client{Transport: b},
	}
	if change != nil {
		change(&cfg)
	}
	sim, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.sim = sim
	return b
}

// run starts the simulator's loop; stop ends it and waits.
func (b *sandbox) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.sim.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("run: %v", err)
		}
	}
}

// jwt signs claims as the partner.
func (b *sandbox) jwt(claims map[string]any) string {
	b.t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), b.key))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(out)
}

func (b *sandbox) claims(sub string) map[string]any {
	b.extra++
	now := time.Now()
	return map[string]any{"iss": "postern", "sub": sub, "aud": origin, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": fmt.Sprintf("j%d", b.extra)}
}

func (b *sandbox) askToken(assertion string) *response {
	b.t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, origin+"/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// response is an answer, already held against the document.
type response struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (r *response) str(name string) string { s, _ := r.body[name].(string); return s }

func (b *sandbox) do(r *http.Request) *response {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, r)
	out := &response{status: w.Code, header: w.Header(), raw: w.Body.Bytes()}
	if len(out.raw) > 0 && strings.Contains(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(out.raw, &out.body); err != nil {
			b.t.Fatalf("%s %s: answer is not json: %s", r.Method, r.URL.Path, out.raw)
		}
	}
	return out
}

// call makes an API request as the partner, for a user when one is named, and holds the answer against the document.
func (b *sandbox) call(method, path, as string, body any, headers ...string) *response {
	b.t.Helper()
	if b.token == "" {
		got := b.askToken(b.jwt(b.claims("postern")))
		if got.status != http.StatusOK {
			b.t.Fatalf("token: got %d %s", got.status, got.raw)
		}
		b.token = got.str("access_token")
	}
	r := b.request(method, path, as, body, headers...)
	out := b.do(r)
	if strings.HasSuffix(path, "/content") && method == http.MethodGet && out.status < 300 {
		return out // bytes of any type ("*/*"), which the validator does not know
	}
	v, _ := document()
	resp := &http.Response{StatusCode: out.status, Header: out.header, Body: io.NopCloser(bytes.NewReader(out.raw)), Request: r}
	if ok, errs := v.ValidateHttpResponse(r, resp); !ok && !errs[0].IsPathMissingError() && !errs[0].IsOperationMissingError() {
		b.t.Errorf("%s %s: the answer %d does not follow the document: %s: %s\n%s", method, path, out.status, errs[0].Message, errs[0].Reason, out.raw)
	}
	return out
}

func (b *sandbox) request(method, path, as string, body any, headers ...string) *http.Request {
	b.t.Helper()
	var raw []byte
	switch v := body.(type) {
	case nil:
	case string:
		raw = []byte(v)
	default:
		var err error
		if raw, err = json.Marshal(v); err != nil {
			b.t.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(context.Background(), method, origin+path, bytes.NewReader(raw))
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	r.Header.Set("GIA-Version", openapi.Version)
	if as != "" {
		r.Header.Set("GIA-User-Assertion", b.jwt(b.claims(as)))
	}
	if method == http.MethodPost {
		b.extra++
		r.Header.Set("Idempotency-Key", fmt.Sprintf("key-%08d", b.extra))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// must is call with the status that has to come.
func (b *sandbox) must(status int, method, path, as string, body any, headers ...string) *response {
	b.t.Helper()
	out := b.call(method, path, as, body, headers...)
	if out.status != status {
		b.t.Fatalf("%s %s: got %d %s, want %d", method, path, out.status, out.raw, status)
	}
	return out
}

type obj = map[string]any

func enlistment(jid string) obj {
	return obj{
		"identifier": obj{"type": "jid", "value": jid}, "display": "Romeo", "mode": "plaintext",
		"consent": obj{"receipt_sha256": strings.Repeat("ab", 32), "version": "1", "locale": "en", "given_at": "2026-11-22T14:00:00.000Z"},
		"terms":   obj{"version": "1", "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"},
	}
}

// enlist enlists a user and gives its internal id.
func (b *sandbox) enlist(jid string) string {
	b.t.Helper()
	return b.must(http.StatusCreated, "POST", "/v1/enlistments", jid, enlistment(jid)).str("internal_id")
}

func message(client, sender, to, text string) obj {
	return obj{"client_id": client, "sender": sender, "to": to, "mode": "plaintext", "content": obj{"text": text}}
}

// control calls the control API.
func (b *sandbox) control(method, path string, body any) obj {
	b.t.Helper()
	status, out := b.tryControl(method, path, body)
	if status != http.StatusOK {
		b.t.Fatalf("control %s %s: got %d %v", method, path, status, out)
	}
	return out
}

func (b *sandbox) tryControl(method, path string, body any) (int, obj) {
	b.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	if body == nil {
		raw = nil
	}
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, origin+"/sandbox/v1"+path, bytes.NewReader(raw)))
	out := obj{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		b.t.Fatalf("control %s %s: got %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, out
}

// idle waits until no webhook waits.
func (b *sandbox) idle() {
	b.t.Helper()
	if got := b.control("POST", "/wait", obj{"kind": "idle", "timeout_ms": 60000}); got["ok"] != true {
		b.t.Fatalf("webhooks still wait: %v", got)
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// answerWith makes the partner answer webhooks; nil is 204 to all.
func (b *sandbox) answerWith(sink func(*hookEvent) int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sink = sink
}

// ledger gives the delivery attempts.
func (b *sandbox) ledger() []obj {
	b.t.Helper()
	var out []obj
	for _, item := range b.control("GET", "/ledger/webhooks", nil)["items"].([]any) {
		out = append(out, item.(obj))
	}
	return out
}
