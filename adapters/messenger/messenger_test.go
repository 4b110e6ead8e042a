package messenger_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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
	"postern/adapters/internal/graph"
	"postern/adapters/messenger"
	"postern/adapters/messenger/simulator"
	"postern/gateway"
)

const (
	verifyToken = "a-word-that-meta-has-to-name"
	otherSecret = "another-app-secret-0123456789abcdef"
	// goldenPage is the page or account of the fixtures.
	goldenPage = "102030405060708"
	// lineName is that of the page that serves all.
	lineName = "verona"
)

// tokens are those of the sandbox's pages: two that users link, one that a login links, and the line's.
var tokens = []string{
	"EAAromeoPageToken00000000000000000001", "EAAmercutioPageToken000000000000000002", "EAAbenvolioPageToken000000000000000003", "EAAlinePageToken0000000000000000000004",
}

var (
	pages = []string{goldenPage, "102030405060709", "102030405060710", "102030405060711"}
	names = []string{"romeo", "mercutio", "benvolio", lineName}
)

// entry is the adapter's place in adapters.All.
func entry(t testing.TB, kind simulator.Kind) adapters.Type {
	t.Helper()
	name := "instagram"
	if kind == simulator.Messenger {
		name = "messenger"
	}
	all := adapters.All()
	n := slices.IndexFunc(all, func(e adapters.Type) bool { return e.Name == name })
	if n < 0 {
		t.Fatalf("adapters.All has no %s", name)
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
func config(t testing.TB, kind simulator.Kind, url string) *messenger.Config {
	t.Helper()
	cfg := messenger.DefaultConfig()
	if kind != simulator.Messenger {
		cfg = messenger.DefaultInstagramConfig()
		cfg.Media = messenger.MediaUpload // the kit's files are nowhere to be fetched
	}
	if kind == simulator.FacebookLogin {
		cfg.Login = messenger.LoginFacebook
	}
	cfg.BaseURL, cfg.DialogURL, cfg.AppID = url, url, simulator.AppID
	if kind == simulator.InstagramLogin {
		cfg.TokenURL = url
	}
	cfg.AppSecretFile, cfg.VerifyTokenFile = write(t, kind.Secret()+"\n"), write(t, verifyToken+"\n")
	return cfg
}

// sandbox is the simulator behind a real listener, with a sink that keeps what it posts to us.
type sandbox struct {
	t       *testing.T
	kind    simulator.Kind
	control *control.Client
	url     string
	sink    string
	offset  atomic.Int64 // what the platform's clock is ahead of ours

	mu     sync.Mutex
	posted []gateway.Request
}

func newSandbox(t *testing.T, kind simulator.Kind) *sandbox {
	t.Helper()
	b := &sandbox{t: t, kind: kind}
	sink := httptest.NewServer(http.HandlerFunc(b.take))
	b.sink = sink.URL + "/hooks/messenger"
	transport := &http.Transport{}
	var accounts []control.Account
	for i, token := range tokens {
		a := simulator.Page(kind, pages[i], names[i], strings.ToTitle(names[i][:1])+names[i][1:], token)
		if kind == simulator.InstagramLogin { // the app's dashboard says where its webhooks go
			a.Hook.URL = b.sink
		}
		accounts = append(accounts, a)
	}
	var sim *simulator.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.ServeHTTP(w, r) }))
	sim, err := simulator.New(kind, simulator.Config{
		Base: server.URL, Accounts: accounts, Client: &http.Client{Transport: transport, Timeout: 5 * time.Second},
		Now: func() time.Time { return time.Now().Add(time.Duration(b.offset.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.control = control.InProcess(sim.Control())
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
		sink.Close()
	})
	return b
}

// take keeps a webhook as the gateway's intake would see it, and answers for the address.
func (b *sandbox) take(w http.ResponseWriter, r *http.Request) {
	if answer, ok := graph.Challenge(r.URL.Query(), verifyToken); ok {
		_, _ = w.Write(answer)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posted = append(b.posted, gateway.Request{Method: r.Method, Header: r.Header, Body: body, Now: time.Now().Unix()})
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

// say lets a person write to a page and returns the message's id there.
func (b *sandbox) say(person, page string, content control.Content) gateway.MessageID {
	b.t.Helper()
	var said control.Said
	b.do(http.MethodPost, "/people/"+person+"/messages", control.SayIn{To: page, Content: &content}, &said)
	return gateway.MessageID(said.Native)
}

// chat is what a page knows a person as.
func (b *sandbox) chat(person, page string) gateway.Chat {
	b.t.Helper()
	for _, c := range b.person(person).Chats {
		if c.User == page {
			return gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(c.Native)}
		}
	}
	b.t.Fatalf("%s has no chat with %s", person, page)
	return gateway.Chat{}
}

func (b *sandbox) person(name string) (out control.PersonView) {
	b.t.Helper()
	b.do(http.MethodGet, "/people/"+name, nil, &out)
	return out
}

func (b *sandbox) open(cfg *messenger.Config, hc *http.Client) *messenger.Adapter {
	b.t.Helper()
	opened, err := entry(b.t, b.kind).New(cfg, adapters.Deps{HTTP: hc})
	if err != nil {
		b.t.Fatal(err)
	}
	a, ok := opened.(*messenger.Adapter)
	if !ok {
		b.t.Fatalf("New: got %T", opened)
	}
	return a
}

// link links a page as the core does, by its token.
func (b *sandbox) link(a *messenger.Adapter, user gateway.UserID, token string) gateway.Credentials {
	b.t.Helper()
	in := gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink}
	var step gateway.LinkStep
	for _, in.Answers = range []map[string]string{nil, {"how": "token"}, {"token": " " + token + "\n"}} {
		var err error
		in.State = step.State
		if step, err = a.Link(b.t.Context(), in); err != nil {
			b.t.Fatalf("Link: %v", err)
		}
	}
	if step.Done == nil {
		b.t.Fatalf("Link: got %+v, want an account", step)
	}
	return gateway.Credentials{Account: in.Account, User: user, Endpoint: step.Done.Endpoint, Secret: step.Done.Secret}
}

// sign makes a call that is signed with an app's secret.
func sign(secret string) func([]byte, time.Time) gateway.Request {
	return func(body []byte, at time.Time) gateway.Request {
		h := http.Header{}
		h.Set(graph.HeaderSignature, graph.Sign(secret, body))
		return gateway.Request{Method: http.MethodPost, Header: h, Body: body, Now: at.Unix()}
	}
}

var proof = regexp.MustCompile(`\?appsecret_proof=[0-9a-f]+$`)

// goldenPath hides what the logins of Instagram differ in, and the proof.
func goldenPath(kind simulator.Kind) func(string) string {
	return func(p string) string {
		p = proof.ReplaceAllString(p, "")
		if kind == simulator.FacebookLogin {
			p = strings.Replace(p, "/"+simulator.Page(kind, goldenPage, "", "", "").IDs["page_id"]+"/", "/me/", 1)
		}
		return p
	}
}

func TestConformance(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Messenger, simulator.InstagramLogin, simulator.FacebookLogin} {
		t.Run(string(kind), func(t *testing.T) {
			h := adaptertest.Harness{
				Type: entry(t, kind),
				Dir:  "testdata/" + entry(t, kind).Name,
				Open: func(t *testing.T, deps adapters.Deps) *adaptertest.Rig { return openRig(t, kind, deps) },
				Sign: sign(kind.Secret()), Forge: sign(otherSecret), SignatureHeaders: []string{graph.HeaderSignature},
				Nameless: true, Silent: []gateway.Feature{gateway.FeatureProfile},
				RenderEndpoint: goldenPage, RenderPath: goldenPath(kind), RenderAnswer: `{"recipient_id":"7000000000000001","message_id":"m_golden"}`,
				Errors: errorCases(kind),
			}
			if kind != simulator.Messenger {
				h.Silent = append(h.Silent, gateway.FeatureSticker)
			}
			adaptertest.Run(t, h)
		})
	}
}

func openRig(t *testing.T, kind simulator.Kind, deps adapters.Deps) *adaptertest.Rig {
	b := newSandbox(t, kind)
	cfg := config(t, kind, b.url)
	a := b.open(cfg, deps.HTTP)
	line := b.open(b.lineConfig(cfg), deps.HTTP)
	rig := &adaptertest.Rig{
		Adapter: a, Reopen: func() gateway.Adapter { return b.open(cfg, deps.HTTP) },
		Webhooks: b.webhooks,
		Secrets:  append(slices.Clone(tokens), kind.Secret(), verifyToken),
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink},
			Answers: []map[string]string{{"how": "token"}, {"token": tokens[2]}}, Wrong: map[string]string{"token": strings.Replace(tokens[2], "A", "B", 1)},
			Lasting: true,
		},
		Windowed: &adaptertest.Windowed{Close: func(int) { b.offset.Add(int64(25 * time.Hour)) }},
		Native: &adaptertest.Native{
			Say: func(i int, text string) gateway.MessageID {
				var said control.Said
				b.do(http.MethodPost, "/users/"+pages[i]+"/messages", control.SayIn{To: []string{"juliet", "nurse"}[i], Text: text}, &said)
				return gateway.MessageID(said.Native)
			},
		},
	}
	for i, person := range []string{"juliet", "nurse"} {
		rig.Accounts = append(rig.Accounts, b.link(a, gateway.UserID(names[i]+"@montague.example"), tokens[i]))
		b.say(person, pages[i], control.Text("hark"))
		rig.Chats = append(rig.Chats, b.chat(person, pages[i]))
	}
	// The page that a login links knows her under another id.
	b.say("juliet", pages[2], control.Text("hark"))
	rig.Login.Chat = b.chat("juliet", pages[2])
	if l, ok := line.Line(); ok {
		if err := line.Register(t.Context(), gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}, b.sink); err != nil {
			t.Fatal(err)
		}
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: line, Webhooks: func() []gateway.Request {
			return slices.DeleteFunc(b.webhooks(), func(r gateway.Request) bool { return !strings.Contains(string(r.Body), pages[3]) })
		},
		Open: func(link string) { b.do(http.MethodPost, "/people/nurse/open", control.OpenIn{URL: link}, nil) },
	}
	b.furnish(rig)
	return rig
}

