package telegram_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/adapters/control"
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

// entry is the adapter's place in adapters.All.
func entry(t testing.TB) adapters.Type {
	t.Helper()
	all := adapters.All()
	n := slices.IndexFunc(all, func(e adapters.Type) bool { return e.Name == "telegram" })
	if n < 0 {
		t.Fatal("adapters.All has no telegram")
	}
	return all[n]
}

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// config is a valid configuration for a server at url.
func config(t testing.TB, url string) *telegram.Config {
	t.Helper()
	cfg := telegram.DefaultConfig()
	cfg.BaseURL, cfg.WebhookSecretFile = url, write(t, hookSecret+"\n")
	return cfg
}

// sandbox is the simulator behind a real listener, with a sink that keeps what it posts to us.
type sandbox struct {
	t       *testing.T
	control *control.Client
	url     string
	sink    string
	offset  atomic.Int64 // what the platform's clock is ahead of ours

	mu     sync.Mutex
	posted []gateway.Request
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	b := &sandbox{t: t}
	transport := &http.Transport{}
	var bots []control.Account
	for i, token := range tokens {
		bots = append(bots, simulator.Bot(token, names[i], strings.TrimSuffix(names[i], "_bot")))
	}
	sim, err := simulator.New(simulator.Config{
		Accounts: bots, Client: &http.Client{Transport: transport, Timeout: 5 * time.Second},
		Now: func() time.Time { return time.Now().Add(time.Duration(b.offset.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.control = control.InProcess(sim.Control())
	server := httptest.NewServer(sim.Handler())
	b.url = server.URL
	sink := httptest.NewServer(http.HandlerFunc(b.take))
	b.sink = sink.URL + "/hooks/telegram"
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
		sink.Close()
	})
	return b
}

// take keeps a webhook as the gateway's intake would see it.
func (b *sandbox) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	q := map[string][]string{"token": {strings.TrimPrefix(r.URL.Path, "/hooks/telegram/")}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posted = append(b.posted, gateway.Request{Method: r.Method, Query: q, Header: r.Header, Body: body, Now: time.Now().Unix()})
}

func (b *sandbox) webhooks() []gateway.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.posted)
}

func (b *sandbox) do(method, path string, in, out any) {
	b.t.Helper()
	if err := b.control.Do(b.t.Context(), method, path, in, out); err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// say lets a person write to a bot and returns the message's id in the Bot API.
func (b *sandbox) say(person, bot string, content control.Content) gateway.MessageID {
	b.t.Helper()
	var said control.Said
	b.do(http.MethodPost, "/people/"+person+"/messages", control.SayIn{To: bot, Content: &content}, &said)
	return gateway.MessageID(said.Native)
}

func (b *sandbox) person(name string) (out control.PersonView) {
	b.t.Helper()
	b.do(http.MethodGet, "/people/"+name, nil, &out)
	return out
}

func (b *sandbox) open(cfg *telegram.Config, deps adapters.Deps) *telegram.Adapter {
	b.t.Helper()
	opened, err := entry(b.t).New(cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	a, ok := opened.(*telegram.Adapter)
	if !ok {
		b.t.Fatalf("New: got %T", opened)
	}
	return a
}

// link links a bot as the core does: a form, then its answer.
func (b *sandbox) link(a *telegram.Adapter, user gateway.UserID, token string) gateway.Credentials {
	b.t.Helper()
	in := gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink}
	step, err := a.Link(b.t.Context(), gateway.LinkInput{Lang: "en"})
	if err != nil {
		b.t.Fatalf("Link: %v", err)
	}
	in.State, in.Answers = step.State, map[string]string{"token": " " + token + "\n"}
	if step, err = a.Link(b.t.Context(), in); err != nil || step.Done == nil {
		b.t.Fatalf("Link: got %v, done %v; want an account", err, step.Done != nil)
	}
	return gateway.Credentials{Account: in.Account, User: user, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
}

// sign makes a call to the fixtures' bot under an instance's secret. The sandbox's own, which goes through setWebhook, is the second
// witness that the derivation is one.
func sign(t *testing.T, secret string) func([]byte, time.Time) gateway.Request {
	hook := hookOf(t, secret, tokens[0])
	return func(body []byte, at time.Time) gateway.Request {
		h := http.Header{}
		h.Set("X-Telegram-Bot-Api-Secret-Token", hook.header)
		return gateway.Request{Method: http.MethodPost, Query: map[string][]string{"token": {hook.path}}, Header: h, Body: body, Now: at.Unix()}
	}
}

type hook struct{ path, header string }

// hookOf asks an adapter with a secret to register a bot, and listens.
func hookOf(t *testing.T, secret, token string) hook {
	t.Helper()
	var got hook
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got.path = string(regexp.MustCompile(`/hooks/x/([^"]+)`).FindSubmatch(raw)[1])
		got.header = string(regexp.MustCompile(`"secret_token":"([^"]+)"`).FindSubmatch(raw)[1])
		_, _ = io.WriteString(w, `{"ok":true,"result":true}`)
	}))
	defer server.Close()
	cfg := config(t, server.URL)
	cfg.WebhookSecretFile = write(t, secret)
	a, err := telegram.New(*cfg, server.Client(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	bot, _, _ := strings.Cut(token, ":")
	account := gateway.Credentials{Endpoint: gateway.Endpoint(bot), Secret: []byte(`{"token":"` + token + `"}`)}
	if err := a.Register(t.Context(), account, "https://gateway.example/hooks/x"); err != nil {
		t.Fatal(err)
	}
	return got
}

var tokenInPath = regexp.MustCompile(`/bot\d+:[A-Za-z0-9_-]+/`)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		Type: entry(t),
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
	cfg := config(t, b.url)
	a := b.open(cfg, deps)
	shared := *cfg
	shared.TokenFile, shared.BotName = write(t, tokens[3]+"\n"), names[3]
	line := b.open(&shared, deps)
	polling := *cfg
	polling.Receive, polling.PollTimeout = telegram.ReceivePoll, time.Second
	polled := b.open(&polling, deps)
	rig := &adaptertest.Rig{
		Adapter: a, Reopen: func() gateway.Adapter { return b.open(cfg, deps) },
		Webhooks: b.webhooks,
		Earlier: func(by time.Duration, do func()) {
			b.offset.Store(-int64(by))
			defer b.offset.Store(0)
			do()
		},
		Secrets: append(slices.Clone(tokens), hookSecret, hookOf(t, hookSecret, tokens[0]).header),
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink},
			Answers: []map[string]string{{"token": tokens[2]}}, Wrong: map[string]string{"token": strings.Replace(tokens[2], "A", "B", 1)},
			Nobody: "5550009999", Lasting: true,
		},
		Polled: &adaptertest.Polled{
			Adapter: polled, Reopen: func() gateway.Adapter { return b.open(&polling, deps) },
			Say: func(text string) gateway.MessageID { return b.say("juliet", names[4], control.Text(text)) },
			Conflict: adaptertest.ErrorCase{
				Status: 409, Body: `{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"}`,
				Class: gateway.Permanent, Code: "other_poller",
			},
		},
	}
	for i, person := range []string{"juliet", "nurse"} {
		rig.Accounts = append(rig.Accounts, b.link(a, gateway.UserID(names[i]+"@montague.example"), tokens[i]))
		b.do(http.MethodPost, "/people/"+person+"/open", control.OpenIn{To: names[i]}, nil)
		rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(b.person(person).Native)})
	}
	for _, bot := range names[2:] {
		b.do(http.MethodPost, "/people/juliet/open", control.OpenIn{To: bot}, nil)
	}
	rig.Login.Query = b.person("juliet").Native
	rig.Polled.Account = b.link(polled, "tybalt@capulet.example", tokens[4])
	if l, ok := line.Line(); ok {
		credentials := gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}
		if err := line.Register(t.Context(), credentials, b.sink); err != nil {
			t.Fatal(err)
		}
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: line, Webhooks: func() []gateway.Request {
			return slices.DeleteFunc(b.webhooks(), func(r gateway.Request) bool { return !strings.HasPrefix(r.Query["token"][0], "7000000004-") })
		},
		Open: func(link string) { b.do(http.MethodPost, "/people/nurse/open", control.OpenIn{URL: link}, nil) },
	}
	b.furnish(rig)
	return rig
}

