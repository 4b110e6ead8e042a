package media

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/xmpp/conformance"
)

// quick is a pace for tests on real connections.
func quick() pace { return pace{window: 500 * time.Millisecond, floor: 1 << 10, rate: 1 << 20} }

// raw answers with exactly these bytes on the wire, then with more, and closes.
func raw(t *testing.T, head string, more func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		defer c.Close()
		_, _ = buf.WriteString(head)
		_ = buf.Flush()
		if more != nil {
			more(c)
		}
	}
}

// drip writes a byte now and then until the other side is gone.
func drip(w net.Conn) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := w.Write([]byte("x")); err != nil {
			return
		}
	}
}

// hang says nothing until the other side is gone.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func pump(w net.Conn) {
	block := make([]byte, 64<<10)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func TestFetchFromBadHosts(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 67)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 10<<20))
	_ = z.Close()
	wrong := sha256.Sum256([]byte("another"))
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	tests := []struct {
		name string
		m    gateway.Media
		h    http.HandlerFunc
		want gateway.FileReason
	}{
		{"announces too much", gateway.Media{}, raw(t, ok+"Content-Length: 1048577\r\n\r\n", nil), gateway.FileTooLarge},
		{"announces absurdly much", gateway.Media{}, raw(t, ok+"Content-Length: 9223372036854775807\r\n\r\n", nil), gateway.FileTooLarge},
		{"announces more than it sends", gateway.Media{}, raw(t, ok+"Content-Length: 1000\r\n\r\nabc", nil), gateway.FileBroken},
		{"ends inside of a chunk", gateway.Media{}, raw(t, ok+"Transfer-Encoding: chunked\r\n\r\n10\r\nabc", nil), gateway.FileBroken},
		{"malformed chunk", gateway.Media{}, raw(t, ok+"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", nil), gateway.FileAway},
		{"less than the message said", gateway.Media{Size: 10}, raw(t, ok+"\r\nabc", nil), gateway.FileBroken},
		{"more than the message said", gateway.Media{Size: 2}, raw(t, ok+"\r\nabc", nil), gateway.FileBroken},
		{"announces less than it sends", gateway.Media{Size: 3}, raw(t, ok+"Content-Length: 2\r\n\r\nabc", nil), gateway.FileBroken},
		{"another hash than the message said", gateway.Media{SHA256: wrong[:]}, raw(t, ok+"\r\nabc", nil), gateway.FileBroken},
		{"the message says too much", gateway.Media{Size: 1<<20 + 1}, status(500), gateway.FileTooLarge},
		{"two lengths", gateway.Media{}, raw(t, ok+"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", nil), gateway.FileAway},
		{"endless", gateway.Media{}, raw(t, ok+"\r\n", pump), gateway.FileTooLarge},
		{"endless header", gateway.Media{}, raw(t, ok, pump), gateway.FileAway},
		{"slow loris in the header", gateway.Media{}, raw(t, ok, drip), gateway.FileAway},
		{"slow loris in the body", gateway.Media{}, raw(t, ok+"\r\n", drip), gateway.FileAway},
		{"silent", gateway.Media{}, raw(t, "", hang), gateway.FileAway},
		{"silent after the header", gateway.Media{}, raw(t, ok+"\r\nabc", hang), gateway.FileAway},
		{"closes at once", gateway.Media{}, raw(t, "", nil), gateway.FileAway},
		{"not HTTP", gateway.Media{}, raw(t, "SSH-2.0-OpenSSH_9.6\r\n", nil), gateway.FileAway},
		{"empty", gateway.Media{}, status(200), gateway.FileBroken},
		{"no content", gateway.Media{}, status(204), gateway.FileBroken},
		{"gone", gateway.Media{}, status(410), gateway.FileGone},
		{"not there", gateway.Media{}, status(404), gateway.FileGone},
		{"not for us", gateway.Media{}, status(403), gateway.FileGone},
		{"busy", gateway.Media{}, status(429), gateway.FileAway},
		{"down", gateway.Media{}, status(503), gateway.FileAway},
		{"a part nobody asked for", gateway.Media{}, status(206), gateway.FileBroken},
		{"gzip bomb", gateway.Media{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, gateway.FileBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, tt.h)
			cfg := Config{Max: 1 << 20} // patient, so that a busy machine changes nothing
			if strings.HasPrefix(tt.name, "slow") || strings.HasPrefix(tt.name, "silent") {
				cfg.Timeout, cfg.pace = 500*time.Millisecond, quick()
			}
			f := open(t, cfg, nil, srv)
			tt.m.Handle = srv.URL + "/secret/a.bin"
			_, err := f.Fetch(t.Context(), tt.m, 0)
			wantReason(t, f, err, tt.want)
			fe, ok := err.(*gateway.FileError) //nolint:errorlint // the contract says: a FileError, not one inside of another
			p.That(ok && fe.Reason == tt.want, "%s: got %v, want reason %q", tt.name, err, tt.want)
			p.That(len(spooled(t, f)) == 0, "%s: files left", tt.name)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats the address: %v", err)
			}
			if tt.want == gateway.FileTooLarge && ok && fe.Max != 1<<20 {
				t.Errorf("limit: got %d, want %d", fe.Max, 1<<20)
			}
		})
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	started := make(chan struct{})
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("abc"))
		_ = http.NewResponseController(w).Flush()
		close(started)
		<-r.Context().Done()
	})
	f := open(t, Config{}, nil, srv)
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-started; stop() }()
	if _, err := f.Fetch(ctx, gateway.Media{Handle: srv.URL}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if left := spooled(t, f); len(left) > 0 {
		t.Errorf("%d files left in the spool", len(left))
	}
}

