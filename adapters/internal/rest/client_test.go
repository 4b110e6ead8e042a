package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/rest"
)

// serve starts a server and returns a client for it.
func serve(t *testing.T, h http.HandlerFunc) (*rest.Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return newClient(t, s.URL+"/api/"), s
}

func newClient(t *testing.T, base string) *rest.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := rest.New(&http.Client{Transport: transport}, base, 2*time.Second, "Test/1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asError(t *testing.T, err error) *rest.Error {
	t.Helper()
	e, ok := err.(*rest.Error) //nolint:errorlint // Do promises the type itself
	if !ok {
		t.Fatalf("got %v (%T), want *rest.Error", err, err)
	}
	return e
}

func TestDo(t *testing.T) {
	type seen struct {
		method, path, query, kind, agent, extra, body string
	}
	var got seen
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = seen{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("User-Agent"), r.Header.Get("X-Extra"), string(body)}
		w.Header().Set("X-Back", "yes")
		fmt.Fprint(w, `{"ok":true,"unknown":1}`)
	})
	tests := []struct {
		name string
		call rest.Call
		want seen
	}{
		{"get", rest.Call{Path: "/me"}, seen{"GET", "/api/me", "", "", "Test/1", "", ""}},
		{
			"json",
			rest.Call{Method: "POST", Path: rest.Path("a b", "../c", ".."), Query: url.Values{"q": {"x y"}}, Header: http.Header{"X-Extra": {"1"}}, Body: map[string]int{"n": 1}},
			seen{"POST", "/api/a%20b/..%2Fc/%2E%2E", "q=x+y", "application/json", "Test/1", "1", `{"n":1}`},
		},
		{"form", rest.Call{Method: "POST", Path: "/t", Form: url.Values{"a": {"1"}}}, seen{"POST", "/api/t", "", "application/x-www-form-urlencoded", "Test/1", "", "a=1"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var out struct{ OK bool }
			h, err := c.Do(t.Context(), tc.call, &out)
			if err != nil || !out.OK || h.Get("X-Back") != "yes" {
				t.Fatalf("got %v, ok %v, header %q", err, out.OK, h.Get("X-Back"))
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestErrorAnswers(t *testing.T) {
	status, body := 0, ""
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
	tests := []struct {
		name, body string
		status     int
		want       string
		decodes    bool
	}{
		{"problem", `{"code":"too_hot","detail":"secret-detail"}`, 400, "cook: status 400", true},
		{"html", "<html>secret-detail</html>", 502, "cook: status 502", false},
		{"no answer body", "", 401, "cook: status 401", false},
		{"too long", strings.Repeat(" ", rest.MaxBody) + "{}", 200, "cook: status 200: answer longer than 1048576 bytes", true},
		{"longest", "{}" + strings.Repeat(" ", rest.MaxBody-2), 200, "", true},
		{"not json", "secret-detail", 200, "cook: status 200: answer is not the JSON that was expected", false},
		{"other json", `{"code":["secret-detail"]}`, 200, "cook: status 200: answer is not the JSON that was expected", true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			status, body = tc.status, tc.body
			var out struct{ Code string }
			_, err := c.Do(t.Context(), rest.Call{Name: "cook", Method: "POST", Path: "/token-in-path", Body: 1}, &out)
			if tc.want == "" {
				if err != nil {
					t.Fatalf("got %v, want nil", err)
				}
				return
			}
			e := asError(t, err)
			if e.Error() != tc.want || e.Status != tc.status || !e.Written || e.RetryAfter != 5*time.Second {
				t.Errorf("got %q, status %d, written %v, retry after %s; want %q, %d, true, 5s", e, e.Status, e.Written, e.RetryAfter, tc.want, tc.status)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				if s := fmt.Sprintf(verb, err); strings.Contains(s, "secret-detail") || strings.Contains(s, "token-in-path") {
					t.Errorf("%s tells body or path: %s", verb, s)
				}
			}
			var any json.RawMessage
			if got := e.Decode(&any) == nil; tc.name != "too long" && got != tc.decodes {
				t.Errorf("Decode: got ok %v, want %v", got, tc.decodes)
			}
		})
	}
}

// TestWritten is what tells a retry that is safe from one that is not.
func TestWritten(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, "http://"+refused)
	_, err = c.Do(t.Context(), rest.Call{Name: "n", Method: "POST", Path: "/secret-path", Body: 1}, nil)
	if e := asError(t, err); e.Written || e.Status != 0 || strings.Contains(e.Error(), "secret-path") {
		t.Errorf("connection refused: got written %v, status %d, %v", e.Written, e.Status, e)
	}

	c, server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	server.Config.ErrorLog = nil
	_, err = c.Do(t.Context(), rest.Call{Name: "n", Method: "POST", Path: "/secret-path", Body: 1}, nil)
	if e := asError(t, err); !e.Written || e.Status != 0 {
		t.Errorf("connection closed after the request: got written %v, status %d, %v", e.Written, e.Status, e)
	}

	release := make(chan struct{})
	c, _ = serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	})
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Do(ctx, rest.Call{Name: "n", Method: "POST", Path: "/", Body: 1}, nil)
	if e := asError(t, err); !e.Written || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline after the request: got written %v, %v", e.Written, e)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Do(gone, rest.Call{Name: "n", Method: "POST", Path: "/", Body: 1}, nil)
	if e := asError(t, err); e.Written || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got written %v, %v", e.Written, e)
	}
	_, err = c.Do(t.Context(), rest.Call{Name: "n", Method: "POST", Path: "/", Body: func() {}}, nil)
	if e := asError(t, err); e.Written {
		t.Errorf("body that does not encode: got written %v", e.Written)
	}
}

