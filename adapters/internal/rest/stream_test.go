package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/rest"
)

// streaming is a client with a very short timeout, which streams do not obey.
func streaming(t *testing.T, handle http.HandlerFunc) *rest.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := rest.New(&http.Client{Transport: server.Client().Transport, Timeout: time.Millisecond}, server.URL, time.Millisecond, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPut(t *testing.T) {
	var got string
	c := streaming(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		got = string(body)
		if got == "refuse" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		_, _ = io.WriteString(w, `{"type":"`+r.Header.Get("Content-Type")+`"}`)
	})
	slow := io.MultiReader(strings.NewReader("good "), pause{20 * time.Millisecond}, strings.NewReader("morrow"))
	var out struct{ Type string }
	up := rest.Upload{Call: rest.Call{Name: "put", Method: http.MethodPut, Path: "/x"}, From: slow, Size: 11, MIME: "image/png"}
	if err := c.Put(t.Context(), up, &out); err != nil || got != "good morrow" || out.Type != "image/png" {
		t.Errorf("got %v, body %q, type %q; want a stream longer than the timeout to arrive", err, got, out.Type)
	}
	tests := []struct {
		name, body string
		size       int64
		status     int
	}{{"ends early", "short", 11, 0}, {"is longer", "much too long", 4, 0}, {"refused", "refuse", 6, http.StatusRequestEntityTooLarge}}
	for _, tt := range tests {
		up.From, up.Size = strings.NewReader(tt.body), tt.size
		err := c.Put(t.Context(), up, nil)
		re, ok := errors.AsType[*rest.Error](err)
		if !ok || re.Status != tt.status {
			t.Errorf("%s: got %v, want a *rest.Error with status %d", tt.name, err, tt.status)
		}
	}
}

// pause is an empty stream that takes its time.
type pause struct{ d time.Duration }

func (p pause) Read([]byte) (int, error) {
	timer := time.NewTimer(p.d)
	defer timer.Stop()
	<-timer.C
	return 0, io.EOF
}

func TestOpen(t *testing.T) {
	c := streaming(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			http.Error(w, `{"code":"not_found"}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Length", "11")
		_, _ = io.WriteString(w, "good morrow"[:11-len(r.URL.Query().Get("short"))])
	})
	body, err := c.Open(t.Context(), rest.Call{Name: "open", Method: http.MethodGet, Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(body)
	if err != nil || string(raw) != "good morrow" || body.Size != 11 || body.MIME != "image/png" {
		t.Errorf("got %q, %v, %d bytes of %s", raw, err, body.Size, body.MIME)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	_, err = c.Open(t.Context(), rest.Call{Name: "open", Method: http.MethodGet, Path: "/gone"})
	if re, ok := errors.AsType[*rest.Error](err); !ok || re.Status != http.StatusNotFound || !re.Written {
		t.Errorf("gone: got %v, want a *rest.Error with status 404", err)
	}
	cut, err := c.Open(t.Context(), rest.Call{Name: "open", Method: http.MethodGet, Path: "/x", Query: map[string][]string{"short": {"xx"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(cut); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that ends early: got %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if err := cut.Close(); err != nil {
		t.Error(err)
	}
}
