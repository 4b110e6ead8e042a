package gatekeeper_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/control"
	"postern/adapters/gatekeeper"
	"postern/adapters/internal/sandboxtest"
	"postern/gateway"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*gatekeeper.Config)
		want   string
	}{
		{"complete", func(*gatekeeper.Config) {}, ""},
		{"no base_url", func(c *gatekeeper.Config) { c.BaseURL = "" }, "base_url"},
		{"relative base_url", func(c *gatekeeper.Config) { c.BaseURL = "/v1" }, "base_url"},
		{"base_url with a password", func(c *gatekeeper.Config) { c.BaseURL = "https://u:swordfish@h.example" }, "base_url"},
		{"base_url that does not parse", func(c *gatekeeper.Config) { c.BaseURL = "https://swordfish@[h" }, "base_url"},
		{"no client_id", func(c *gatekeeper.Config) { c.ClientID = "" }, "client_id"},
		{"no key_file", func(c *gatekeeper.Config) { c.KeyFile = "" }, "key_file"},
		{"no webhook_secret_file", func(c *gatekeeper.Config) { c.WebhookSecretFile = "" }, "webhook_secret_file"},
		{"no platform", func(c *gatekeeper.Config) { c.Platform = "" }, "platform"},
		{"opaque identifier", func(c *gatekeeper.Config) { c.Identifier = "opaque" }, "identifier"},
		{"unknown identifier", func(c *gatekeeper.Config) { c.Identifier = "shoe size" }, "identifier"},
		{"username, which nobody proves", func(c *gatekeeper.Config) { c.Identifier = "username" }, "identifier"},
		{"jid", func(c *gatekeeper.Config) { c.Identifier = "jid" }, ""},
		{"phone", func(c *gatekeeper.Config) { c.Identifier = "phone" }, ""},
		{"email", func(c *gatekeeper.Config) { c.Identifier = "email" }, ""},
		{"no timeout", func(c *gatekeeper.Config) { c.Timeout = 0 }, "timeout"},
		{"timeout beyond a lease", func(c *gatekeeper.Config) { c.Timeout = 10 * time.Second }, "timeout"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, "https://gatekeeper.example")
			tc.change(c)
			err := c.Validate()
			if tc.want == "" && err != nil {
				t.Fatalf("got %v, want nil", err)
			}
			if tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "gatekeeper: "+tc.want+": ")) {
				t.Fatalf("got %v, want an error about %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "swordfish") {
				t.Errorf("error tells the password: %v", err)
			}
		})
	}
}

