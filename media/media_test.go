package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"postern/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a Files in a folder of the test. The hosts of srv may be called although they are on loopback.
func open(t *testing.T, cfg Config, slots gateway.Slots, srv ...*httptest.Server) *Files {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Roots = x509.NewCertPool()
	for _, s := range srv {
		cfg.Internal = append(cfg.Internal, hostOf(t, s))
		if c := s.Certificate(); c != nil {
			cfg.Roots.AddCert(c)
		}
	}
	f, err := New(cfg, slots, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func hostOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// serve answers with a handler over TLS on loopback, quietly.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// spooled are the files in the spool.
func spooled(t *testing.T, f *Files) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(f.spool.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// wantReason checks why a file went nowhere, and that nothing of it is left.
func wantReason(t *testing.T, f *Files, err error, want gateway.FileReason) {
	t.Helper()
	fe, ok := errors.AsType[*gateway.FileError](err)
	if !ok || fe.Reason != want {
		t.Errorf("got error %v, want reason %q", err, want)
	}
	if left := spooled(t, f); len(left) > 0 {
		t.Errorf("%d files left in the spool", len(left))
	}
}

func read(t *testing.T, f gateway.File) []byte {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSpool(t *testing.T) {
	f := open(t, Config{}, nil)
	raw := []byte("%PDF-1.7\n" + strings.Repeat("x", 100_000))
	got, err := f.Spool(t.Context(), gateway.Media{Kind: gateway.MediaFile, Handle: "m1", Name: "../Rechnung März.txt", MIME: "text/plain"}, bytes.NewReader(raw), 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	want := gateway.Media{Kind: gateway.MediaFile, Handle: "m1", Name: "Rechnung März.pdf", MIME: "application/pdf", Size: int64(len(raw)), SHA256: sum[:]}
	if diff := cmp.Diff(want, got.Media()); diff != "" {
		t.Errorf("media (-want +got):\n%s", diff)
	}
	if !bytes.Equal(read(t, got), raw) {
		t.Error("the file holds something else than the stream")
	}
	files := spooled(t, f)
	if len(files) != 1 {
		t.Fatalf("got %d files in the spool, want 1", len(files))
	}
	for path, want := range map[string]os.FileMode{files[0]: 0o600, f.spool.dir: 0o700 | os.ModeDir, filepath.Dir(f.spool.dir): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: got mode %v, %v, want %v", filepath.Base(path), info.Mode(), err, want)
		}
	}
	for range 2 {
		if err := got.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if left := spooled(t, f); len(left) > 0 {
		t.Errorf("%d files left after Close", len(left))
	}
}

// failing reads as told and then fails.
type failing struct {
	r   io.Reader
	err error
}

func (f failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if errors.Is(err, io.EOF) {
		err = f.err
	}
	return n, err
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestSpoolRefuses(t *testing.T) {
	wrong := sha256.Sum256([]byte("another"))
	tests := []struct {
		name string
		m    gateway.Media
		body io.Reader
		max  int64
		want gateway.FileReason
	}{
		{"endless", gateway.Media{}, endless{}, 1 << 20, gateway.FileTooLarge},
		{"endless, no limit given", gateway.Media{}, endless{}, 0, gateway.FileTooLarge},
		{"one byte too many", gateway.Media{}, strings.NewReader("12345"), 4, gateway.FileTooLarge},
		{"announced too large", gateway.Media{Size: 5}, failing{strings.NewReader(""), errors.New("must not be read")}, 4, gateway.FileTooLarge},
		{"empty", gateway.Media{}, strings.NewReader(""), 0, gateway.FileBroken},
		{"truncated", gateway.Media{}, failing{strings.NewReader("abc"), io.ErrUnexpectedEOF}, 0, gateway.FileBroken},
		{"broken off", gateway.Media{}, failing{strings.NewReader("abc"), errors.New("reset by peer")}, 0, gateway.FileAway},
		{"never anything", gateway.Media{}, idle{}, 0, gateway.FileAway},
		{"another hash", gateway.Media{SHA256: wrong[:]}, strings.NewReader("abc"), 0, gateway.FileBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, Config{Max: 2 << 20}, nil)
			_, err := f.Spool(t.Context(), tt.m, tt.body, tt.max)
			wantReason(t, f, err, tt.want)
		})
	}
}

func TestSpoolEndsWithItsContext(t *testing.T) {
	f := open(t, Config{}, nil)
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte("abc"))
		stop()
		_, _ = w.Write([]byte("def"))
		_ = w.Close()
	}()
	_, err := f.Spool(ctx, gateway.Media{}, r, 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if left := spooled(t, f); len(left) > 0 {
		t.Errorf("%d files left in the spool", len(left))
	}
	_ = r.Close()
}

func TestFetch(t *testing.T) {
	raw := []byte("%PDF-1.7\n" + strings.Repeat("x", 100_000))
	var header http.Header
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		_, _ = w.Write(raw)
	})
	f := open(t, Config{}, nil, srv)
	got, err := f.Fetch(t.Context(), gateway.Media{Handle: srv.URL + "/9f/report.pdf#part"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	if m := got.Media(); m.Name != "report.pdf" || m.MIME != "application/pdf" || m.Size != int64(len(raw)) {
		t.Errorf("got %+v", m)
	}
	if !bytes.Equal(read(t, got), raw) {
		t.Error("the file holds something else than was served")
	}
	if diff := cmp.Diff(http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "Connection": {"close"}, "User-Agent": {"Postern"}}, header); diff != "" {
		t.Errorf("header of the request (-want +got):\n%s", diff)
	}
}
