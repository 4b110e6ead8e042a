package adaptertest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/adaptertest"
	"postern/gateway"
)

// The toy platform takes POST /send {"key","from","to","text"}, remembers the keys and answers {"id"}.
type toyPlatform struct {
	mu   sync.Mutex
	keys map[string]string
	got  []adaptertest.Received

	files   map[string]toyFile
	blocks  map[string]bool
	reports map[string]string // by key
	posted  []gateway.Request
	polled  waiting
}

func (p *toyPlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/send" {
		p.more(w, r)
		return
	}
	var in struct{ Key, From, To, Text string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer token-of-"+in.From {
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	}
	id, known := p.keys[in.Key]
	if !known {
		id = "m" + strconv.Itoa(len(p.got)+1)
		p.keys[in.Key] = id
		p.got = append(p.got, adaptertest.Received{Endpoint: gateway.Endpoint(in.From), ID: gateway.MessageID(id), Text: in.Text})
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id})
}

type toyConfig struct {
	URL string `yaml:"url"`
}

func (*toyConfig) Validate() error  { return nil }
func (c *toyConfig) Origin() string { return c.URL }

// toy is the smallest adapter that the kit passes; broken names the one thing that it gets wrong.
type toy struct {
	url    string
	http   *http.Client
	broken string
	line   string // the endpoint that all share; empty for none
	polls  bool

	mu    sync.Mutex
	count int
	last  string
}

const toySecret = "shared-between-us"

func (a *toy) String() string   { return "toy" }
func (a *toy) GoString() string { return "toy" }

func (a *toy) Descriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "toy", Platform: "Toy", Version: 1, DiscoType: "simple", Out: gateway.ModeCleartext, In: gateway.ModeCleartext, Media: gateway.ModeCleartext,
		Reveals: gateway.IdentifierJID, MetadataSeenBy: []string{"all"}, API: "toy 1", Addressing: []gateway.Identifier{gateway.IdentifierUsername},
	}
}

func (a *toy) Caps(f gateway.ChatFacts) gateway.Caps {
	c := gateway.Caps{Levels: map[gateway.Feature]gateway.Level{}, TextMax: 5000, Idempotent: true}
	if f.Kind == gateway.ChatDirect && !slices.Contains(f.Without, gateway.FeatureText) {
		c.Levels[gateway.FeatureText] = gateway.Native
	}
	if a.broken == "boasts" && !slices.Contains(f.Without, gateway.FeatureReact) {
		c.Levels[gateway.FeatureReact] = gateway.Native
	}
	return c
}

