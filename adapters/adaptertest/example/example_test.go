package example_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/adaptertest/example"
	"postern/gateway"
)

// pigeon plays the platform.
type pigeon struct {
	mu    sync.Mutex
	ids   map[string]gateway.MessageID // by idempotency key
	took  []adaptertest.Received
	posts []gateway.Request
}

const secret, token = "the secret of the dovecote", "token-of-"

func (p *pigeon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "+token)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch key := r.Header.Get("Idempotency-Key"); {
	case !ok:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error": "no_token"}`))
	case r.URL.Path == "/v2/me":
		_ = json.NewEncoder(w).Encode(map[string]string{"id": who, "name": who})
	default:
		var in struct{ To, Text string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		if p.ids[key] == "" {
			p.ids[key] = gateway.MessageID(fmt.Sprint("m", len(p.took)+1))
			p.took = append(p.took, adaptertest.Received{Endpoint: gateway.Endpoint(who), ID: p.ids[key], Text: in.Text})
			p.post(map[string]any{"type": "arrived", "to": who, "from": in.To, "messages": []any{p.ids[key]}})
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"id": p.ids[key]})
	}
}

// post tells of an event; the lock is held.
func (p *pigeon) post(event map[string]any) gateway.MessageID {
	id := fmt.Sprint("e", len(p.posts)+1)
	event["id"], event["at"] = id, time.Now().Unix()
	raw, _ := json.Marshal(event)
	p.posts = append(p.posts, signed(secret)(raw, time.Now()))
	return gateway.MessageID(id)
}

func signed(secret string) func([]byte, time.Time) gateway.Request {
	return func(body []byte, _ time.Time) gateway.Request {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(body)
		return gateway.Request{Method: "POST", Body: body, Header: http.Header{"X-Pigeon-Signature": {hex.EncodeToString(m.Sum(nil))}}}
	}
}

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		Type: adapters.Type{Name: "pigeon", Config: func() adapters.Config { return example.DefaultConfig() }}, Dir: "testdata", Open: open,
		Sign: signed(secret), Forge: signed("another"), SignatureHeaders: []string{"X-Pigeon-Signature"},
		RenderEndpoint: "romeo", RenderHeaders: []string{"Idempotency-Key"},
		Errors: []adaptertest.ErrorCase{
			{Name: "token", Status: 401, Body: `{"error": "no_token"}`, Class: gateway.ReauthNeeded, Code: "no_token"},
			{Name: "blocked", Status: 403, Body: `{"error": "shooed"}`, Class: gateway.NotReachable, Code: "shooed"},
		},
	})
}

func open(t *testing.T, deps adapters.Deps) *adaptertest.Rig {
	p := &pigeon{ids: map[string]gateway.MessageID{}}
	web := httptest.NewServer(p)
	t.Cleanup(web.Close)
	cfg := example.DefaultConfig()
	cfg.BaseURL, cfg.WebhookSecretFile = web.URL, filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(cfg.WebhookSecretFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := func(f func()) { p.mu.Lock(); defer p.mu.Unlock(); f() }
	rig := &adaptertest.Rig{
		Reopen: func() gateway.Adapter {
			a, err := example.New(*cfg, deps.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
		Received: func() (out []adaptertest.Received) { locked(func() { out = append(out, p.took...) }); return out },
		Webhooks: func() (out []gateway.Request) { locked(func() { out = append(out, p.posts...) }); return out },
		Secrets:  []string{secret},
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: "a1", Lang: "en"},
			Answers: []map[string]string{{"token": token + "benvolio"}}, Wrong: map[string]string{"token": "wrong"}, Lasting: true,
		},
	}
	for _, who := range []string{"romeo", "mercutio"} {
		rig.Accounts = append(rig.Accounts, gateway.Credentials{Endpoint: gateway.Endpoint(who), Secret: []byte(token + who)})
		rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"})
	}
	rig.Say = func(i int, text string) (id gateway.MessageID) {
		locked(func() {
			id = p.post(map[string]any{"type": "message", "to": rig.Accounts[i].Endpoint, "from": "juliet", "text": text})
		})
		return id
	}
	rig.Adapter = rig.Reopen()
	return rig
}
