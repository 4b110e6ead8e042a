package docs

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

func rendered(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	New(raw, "/v1/openapi.yaml", "/v1/docs").ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/docs", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %q", w.Code, w.Header().Get("Content-Type"))
	}
	return w.Body.String()
}

// The page has every operation and schema of the document, once, and each of its links leads somewhere.
func TestPageIsTheDocument(t *testing.T) {
	raw, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	body := rendered(t)
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		ids[m[1]]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("id %s is there %d times", id, n)
		}
	}
	operations := regexp.MustCompile(`(?m)^      operationId: (\w+)$`).FindAllStringSubmatch(string(raw), -1)
	for _, m := range operations {
		if ids[m[1]] != 1 {
			t.Errorf("operation %s is not on the page", m[1])
		}
	}
	links := regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(body, -1)
	for _, m := range links {
		if ids[m[1]] != 1 {
			t.Errorf("a link to #%s leads nowhere", m[1])
		}
	}
	if len(operations) < 20 || len(links) < 40 {
		t.Errorf("got %d operations and %d links: the search is broken", len(operations), len(links))
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "map[") || strings.Contains(body, "&lt;nil&gt;") {
		t.Error("the page has a script, or values as Go prints them")
	}
	words := regexp.MustCompile(`</?span[^>]*>`).ReplaceAllString(body, "")
	for _, want := range []string{"one of viewer, operator, admin", "minimum 1, maximum 1000", "problems</a> with 401, 403", "delete <code>/v1/users/{jid}</code>", " required: array of object"} {
		if !strings.Contains(words, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A document that is none is a fault that is not shown as an empty page.
func TestPageOfNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got a page of a document that cannot be read")
		}
	}()
	New([]byte("a: [b"), "", "").ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}