func pemOf(t *testing.T, keys ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, k := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(p256.Public())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		pem  []byte
		want []string // algorithms of the published keys; nil for an error
	}{
		{"P-256", pemOf(t, p256), []string{"ES256"}},
		{"Ed25519", pemOf(t, ed), []string{"EdDSA"}},
		{"rotation", pemOf(t, ed, p256), []string{"EdDSA", "ES256"}},
		{"P-384", pemOf(t, p384), nil},
		{"second key refused", pemOf(t, p256, p384), nil},
		{"twice the same", pemOf(t, p256, p256), nil},
		{"public key", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), nil},
		{"no key", []byte("hunter2\n"), nil},
		{"empty", nil, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, "https://gatekeeper.example")
			if err := os.WriteFile(c.KeyFile, tc.pem, 0o600); err != nil {
				t.Fatal(err)
			}
			a, err := gatekeeper.New(*c, http.DefaultClient)
			if tc.want == nil {
				if err == nil || strings.Contains(err.Error(), "hunter2") {
					t.Fatalf("got %v, want an error that does not quote the file", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var set struct{ Keys []map[string]string }
			if err := json.Unmarshal(a.WellKnown()["/.well-known/gia-partner/jwks.json"], &set); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range set.Keys {
				got = append(got, k["alg"])
				if k["d"] != "" || k["kid"] == "" || k["use"] != "sig" {
					t.Errorf("published key: got private part %v, kid %q, use %q", k["d"] != "", k["kid"], k["use"])
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("published: got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestEd25519 sends with an Ed25519 key; the conformance kit uses P-256.
func TestEd25519(t *testing.T) {
	b := newSandbox(t)
	c := config(t, b.URL)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.KeyFile, pemOf(t, ed), 0o600); err != nil {
		t.Fatal(err)
	}
	a := b.open(c, adapters.Deps{HTTP: sandboxtest.Client(t)})
	account := enlist(t, a, "romeo@montague.example")
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "gku_juliet"}, Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	if _, err := a.Send(t.Context(), account, op); err != nil {
		t.Errorf("Send: %v", err)
	}
}

func TestWebhookSecrets(t *testing.T) {
	for name, lines := range map[string]string{"none": "", "no prefix": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "short": "whsec_aHVudGVyMg=="} {
		c := config(t, "https://gatekeeper.example")
		if err := os.WriteFile(c.WebhookSecretFile, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := gatekeeper.New(*c, http.DefaultClient); err == nil || lines != "" && strings.Contains(err.Error(), lines) {
			t.Errorf("%s: got %v, want an error that does not quote the file", name, err)
		}
	}
	c := config(t, "https://gatekeeper.example")
	if err := os.WriteFile(c.WebhookSecretFile, []byte(otherSecret+"\n"+hookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := gatekeeper.New(*c, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{otherSecret, hookSecret} {
		if err := a.Verify(sign(secret)([]byte("{}"), time.Unix(1793500000, 0))); err != nil {
			t.Errorf("during a rotation: got %v, want nil", err)
		}
	}
	c.KeyFile = filepath.Join(t.TempDir(), "missing")
	if _, err := gatekeeper.New(*c, http.DefaultClient); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v, want %v", err, os.ErrNotExist)
	}
}

func TestRegisterAndContactRequest(t *testing.T) {
	b := newSandbox(t)
	c := config(t, b.URL)
	a := b.open(c, adapters.Deps{HTTP: sandboxtest.Client(t)})
	for range 2 {
		if err := a.Register(t.Context(), gateway.Credentials{}, b.Hook); err != nil {
			t.Fatalf("Register: %v", err)
		}
	}
	romeo := enlist(t, a, "romeo@montague.example")
	for query, want := range map[string]gateway.ContactID{
		"juliet@capulet.example": "gku_juliet", " JULIET@capulet.example ": "gku_juliet", "nurse": "gku_nurse", "@nurse": "gku_nurse",
		"+39 045 123-0009": "gku_shy", "+390451230009": "gku_shy",
		"": "", "+": "", "+39a": "", "+3904512300091234567": "", "two words": "", "nobody": "", "+390000000": "",
	} {
		p, err := a.Resolve(t.Context(), romeo, query)
		if want == "" {
			if !errors.Is(err, gateway.ErrNoPerson) {
				t.Errorf("Resolve %q: got %v, want %v", query, err, gateway.ErrNoPerson)
			}
			continue
		}
		if err != nil || p.ID != want || p.Accepts == (want == "gku_shy") {
			t.Errorf("Resolve %q: got %v, %v, accepts %v; want %s", query, err, p.ID, p.Accepts, want)
		}
	}
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "gku_shy"}, Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	if _, err := a.Send(t.Context(), romeo, op); gateway.ClassOf(err) != gateway.NotReachable {
		t.Errorf("Send before consent: got %v, want class not_reachable", err)
	}
	b.Do(http.MethodPost, "/people/shy/answer", map[string]any{"to": string(romeo.Endpoint), "accept": true}, nil)
	b.WaitFor(a, func(e gateway.Event) bool {
		u, ok := e.Body.(gateway.ContactUpdate)
		return ok && u.Consent == gateway.ConsentAccepted && e.Chat.Contact == "gku_shy" && e.Endpoint == romeo.Endpoint
	})
	op.ID = gateway.NewOpID()
	if _, err := a.Send(t.Context(), romeo, op); err != nil {
		t.Errorf("Send after consent: %v", err)
	}
	b.Do(http.MethodPost, "/people/shy/ask", map[string]any{"to": string(enlist(t, a, "paris@verona.example").Endpoint), "message": "hello"}, nil)
	b.WaitFor(a, func(e gateway.Event) bool {
		u, ok := e.Body.(gateway.ContactUpdate)
		return ok && u.Consent == gateway.ConsentRequested && e.Chat.Contact == "gku_shy"
	})
}

func TestInboundFromSandbox(t *testing.T) {
	b := newSandbox(t)
	a := b.open(config(t, b.URL), adapters.Deps{HTTP: sandboxtest.Client(t)})
	if err := a.Register(t.Context(), gateway.Credentials{}, b.Hook); err != nil {
		t.Fatal(err)
	}
	romeo := enlist(t, a, "romeo@montague.example")
	to := string(romeo.Endpoint)
	id := b.Say("juliet", to, control.Text("good morrow"))
	b.Do(http.MethodPatch, "/messages/"+string(id), map[string]string{"text": "good night"}, nil)
	b.Do(http.MethodPost, "/people/juliet/typing", map[string]string{"to": to, "state": "composing"}, nil)
	op := gateway.Op{ID: gateway.NewOpID(), Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: "gku_juliet"}, Body: gateway.OpMessage{Content: gateway.PlainText("hi")}}
	sent, err := a.Send(t.Context(), romeo, op)
	if err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPut, "/messages/"+string(sent.IDs[0])+"/reactions", map[string][]string{"emojis": {"🌹"}}, nil)
	b.Do(http.MethodPost, "/people/juliet/read", map[string]string{"to": to}, nil)
	b.Do(http.MethodDelete, "/messages/"+string(id), nil, nil)
	b.Do(http.MethodPut, "/users/"+to+"/state", map[string]string{"state": "expiring"}, nil)
	is := map[string]func(gateway.EventBody) bool{
		"message": func(e gateway.EventBody) bool { m, ok := e.(gateway.Message); return ok && m.ID == id },
		"edited":  func(e gateway.EventBody) bool { m, ok := e.(gateway.Edited); return ok && m.Target.IDs[0] == id },
		"retracted": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.Retracted)
			return ok && m.Target.IDs[0] == id
		},
		"reacted": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.Reacted)
			return ok && m.Target.IDs[0] == sent.IDs[0] && slices.Equal(m.Emojis, []string{"🌹"})
		},
		"typing": func(e gateway.EventBody) bool { m, ok := e.(gateway.Typing); return ok && m.On },
		"read": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.Status)
			return ok && m.State == gateway.StatusRead && m.Ref == op.ID
		},
		"account": func(e gateway.EventBody) bool {
			m, ok := e.(gateway.AccountState)
			return ok && m.State == gateway.AccountExpiring
		},
	}
	for name, match := range is {
		t.Run(name, func(t *testing.T) {
			b.WaitFor(a, func(e gateway.Event) bool {
				account := name == "account"
				return match(e.Body) && e.Endpoint == romeo.Endpoint && (account || e.Chat.Contact == "gku_juliet" && e.From == "gku_juliet")
			})
		})
	}
}

