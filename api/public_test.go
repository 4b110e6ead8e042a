package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// receiver records what it is given and answers as told.
type receiver struct {
	mu    sync.Mutex
	calls []call
	do    func(context.Context, gateway.AdapterID) error
}

type call struct {
	Adapter gateway.AdapterID
	Body    string
	Token   string
}

func (f *receiver) Receive(ctx context.Context, a gateway.AdapterID, r gateway.Request) error {
	f.mu.Lock()
	c := call{Adapter: a, Body: string(r.Body)}
	if t := r.Query["token"]; len(t) > 0 {
		c.Token = t[0]
	}
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	if f.do == nil {
		return nil
	}
	return f.do(ctx, a)
}

func (f *receiver) Challenge(a gateway.AdapterID, r gateway.Request) ([]byte, bool) {
	if v := r.Query["challenge"]; len(v) == 1 && a == "one" {
		return []byte(v[0]), true
	}
	return nil, false
}

func public(f *receiver, logs io.Writer) http.Handler {
	return Public(PublicConfig{
		Receiver: f, Hooks: []gateway.AdapterID{"one", "two"}, Log: slog.New(slog.NewTextHandler(logs, nil)),
		Publishers: []gateway.Publisher{documents{"/.well-known/keys.json": []byte(`{"keys":[]}`)}},
		Media:      shelf{},
	})
}

type documents map[string][]byte

func (d documents) WellKnown() map[string][]byte { return d }

func TestHookStatuses(t *testing.T) {
	tests := []struct {
		name       string
		method     string
		path       string
		body       string
		err        error
		panics     bool
		status     int
		retryAfter string
	}{
		{name: "durable", path: "/hooks/one", body: "x", status: 200},
		{name: "with a token", path: "/hooks/one/t0ken", body: "x", status: 200},
		{name: "forged", path: "/hooks/one", err: fmt.Errorf("%w: bad", gateway.ErrUnverified), status: 401},
		{name: "malformed", path: "/hooks/one", err: fmt.Errorf("%w: bad", gateway.ErrMalformed), status: 200},
		{name: "instance without a hook", path: "/hooks/one", err: gateway.ErrUnknownAdapter, status: 404},
		{name: "store down", path: "/hooks/one", err: errors.New("redis: no route"), status: 503, retryAfter: "5"},
		{name: "queue full", path: "/hooks/one", err: gateway.ErrFull, status: 503, retryAfter: "5"},
		{name: "stopped", path: "/hooks/one", err: gateway.ErrStopped, status: 503, retryAfter: "60"},
		{name: "panic", path: "/hooks/one", panics: true, status: 503, retryAfter: "5"},
		{name: "unknown instance", path: "/hooks/three", status: 404},
		{name: "no instance", path: "/hooks/", status: 404},
		{name: "outside", path: "/", method: "GET", status: 404},
		{name: "put", path: "/hooks/one", method: "PUT", status: 405},
		{name: "challenge", path: "/hooks/one?challenge=abc", method: "GET", status: 200},
		{name: "challenge of another", path: "/hooks/two?challenge=abc", method: "GET", status: 404},
		{name: "challenge of nobody", path: "/hooks/three?challenge=abc", method: "GET", status: 404},
		{name: "published document", path: "/.well-known/keys.json", method: "GET", status: 200},
		{name: "unpublished document", path: "/.well-known/other.json", method: "GET", status: 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &receiver{do: func(context.Context, gateway.AdapterID) error {
				if tt.panics {
					panic("content of a message")
				}
				return tt.err
			}}
			var logs strings.Builder
			if tt.method == "" {
				tt.method = "POST"
			}
			w := httptest.NewRecorder()
			public(f, &logs).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status {
				t.Errorf("status: got %d, want %d", w.Code, tt.status)
			}
			if got := w.Header().Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After: got %q, want %q", got, tt.retryAfter)
			}
			if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options: got %q, want nosniff", got)
			}
			if tt.status >= 400 {
				wantProblem(t, w, tt.status)
			}
			if strings.Contains(logs.String(), "content of a message") {
				t.Errorf("the log holds content: %s", logs.String())
			}
		})
	}
}

func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type: got %q, want application/problem+json", got)
	}
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("problem: %v", err)
	}
	if p.Status != status || p.Title == "" || p.Type != "about:blank" {
		t.Errorf("problem: got %+v, want status %d and a title", p, status)
	}
}

