package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"postern/adapters/internal/rest"
)

func TestPostFile(t *testing.T) {
	type seen struct{ chat, caption, name, mime, body string }
	var got seen
	c := streaming(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= 0 {
			t.Errorf("got length %d, want the exact one", r.ContentLength)
		}
		f, h, err := r.FormFile("photo")
		if err != nil {
			return // the request broke
		}
		raw, err := io.ReadAll(f)
		if err != nil {
			t.Error(err)
		}
		got = seen{r.FormValue("chat_id"), r.FormValue("caption"), h.Filename, h.Header.Get("Content-Type"), string(raw)}
		if got.body == "refuse" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
	post := func(body string, size int64) error {
		var out struct{ OK bool }
		err := c.PostFile(t.Context(), rest.FilePart{
			Call:  rest.Call{Name: "sendPhoto", Method: http.MethodPost, Path: "/secret-path", Form: url.Values{"chat_id": {"5"}, "caption": {"a\"\r\nb"}}},
			Field: "photo", FileName: "a\"\r\nb.png", MIME: "image/png", From: strings.NewReader(body), Size: size,
		}, &out)
		if err == nil && !out.OK {
			t.Error("the answer was not decoded")
		}
		return err
	}
	if err := post("good morrow", 11); err != nil {
		t.Fatal(err)
	}
	if want := (seen{"5", "a\"\r\nb", got.name, "image/png", "good morrow"}); got != want || strings.ContainsAny(got.name, "\r\n") {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, tt := range []struct {
		name, body string
		size       int64
		status     int
		written    bool
	}{{"ends early", "short", 11, 0, false}, {"is longer", "much too long", 4, 0, false}, {"refused", "refuse", 6, 413, true}} {
		err := post(tt.body, tt.size)
		re, ok := errors.AsType[*rest.Error](err)
		if !ok || re.Status != tt.status || re.Written != tt.written || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("%s: got %v (%+v), want status %d, written %v", tt.name, err, re, tt.status, tt.written)
		}
	}
}

// TestPostFileLost: what was sent whole may have been acted on.
func TestPostFileLost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	err := newClient(t, server.URL).PostFile(t.Context(), rest.FilePart{
		Call: rest.Call{Name: "n", Method: http.MethodPost, Path: "/x"}, Field: "f", FileName: "f", MIME: "text/plain", From: strings.NewReader("abc"), Size: 3,
	}, nil)
	if re := asError(t, err); !re.Written || re.Status != 0 {
		t.Errorf("got %v, written %v, want an answer that was lost", err, re.Written)
	}
}

// TestRedirectSaysNothing: an address that does not parse is quoted by net/http, and may repeat a path with a token.
func TestRedirectSaysNothing(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://h.example:port"+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	_, err := c.Do(t.Context(), rest.Call{Name: "n", Method: "POST", Path: "/secret-path", Body: 1}, nil)
	if err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("got %v, want an error that does not tell the path", err)
	}
}