// Who answers, works: but for one who says that it does not.
func TestAnswered(t *testing.T) {
	for status, want := range map[int]bool{0: false, 200: false, 302: true, 400: true, 401: true, 429: true, 500: false, 503: false} {
		if got := (&rest.Error{Status: status, Written: true}).Answered(); got != want {
			t.Errorf("status %d: got %v, want %v", status, got, want)
		}
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/near":
			http.Redirect(w, r, "/api/there", http.StatusTemporaryRedirect)
		case "/api/there":
			fmt.Fprint(w, `{}`)
		case "/api/far":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/api/round":
			http.Redirect(w, r, "/api/round", http.StatusTemporaryRedirect)
		}
	})
	for path, want := range map[string]int{"/near": 0, "/far": 307, "/round": 307} {
		_, err := c.Do(t.Context(), rest.Call{Name: "n", Method: "POST", Path: path, Header: http.Header{"Authorization": {"Bearer x"}}, Body: 1}, nil)
		got := 0
		if err != nil {
			got = asError(t, err).Status
		}
		if got != want {
			t.Errorf("%s: got status %d (%v), want %d", path, got, err, want)
		}
	}
	if elsewhere != 0 {
		t.Errorf("got %d requests at the other host, want none", elsewhere)
	}
}

func TestParseBase(t *testing.T) {
	for base, want := range map[string]string{
		"https://h.example": "https://h.example", "https://h.example/": "https://h.example", "http://h.example:81/a/": "http://h.example:81/a",
		"": "", "h.example": "", "ftp://h.example": "", "https://": "", "https://u:hunter2@h.example": "", "https://h.example?hunter2": "", "https://h.example/#hunter2": "", "https://hunter2@[x": "",
	} {
		u, err := rest.ParseBase(base)
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("ParseBase(%q): got %v, %v; want %q", base, u, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseBase(%q): error tells the secret: %v", base, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	tests := []struct {
		name, value, date string
		want              time.Duration
	}{
		{"none", "", "", 0},
		{"seconds", "120", "", 2 * time.Minute},
		{"zero", "0", "", 0},
		{"negative", "-5", "", 0},
		{"word", "soon", "", 0},
		{"date by our clock", "Sun, 22 Nov 2026 14:01:00 GMT", "", time.Minute},
		{"date by their clock", "Sun, 22 Nov 2026 15:01:00 GMT", "Sun, 22 Nov 2026 15:00:00 GMT", time.Minute},
		{"past", "Sun, 22 Nov 2026 13:00:00 GMT", "", 0},
		{"a year", "31536000", "", 24 * time.Hour},
		{"overflow", "99999999999999999999", "", 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			if tc.value != "" {
				h.Set("Retry-After", tc.value)
			}
			if tc.date != "" {
				h.Set("Date", tc.date)
			}
			if got := rest.RetryAfter(h, now); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestCode(t *testing.T) {
	for in, want := range map[string]string{"rate_limited": "rate_limited", "131047": "131047", "a b": "", "": "", "+390451230001": "", strings.Repeat("a", 65): "", "naïve": ""} {
		if got := rest.Code(in); got != want {
			t.Errorf("Code(%q): got %q, want %q", in, got, want)
		}
	}
}
