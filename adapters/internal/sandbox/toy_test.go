package sandbox_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
)

// toy is a platform of nothing but what the frame gives.
type toy struct{ spec sandbox.Spec }

// toyUpdate is what a toy account is told.
type toyUpdate struct {
	N       int64           `json:"n"`
	Kind    string          `json:"kind"`
	Chat    string          `json:"chat,omitempty"`
	From    string          `json:"from,omitempty"`
	Message string          `json:"message,omitempty"`
	Text    string          `json:"text,omitempty"`
	Token   string          `json:"token,omitempty"`
	Emojis  []string        `json:"emojis,omitempty"`
	Code    string          `json:"code,omitempty"`
	Raw     json.RawMessage `json:"raw,omitempty"`
}

func (p *toy) Spec() sandbox.Spec {
	s := p.spec
	s.Name, s.Title, s.AccountWord, s.Hint = "toy", "Toy Messenger", "bot", "Links look like https://toy.example/bot?start=TOKEN."
	s.Rules = []sandbox.Rule{{Name: "chat", Scope: "chat", Every: time.Second, Burst: 2}}
	s.MessageID = func(_ *sandbox.State, m *sandbox.Message) string { return strconv.FormatInt(m.Seq, 10) }
	s.Split = func(c sandbox.Content) []sandbox.Content {
		if len(c.Media) < 2 {
			return []sandbox.Content{c}
		}
		var out []sandbox.Content
		for _, m := range c.Media {
			out = append(out, sandbox.Content{Media: []sandbox.MediaPart{m}})
		}
		out[0].Text = c.Text
		return out
	}
	s.ReadLink = func(st *sandbox.State, u *url.URL) (sandbox.Link, error) {
		a := st.AccountNamed(strings.Trim(u.Path, "/"))
		if u.Host != "toy.example" || a == nil {
			return sandbox.Link{}, errors.New("not a link to a bot")
		}
		return sandbox.Link{Account: a, Token: u.Query().Get("start"), Text: u.Query().Get("text")}, nil
	}
	return s
}

func (p *toy) Routes(s *sandbox.Server, r chi.Router) {
	r.Post("/bot{token}/send", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ To, Text string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var m *sandbox.Message
		var refusal sandbox.Refusal
		s.Do(func(st *sandbox.State) {
			a := st.AccountByToken(chi.URLParam(r, "token"))
			if a == nil || st.ChatOf(a, in.To) == nil {
				return
			}
			if over, after := st.Spend("chat", in.To); over {
				refusal = sandbox.Refusal{Kind: sandbox.Limited, RetryAfter: after}
				return
			}
			m = st.Accept(st.ChatOf(a, in.To), sandbox.Draft{Content: control.Text(in.Text), Ref: r.Header.Get("Ref")})
		})
		switch {
		case refusal.Kind != 0:
			s.Refuse(w, r, refusal)
		case m == nil:
			http.Error(w, "no", http.StatusForbidden)
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"id": m.Native})
		}
	})
	r.Get("/file/{link}", func(w http.ResponseWriter, r *http.Request) {
		var m *sandbox.Media
		s.Do(func(st *sandbox.State) { m = st.Linked(chi.URLParam(r, "link")) })
		if m == nil {
			http.NotFound(w, r)
			return
		}
		m.Serve(w, r, "")
	})
}

func (p *toy) Tell(_ *sandbox.State, h sandbox.Happening) []sandbox.Update {
	c := h.Where()
	u := toyUpdate{Chat: c.Native}
	var m *sandbox.Message
	switch h := h.(type) {
	case sandbox.Said:
		u.Kind, m = "said", h.Message
	case sandbox.Edited:
		u.Kind, m = "edited", h.Message
	case sandbox.Retracted:
		u.Kind, m = "retracted", h.Message
	case sandbox.Reacted:
		u.Kind, m, u.Emojis = "reacted", h.Message, h.After
	case sandbox.Answered:
		u.Kind, m, u.Text = "answered", h.Message, h.Choices[0].ID
	case sandbox.Delivered:
		u.Kind, m = "delivered", h.Messages[len(h.Messages)-1]
	case sandbox.Read:
		u.Kind, m = "read", h.Messages[len(h.Messages)-1]
	case sandbox.Failed:
		u.Kind, m, u.Code = "failed", h.Message, h.Code
	case sandbox.Typing:
		u.Kind = "typing"
	case sandbox.Blocked:
		u.Kind = "blocked"
	case sandbox.Opened:
		u.Kind, u.Token = "opened", h.Token
	case sandbox.Called:
		u.Kind, u.Text = "called", h.State
	case sandbox.Joined:
		u.Kind = "joined"
	case sandbox.Changed:
		u.Kind, u.Text = "changed", h.Before.Native
	case sandbox.SeenByHand:
		u.Kind, m = "seen", h.Messages[len(h.Messages)-1]
	case sandbox.Accepted: // a toy echoes nothing
		return nil
	}
	if m != nil {
		u.Message, u.From = m.Native, "bot"
		if m.Author != nil {
			u.From = m.Author.Native
		}
		if u.Text == "" {
			u.Text = m.Content.Text
		}
	}
	key := c.Native
	if u.Kind == "reacted" {
		key = ""
	}
	return []sandbox.Update{{Type: u.Kind, Key: key, Body: u, Fleeting: u.Kind == "typing"}}
}

