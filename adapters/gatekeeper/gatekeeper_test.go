package gatekeeper_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/control"
	"postern/adapters/gatekeeper"
	"postern/adapters/gatekeeper/simulator"
	frame "postern/adapters/internal/sandbox"
	"postern/adapters/internal/sandboxtest"
	"postern/gateway"
)

const (
	clientID    = "postern-test"
	hookSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
)

// config is a valid configuration for a gatekeeper at url, with a fresh key.
func config(t testing.TB, url string) *gatekeeper.Config {
	t.Helper()
	cfg := gatekeeper.DefaultConfig()
	cfg.BaseURL, cfg.ClientID, cfg.Region, cfg.TermsVersion = url, clientID, "EEA", "1"
	cfg.KeyFile, cfg.WebhookSecretFile = sandboxtest.Secret(t, sandboxtest.Key(t)), sandboxtest.Secret(t, hookSecret+"\n")
	return cfg
}

// sandbox is a gatekeeper with the people of the tests.
type sandbox struct {
	*sandboxtest.Sandbox
	delivered int // how many webhooks the adapter was shown
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
	return &sandbox{Sandbox: sandboxtest.Start(t, sandboxtest.Setup{
		Instance: "gatekeeper",
		Open: func(b *sandboxtest.Sandbox, cfg frame.Config) (sandboxtest.Simulator, error) {
			return simulator.New(simulator.Config{
				People: people(), RetryBase: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond,
				CodeTTL: 2 * time.Minute, NewCode: func() string { return testCode },
				Client: cfg.Client, Now: cfg.Now,
			})
		},
	})}
}

// open starts an adapter for a configuration and makes its keys known to the sandbox.
func (b *sandbox) open(cfg *gatekeeper.Config, deps adapters.Deps) *gatekeeper.Adapter {
	b.T.Helper()
	a := sandboxtest.Open[*gatekeeper.Adapter](b.T, "gatekeeper", cfg, deps)
	b.Do(http.MethodPut, "/partners/"+clientID, map[string]json.RawMessage{"jwks": a.WellKnown()["/.well-known/gia-partner/jwks.json"]}, nil)
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
		Type: sandboxtest.Type(t, "gatekeeper"),
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
	cfg := config(t, b.URL)
	cfg.Identifier = by
	a := b.open(cfg, deps)
	if err := a.Register(t.Context(), gateway.Credentials{}, b.Hook); err != nil {
		t.Fatalf("Register: %v", err)
	}
	pemKey, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	rig := &adaptertest.Rig{
		Adapter: a,
		Reopen:  func() gateway.Adapter { return sandboxtest.Open[*gatekeeper.Adapter](t, "gatekeeper", cfg, deps) },
		Check:   check, Earlier: b.Earlier,
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
	b.furnish(rig)
	return rig
}

// furnish gives the kit hands on the sandbox for what people and users do beside text.
func (b *sandbox) furnish(rig *adaptertest.Rig) {
	var people, users []string
	for i, c := range rig.Chats {
		people, users = append(people, strings.TrimPrefix(string(c.Contact), "gku_")), append(users, string(rig.Accounts[i].Endpoint))
	}
	b.Furnish(rig, people, users)
	rig.Ask = func(i int, p gateway.Poll) gateway.MessageID {
		asked := control.Poll{Question: p.Question}
		for _, o := range p.Options {
			asked.Options = append(asked.Options, control.Choice{ID: o.ID, Title: o.Title})
		}
		return b.Say(people[i], users[i], control.Content{Poll: &asked})
	}
	rig.Stored = func(handle string) ([]byte, int64) {
		resp, err := b.Control.HTTP.Get(b.Control.URL + "/sandbox/v1/media/" + handle) //nolint:noctx // in process
		if err != nil {
			b.T.Fatal(err)
		}
		defer resp.Body.Close()
		hash := sha256.New()
		size, err := io.Copy(hash, resp.Body)
		if err != nil {
			b.T.Fatal(err)
		}
		return hash.Sum(nil), size
	}
	rig.Look = func(i int, display string) {
		picture := b.Make(control.MediaIn{Width: 64, Height: 64, Seed: uint64(i)})
		b.Do(http.MethodPatch, "/people/"+people[i], map[string]any{"display": display, "avatar": picture.MediaID}, nil)
	}
	rig.Blocked = func(i int) bool { return b.count("block", people[i]) > 0 }
	rig.Reports = func(i int) int { return b.count("report", people[i]) }
	native := func(i int, method, path string, body any) gateway.MessageID {
		var said control.Said
		b.Do(method, "/users/"+users[i]+path, body, &said)
		return gateway.MessageID(said.MessageID)
	}
	rig.Native = &adaptertest.Native{
		Say: func(i int, text string) gateway.MessageID {
			return native(i, http.MethodPost, "/messages", map[string]string{"to": people[i], "text": text})
		},
		Edit: func(i int, id gateway.MessageID, text string) {
			native(i, http.MethodPatch, "/messages/"+string(id), map[string]string{"text": text})
		},
		Retract: func(i int, id gateway.MessageID) { native(i, http.MethodDelete, "/messages/"+string(id), nil) },
		React: func(i int, id gateway.MessageID, emoji string) {
			native(i, http.MethodPut, "/messages/"+string(id)+"/reactions", map[string][]string{"emojis": {emoji}})
		},
		Read: func(i int, id gateway.MessageID) {
			native(i, http.MethodPost, "/read", map[string]string{"to": people[i], "up_to": string(id)})
		},
	}
}

// make orders a file and returns the part that names it.
func (b *sandbox) make(order map[string]any) map[string]any {
	b.T.Helper()
	part := map[string]any{}
	b.Do(http.MethodPost, "/media", order, &part)
	return part
}

func (b *sandbox) count(kind, person string) int {
	b.T.Helper()
	var out struct{ Count int }
	b.Do(http.MethodPost, "/wait", map[string]any{"kind": kind, "person": person}, &out)
	return out.Count
}
