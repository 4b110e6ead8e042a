package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/adapters/gatekeeper"
	"postern/xmpp/xmpptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "gatekeeper.example.org"

// lines is a log that a test can read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// waitFor polls a condition of a real process.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 10 s: %s", what)
		case <-tick.C:
		}
	}
}

// writeKeys writes what the gatekeeper adapter reads.
func writeKeys(t *testing.T, dir string) {
	t.Helper()
	key, err := gatekeeper.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "gatekeeper.pem"), key, 0o600)
	write(t, filepath.Join(dir, "webhook.secret"), "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 0o600)
	write(t, filepath.Join(dir, "component.secret"), xmpptest.Secret+"\n", 0o600)
	write(t, filepath.Join(dir, "store.key"), NewKey(), 0o600)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

const small = `
server: {domain: example.org}
store: {memory: true}
http: {public: "127.0.0.1:0", admin: "127.0.0.1:0"}
delivery: {drain: 2s}
state_dir: state
adapters:
  gatekeeper:
    type: gatekeeper
    jid: gatekeeper.example.org
    secret_file: component.secret
    base_url: http://127.0.0.1:1
    client_id: postern
    key_file: gatekeeper.pem
    webhook_secret_file: webhook.secret
`

// configured returns a configuration whose files are in dir.
func configured(t *testing.T, dir string) *Config {
	t.Helper()
	cfg, err := Parse(filepath.Join(dir, "postern.yaml"), []byte(small), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// running is an App in a test.
type running struct {
	*App
	log  *lines
	stop func() error
}

func start(t *testing.T, cfg *Config, srv *xmpptest.Server) *running {
	t.Helper()
	r := &running{log: &lines{}}
	a, err := Build(t.Context(), cfg, Options{Log: slog.New(slog.NewTextHandler(r.log, nil)), Dial: srv.Dial})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.App = a
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestServesAndStopsInOrder(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir)
	srv := xmpptest.NewServer()
	r := start(t, configured(t, dir), srv)
	c := srv.Accept(t, domain)
	waitFor(t, "the component is up", func() bool { return strings.Contains(r.log.String(), "xmpp stream up") })

	admin, public := "http://"+r.AdminAddr(), "http://"+r.PublicAddr()
	for _, tt := range []struct {
		url    string
		status int
		want   string
	}{
		{admin + "/healthz", 200, "ok"},
		{admin + "/readyz", 200, "store: ok\nrunning: ok\n"},
		{admin + "/metrics", 200, `postern_component_state{adapter="gatekeeper",state="up"} 1`},
		{admin + "/metrics", 200, "postern_build_info"},
		{public + "/.well-known/gia-partner/jwks.json", 200, `"keys"`},
		{public + "/hooks/other", 404, ""},
		{public + "/metrics", 404, ""},
	} {
		if status, body := get(t, tt.url); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: got %d %.200q, want %d and %q", tt.url, status, body, tt.status, tt.want)
		}
	}

	c.Send(t, "<iq type='get' id='q1' from='romeo@example.org/orchard' to='"+domain+"'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	c.Expect(t, "id='q1'")
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if !c.WaitEnd(t) {
		t.Error("stream: got a dropped connection, want </stream:stream>")
	}
	// Until the server ends the stream too, stanzas may be on their way: nothing else stops before.
	select {
	case err := <-stopped:
		t.Fatalf("run: returned %v before the server had ended the stream", err)
	default:
	}
	if status, _ := get(t, public+"/hooks/gatekeeper"); status != http.StatusNotFound {
		t.Errorf("the public listener while the components stop: got %d, want it to answer", status)
	}
	if status, _ := get(t, admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz while stopping: got %d, want 503", status)
	}
	c.CloseStream(t)
	if err := <-stopped; err != nil {
		t.Errorf("run: got %v, want nil", err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.PublicAddr()); err == nil {
		t.Error("the public listener still answers")
	}
	log := r.log.String()
	for _, line := range []string{"msg=serving", "msg=stopping", "msg=stopped"} {
		if !strings.Contains(log, line) {
			t.Errorf("log: no %s in\n%s", line, log)
		}
	}
}

func TestWrongSecretStaysUp(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir)
	srv := xmpptest.NewServer()
	r := start(t, configured(t, dir), srv)
	srv.Refuse(t, domain, "not-authorized")
	waitFor(t, "the log says so", func() bool { return strings.Contains(r.log.String(), "the server refused the component secret") })
	if status, _ := get(t, "http://"+r.AdminAddr()+"/healthz"); status != 200 {
		t.Errorf("healthz: got %d, want 200", status)
	}
	if _, body := get(t, "http://"+r.AdminAddr()+"/metrics"); !strings.Contains(body, `postern_component_state{adapter="gatekeeper",state="refused"} 1`) {
		t.Error("metrics: the component is not shown as refused")
	}
	if strings.Contains(r.log.String(), xmpptest.Secret) {
		t.Error("the log holds the secret")
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir)
	first, err := Build(t.Context(), configured(t, dir), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	id := first.replica.id
	if _, err := Build(t.Context(), configured(t, dir), Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, ErrStateInUse) {
		t.Errorf("second process: got %v, want %v", err, ErrStateInUse)
	}
	first.Close()
	again, err := Build(t.Context(), configured(t, dir), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.replica.id != id {
		t.Errorf("replica id after a restart: got %s, want %s", again.replica.id, id)
	}
}

func TestBuildNamesTheFile(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(t *testing.T, dir string, cfg *Config)
		key    string
		reason string
	}{
		{"key readable by others", func(t *testing.T, dir string, cfg *Config) {
			cfg.Store.Memory = false
			if err := os.Chmod(filepath.Join(dir, "store.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "store.key_file", "has mode 0644: others can read or change it; run chmod 600 "},
		{"key too short", func(t *testing.T, dir string, cfg *Config) {
			cfg.Store.Memory = false
			write(t, filepath.Join(dir, "store.key"), "c2hvcnQ=\n", 0o600)
		}, "store.key_file", "holds no key: want 32 bytes in base64"},
		{"no key", func(t *testing.T, dir string, cfg *Config) {
			cfg.Store.Memory = false
			if err := os.Remove(filepath.Join(dir, "store.key")); err != nil {
				t.Fatal(err)
			}
		}, "store.key_file", "does not exist: postern init writes it"},
		{"no component secret", func(t *testing.T, dir string, _ *Config) {
			write(t, filepath.Join(dir, "component.secret"), "\n", 0o600)
		}, "adapters.gatekeeper.secret_file", "want one line with a secret"},
		{"no adapter key", func(t *testing.T, dir string, _ *Config) {
			write(t, filepath.Join(dir, "gatekeeper.pem"), "nonsense", 0o600)
		}, "adapters.gatekeeper", "key_file is not a private key in PEM"},
		{"no certificate", func(_ *testing.T, dir string, cfg *Config) {
			cfg.HTTP.TLS = HTTPTLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
		}, "http.tls", "cert.pem: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeKeys(t, dir)
			cfg := configured(t, dir)
			cfg.Store.KeyFile = filepath.Join(dir, "store.key")
			tt.spoil(t, dir, cfg)
			problems := CheckFiles(cfg)
			if len(problems) != 1 {
				t.Fatalf("got %d problems, want 1:\n%v", len(problems), problems)
			}
			if p := problems[0]; p.Key != tt.key || !strings.Contains(p.Text, tt.reason) {
				t.Errorf("got %v\nwant %s: ...%s", p, tt.key, tt.reason)
			}
		})
	}
}

func TestListenSaysWhichAddress(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	cfg := configured(t, dir)
	cfg.HTTP.Public = taken.Addr().String()
	a, err := Build(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("app: http.public: listen tcp %s: bind: address already in use", cfg.HTTP.Public)
	if err := a.Run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