func (a *toy) Send(ctx context.Context, account gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	m, ok := op.Body.(gateway.OpMessage)
	if _, reopen := op.Body.(gateway.OpReopen); reopen && a.broken == "asks in vain" {
		return gateway.Sent{IDs: []gateway.MessageID{"m0"}}, nil
	}
	if _, react := op.Body.(gateway.OpReact); react && a.broken == "boasts" {
		return gateway.Sent{}, nil
	}
	if !ok || m.ReplyTo != nil || op.Chat.Kind != gateway.ChatDirect {
		return gateway.Sent{}, a.fail(account, gateway.Unsupported, "op")
	}
	t, ok := m.Content.Parts[0].(gateway.Text)
	if !ok || len([]rune(t.Text)) > 5000 {
		return gateway.Sent{}, a.fail(account, gateway.Unsupported, "content")
	}
	if a.broken == "ignores the context" {
		ctx = context.WithoutCancel(ctx)
	}
	key, token := string(op.ID), "token-of-"+string(account.Endpoint)
	a.mu.Lock()
	a.count++
	if a.broken == "sends twice" {
		key += strconv.Itoa(a.count)
	}
	if a.broken == "mixes accounts" {
		if a.last == "" {
			a.last = string(account.Endpoint)
		}
		account.Endpoint, token = gateway.Endpoint(a.last), "token-of-"+a.last
	}
	a.mu.Unlock()
	body, _ := json.Marshal(map[string]string{"key": key, "from": string(account.Endpoint), "to": string(op.Chat.Contact), "text": t.Text})
	address := a.url + "/send"
	if a.broken == "tells addresses" {
		address += "?with=" + toySecret
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return gateway.Sent{}, a.fail(account, gateway.Permanent, "request")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := a.http.Do(req)
	if err != nil {
		class := gateway.Uncertain
		if errors.Is(err, context.Canceled) || fmt.Sprint(err) != "" && bytes.Contains([]byte(err.Error()), []byte("dial")) {
			class = gateway.Retryable
		}
		se := a.fail(account, class, "network")
		if a.broken == "tells addresses" {
			se.Err = err
		}
		return gateway.Sent{}, se
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(resp.Body)
	return a.answer(account, resp, raw)
}

func (a *toy) answer(account gateway.Credentials, resp *http.Response, raw []byte) (gateway.Sent, error) {
	var out struct{ ID string }
	switch {
	case resp.StatusCode == 429:
		s, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		err := a.fail(account, gateway.RateLimited, "slow")
		err.RetryAfter = time.Duration(s) * time.Second
		return gateway.Sent{}, err
	case resp.StatusCode == 401:
		return gateway.Sent{}, a.fail(account, gateway.ReauthNeeded, "token")
	case resp.StatusCode >= 500:
		return gateway.Sent{}, a.fail(account, gateway.Uncertain, "server")
	case resp.StatusCode >= 300:
		return gateway.Sent{}, a.fail(account, gateway.Permanent, "refused")
	case json.Unmarshal(raw, &out) != nil:
		return gateway.Sent{}, a.fail(account, gateway.Uncertain, "answer")
	}
	return gateway.Sent{IDs: []gateway.MessageID{gateway.MessageID(out.ID)}}, nil
}

func (a *toy) fail(account gateway.Credentials, class gateway.Class, code string) *gateway.SendError {
	err := errors.New("toy: failed")
	if a.broken == "leaks" {
		err = fmt.Errorf("toy: with token %s", account.Secret)
	}
	if a.broken == "misnames a class" && class == gateway.ReauthNeeded {
		class = gateway.Permanent
	}
	return &gateway.SendError{Class: class, Code: code, Err: err}
}

func (a *toy) Challenge(gateway.Request) ([]byte, bool) { return nil, false }

func (a *toy) Verify(r gateway.Request) error {
	if a.broken == "trusts" && r.Header.Get("Signature") != "" {
		return nil
	}
	if !hmac.Equal([]byte(r.Header.Get("Signature")), []byte(toySign(toySecret, r.Body))) {
		return errors.New("toy: bad signature")
	}
	return nil
}

func toySign(secret string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

func (a *toy) Parse(r gateway.Request) ([]gateway.Event, error) {
	var in struct{ ID, From, To, Text, With, Seen, Invite string }
	if err := json.Unmarshal(r.Body, &in); err != nil {
		if a.broken == "panics" {
			panic(err)
		}
		return nil, errors.New("toy: bad body")
	}
	dedupe := in.ID
	switch a.broken {
	case "parses impurely":
		a.count++
		dedupe += strconv.Itoa(a.count)
	case "collides":
		dedupe = "same"
	}
	c := gateway.PlainText(in.Text)
	if in.Text == "" {
		c.Parts = []gateway.Part{gateway.UnsupportedPart{Type: "unknown"}}
	}
	if in.With != "" { // our user, in the toy's own app, with whom
		return []gateway.Event{a.own(dedupe, in.To, in.With, in.Seen, gateway.Message{ID: gateway.MessageID(in.ID), Content: c})}, nil
	}
	if a.broken == "loses invites" {
		in.Invite = ""
	}
	return []gateway.Event{{
		Dedupe: dedupe, Endpoint: gateway.Endpoint(in.To), Invite: in.Invite, At: time.Unix(1793500000, 0).UTC(), From: gateway.ContactID(in.From),
		Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: gateway.ContactID(in.From)}, Body: gateway.Message{ID: gateway.MessageID(in.ID), Content: c},
	}}, nil
}

func toyHarness(broken string) adaptertest.Harness {
	sign := func(secret string) func([]byte, time.Time) gateway.Request {
		return func(body []byte, _ time.Time) gateway.Request {
			return gateway.Request{Method: "POST", Body: body, Header: http.Header{"Signature": {toySign(secret, body)}}}
		}
	}
	return adaptertest.Harness{
		Type: adapters.Type{Name: "toy", Config: func() adapters.Config { return &toyConfig{URL: "http://127.0.0.1"} }},
		Dir:  "testdata",
		Open: func(t *testing.T, deps adapters.Deps) *adaptertest.Rig {
			p := &toyPlatform{keys: map[string]string{}, files: map[string]toyFile{}, blocks: map[string]bool{}, reports: map[string]string{}}
			server := httptest.NewServer(p)
			t.Cleanup(server.Close)
			reopen := func() gateway.Adapter { return &toy{url: server.URL, http: deps.HTTP, broken: broken} }
			rig := &adaptertest.Rig{
				Adapter: reopen(), Reopen: reopen, Secrets: []string{toySecret},
				Received: func() []adaptertest.Received {
					p.mu.Lock()
					defer p.mu.Unlock()
					return slices.Clone(p.got)
				},
			}
			for _, name := range []string{"romeo", "mercutio"} {
				rig.Accounts = append(rig.Accounts, gateway.Credentials{Endpoint: gateway.Endpoint(name), Secret: []byte("secret-of-" + name)})
				rig.Chats = append(rig.Chats, gateway.Chat{Kind: gateway.ChatDirect, Contact: "juliet"})
			}
			p.furnish(rig)
			p.line(rig, func(line string, polls bool) *toy {
				return &toy{url: server.URL, http: deps.HTTP, broken: broken, line: line, polls: polls}
			})
			return rig
		},
		Sign: sign(toySecret), Forge: sign("another"), SignatureHeaders: []string{"Signature"}, RenderEndpoint: "romeo",
		Errors: []adaptertest.ErrorCase{{Name: "token refused", Status: 401, Class: gateway.ReauthNeeded, Code: "token"}},
	}
}

// breakEnv tells TestToy, run in a process of its own, what its adapter gets wrong.
const breakEnv = "ADAPTERTEST_BREAK"

// TestToy shows that the kit passes an adapter that does right.
func TestToy(t *testing.T) { adaptertest.Run(t, toyHarness(os.Getenv(breakEnv))) }

// breakages maps what a toy gets wrong to the group that must notice.
var breakages = map[string]string{
	"parses impurely":       "parse",
	"collides":              "parse",
	"panics":                "parse/mutations",
	"misnames a class":      "errors/token_refused",
	"leaks":                 "errors",
	"ignores the context":   "send/cancelled",
	"sends twice":           "restart",
	"mixes accounts":        "send/accounts_apart",
	"boasts":                "send/features",
	"trusts":                "verify",
	"holds files":           "media/upload",
	"names files anew":      "media/upload",
	"cuts files":            "media/upload",
	"swallows files":        "media/fetch",
	"shows files to all":    "media/fetch",
	"forgets to unblock":    "moderation",
	"reports anew":          "moderation",
	"mistakes own words":    "native",
	"asks in vain":          "window",
	"asks for its line":     "share",
	"shows another line":    "share",
	"forgets invites":       "share",
	"loses invites":         "share",
	"invites by a secret":   "share",
	"confirms early":        "poll/durable",
	"complains at its end":  "poll/durable",
	"fights for its events": "poll/conflict",
	"tells addresses":       "secrets",
}

// TestKitCatches runs TestToy once for each breakage and wants the right group to fail.
func TestKitCatches(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(breakages)) {
		group := breakages[name]
		t.Run(name, func(t *testing.T) { catches(t, "TestToy", group, name) })
	}
}

// catches wants a group of a test to fail for one breakage.
func catches(t *testing.T, test, group, breakage string) {
	t.Helper()
	cmd := toyCommand(t, test, group)
	cmd.Env = append(os.Environ(), breakEnv+"="+breakage)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the kit passed an adapter that %s", breakage)
	}
	if want := "--- FAIL: " + test + "/" + group; !bytes.Contains(out, []byte(want)) {
		t.Errorf("got no %q in:\n%s", want, out)
	}
}

// toyCommand is this test binary, told to run one test and of that one group.
func toyCommand(t *testing.T, test, group string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pattern := "^" + test + "$/^" + strings.ReplaceAll(group, "/", "$/^") + "$"
	return exec.CommandContext(t.Context(), self, "-test.run="+pattern, "-test.timeout=60s")
}