// lineConfig is a configuration with the page that serves all.
func (b *sandbox) lineConfig(cfg *messenger.Config) *messenger.Config {
	c := *cfg
	c.TokenFile, c.Username = write(b.t, tokens[3]+"\n"), lineName
	switch b.kind {
	case simulator.Messenger:
		c.PageID = pages[3]
	case simulator.FacebookLogin:
		c.InstagramID, c.PageID = pages[3], simulator.Page(b.kind, pages[3], "", "", "").IDs["page_id"]
	case simulator.InstagramLogin:
		c.InstagramID = pages[3]
	}
	return &c
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
	rig.Say = func(i int, text string) gateway.MessageID { return b.say(who[i], pages[i], control.Text(text)) }
	rig.File = func(i int, size int64) gateway.Media {
		var part control.MediaPart
		b.do(http.MethodPost, "/media", map[string]any{"type": "application/pdf", "size": size, "name": "big.pdf"}, &part)
		m := b.arrived(rig.Adapter, b.say(who[i], pages[i], control.Content{Media: []control.MediaPart{part}}))
		m.SHA256 = decodeHex(b.t, part.SHA256) // which the platform does not tell
		return m
	}
	rig.Stored = func(id string) ([]byte, int64) {
		for _, m := range b.messages("juliet", pages[0]) {
			if m.Native == id && m.FromUser && len(m.Content.Media) > 0 {
				return decodeHex(b.t, m.Content.Media[0].SHA256), m.Content.Media[0].Size
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

func decodeHex(t *testing.T, s string) []byte {
	t.Helper()
	sum, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// messages are those of a person's chat with a page.
func (b *sandbox) messages(person, page string) []control.Message {
	b.t.Helper()
	for _, c := range b.person(person).Chats {
		if c.User == page {
			chat, err := b.control.Chat(b.t.Context(), c.ID)
			if err != nil {
				b.t.Fatal(err)
			}
			return chat.Messages
		}
	}
	return nil
}

// arrived waits for a message with a file and returns that.
func (b *sandbox) arrived(a gateway.Adapter, id gateway.MessageID) (out gateway.Media) {
	b.t.Helper()
	b.waitFor(a, func(e gateway.Event) bool {
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
func (b *sandbox) waitFor(a gateway.Adapter, is func(gateway.Event) bool) gateway.Event {
	b.t.Helper()
	w, ok := a.(gateway.Webhook)
	if !ok {
		b.t.Fatal("no webhooks")
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, r := range b.webhooks() {
			events, err := w.Parse(r)
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

// secretOf reads what Link sealed.
func secretOf(t *testing.T, raw []byte) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
