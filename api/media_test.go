package api

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// shelf is a store of files in memory, by "token/name".
type shelf map[string]shelved

type shelved struct {
	mime, content string
	left          time.Duration
}

type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

func (s shelf) Stored(token, name string) (io.ReadSeekCloser, gateway.Media, time.Time, error) {
	f, ok := s[token+"/"+name]
	if !ok {
		return nil, gateway.Media{}, time.Time{}, fs.ErrNotExist
	}
	m := gateway.Media{Handle: token, MIME: f.mime, Name: name, Size: int64(len(f.content))}
	return closing{bytes.NewReader([]byte(f.content))}, m, time.Now().Add(f.left), nil
}

func TestFilesAreServed(t *testing.T) {
	from := shelf{
		"tok/cat.jpg":  {"image/jpeg", "0123456789", time.Hour},
		"tok/doc.pdf":  {"application/pdf", "0123456789", time.Hour},
		"tok/page.bin": {"application/octet-stream", "<script>", time.Hour},
		"tok/old.jpg":  {"image/jpeg", "0123456789", -time.Second},
		"tok/odd.svg":  {"image/svg+xml", "<svg/>", time.Hour},
	}
	type answer struct {
		Status                                   int
		Type, Length, Disposition, Cache, Policy string
		CORS, Body                               string
	}
	const none = "default-src 'none'; frame-ancestors 'none'"
	miss := answer{404, "application/problem+json", "", "", "no-store", none, "", ""}
	tests := []struct {
		name, method, path, part string
		want                     answer
	}{
		{"image", "GET", "/m/tok/cat.jpg", "", answer{200, "image/jpeg", "10", "inline; filename=cat.jpg", "private, max-age=3600", "default-src 'none'", "*", "0123456789"}},
		{"head", "HEAD", "/m/tok/cat.jpg", "", answer{200, "image/jpeg", "10", "inline; filename=cat.jpg", "private, max-age=3600", "default-src 'none'", "*", ""}},
		{"part", "GET", "/m/tok/cat.jpg", "bytes=2-4", answer{206, "image/jpeg", "3", "inline; filename=cat.jpg", "private, max-age=3600", "default-src 'none'", "*", "234"}},
		{"document", "GET", "/m/tok/doc.pdf", "", answer{200, "application/pdf", "10", "attachment; filename=doc.pdf", "private, max-age=3600", "default-src 'none'", "*", "0123456789"}},
		{"what might run", "GET", "/m/tok/page.bin", "", answer{200, "application/octet-stream", "8", "attachment; filename=page.bin", "private, max-age=3600", "default-src 'none'", "*", "<script>"}},
		{"drawing that may run", "GET", "/m/tok/odd.svg", "", answer{200, "image/svg+xml", "6", "attachment; filename=odd.svg", "private, max-age=3600", "default-src 'none'", "*", "<svg/>"}},
		{"over", "GET", "/m/tok/old.jpg", "", miss},
		{"unknown", "GET", "/m/nope/cat.jpg", "", miss},
		{"another name", "GET", "/m/tok/dog.jpg", "", miss},
		{"climbing", "GET", "/m/..%2f..%2fetc/passwd", "", miss},
		{"no name", "GET", "/m/tok/", "", miss},
		{"upload", "PUT", "/m/tok/cat.jpg", "", answer{405, "application/problem+json", "", "", "no-store", none, "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := Public(PublicConfig{Receiver: &receiver{}, Media: from, Log: slog.New(slog.DiscardHandler)})
				r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
				if tt.part != "" {
					r.Header.Set("Range", tt.part)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				hd := w.Header()
				got := answer{
					w.Code, hd.Get("Content-Type"), hd.Get("Content-Length"), hd.Get("Content-Disposition"), hd.Get("Cache-Control"),
					hd.Get("Content-Security-Policy"), hd.Get("Access-Control-Allow-Origin"), w.Body.String(),
				}
				if w.Code >= 400 {
					wantProblem(t, w, tt.want.Status)
					got.Body = ""
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
				if sniff := hd.Get("X-Content-Type-Options"); sniff != "nosniff" {
					t.Errorf("X-Content-Type-Options: got %q, want nosniff", sniff)
				}
			})
		})
	}
}

