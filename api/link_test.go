package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"postern/api"
	"postern/gateway"
)

// clerk plays the desk: one token is open.
type clerk struct{ answers map[string]string }

const openToken = "abcdefghijklmnopqrstuvwxyz"

func (c *clerk) Browse(_ context.Context, _ gateway.AdapterID, token string) (gateway.Page, error) {
	if token != openToken {
		return gateway.Page{}, gateway.ErrPageOver
	}
	return gateway.Page{Lang: "en", Title: "Wall", Text: "romeo@example.org <script>alert(1)</script>", Link: "javascript:alert(1)", Label: "Go on"}, nil
}

func (c *clerk) Returned(_ context.Context, _ gateway.AdapterID, token string, answers map[string]string) (gateway.Page, error) {
	if token != openToken {
		return gateway.Page{}, gateway.ErrPageOver
	}
	c.answers = answers
	return gateway.Page{Lang: "en", Title: "Wall", Text: "Done."}, nil
}

func (*clerk) PageOver(string) gateway.Page {
	return gateway.Page{Lang: "en", Title: "Postern", Text: "Over."}
}

func TestLinkPages(t *testing.T) {
	desk := &clerk{}
	public := api.Public(api.PublicConfig{Hooks: []gateway.AdapterID{"one"}, Linking: desk, Log: slog.New(slog.DiscardHandler)})
	get := func(path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		public.ServeHTTP(w, r)
		return w
	}
	w := get("/link/one/" + openToken)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusOK || len(cookies) != 1 || !cookies[0].HttpOnly || !cookies[0].Secure || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("got %d, cookies %v", w.Code, cookies)
	}
	if body := w.Body.String(); strings.Contains(body, "<script") || strings.Contains(body, `"javascript:`) {
		t.Errorf("what a name or an address holds became part of the page: %s", body)
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(header); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", header, got, want)
		}
	}
	for _, tt := range []struct {
		name, path string
		cookie     *http.Cookie
		status     int
	}{
		{"unknown instance", "/link/two/" + openToken, nil, http.StatusNotFound},
		{"unknown token", "/link/one/" + strings.Repeat("z", 26), nil, http.StatusGone},
		{"another browser", "/link/one?state=" + openToken + "&code=x", nil, http.StatusGone},
		{"a cookie of another registration", "/link/one?state=" + openToken + "&code=x", &http.Cookie{Name: "postern_link", Value: "other"}, http.StatusGone},
		{"no state", "/link/one?code=x", cookies[0], http.StatusGone},
		{"a state twice", "/link/one?state=" + openToken + "&state=b", cookies[0], http.StatusGone},
		{"too much", "/link/one?state=" + openToken + "&code=" + strings.Repeat("x", 5000), cookies[0], http.StatusGone},
		{"back", "/link/one?state=" + openToken + "&code=x%20y", cookies[0], http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			desk.answers = nil
			var with []*http.Cookie
			if tt.cookie != nil {
				with = append(with, tt.cookie)
			}
			w := get(tt.path, with...)
			if w.Code != tt.status {
				t.Fatalf("got %d, want %d", w.Code, tt.status)
			}
			if done := desk.answers != nil; done != (tt.status == http.StatusOK) {
				t.Errorf("the registration went on: %v", done)
			}
			if tt.status == http.StatusOK && (desk.answers["code"] != "x y" || len(desk.answers) != 1) {
				t.Errorf("got answers %v, want the code alone", desk.answers)
			}
		})
	}
}

// stuckClerk is a desk whose store does not answer.
type stuckClerk struct {
	clerk
	free chan struct{}
}

func (c *stuckClerk) Browse(ctx context.Context, a gateway.AdapterID, token string) (gateway.Page, error) {
	<-c.free
	return c.clerk.Browse(ctx, a, token)
}

// TestLinksAreBounded: anybody may ask for a page, and so many wait for the store at a time.
func TestLinksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, asked = 256, 300
		desk := &stuckClerk{free: make(chan struct{})}
		public := api.Public(api.PublicConfig{Hooks: []gateway.AdapterID{"one"}, Linking: desk, Log: slog.New(slog.DiscardHandler)})
		var mu sync.Mutex
		got := map[int]int{}
		ask := func() {
			w := httptest.NewRecorder()
			public.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/link/one/"+openToken, nil))
			mu.Lock()
			defer mu.Unlock()
			got[w.Code]++
		}
		var wg sync.WaitGroup
		for range asked {
			wg.Go(ask)
		}
		synctest.Wait()
		if got[http.StatusServiceUnavailable] != asked-most || len(got) != 1 {
			t.Errorf("got answers %v while the store is silent, want %d refused for now", got, asked-most)
		}
		close(desk.free)
		wg.Wait()
		ask()
		if got[http.StatusOK] != most+1 {
			t.Errorf("got answers %v, want %d pages", got, most+1)
		}
	})
}