func (p *toy) Request(_ *sandbox.State, d sandbox.Delivery) sandbox.Request {
	var all []toyUpdate
	for _, u := range d.Updates {
		body, ok := u.Body.(toyUpdate)
		if raw, isRaw := u.Body.(sandbox.Raw); isRaw && !ok {
			body = toyUpdate{Kind: raw.Type, Raw: raw.Body}
		}
		body.N = u.N
		all = append(all, body)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return sandbox.Request{}
	}
	secret := d.Account.Hook.Secret
	if d.Forged {
		secret += "?"
	}
	return sandbox.Request{URL: d.Account.Hook.URL, Body: raw, Header: http.Header{"Toy-Signature": {sign(secret, raw)}, "Toy-Time": {d.At.UTC().Format(time.RFC3339)}}}
}

func sign(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// hooked is one update as the account saw it.
type hooked struct {
	toyUpdate
	at    time.Time
	batch int
	valid bool
	dated time.Time
}

// rig is a sandbox with one account, all in process, so that it works under virtual time.
type rig struct {
	t      *testing.T
	sim    *sandbox.Server
	client *control.Client

	mu     sync.Mutex
	sink   func(hooked) (int, http.Header) // nil: 200
	events []hooked
}

// RoundTrip is the network to the account.
func (g *rig) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var all []toyUpdate
	if err := json.Unmarshal(raw, &all); err != nil {
		g.t.Errorf("webhook: %v", err)
	}
	dated, err := time.Parse(time.RFC3339, r.Header.Get("Toy-Time"))
	if err != nil {
		g.t.Errorf("webhook: %v", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	status, header := 200, http.Header{}
	for _, u := range all {
		e := hooked{toyUpdate: u, at: time.Now(), batch: len(all), valid: r.Header.Get("Toy-Signature") == sign("s3cret", raw), dated: dated}
		if g.sink != nil {
			status, header = g.sink(e)
		}
		if status/100 == 2 {
			g.events = append(g.events, e)
		}
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}, nil
}

func (g *rig) answer(sink func(hooked) (int, http.Header)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sink = sink
}

// got returns what the account took so far, of one kind or of all.
func (g *rig) got(kind string) (out []hooked) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if kind == "" || e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func byNumber(events []hooked) []hooked {
	slices.SortFunc(events, func(a, b hooked) int { return cmp.Compare(a.N, b.N) })
	return events
}

func bot() control.Account {
	return control.Account{
		ID: "42", Name: "Romeo's bot", Username: "romeo_bot", Token: "42:token", Subscribed: true,
		Hook: control.Hook{URL: "https://gateway.example/hook", Secret: "s3cret"},
	}
}

// newRig makes a sandbox; change, if any, changes its configuration and platform before.
func newRig(t *testing.T, change func(*sandbox.Config, *sandbox.Spec)) *rig {
	t.Helper()
	g := &rig{t: t}
	spec := sandbox.Spec{Ladder: sandbox.Ladder{Steps: []time.Duration{0, 2 * time.Second, 4 * time.Second}, RetryAfter: time.Hour, Keep: 24 * time.Hour, Hold: true}}
	cfg := sandbox.Config{Accounts: []control.Account{bot()}, Client: &http.Client{Transport: g}, SlowDelay: time.Second}
	if change != nil {
		change(&cfg, &spec)
	}
	sim, err := sandbox.New(cfg, &toy{spec})
	if err != nil {
		t.Fatal(err)
	}
	g.sim, g.client = sim, control.InProcess(sim.Handler())
	return g
}

// run starts the sandbox; the result stops it.
func (g *rig) run() func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.sim.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Errorf("run: %v", err)
		}
	}
}

// must gives a result or ends the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func (g *rig) ok(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) say(who, text string) control.Said {
	g.t.Helper()
	return must[control.Said](g.t)(g.client.Say(g.t.Context(), who, "", text))
}

// idle waits until the account took everything.
func (g *rig) idle() {
	g.t.Helper()
	must[control.Waited](g.t)(g.client.Wait(g.t.Context(), control.Condition{Kind: "idle"}, time.Hour))
}

// send is the account's API: status and header of its answer.
func (g *rig) send(to, text string) (int, http.Header) {
	g.t.Helper()
	raw, err := json.Marshal(map[string]string{"to": to, "text": text})
	g.ok(err)
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://toy.example/bot42:token/send", bytes.NewReader(raw))
	g.ok(err)
	req.Header.Set("Ref", "ref-"+text)
	resp, err := g.client.HTTP.Do(req)
	g.ok(err)
	g.ok(resp.Body.Close())
	return resp.StatusCode, resp.Header
}

// native is the platform id of a person.
func (g *rig) native(id string) (out string) {
	g.sim.Do(func(st *sandbox.State) { out = st.Person(id).Native })
	return out
}