// TestMissesAreAlike: an answer never says whether a token was ever good.
func TestMissesAreAlike(t *testing.T) {
	h := Public(PublicConfig{Receiver: &receiver{}, Media: shelf{"tok/old.jpg": {"image/jpeg", "x", -time.Hour}}, Log: slog.New(slog.DiscardHandler)})
	var answers []*httptest.ResponseRecorder
	for _, path := range []string{"/m/nope/old.jpg", "/m/tok/old.jpg", "/m/tok/other.jpg"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		answers = append(answers, w)
	}
	for _, w := range answers[1:] {
		if diff := cmp.Diff(answers[0].Body.String(), w.Body.String()); diff != "" || w.Code != http.StatusNotFound {
			t.Errorf("status %d, body (-unknown +this):\n%s", w.Code, diff)
		}
		if diff := cmp.Diff(answers[0].Header(), w.Header()); diff != "" {
			t.Errorf("header (-unknown +this):\n%s", diff)
		}
	}
}

func TestNoStoreNoFiles(t *testing.T) {
	w := httptest.NewRecorder()
	h := Public(PublicConfig{Receiver: &receiver{}, Log: slog.New(slog.DiscardHandler)})
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/m/tok/cat.jpg", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("status: got %d, want 404", w.Code)
	}
}

// TestLargeFilesHaveTime: the write timeout of short answers does not cut off a phone on a train.
func TestLargeFilesHaveTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := strings.Repeat("x", 1<<20)
		c := serve(t, Public(PublicConfig{Receiver: &receiver{}, Media: shelf{"tok/a.bin": {"video/mp4", content, time.Hour}}, Log: slog.New(slog.DiscardHandler)}))()
		go func() { _, _ = io.WriteString(c, "GET /m/tok/a.bin HTTP/1.0\r\nHost: x\r\n\r\n") }()
		got, buf := 0, make([]byte, 32<<10)
		start := time.Now()
		for {
			n, err := c.Read(buf)
			got += n
			if err != nil {
				break
			}
			<-time.After(2 * time.Second)
		}
		if got < len(content) {
			t.Errorf("got %d bytes in %v, want all %d", got, time.Since(start), len(content))
		}
		if took := time.Since(start); took < 2*writeTimeout {
			t.Errorf("took %v, too little to show anything", took)
		}
	})
}

// TestIdleReadersAreCutOff: however large a file is, who does not read it gives the place back soon.
func TestIdleReadersAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := shelf{"tok/a.bin": {"video/mp4", strings.Repeat("x", 4<<20), time.Hour}}
		h := Public(PublicConfig{Receiver: &receiver{}, Media: from, Log: slog.New(slog.DiscardHandler)})
		ended := make(chan time.Duration)
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			h.ServeHTTP(w, r)
			ended <- time.Since(start)
		}))()
		_, _ = io.WriteString(c, "GET /m/tok/a.bin HTTP/1.0\r\nHost: x\r\n\r\n")
		if took := <-ended; took < downloadLeast || took > downloadLeast+5*time.Second {
			t.Errorf("cut off after %v, want about %v", took, downloadLeast)
		}
	})
}

// stuck is a connection whose other side reads nothing.
type stuck struct {
	http.ResponseWriter
	until chan struct{}
}

func (s stuck) Write(b []byte) (int, error) { <-s.until; return len(b), nil }

// TestOneCallerLeavesRoom: whoever takes all that they get leaves places for others.
func TestOneCallerLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Public(PublicConfig{Receiver: &receiver{}, Media: shelf{"tok/a.bin": {"video/mp4", "x", time.Hour}}, Log: slog.New(slog.DiscardHandler)})
		fetch := func(from string, w http.ResponseWriter) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/m/tok/a.bin", nil)
			r.RemoteAddr = from
			h.ServeHTTP(w, r)
		}
		until := make(chan struct{})
		var wg sync.WaitGroup
		for i := range downloadsEach {
			wg.Go(func() { fetch(fmt.Sprintf("[2001:db8::%x]:1", i), stuck{httptest.NewRecorder(), until}) })
		}
		synctest.Wait()
		for from, want := range map[string]int{"[2001:db8::ffff]:1": 503, "[2001:db8:0:1::1]:1": 200, "192.0.2.1:1": 200} {
			w := httptest.NewRecorder()
			if fetch(from, w); w.Code != want {
				t.Errorf("%s: got %d, want %d", from, w.Code, want)
			}
		}
		close(until)
		wg.Wait()
		w := httptest.NewRecorder()
		if fetch("[2001:db8::1]:1", w); w.Code != 200 {
			t.Errorf("afterwards: got %d, want 200", w.Code)
		}
	})
}
