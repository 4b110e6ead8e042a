package whatsapp_test

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/control"
	"postern/adapters/internal/graph"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/whatsapp"
	"postern/adapters/whatsapp/simulator"
	"postern/gateway"
)

const (
	otherSecret = "ffffffffffffffffffffffffffffffff"
	verifyToken = "verify-token-of-this-instance"
	// goldenNumber and goldenAccount are those of the fixtures.
	goldenNumber  = "700600500400300"
	goldenAccount = "900100200300400"
)

// number is one of the sandbox's numbers: two that users link, one that a login links, and the line's.
type number struct{ id, account, phone, name, token string }

var numbers = []number{
	{"700000000000001", "900000000000001", "+15550000001", "Romeo", "EAAromeoTokenSecret0000000000001"},
	{"700000000000002", "900000000000002", "+15550000002", "Mercutio", "EAAmercutioTokenSecret00000000002"},
	{"700000000000003", "900000000000003", "+15550000003", "Benvolio", "EAAbenvolioTokenSecret00000000003"},
	{"700000000000004", "900000000000004", "+15550000004", "Verona", "EAAveronaTokenSecret0000000000004"},
}

// config is a valid configuration for an API at url, with all that can be turned on.
func config(t testing.TB, url string) *whatsapp.Config {
	t.Helper()
	cfg := whatsapp.DefaultConfig()
	cfg.BaseURL, cfg.DialogURL, cfg.AppID = url, url, simulator.AppID
	cfg.AppSecretFile, cfg.VerifyTokenFile = sandboxtest.Secret(t, simulator.AppSecret+"\n"), sandboxtest.Secret(t, verifyToken+"\n")
	cfg.ReopenTemplate, cfg.ReopenVariables, cfg.Typing = "write_again", []string{"{from}"}, true
	return cfg
}

// lined is the configuration of the operator's own number, that of the fixtures unless another is given.
func lined(t testing.TB, url string, n number) *whatsapp.Config {
	t.Helper()
	cfg := config(t, url)
	cfg.PhoneNumberID, cfg.AccountID, cfg.TokenFile = n.id, n.account, sandboxtest.Secret(t, n.token+"\n")
	return cfg
}

// sandbox is WhatsApp with the numbers of the tests.
type sandbox struct{ *sandboxtest.Sandbox }

func newSandbox(t *testing.T, more ...control.Account) *sandbox {
	t.Helper()
	return &sandbox{sandboxtest.Start(t, sandboxtest.Setup{
		Instance: "whatsapp", Challenge: func(q url.Values) ([]byte, bool) { return graph.Challenge(q, verifyToken) },
		Open: func(_ *sandboxtest.Sandbox, cfg simulator.Config) (sandboxtest.Simulator, error) {
			cfg.Accounts = more
			for _, n := range numbers {
				a := simulator.Number(n.id, n.account, n.phone, n.name, n.token)
				a.IDs["coexistence"] = "true"
				cfg.Accounts = append(cfg.Accounts, a)
			}
			return simulator.New(cfg)
		},
	})}
}

func (b *sandbox) open(cfg *whatsapp.Config, deps adapters.Deps) *whatsapp.Adapter {
	b.T.Helper()
	return sandboxtest.Open[*whatsapp.Adapter](b.T, "whatsapp", cfg, deps)
}

// link links a number as the core does: a form, then its answer.
func (b *sandbox) link(a *whatsapp.Adapter, user gateway.UserID, n number) gateway.Credentials {
	b.T.Helper()
	in := gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook}
	step, err := a.Link(b.T.Context(), gateway.LinkInput{Lang: "en"})
	if err != nil {
		b.T.Fatalf("Link: %v", err)
	}
	in.State, in.Answers = step.State, map[string]string{"phone_number_id": n.id, "token": " " + n.token + "\n"}
	if step, err = a.Link(b.T.Context(), in); err != nil || step.Done == nil {
		b.T.Fatalf("Link: got %v, done %v, %q; want an account", err, step.Done != nil, step.Text)
	}
	return gateway.Credentials{Account: in.Account, User: user, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
}

// sign makes a call under an app secret.
func sign(secret string) func([]byte, time.Time) gateway.Request {
	return func(body []byte, at time.Time) gateway.Request {
		h := http.Header{graph.HeaderSignature: {graph.Sign(secret, body)}}
		return gateway.Request{Method: http.MethodPost, Header: h, Body: body, Now: at.Unix()}
	}
}

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		Type: sandboxtest.Type(t, "whatsapp"), Dir: "testdata", Open: openRig,
		Aim:  func(r *http.Request) bool { return !strings.HasSuffix(r.URL.Path, "/debug_token") },
		Sign: sign(simulator.AppSecret), Forge: sign(otherSecret),
		SignatureHeaders: []string{graph.HeaderSignature},
		RenderEndpoint:   goldenNumber, RenderHeaders: []string{"Content-Type"},
		RenderAnswer: `{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.OUT"}],"success":true}`,
		Errors:       errorCases(),
	})
}