// furnish gives the kit hands on the sandbox.
func (b *sandbox) furnish(rig *adaptertest.Rig) {
	who := []string{"juliet", "nurse"}
	rig.Received = func() []adaptertest.Received {
		posts, err := b.control.Posts(b.t.Context(), 0, 10000)
		if err != nil {
			b.t.Fatal(err)
		}
		var out []adaptertest.Received
		for _, p := range posts.Items {
			out = append(out, adaptertest.Received{Endpoint: gateway.Endpoint(p.Sender), ID: gateway.MessageID(p.Native), Text: p.Text})
		}
		return out
	}
	rig.Say = func(i int, text string) gateway.MessageID { return b.say(who[i], names[i], control.Text(text)) }
	rig.File = func(i int, size int64) gateway.Media {
		var part control.MediaPart
		b.do(http.MethodPost, "/media", map[string]any{"type": "application/pdf", "size": size, "name": "big.pdf"}, &part)
		id := b.say(who[i], names[i], control.Content{Media: []control.MediaPart{part}})
		sum, err := hex.DecodeString(part.SHA256)
		if err != nil {
			b.t.Fatal(err)
		}
		m := b.arrived(rig.Adapter, id)
		m.SHA256 = sum // which Telegram does not tell
		return m
	}
	rig.Stored = func(id string) ([]byte, int64) {
		for _, c := range b.person("juliet").Chats {
			chat, err := b.control.Chat(b.t.Context(), c.ID)
			if err != nil {
				b.t.Fatal(err)
			}
			for _, m := range chat.Messages {
				if m.Native == id && m.FromUser && len(m.Content.Media) > 0 {
					sum, err := hex.DecodeString(m.Content.Media[0].SHA256)
					if err != nil {
						b.t.Fatal(err)
					}
					return sum, m.Content.Media[0].Size
				}
			}
		}
		return make([]byte, sha256.Size), 0
	}
	rig.Look = func(i int, display string) {
		var part control.MediaPart
		b.do(http.MethodPost, "/media", map[string]any{"width": 64, "height": 64}, &part)
		given, family, _ := strings.Cut(display, " ")
		b.do(http.MethodPatch, "/people/"+who[i], map[string]string{"display": display, "first": given, "last": family, "avatar": part.MediaID}, nil)
	}
}

// arrived waits for a message with a file and returns that.
func (b *sandbox) arrived(a gateway.Adapter, id gateway.MessageID) (out gateway.Media) {
	b.t.Helper()
	w, ok := a.(gateway.Webhook)
	if !ok {
		b.t.Fatal("no webhooks")
	}
	b.waitFor(w, func(e gateway.Event) bool {
		m, ok := e.Body.(gateway.Message)
		if !ok || m.ID != id {
			return false
		}
		out, ok = m.Content.Parts[0].(gateway.Media)
		return ok
	})
	return out
}

// waitFor polls what the sandbox posted until an event is among it.
func (b *sandbox) waitFor(a gateway.Webhook, is func(gateway.Event) bool) gateway.Event {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, r := range b.webhooks() {
			events, err := a.Parse(r)
			if err != nil {
				b.t.Fatalf("Parse: %v\n%s", err, r.Body)
			}
			if i := slices.IndexFunc(events, is); i >= 0 {
				return events[i]
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatal("the event did not come within 5 s")
		}
	}
}

// address is a path of the sandbox's API.
func (b *sandbox) address(token, method string, q url.Values) string {
	return b.url + "/bot" + token + "/" + method + "?" + q.Encode()
}
