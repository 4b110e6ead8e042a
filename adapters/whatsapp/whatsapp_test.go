package whatsapp_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// entry is the adapter's place in adapters.All.
func entry(t testing.TB) adapters.Type {
	t.Helper()
	all := adapters.All()
	n := slices.IndexFunc(all, func(e adapters.Type) bool { return e.Name == "whatsapp" })
	if n < 0 {
		t.Fatal("adapters.All has no whatsapp")
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

// config is a valid configuration for an API at url, with all that can be turned on.
func config(t testing.TB, url string) *whatsapp.Config {
	t.Helper()
	cfg := whatsapp.DefaultConfig()
	cfg.BaseURL, cfg.DialogURL, cfg.AppID = url, url, simulator.AppID
	cfg.AppSecretFile, cfg.VerifyTokenFile = write(t, simulator.AppSecret+"\n"), write(t, verifyToken+"\n")
	cfg.ReopenTemplate, cfg.ReopenVariables, cfg.Typing = "write_again", []string{"{from}"}, true
	return cfg
}

// lined is the configuration of the operator's own number, that of the fixtures unless another is given.
func lined(t testing.TB, url string, n number) *whatsapp.Config {
	t.Helper()
	cfg := config(t, url)
	cfg.PhoneNumberID, cfg.AccountID, cfg.TokenFile = n.id, n.account, write(t, n.token+"\n")
	return cfg
}

// sandbox is the simulator behind a real listener, with a sink that answers handshakes and keeps what comes.
type sandbox struct {
	t       *testing.T
	control *control.Client
	url     string
	sink    string
	offset  atomic.Int64 // what the platform's clock is ahead of ours

	mu     sync.Mutex
	posted []gateway.Request
}

func newSandbox(t *testing.T, more ...control.Account) *sandbox {
	t.Helper()
	b := &sandbox{t: t}
	transport := &http.Transport{}
	all := more
	for _, n := range numbers {
		a := simulator.Number(n.id, n.account, n.phone, n.name, n.token)
		a.IDs["coexistence"] = "true"
		all = append(all, a)
	}
	sim, err := simulator.New(simulator.Config{
		Accounts: all, Client: &http.Client{Transport: transport, Timeout: 5 * time.Second},
		Now: func() time.Time { return time.Now().Add(time.Duration(b.offset.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.control = control.InProcess(sim.Control())
	server := httptest.NewServer(sim.Handler())
	b.url = server.URL
	sink := httptest.NewServer(http.HandlerFunc(b.take))
	b.sink = sink.URL + "/hooks/whatsapp"
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

// take keeps a webhook as the gateway's intake would see it, and answers the platform's check of the address.
func (b *sandbox) take(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if answer, ok := graph.Challenge(r.URL.Query(), verifyToken); ok {
			_, _ = w.Write(answer)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	q := map[string][]string{"token": {strings.TrimPrefix(r.URL.Path, "/hooks/whatsapp/")}}
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

// say lets a person write to a number and returns the message's id.
func (b *sandbox) say(person, to string, content control.Content) gateway.MessageID {
	b.t.Helper()
	var said control.Said
	b.do(http.MethodPost, "/people/"+person+"/messages", control.SayIn{To: to, Content: &content}, &said)
	return gateway.MessageID(said.Native)
}

func (b *sandbox) person(name string) (out control.PersonView) {
	b.t.Helper()
	b.do(http.MethodGet, "/people/"+name, nil, &out)
	return out
}

func (b *sandbox) open(cfg *whatsapp.Config, deps adapters.Deps) *whatsapp.Adapter {
	b.t.Helper()
	opened, err := entry(b.t).New(cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	a, ok := opened.(*whatsapp.Adapter)
	if !ok {
		b.t.Fatalf("New: got %T", opened)
	}
	return a
}

// link links a number as the core does: a form, then its answer.
func (b *sandbox) link(a *whatsapp.Adapter, user gateway.UserID, n number) gateway.Credentials {
	b.t.Helper()
	in := gateway.LinkInput{User: user, Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink}
	step, err := a.Link(b.t.Context(), gateway.LinkInput{Lang: "en"})
	if err != nil {
		b.t.Fatalf("Link: %v", err)
	}
	in.State, in.Answers = step.State, map[string]string{"phone_number_id": n.id, "token": " " + n.token + "\n"}
	if step, err = a.Link(b.t.Context(), in); err != nil || step.Done == nil {
		b.t.Fatalf("Link: got %v, done %v, %q; want an account", err, step.Done != nil, step.Text)
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
		Type: entry(t), Dir: "testdata", Open: openRig,
		Aim:  func(r *http.Request) bool { return !strings.HasSuffix(r.URL.Path, "/debug_token") },
		Sign: sign(simulator.AppSecret), Forge: sign(otherSecret),
		SignatureHeaders: []string{graph.HeaderSignature},
		RenderEndpoint:   goldenNumber, RenderHeaders: []string{"Content-Type"},
		RenderAnswer: `{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.OUT"}],"success":true}`,
		Errors:       errorCases(),
	})
}

// errorCases are recorded answers of the API.
func errorCases() []adaptertest.ErrorCase {
	fault := func(code string) string {
		return `{"error":{"message":"(#` + code + `) to 34600111222","type":"OAuthException","code":` + code + `,"error_data":{"messaging_product":"whatsapp","details":"x"},"fbtrace_id":"A"}}`
	}
	cases := []adaptertest.ErrorCase{
		{Name: "pair", Status: 400, Header: http.Header{"Retry-After": {"4"}}, Body: fault("131056"), Class: gateway.RateLimited, Scope: gateway.LimitChat, Code: "131056", RetryAfter: 4 * time.Second},
		{Name: "account calls, told how long", Status: 400, Header: http.Header{graph.HeaderBusinessUsage: {`{"9":[{"type":"whatsapp","call_count":101,"estimated_time_to_regain_access":2}]}`}}, Body: fault("80007"), Class: gateway.RateLimited, Code: "80007", RetryAfter: 2 * time.Minute},
		{Name: "html", Status: 503, Body: "<html>", Class: gateway.Uncertain},
		{Name: "no id in the answer", Status: 200, Body: `{"messaging_product":"whatsapp"}`, Class: gateway.Uncertain},
	}
	for _, c := range []struct {
		code   string
		status int
		class  gateway.Class
	}{
		{"0", 401, gateway.ReauthNeeded},
		{"3", 500, gateway.ReauthNeeded},
		{"10", 403, gateway.ReauthNeeded},
		{"190", 401, gateway.ReauthNeeded},
		{"200", 403, gateway.ReauthNeeded},
		{"299", 403, gateway.ReauthNeeded},
		{"131005", 403, gateway.ReauthNeeded},
		{"33", 400, gateway.ReauthNeeded},
		{"131031", 403, gateway.ReauthNeeded},
		{"133010", 400, gateway.ReauthNeeded},
		{"4", 400, gateway.RateLimited},
		{"80007", 400, gateway.RateLimited},
		{"130429", 400, gateway.RateLimited},
		{"131048", 400, gateway.RateLimited},
		{"133016", 400, gateway.RateLimited},
		{"131208", 429, gateway.RateLimited},
		{"368", 403, gateway.RateLimited},
		{"132069", 400, gateway.RateLimited},
		{"131056", 400, gateway.RateLimited},
		{"131016", 500, gateway.Retryable},
		{"131057", 500, gateway.Retryable},
		{"133004", 503, gateway.Retryable},
		{"1", 400, gateway.Uncertain},
		{"2", 503, gateway.Uncertain},
		{"131000", 500, gateway.Uncertain},
		{"999999", 500, gateway.Uncertain},
		{"131047", 400, gateway.WindowClosed},
		{"131026", 400, gateway.NotReachable},
		{"131049", 400, gateway.NotReachable},
		{"131050", 400, gateway.NotReachable},
		{"130472", 400, gateway.NotReachable},
		{"130497", 403, gateway.NotReachable},
		{"131051", 400, gateway.Unsupported},
		{"131052", 400, gateway.Unsupported},
		{"131053", 400, gateway.Unsupported},
		{"130501", 400, gateway.Unsupported},
		{"100", 400, gateway.Permanent},
		{"131008", 400, gateway.Permanent},
		{"131009", 400, gateway.Permanent},
		{"131021", 400, gateway.Permanent},
		{"132001", 404, gateway.Permanent},
		{"131042", 400, gateway.Permanent},
		{"137000", 400, gateway.Permanent},
		{"999999", 400, gateway.Permanent},
	} {
		cases = append(cases, adaptertest.ErrorCase{Name: c.code + " " + http.StatusText(c.status), Status: c.status, Body: fault(c.code), Class: c.class, Code: c.code})
	}
	return cases
}

func openRig(t *testing.T, deps adapters.Deps) *adaptertest.Rig {
	b := newSandbox(t)
	cfg := config(t, b.url)
	a := b.open(cfg, deps)
	shared := lined(t, b.url, numbers[3])
	line := b.open(shared, deps)
	rig := &adaptertest.Rig{
		Adapter: a, Reopen: func() gateway.Adapter { return b.open(cfg, deps) },
		Webhooks: b.webhooks,
		Secrets:  []string{simulator.AppSecret, verifyToken},
		Login: &adaptertest.Login{
			First:   gateway.LinkInput{User: "benvolio@montague.example", Account: gateway.NewAccountID(), Lang: "en", Hook: b.sink},
			Answers: []map[string]string{{"phone_number_id": numbers[2].id, "token": numbers[2].token}},
			Wrong:   map[string]string{"phone_number_id": numbers[2].id, "token": strings.ToLower(numbers[2].token)},
			Nobody:  "juliet", Lasting: true,
		},
		Windowed: &adaptertest.Windowed{Reopening: a, Close: func(int) { b.offset.Add(int64(25 * time.Hour)) }},
	}
	for _, n := range numbers {
		rig.Secrets = append(rig.Secrets, n.token)
	}
	for i, person := range []string{"juliet", "nurse"} {
		rig.Accounts = append(rig.Accounts, b.link(a, gateway.UserID(numbers[i].name+"@montague.example"), numbers[i]))
		b.say(person, numbers[i].id, control.Text("good day"))
		rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(b.person(person).IDs["user_id"])})
	}
	rig.Login.Query = b.person("juliet").Phone
	if l, ok := line.Line(); ok {
		if err := line.Register(t.Context(), gateway.Credentials{Endpoint: l.Endpoint, Secret: l.Secret}, b.sink); err != nil {
			t.Fatal(err)
		}
	}
	rig.Shared = &adaptertest.Shared{
		Adapter: line, Webhooks: b.webhooks,
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
	rig.Say = func(i int, text string) gateway.MessageID { return b.say(who[i], numbers[i].id, control.Text(text)) }
	rig.File = func(i int, size int64) gateway.Media {
		var part control.MediaPart
		b.do(http.MethodPost, "/media", map[string]any{"type": "application/pdf", "size": size, "name": "big.pdf"}, &part)
		id := b.say(who[i], numbers[i].id, control.Content{Media: []control.MediaPart{part}})
		return b.arrived(rig.Adapter, id)
	}
	rig.Stored = func(handle string) ([]byte, int64) { return b.stored(handle) }
	rig.Blocked = func(i int) bool {
		before := len(b.webhooks())
		id := b.say(who[i], numbers[i].id, control.Text("do you hear me"))
		b.say(who[1-i], numbers[1-i].id, control.Text("go on"))
		b.settled(before)
		for _, r := range b.webhooks() {
			if strings.Contains(string(r.Body), string(id)) {
				return false
			}
		}
		return true
	}
	rig.Native = &adaptertest.Native{
		Say: func(i int, text string) gateway.MessageID {
			var said control.Said
			b.do(http.MethodPost, "/users/"+numbers[i].id+"/messages", control.SayIn{To: who[i], Text: text}, &said)
			return gateway.MessageID(said.Native)
		},
		React: func(i int, id gateway.MessageID, emoji string) {
			b.do(http.MethodPut, "/users/"+numbers[i].id+"/messages/"+b.own(who[i], id)+"/reactions", map[string]any{"emojis": []string{emoji}}, nil)
		},
	}
}

// own is the control API's id of a message.
func (b *sandbox) own(person string, id gateway.MessageID) string {
	b.t.Helper()
	for _, c := range b.person(person).Chats {
		chat, err := b.control.Chat(b.t.Context(), c.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, m := range chat.Messages {
			if m.Native == string(id) {
				return m.ID
			}
		}
	}
	b.t.Fatalf("no message %s", id)
	return ""
}

// settled waits until something more was posted than before, and nothing waits any more.
func (b *sandbox) settled(before int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var state control.State
		b.do(http.MethodGet, "/state", nil, &state)
		if state.Counts.WebhooksWaiting == 0 && len(b.webhooks()) > before {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatal("webhooks still wait after 5 s")
		}
	}
}

// stored asks the API itself for a file, with the token of the number that it belongs to.
func (b *sandbox) stored(handle string) ([]byte, int64) {
	b.t.Helper()
	for _, n := range numbers {
		var info struct {
			URL string `json:"url"`
		}
		if !b.get(b.url+"/v24.0/"+handle+"?phone_number_id="+n.id, n.token, func(r io.Reader) error { return json.NewDecoder(r).Decode(&info) }) {
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
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return false
	}
	if err := read(resp.Body); err != nil {
		b.t.Fatal(err)
	}
	return true
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
