package graph_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/adapters/internal/graph"
)

func TestLoose(t *testing.T) {
	var v struct {
		ID   graph.Loose `json:"id"`
		Next string      `json:"next"`
	}
	for raw, want := range map[string]graph.Loose{
		`{"id":"17","next":"n"}`: "17", `{"id":17,"next":"n"}`: "17", `{"id":-4,"next":"n"}`: "-4", `{"id":" 17 ","next":"n"}`: "17", `{"id":null,"next":"n"}`: "",
		`{"id":{"a":1},"next":"n"}`: "", `{"id":true,"next":"n"}`: "", `{"id":"17","next":"n","more":[]}`: "17",
	} {
		v.ID = "before"
		if err := graph.Decode([]byte(raw), &v); err != nil || v.ID != want || v.Next != "n" {
			t.Errorf("%s: got %q, %q, %v, want %q", raw, v.ID, v.Next, err, want)
		}
	}
	// A value of another type costs itself alone; what is no JSON costs all.
	if err := graph.Decode([]byte(`{"next":7,"id":"17"}`), &v); err != nil || v.ID != "17" {
		t.Errorf("got %q, %v, want the rest of it", v.ID, err)
	}
	if graph.Decode([]byte(`{"id":`), &v) == nil {
		t.Error("half of an object: got nil, want an error")
	}
}

func TestWords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("one\n two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := graph.Words("a", "k", file); err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := graph.Words("a", "k", file+"x"); err == nil || !strings.HasPrefix(err.Error(), "a: k: ") {
		t.Errorf("got %v, want adapter and key", err)
	}
}

func TestHosts(t *testing.T) {
	h := graph.Hosts{Base: "https://graph.example:8443", List: []string{".cdn.example", "one.example"}}
	for raw, want := range map[string]bool{
		"https://graph.example:8443/x": true, "https://graph.example/x": false, "http://graph.example:8443/x": false,
		"https://a.cdn.example/x": true, "https://A.CDN.example/x": true, "https://cdn.example/x": false, "https://evilcdn.example/x": false,
		"http://a.cdn.example/x": false, "https://one.example/x": true, "https://two.one.example/x": false, "https://u:p@one.example/x": false, "/x": false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Allows(u); got != want {
			t.Errorf("%s: got %v, want %v", raw, got, want)
		}
	}
	for host, want := range map[string]bool{"one.example": true, ".one.example": true, "one.example:8080": true, "https://one.example": false, "": false, "One.example": false} {
		if got := graph.CheckHosts([]string{host}) == nil; got != want {
			t.Errorf("CheckHosts %q: got %v, want %v", host, got, want)
		}
	}
}

// TestHops: a redirect off the list is not followed, and one in a circle not for long.
func TestHops(t *testing.T) {
	for _, tt := range []struct {
		to   string
		most int
	}{{"http://other.example/x", 1}, {"/x", 12}} {
		hops := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hops++
			w.Header().Set("Location", tt.to)
			w.WriteHeader(http.StatusFound)
		}))
		h := graph.Hosts{HTTP: server.Client(), Base: server.URL, Timeout: time.Second}
		if _, err := h.Open(t.Context(), "download", server.URL+"/x?signature=secret"); err == nil || strings.Contains(err.Error(), "secret") || hops > tt.most {
			t.Errorf("redirect to %s: got %v after %d requests, want an error without the address after at most %d", tt.to, err, hops, tt.most)
		}
		server.Close()
	}
}
