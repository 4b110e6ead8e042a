//go:build servers

package story

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/adapters/gatekeeper/simulator"
)

// sandbox is the gatekeeper of one stage, and a record of every request that Postern made to it.
type sandbox struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	requests []string // method, path and body
}

func newSandbox(t *testing.T, jwks string) *sandbox {
	t.Helper()
	sim, err := simulator.New(simulator.Config{
		Partners: []simulator.Partner{{ClientID: "postern", JWKSURL: jwks}}, SlowDelay: 200 * time.Millisecond,
		RetryBase: 50 * time.Millisecond, RetryMax: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &sandbox{t: t}
	b.url = serve(t, b.recorded(sim.Handler()), sim.Run)
	return b
}

// serve plays a platform until the test is over, and returns where.
func serve(t *testing.T, handler http.Handler, run func(context.Context) error) (url string) {
	t.Helper()
	web := httptest.NewServer(handler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
		web.Close()
	})
	return web.URL
}

// recorded keeps what Postern asks; the control API is not Postern's.
func (b *sandbox) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/sandbox/") && !strings.HasSuffix(r.URL.Path, "/content") { // nor are files
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			b.mu.Lock()
			b.requests = append(b.requests, r.Method+" "+r.URL.String()+"\n"+claims(r.Header)+"\n"+string(body))
			b.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// claims are the tokens of a request, readable: an assertion names the user (RFC 7519 §3).
func claims(h http.Header) string {
	var out strings.Builder
	for _, values := range h {
		for _, v := range values {
			for part := range strings.SplitSeq(v[strings.LastIndexByte(v, ' ')+1:], ".") {
				raw, err := base64.RawURLEncoding.DecodeString(part)
				if err == nil {
					out.Write(raw)
				}
			}
		}
	}
	return out.String()
}

// asked returns the requests so far that hold a text.
func (b *sandbox) asked(part string) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if strings.Contains(r, part) {
			out = append(out, r)
		}
	}
	return out
}

// control calls the control API and decodes the answer into out, if any.
func (b *sandbox) control(method, path string, in, out any) {
	b.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+"/sandbox/v1"+path, bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("sandbox: %s %s: %d %s %v", method, path, resp.StatusCode, body, err)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			b.t.Fatal(err)
		}
	}
}

// wait is a condition of the control API.
type wait struct {
	Kind      string `json:"kind"`
	TimeoutMS int    `json:"timeout_ms,omitempty"`
	Min       int    `json:"min,omitempty"`
	Person    string `json:"person,omitempty"`
	User      string `json:"user,omitempty"`
	Direction string `json:"direction,omitempty"`
	Text      string `json:"text,omitempty"`
	Contains  string `json:"contains,omitempty"`
	Has       string `json:"has,omitempty"`
	Status    string `json:"status,omitempty"`
	Edited    bool   `json:"edited,omitempty"`
	Retracted bool   `json:"retracted,omitempty"`
	Reaction  string `json:"reaction,omitempty"`
	State     string `json:"state,omitempty"`
	Type      string `json:"type,omitempty"`
}

// message is a message of a chat as the control API shows it.
type message struct {
	ID        string                `json:"id"`
	FromUser  bool                  `json:"from_user"`
	Content   struct{ Text string } `json:"content"`
	ReplyTo   string                `json:"reply_to"`
	Status    string                `json:"status"`
	Revision  int                   `json:"revision"`
	Retracted bool                  `json:"retracted"`
	Reactions map[string][]string   `json:"reactions"`
}

// enlistment is a user of the sandbox.
type enlistment struct {
	ID         string `json:"id"`
	InternalID string `json:"internal_id"`
	State      string `json:"state"`
	Identifier struct{ Value string }
}

// hold waits for a condition and fails the test when it does not come true.
func hold[T any](b *sandbox, c wait) []T {
	b.t.Helper()
	if c.TimeoutMS == 0 {
		c.TimeoutMS = 20_000
	}
	var got struct {
		OK    bool
		Count int
		Items []T
	}
	b.control(http.MethodPost, "/wait", c, &got)
	if !got.OK {
		b.t.Fatalf("sandbox: not within %d ms: %+v (count %d)", c.TimeoutMS, c, got.Count)
	}
	return got.Items
}

// said tells of a message that a person said.
type said struct {
	MessageID    string `json:"message_id"`
	Conversation string `json:"conversation"`
	EventID      string `json:"event_id"`
}

// say makes a person write to a user.
func (b *sandbox) say(person, to, text string) said {
	b.t.Helper()
	var out said
	b.control(http.MethodPost, "/people/"+person+"/messages", map[string]any{"to": to, "text": text}, &out)
	return out
}

// posts counts the messages that the sandbox accepted from Postern.
func (b *sandbox) posts() int {
	b.t.Helper()
	var got struct{ Total int }
	b.control(http.MethodGet, "/ledger/messages?after=0&limit=1", nil, &got)
	return got.Total
}

// chat is what a chat holds, in order.
func (b *sandbox) chat(conversation string) []message {
	b.t.Helper()
	var got struct{ Messages []message }
	b.control(http.MethodGet, "/chats/"+url.PathEscape(conversation), nil, &got)
	return got.Messages
}