// TestMissing: what a webhook lost, the backlog still tells, under the same dedupe key and to its own user alone.
func TestMissing(t *testing.T) {
	b := newSandbox(t)
	a := b.open(config(t, b.URL), adapters.Deps{HTTP: sandboxtest.Client(t)})
	if err := a.Register(t.Context(), gateway.Credentials{}, b.Hook); err != nil {
		t.Fatal(err)
	}
	romeo := enlist(t, a, "romeo@montague.example")
	for _, text := range []string{"one", "two", "three"} {
		b.Say("juliet", string(romeo.Endpoint), control.Text(text))
	}
	var seen gateway.Event
	b.WaitFor(a, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		if ok && m.Content.Parts[0].(gateway.Text).Text == "two" {
			seen = e
		}
		return seen.Dedupe != ""
	})
	got, err := a.Missing(t.Context(), romeo, seen.Chat, 1)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %d events, %v, want two after the first", len(got), err)
	}
	if got[0].Dedupe != seen.Dedupe || got[0].Seq != 2 || got[1].Seq != 3 {
		t.Errorf("got %+v, want the events of the webhooks", got)
	}
	other := romeo
	other.Endpoint = "usr_somebodyelse"
	if got, err := a.Missing(t.Context(), other, seen.Chat, 0); err != nil || len(got) != 0 {
		t.Errorf("got %d events for another user, %v, want none", len(got), err)
	}
}
