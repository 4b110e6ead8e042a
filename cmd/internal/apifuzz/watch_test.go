//go:build servers

package apifuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

const (
	// document is what the operator's side says of itself.
	document = "../../../api/openapi.yaml"
	// patience is how long an answer may take; the machine may be busy.
	patience = 20 * time.Second
	// strangers is how many addresses requests without a good token come from: an address that sends many wrong ones has to wait, and
	// nobody shall wait for it.
	strangers = 200
)

// watch stands between the fuzzer and the program. It counts, and judges every answer.
type watch struct {
	site  *site
	url   string
	check validator.Validator

	mu       sync.Mutex
	statuses map[int]int
	reached  map[string]bool // operations that answered as they should
	faults   map[string]int
}

func newWatch(t *testing.T, s *site) *watch {
	t.Helper()
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{site: s, statuses: map[int]int{}, reached: map[string]bool{}, faults: map[string]int{}}
	check, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	w.check = check
	srv := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: s.addr})
			r.Out.URL.RawQuery = r.In.URL.RawQuery // also where it cannot be read
		},
		Transport: w,
		ErrorHandler: func(rw http.ResponseWriter, r *http.Request, err error) {
			w.fault(r, "no answer: %v", err)
			rw.WriteHeader(http.StatusBadGateway)
		},
	})
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// RoundTrip implements http.RoundTripper.
func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	way := w.way(r)
	defer way.CloseIdleConnections()
	resp, err := way.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	w.judge(r, resp, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// way is by which address of this machine a request goes: those with a good token have one of their own.
func (w *watch) way(r *http.Request) *http.Transport {
	from := net.IPv4(127, 0, 0, 1)
	if !slices.Contains(slices.Collect(maps.Values(w.site.tokens)), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
		from = net.IPv4(127, 1, 0, byte(1+rand.N(strangers)))
	}
	// Who says that the connection ends with the request may not hear the answer to a body that nobody reads.
	return &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).DialContext}
}

func (w *watch) fault(r *http.Request, text string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[fmt.Sprintf("%s %.200s: %s", r.Method, r.URL.RequestURI(), fmt.Sprintf(text, args...))]++
}

// judge counts an answer, and notes what is wrong with it.
func (w *watch) judge(r *http.Request, resp *http.Response, body []byte) {
	w.mu.Lock()
	w.statuses[resp.StatusCode]++
	w.mu.Unlock()
	if resp.StatusCode >= 500 {
		w.fault(r, "status %d: %.300s", resp.StatusCode, body)
	}
	if resp.StatusCode >= 400 && r.Method != http.MethodHead {
		w.problem(r, resp, body)
	}
	if resp.StatusCode == http.StatusMethodNotAllowed {
		if allow := resp.Header.Get("Allow"); allow == "" || slices.Contains(strings.Split(allow, ", "), r.Method) {
			w.fault(r, "405 with Allow %q (RFC 9110 §15.5.6)", allow)
		}
		return
	}
	if r.Method == http.MethodHead || strings.Contains(string(body), "There is nothing at this address.") {
		return // what the document says nothing of, and the check takes for what is like it
	}
	asked := r
	if r.URL.Opaque != "" {
		u, err := url.ParseRequestURI(r.URL.Opaque)
		if err != nil {
			return // no address at all
		}
		asked = r.Clone(r.Context())
		asked.URL = u
	}
	ok, errs := w.check.ValidateHttpResponse(asked, resp)
	if ok && resp.StatusCode < 300 {
		w.mu.Lock()
		w.reached[r.Method+" "+shape(asked.URL.Path)] = true
		w.mu.Unlock()
	}
	for _, err := range errs {
		if err.IsPathMissingError() || err.IsOperationMissingError() { // no address of ours, as it says itself
			if resp.StatusCode < 300 {
				w.fault(r, "status %d for what is not documented", resp.StatusCode)
			}
			continue
		}
		w.fault(r, "status %d is not as openapi.yaml says: %s: %s", resp.StatusCode, err.Message, err.Reason)
	}
}

// problem wants RFC 9457, but for what net/http refuses before anybody is asked.
func (w *watch) problem(r *http.Request, resp *http.Response, body []byte) {
	if resp.Close && strings.HasPrefix(string(body), fmt.Sprint(resp.StatusCode, " ")) && resp.Header.Get("Cache-Control") == "" {
		return
	}
	var p struct {
		Type, Title string
		Status      int
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		w.fault(r, "status %d as %q", resp.StatusCode, got)
	} else if err := json.Unmarshal(body, &p); err != nil || p.Type == "" || p.Title == "" || p.Status != resp.StatusCode {
		w.fault(r, "status %d as %.200s", resp.StatusCode, body)
	}
}

// shape is a path without what it names.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i := 3; i < len(parts); i++ {
		if !slices.Contains([]string{"accounts", "export", "replay", "drop", "stop", "start", "invites", "chats"}, parts[i]) {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

func (w *watch) total() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.statuses {
		n += c
	}
	return n
}

// String is how many requests ended how.
func (w *watch) String() string {
	n := w.total()
	w.mu.Lock()
	defer w.mu.Unlock()
	classes := map[int]int{}
	var each []string
	for _, status := range slices.Sorted(maps.Keys(w.statuses)) {
		classes[status/100] += w.statuses[status]
		each = append(each, fmt.Sprintf("%d: %d", status, w.statuses[status]))
	}
	return fmt.Sprintf("%d requests: 2xx %d, 3xx %d, 4xx %d, 5xx %d (%s)", n, classes[2], classes[3], classes[4], classes[5], strings.Join(each, ", "))
}