func TestUntrustedCertificate(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("abc")) })
	f := open(t, Config{Internal: []string{hostOf(t, srv)}}, nil)
	_, err := f.Fetch(t.Context(), gateway.Media{Handle: srv.URL}, 0)
	wantReason(t, f, err, gateway.FileAway)
}

// trickle gives a few bytes in each interval of virtual time until it is closed.
type trickle struct {
	n      int
	every  time.Duration
	closed chan struct{}
}

func (s *trickle) Read(b []byte) (int, error) {
	select {
	case <-time.After(s.every):
		return min(s.n, len(b)), nil
	case <-s.closed:
		return 0, errors.New("closed")
	}
}

func (s *trickle) Close() error { close(s.closed); return nil }

// TestPace: the slowest transfer that passes, and how long the ones take that do not.
func TestPace(t *testing.T) {
	tests := []struct {
		name  string
		n     int
		every time.Duration
		want  gateway.FileReason
		took  time.Duration
	}{
		{"nothing at all", 1, time.Hour, gateway.FileAway, 10 * time.Second},
		{"below the floor", 1 << 10, time.Second, gateway.FileAway, 10 * time.Second},
		{"above the floor, below the rate", 2 << 10, time.Second, gateway.FileAway, 30*time.Second + 234375*time.Microsecond},
		{"fast enough", 32 << 10, 100 * time.Millisecond, gateway.FileTooLarge, 3300 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := open(t, Config{Max: 1 << 20}, nil)
				start := time.Now()
				_, err := f.Spool(t.Context(), gateway.Media{}, &trickle{tt.n, tt.every, make(chan struct{})}, 0)
				wantReason(t, f, err, tt.want)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// TestMemoryStaysFlat: all that is allocated while 20 MB pass is a fraction of them.
func TestMemoryStaysFlat(t *testing.T) {
	const size, most = 20 << 20, 4 << 20
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusCreated)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.CopyN(w, endless{}, size)
	})
	slots := &desk{slot: gateway.Slot{Put: srv.URL + "/put", Get: srv.URL + "/get"}}
	f := open(t, Config{PublicURL: "https://gw.example.org"}, slots, srv)
	var kept gateway.File
	steps := []struct {
		name string
		do   func() error
	}{
		{"spool", func() (err error) {
			kept, err = f.Spool(t.Context(), gateway.Media{}, io.LimitReader(endless{}, size), 0)
			return err
		}},
		{"upload", func() error { _, err := f.Publish(t.Context(), gateway.Recipient{}, kept); return err }},
		{"own store", func() error {
			slots.err = gateway.ErrNoSlot
			_, err := f.Publish(t.Context(), gateway.Recipient{}, kept)
			return err
		}},
		{"fetch", func() error {
			got, err := f.Fetch(t.Context(), gateway.Media{Handle: srv.URL}, 0)
			if err == nil {
				err = got.Close()
			}
			return err
		}},
	}
	for _, s := range steps {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: allocated %d KiB for %d KiB, want at most %d KiB", s.name, got>>10, size>>10, most>>10)
		}
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}
