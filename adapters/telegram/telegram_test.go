package telegram_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/control"
	"postern/adapters/internal/sandboxtest"
	"postern/adapters/telegram"
	"postern/adapters/telegram/simulator"
	"postern/gateway"
)

const (
	hookSecret  = "the-secret-of-this-instance-0123456789"
	otherSecret = "the-secret-of-another-one-00123456789"
	// goldenBot is the bot of the fixtures.
	goldenBot = "7000000001"
)

// tokens are those of the sandbox's bots: two that users link, one that a login links, the line's and the one that is polled.
var tokens = []string{
	"7000000001:AAH-romeo-token-secret-00000000001", "7000000002:AAH-mercutio-token-secret-000000002", "7000000003:AAH-benvolio-token-secret-000000003",
	"7000000004:AAH-line-token-secret-0000000000004", "7000000005:AAH-polled-token-secret-00000000005",
}

var names = []string{"romeo_bot", "mercutio_bot", "benvolio_bot", "verona_bot", "polled_bot"}

// config is a valid configuration for a server at url.
func config(t testing.TB, url string) *telegram.Config {
	t.Helper()
	cfg := telegram.DefaultConfig()
	cfg.BaseURL, cfg.WebhookSecretFile = url, sandboxtest.Secret(t, hookSecret+"\n")
	return cfg
}

// sandbox is Telegram with the bots of the tests.
type sandbox struct{ *sandboxtest.Sandbox }

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	return &sandbox{sandboxtest.Start(t, sandboxtest.Setup{
		Instance: "telegram",
		Open: func(_ *sandboxtest.Sandbox, cfg simulator.Config) (sandboxtest.Simulator, error) {
			for i, token := range tokens {
				cfg.Accounts = append(cfg.Accounts, simulator.Bot(token, names[i], strings.TrimSuffix(names[i], "_bot")))
			}
			return simulator.New(cfg)
		},
	})}
}

func (b *sandbox) open(cfg *telegram.Config, deps adapters.Deps) *telegram.Adapter {
	b.T.Helper()
	return sandboxtest.Open[*telegram.Adapter](b.T, "telegram", cfg, deps)
}

// link links a bot as the core does: a form, then its answer.
func (b *sandbox) link(a *telegram.Adapter, user gateway.UserID, token string) gateway.Credentials {
	b.T.Helper()
	in := gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook}
	step, err := a.Link(b.T.Context(), gateway.LinkInput{Lang: "en"})
	if err != nil {
		b.T.Fatalf("Link: %v", err)
	}
	in.State, in.Answers = step.State, map[string]string{"token": " " + token + "\n"}
	if step, err = a.Link(b.T.Context(), in); err != nil || step.Done == nil {
		b.T.Fatalf("Link: got %v, done %v; want an account", err, step.Done != nil)
	}
	return gateway.Credentials{Account: in.Account, User: user, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
}

var tokenInPath = regexp.MustCompile(`/bot\d+:[A-Za-z0-9_-]+/`)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		Type: sandboxtest.Type(t, "telegram"),
		Dir:  "testdata",
		Open: openRig,
		Sign: sign(t, hookSecret), Forge: sign(t, otherSecret), Unsigned: true, Undated: true,
		SignatureHeaders: []string{"X-Telegram-Bot-Api-Secret-Token"},
		Silent:           []gateway.Feature{gateway.FeatureRetract, gateway.FeatureProfile},
		RenderEndpoint:   goldenBot, RenderHeaders: nil,
		RenderPath:   func(p string) string { return tokenInPath.ReplaceAllString(p, "/bot<token>/") },
		RenderAnswer: `{"ok":true,"result":{"message_id":1,"date":1790000000,"chat":{"id":5550001,"type":"private"}}}`,
		Errors:       errorCases(),
	})
}

func openRig(t *testing.T, deps adapters.Deps) *adaptertest.Rig {
	b := newSandbox(t)
	cfg := config(t, b.URL)
	a := b.open(cfg, deps)
	shared := *cfg
	shared.TokenFile, shared.BotName = sandboxtest.Secret(t, tokens[3]+"\n"), names[3]
	line := b.open(&shared, deps)
	polling := *cfg
	polling.Receive, polling.PollTimeout = telegram.ReceivePoll, time.Second
	polled := b.open(&polling, deps)
	rig := &adaptertest.Rig{
		Adapter: a, Reopen: func() gateway.Adapter { return b.open(cfg, deps) },
		Earlier: b.Earlier,
		Secrets: append(slices.Clone(tokens), hookSecret, hookOf(t, hookSecret, tokens[0]).header),
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.Hook},
			Answers: []map[string]string{{"token": tokens[2]}}, Wrong: map[string]string{"token": strings.Replace(tokens[2], "A", "B", 1)},
			Nobody: "5550009999", Lasting: true,
		},
		Polled: &adaptertest.Polled{
			Adapter: polled, Reopen: func() gateway.Adapter { return b.open(&polling, deps) },
			Say: func(text string) gateway.MessageID { return b.Say("juliet", names[4], control.Text(text)) },
			Conflict: adaptertest.ErrorCase{
				Status: 409, Body: `{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"}`,
				Class: gateway.Permanent, Code: "other_poller",
			},
		},
	}
	for i, person := range []string{"juliet", "nurse"} {
		rig.Accounts = append(rig.Accounts, b.link(a, gateway.UserID(names[i]+"@montague.example"), tokens[i]))
		b.Open(person, control.OpenIn{To: names[i]})
		rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(b.Person(person).Native)})
	}
	for _, bot := range names[2:] {
		b.Open("juliet", control.OpenIn{To: bot})
	}
	rig.Login.Query = b.Person("juliet").Native
	rig.Polled.Account = b.link(polled, "tybalt@capulet.example", tokens[4])
	if l, ok := line.Line(); ok {
		credentials := gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}
		if err := line.Register(t.Context(), credentials, b.Hook); err != nil {
			t.Fatal(err)
		}
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: line, Webhooks: func() []gateway.Request {
			return slices.DeleteFunc(b.Webhooks(), func(r gateway.Request) bool { return !strings.HasPrefix(r.Query["token"][0], "7000000004-") })
		},
		Open: func(link string) { b.Open("nurse", control.OpenIn{URL: link}) },
	}
	b.furnish(rig)
	return rig
}

// furnish gives the kit hands on the sandbox.
func (b *sandbox) furnish(rig *adaptertest.Rig) {
	who := []string{"juliet", "nurse"}
	b.Furnish(rig, who, names)
	rig.File = func(i int, size int64) gateway.Media {
		m, sum := b.File(rig.Adapter, who[i], names[i], size)
		m.SHA256 = sum // which Telegram does not tell
		return m
	}
	rig.Stored = func(id string) ([]byte, int64) { return b.Stored("juliet", id) }
	rig.Look = func(i int, display string) { b.Look(who[i], display) }
}

// address is a path of the sandbox's API.
func (b *sandbox) address(token, method string, q url.Values) string {
	return b.URL + "/bot" + token + "/" + method + "?" + q.Encode()
}