func openRig(t *testing.T, deps adapters.Deps) *adaptertest.Rig {
	b := newSandbox(t)
	cfg := config(t, b.URL)
	a := b.open(cfg, deps)
	shared := lined(t, b.URL, numbers[3])
	line := b.open(shared, deps)
	rig := &adaptertest.Rig{
		Adapter: a, Reopen: func() gateway.Adapter { return b.open(cfg, deps) },
		Secrets: []string{simulator.AppSecret, verifyToken},
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook},
			Answers: []map[string]string{{"phone_number_id": numbers[2].id, "token": numbers[2].token}},
			Wrong:   map[string]string{"phone_number_id": numbers[2].id, "token": strings.ToLower(numbers[2].token)},
			Nobody:  "juliet", Lasting: true,
		},
		Windowed: &adaptertest.Windowed{Reopening: a, Close: func(int) { b.Offset.Add(int64(25 * time.Hour)) }},
	}
	for _, n := range numbers {
		rig.Secrets = append(rig.Secrets, n.token)
	}
	for i, person := range []string{"juliet", "nurse"} {
		rig.Accounts = append(rig.Accounts, b.link(a, gateway.UserID(numbers[i].name+"@montague.example"), numbers[i]))
		b.Say(person, numbers[i].id, control.Text("good day"))
		rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(b.Person(person).IDs["user_id"])})
	}
	rig.Login.Query = b.Person("juliet").Phone
	if l, ok := line.Line(); ok {
		if err := line.Register(t.Context(), gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}, b.Hook); err != nil {
			t.Fatal(err)
		}
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: line, Webhooks: b.Webhooks,
		Open: func(link string) { b.Open("nurse", control.OpenIn{URL: link}) },
	}
	b.furnish(rig)
	return rig
}

// furnish gives the kit hands on the sandbox.
func (b *sandbox) furnish(rig *adaptertest.Rig) {
	who := []string{"juliet", "nurse"}
	ids := make([]string, len(numbers))
	for i, n := range numbers {
		ids[i] = n.id
	}
	b.Furnish(rig, who, ids)
	rig.Stored = b.stored
	rig.Blocked = func(i int) bool {
		before := len(b.Webhooks())
		id := b.Say(who[i], numbers[i].id, control.Text("do you hear me"))
		b.Say(who[1-i], numbers[1-i].id, control.Text("go on"))
		b.settled(before)
		for _, r := range b.Webhooks() {
			if strings.Contains(string(r.Body), string(id)) {
				return false
			}
		}
		return true
	}
	rig.Native = &adaptertest.Native{
		Say: func(i int, text string) gateway.MessageID {
			var said control.Said
			b.Do(http.MethodPost, "/users/"+numbers[i].id+"/messages", control.SayIn{To: who[i], Text: text}, &said)
			return gateway.MessageID(said.Native)
		},
		React: func(i int, id gateway.MessageID, emoji string) {
			b.Do(http.MethodPut, "/users/"+numbers[i].id+"/messages/"+b.own(who[i], id)+"/reactions", map[string]any{"emojis": []string{emoji}}, nil)
		},
	}
}

// own is the control API's id of a message.
func (b *sandbox) own(person string, id gateway.MessageID) string {
	b.T.Helper()
	for _, m := range b.Messages(person, "") {
		if m.Native == string(id) {
			return m.ID
		}
	}
	b.T.Fatalf("no message %s", id)
	return ""
}

// settled waits until something more was posted than before, and nothing waits any more.
func (b *sandbox) settled(before int) {
	b.T.Helper()
	b.Eventually("no webhook waits", func() bool {
		var state control.State
		b.Do(http.MethodGet, "/state", nil, &state)
		return state.Counts.WebhooksWaiting == 0 && len(b.Webhooks()) > before
	})
}

// stored asks the API itself for a file, with the token of the number that it belongs to.
func (b *sandbox) stored(handle string) ([]byte, int64) {
	b.T.Helper()
	for _, n := range numbers {
		var info struct {
			URL string `json:"url"`
		}
		if !b.get(b.URL+"/v24.0/"+handle+"?phone_number_id="+n.id, n.token, func(r io.Reader) error { return json.NewDecoder(r).Decode(&info) }) {
			continue
		}
		hash := sha256.New()
		var size int64
		b.get(info.URL, n.token, func(r io.Reader) (err error) { size, err = io.Copy(hash, r); return err })
		return hash.Sum(nil), size
	}
	return make([]byte, sha256.Size), 0
}

func (b *sandbox) get(url, token string, read func(io.Reader) error) bool {
	b.T.Helper()
	req, err := http.NewRequestWithContext(b.T.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		b.T.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return false
	}
	if err := read(resp.Body); err != nil {
		b.T.Fatal(err)
	}
	return true
}
