package gatekeeper_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/gatekeeper"
	"postern/adapters/gatekeeper/simulator"
	"postern/gateway"
)

const (
	clientID    = "postern-test"
	hookSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
)

// entry is the adapter's place in adapters.All.
func entry(t *testing.T) adapters.Type {
	t.Helper()
	for _, e := range adapters.All() {
		if e.Name == "gatekeeper" {
			return e
		}
	}
	t.Fatal("adapters.All has no gatekeeper")
	return adapters.Type{}
}

// writeKey puts a fresh P-256 key into a file.
func writeKey(t testing.TB, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "partner.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// config is a valid configuration for a gatekeeper at url.
func config(t testing.TB, url string) *gatekeeper.Config {
	t.Helper()
	dir := t.TempDir()
	cfg := gatekeeper.DefaultConfig()
	cfg.BaseURL, cfg.ClientID, cfg.KeyFile, cfg.Region, cfg.TermsVersion = url, clientID, writeKey(t, dir), "EEA", "1"
	cfg.WebhookSecretFile = filepath.Join(dir, "webhook.secret")
	if err := os.WriteFile(cfg.WebhookSecretFile, []byte(hookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// sandbox is the simulator behind a real listener, with a sink that keeps what it posts to us.
type sandbox struct {
	t      *testing.T
	sim    *simulator.Server
	url    string
	offset atomic.Int64 // what the platform's clock is ahead of ours

	mu        sync.Mutex
	posted    []gateway.Request
	delivered int // how many of posted the adapter was shown
}

// people are open to everybody, so that the kit can write to them.
func people() []simulator.Person {
	return []simulator.Person{
		{ID: "juliet", Display: "Juliet", OptedIn: true, Accepts: simulator.AccessOpen, Identifiers: []simulator.Identifier{{Type: "email", Value: "juliet@capulet.example"}}},
		{ID: "nurse", Display: "The Nurse", OptedIn: true, Accepts: simulator.AccessOpen, Identifiers: []simulator.Identifier{{Type: "username", Value: "nurse"}}},
		{ID: "shy", Display: "Shy", OptedIn: true, Accepts: simulator.AccessRequest, Identifiers: []simulator.Identifier{{Type: "phone", Value: "+390451230009"}}},
	}
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	b := &sandbox{t: t}
	transport := &http.Transport{}
	sim, err := simulator.New(simulator.Config{
		People: people(), RetryBase: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		CodeTTL: 2 * time.Minute, NewCode: func() string { return testCode },
		Client: &http.Client{Transport: transport, Timeout: 5 * time.Second},
		Now:    func() time.Time { return time.Now().Add(time.Duration(b.offset.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.sim = sim
	server := httptest.NewServer(sim.Handler())
	b.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := sim.Run(ctx); err != nil {
			t.Errorf("simulator: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		transport.CloseIdleConnections()
		server.Close()
	})
	return b
}

// hook is where the sandbox posts to.
func (b *sandbox) hook() string {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		b.mu.Lock()
		b.posted = append(b.posted, gateway.Request{Method: r.Method, Header: r.Header, Body: body, Now: time.Now().Unix()})
		b.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	b.t.Cleanup(sink.Close)
	return sink.URL + "/hooks/gatekeeper"
}

func (b *sandbox) webhooks() []gateway.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]gateway.Request(nil), b.posted...)
}

// control calls the sandbox's control API in process.
func (b *sandbox) control(method, path string, in, out any) {
	b.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	b.sim.Control().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), method, path, bytes.NewReader(raw)))
	if w.Code != http.StatusOK {
		b.t.Fatalf("%s %s: status %d: %s", method, path, w.Code, w.Body)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			b.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

func (b *sandbox) received() []adaptertest.Received {
	b.t.Helper()
	var page struct {
		Items []struct {
			MessageID string `json:"message_id"`
			Sender    string `json:"sender"`
			Text      string `json:"text"`
		} `json:"items"`
	}
	b.control(http.MethodGet, "/sandbox/v1/ledger/messages?limit=10000", nil, &page)
	var out []adaptertest.Received
	for _, m := range page.Items {
		out = append(out, adaptertest.Received{Endpoint: gateway.Endpoint(m.Sender), ID: gateway.MessageID(m.MessageID), Text: m.Text})
	}
	return out
}

func (b *sandbox) say(person, to, text string) gateway.MessageID {
	b.t.Helper()
	var said struct {
		MessageID string `json:"message_id"`
	}
	b.control(http.MethodPost, "/sandbox/v1/people/"+person+"/messages", map[string]string{"to": to, "text": text}, &said)
	return gateway.MessageID(said.MessageID)
}

// open starts an adapter for a configuration and makes its keys known to the sandbox.
func (b *sandbox) open(cfg *gatekeeper.Config, deps adapters.Deps) *gatekeeper.Adapter {
	b.t.Helper()
	opened, err := entry(b.t).New(cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	a, ok := opened.(*gatekeeper.Adapter)
	if !ok {
		b.t.Fatalf("New: got %T", opened)
	}
	b.control(http.MethodPut, "/sandbox/v1/partners/"+clientID, map[string]json.RawMessage{"jwks": a.WellKnown()["/.well-known/gia-partner/jwks.json"]}, nil)
	return a
}

// enlist links a user as the core does: a form, then its answer.
func enlist(t *testing.T, a *gatekeeper.Adapter, user gateway.UserID) gateway.Credentials {
	t.Helper()
	in := linkInput(user)
	step, err := a.Link(t.Context(), gateway.LinkInput{Lang: "en"})
	if err != nil {
		t.Fatalf("Link: %v", err)
	}
	in.State, in.Answers = step.State, map[string]string{"display": "Some " + string(user)}
	if step, err = a.Link(t.Context(), in); err != nil || step.Done == nil {
		t.Fatalf("Link: got %v, done %v; want an account", err, step.Done != nil)
	}
	return gateway.Credentials{Account: in.Account, User: user, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
}

func linkInput(user gateway.UserID) gateway.LinkInput {
	hash := sha256.Sum256([]byte("disclosure"))
	return gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", ConsentHash: hash[:]}
}

// sign makes a webhook call with the project's own library, a second implementation of the scheme.
func sign(secret string) func([]byte, time.Time) gateway.Request {
	return func(body []byte, at time.Time) gateway.Request {
		h := http.Header{}
		h.Set("Webhook-Id", "evt_1")
		h.Set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
		h.Set("Webhook-Signature", mustSign(secret, at, body))
		return gateway.Request{Method: http.MethodPost, Header: h, Body: body, Now: at.Unix()}
	}
}

// mustSign returns "unsigned" for a secret that is none, which no test takes for a signature.
func mustSign(secret string, at time.Time, body []byte) string {
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return "unsigned"
	}
	signature, err := w.Sign("evt_1", at, body)
	if err != nil {
		return "unsigned"
	}
	return signature
}

func TestConformance(t *testing.T) { conforms(t, "jid") }

// TestConformanceByPhone has the users prove a number.
func TestConformanceByPhone(t *testing.T) { conforms(t, "phone") }

func conforms(t *testing.T, by string) {
	check := documentCheck(t)
	adaptertest.Run(t, adaptertest.Harness{
		Type: entry(t),
		Dir:  "testdata",
		Open: func(t *testing.T, deps adapters.Deps) *adaptertest.Rig { return openRig(t, deps, by, check) },
		Aim: func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/v1/")
		},
		Sign: sign(hookSecret), Forge: sign(otherSecret), MaxAge: 5 * time.Minute,
		SignatureHeaders: []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"},
		RenderEndpoint:   "usr_9d2m1", RenderHeaders: []string{"Gia-Version", "Idempotency-Key", "Content-Type"},
		Errors: errorCases(),
	})
}

func openRig(t *testing.T, deps adapters.Deps, by string, check func(*http.Request) error) *adaptertest.Rig {
	b := newSandbox(t)
	cfg := config(t, b.url)
	cfg.Identifier = by
	a := b.open(cfg, deps)
	if err := a.Register(t.Context(), gateway.Credentials{}, b.hook()); err != nil {
		t.Fatalf("Register: %v", err)
	}
	pemKey, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	rig := &adaptertest.Rig{
		Adapter: a,
		Reopen: func() gateway.Adapter {
			again, err := entry(t).New(cfg, deps)
			if err != nil {
				t.Fatal(err)
			}
			return again
		},
		Received: b.received, Webhooks: b.webhooks, Check: check,
		Earlier: func(by time.Duration, do func()) {
			b.offset.Store(-int64(by))
			defer b.offset.Store(0)
			do()
		},
		Secrets: []string{hookSecret, strings.TrimPrefix(hookSecret, "whsec_"), strings.Split(string(pemKey), "\n")[1]},
		Login: &adaptertest.Login{
			First: linkInput("benvolio@montague.example"), Answers: []map[string]string{{"display": "Benvolio"}},
			Wrong: map[string]string{"display": strings.Repeat("B", 201)}, Query: "juliet@capulet.example", Nobody: "rosaline@capulet.example",
		},
	}
	if by == "phone" {
		rig.Login.Answers = []map[string]string{{"phone": "+39 045 1239000", "display": "Benvolio"}, {"code": testCode}}
		rig.Login.Wrong = map[string]string{"code": wrongCode}
	}
	for i, user := range []gateway.UserID{"romeo@montague.example", "mercutio@montague.example"} {
		if by == "phone" {
			rig.Accounts = append(rig.Accounts, enlistNumber(t, a, user, fmt.Sprintf("+39045123900%d", i+1)))
		} else {
			rig.Accounts = append(rig.Accounts, enlist(t, a, user))
		}
		rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: []gateway.ContactID{"gku_juliet", "gku_nurse"}[i]})
	}
	rig.Say = func(i int, text string) gateway.MessageID {
		return b.say(strings.TrimPrefix(string(rig.Chats[i].Contact), "gku_"), string(rig.Accounts[i].Endpoint), text)
	}
	b.furnish(rig)
	return rig
}

// furnish gives the kit hands on the sandbox for what people and users do beside text.
func (b *sandbox) furnish(rig *adaptertest.Rig) {
	name := func(i int) string { return strings.TrimPrefix(string(rig.Chats[i].Contact), "gku_") }
	user := func(i int) string { return string(rig.Accounts[i].Endpoint) }
	post := func(person, to string, content any) gateway.MessageID {
		var said struct {
			MessageID string `json:"message_id"`
		}
		b.control(http.MethodPost, "/sandbox/v1/people/"+person+"/messages", map[string]any{"to": to, "content": content}, &said)
		return gateway.MessageID(said.MessageID)
	}
	rig.Ask = func(i int, p gateway.Poll) gateway.MessageID {
		options := []map[string]string{}
		for _, o := range p.Options {
			options = append(options, map[string]string{"id": o.ID, "title": o.Title})
		}
		return post(name(i), user(i), map[string]any{"poll": map[string]any{"question": p.Question, "options": options}})
	}
	rig.File = func(i int, size int64) gateway.Media {
		part := b.make(map[string]any{"type": "application/pdf", "size": size, "name": "big.pdf"})
		post(name(i), user(i), map[string]any{"media": []any{part}})
		sum, err := hex.DecodeString(part["sha256"].(string))
		if err != nil {
			b.t.Fatal(err)
		}
		return gateway.Media{Kind: gateway.MediaFile, Handle: part["media_id"].(string), MIME: "application/pdf", Size: size, SHA256: sum}
	}
	rig.Stored = func(handle string) ([]byte, int64) {
		w := httptest.NewRecorder()
		b.sim.Control().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, "/sandbox/v1/media/"+handle, nil))
		sum := sha256.Sum256(w.Body.Bytes())
		return sum[:], int64(w.Body.Len())
	}
	rig.Look = func(i int, display string) {
		picture := b.make(map[string]any{"width": 64, "height": 64, "seed": i})
		b.control(http.MethodPatch, "/sandbox/v1/people/"+name(i), map[string]any{"display": display, "avatar": picture["media_id"]}, nil)
	}
	rig.Blocked = func(i int) bool { return b.count("block", name(i)) > 0 }
	rig.Reports = func(i int) int { return b.count("report", name(i)) }
	native := func(i int, method, path string, body any) gateway.MessageID {
		var said struct {
			MessageID string `json:"message_id"`
		}
		b.control(method, "/sandbox/v1/users/"+user(i)+path, body, &said)
		return gateway.MessageID(said.MessageID)
	}
	rig.Native = &adaptertest.Native{
		Say: func(i int, text string) gateway.MessageID {
			return native(i, http.MethodPost, "/messages", map[string]string{"to": name(i), "text": text})
		},
		Edit: func(i int, id gateway.MessageID, text string) {
			native(i, http.MethodPatch, "/messages/"+string(id), map[string]string{"text": text})
		},
		Retract: func(i int, id gateway.MessageID) { native(i, http.MethodDelete, "/messages/"+string(id), nil) },
		React: func(i int, id gateway.MessageID, emoji string) {
			native(i, http.MethodPut, "/messages/"+string(id)+"/reactions", map[string][]string{"emojis": {emoji}})
		},
		Read: func(i int, id gateway.MessageID) {
			native(i, http.MethodPost, "/read", map[string]string{"to": name(i), "up_to": string(id)})
		},
	}
}

// make orders a file and returns the part that names it.
func (b *sandbox) make(order map[string]any) map[string]any {
	b.t.Helper()
	part := map[string]any{}
	b.control(http.MethodPost, "/sandbox/v1/media", order, &part)
	return part
}

func (b *sandbox) count(kind, person string) int {
	b.t.Helper()
	var out struct{ Count int }
	b.control(http.MethodPost, "/sandbox/v1/wait", map[string]any{"kind": kind, "person": person}, &out)
	return out.Count
}

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