func TestChallengeAndDocumentBodies(t *testing.T) {
	h := public(&receiver{}, io.Discard)
	for path, want := range map[string]string{"/hooks/one/t?challenge=abc": "abc", "/.well-known/keys.json": `{"keys":[]}`} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestInstancesStayApart(t *testing.T) {
	f := &receiver{}
	h := public(f, io.Discard)
	for _, path := range []string{"/hooks/one", "/hooks/two/t1", "/hooks/two?token=mine", "/hooks/two/t2?token=forged"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(path)))
	}
	want := []call{
		{"one", "/hooks/one", ""},
		{"two", "/hooks/two/t1", "t1"},
		{"two", "/hooks/two?token=mine", "mine"},
		{"two", "/hooks/two/t2?token=forged", "t2"},
	}
	if diff := cmp.Diff(want, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// wire is a listener over net.Pipe, so that the server's timeouts run in virtual time.
type wire struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *wire) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *wire) Close() error   { close(l.done); return nil }
func (l *wire) Addr() net.Addr { return &net.TCPAddr{} }

// serve runs a handler behind a wire and returns how to connect.
func serve(t *testing.T, h http.Handler) func() net.Conn {
	l := &wire{make(chan net.Conn), make(chan struct{})}
	srv := NewServer(h, slog.New(slog.DiscardHandler))
	var wg sync.WaitGroup
	srv.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			wg.Add(1)
		case http.StateClosed:
			wg.Done()
		default:
		}
	}
	wg.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })
	return func() net.Conn {
		ours, theirs := net.Pipe()
		l.conns <- theirs
		t.Cleanup(func() { ours.Close() })
		return ours
	}
}

func TestBodiesOnTheWire(t *testing.T) {
	big := strings.Repeat("x", maxBody+1)
	tests := []struct {
		name, request string
		status        int
		calls         int
	}{
		{"honest length over the limit", fmt.Sprintf("Content-Length: %d\r\n\r\n", maxBody+1), 413, 0},
		{"absurd length", "Content-Length: 9223372036854775807\r\n\r\n", 413, 0},
		{"chunked over the limit", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", maxBody+1) + big + "\r\n0\r\n\r\n", 413, 0},
		{"at the limit", fmt.Sprintf("Content-Length: %d\r\n\r\n", maxBody) + big[1:], 200, 1},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, 1},
		{"slow body", "Content-Length: 10\r\n\r\nabc", 408, 0},
		{"broken chunk", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &receiver{}
				c := serve(t, public(f, io.Discard))()
				go func() { _, _ = io.WriteString(c, "POST /hooks/one HTTP/1.1\r\nHost: x\r\n"+tt.request) }()
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatalf("read response: %v", err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != tt.status {
					t.Errorf("status: got %d, want %d", resp.StatusCode, tt.status)
				}
				if len(f.calls) != tt.calls {
					t.Errorf("calls: got %d, want %d", len(f.calls), tt.calls)
				}
			})
		})
	}
}

func TestSlowHeaderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, public(&receiver{}, io.Discard))()
		start := time.Now()
		if _, err := io.WriteString(c, "POST /hooks/one HTTP/1.1\r\n"); err != nil {
			t.Fatalf("write: %v", err)
		}
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(start); got != readHeaderTimeout {
			t.Errorf("connection ended after %v, want %v", got, readHeaderTimeout)
		}
	})
}

func TestWorkingCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := &receiver{do: func(context.Context, gateway.AdapterID) error { <-release; return nil }}
		h := Public(PublicConfig{Receiver: f, Hooks: []gateway.AdapterID{"one"}, Working: 1, Log: slog.New(slog.DiscardHandler)})
		first, second := httptest.NewRecorder(), httptest.NewRecorder()
		var wg sync.WaitGroup
		wg.Go(func() { h.ServeHTTP(first, httptest.NewRequestWithContext(t.Context(), "POST", "/hooks/one", nil)) })
		synctest.Wait()
		start := time.Now()
		h.ServeHTTP(second, httptest.NewRequestWithContext(t.Context(), "POST", "/hooks/one", nil))
		if got := time.Since(start); got != slotPatience {
			t.Errorf("waited %v, want %v", got, slotPatience)
		}
		close(release)
		wg.Wait()
		if first.Code != 200 || second.Code != 503 {
			t.Errorf("statuses: got %d and %d, want 200 and 503", first.Code, second.Code)
		}
		if got := second.Header().Get("Retry-After"); got != "5" {
			t.Errorf("Retry-After: got %q, want 5", got)
		}
	})
}

func TestCaller(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	tests := []struct{ name, peer, forwarded, want string }{
		{"direct", "192.0.2.1:99", "", "192.0.2.1"},
		{"a stranger's claim", "192.0.2.1:99", "198.51.100.7", "192.0.2.1"},
		{"behind a proxy", "10.0.0.1:99", "198.51.100.7", "198.51.100.7"},
		{"behind two", "[::1]:99", "198.51.100.7, 10.2.3.4", "198.51.100.7"},
		{"forged left part", "10.0.0.1:99", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
		{"garbage", "10.0.0.1:99", "<script>", "10.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
			r.RemoteAddr = tt.peer
			if tt.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			if got := caller(r, trusted); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
