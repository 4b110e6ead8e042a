//go:build servers

package story

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/deploy"
	"postern/deploy/lab"
)

const (
	// gateways is how many component names each XMPP server knows: every stage takes one and gives it back.
	gateways = 12
	// privileged is how many more there are that have the rights of XEP-0356.
	privileged = 4
	// secret is shared by all of them.
	secret = "a secret of the stage"
	// foreign is the second host of each XMPP server, whose users the gateways do not serve.
	foreign = "elsewhere.localhost"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "story")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ground.dir, ground.lab = dir, lab.New(filepath.Join(dir, "lab"), nil)
	code := play(m)
	if err := errors.Join(ground.lab.Close(), os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// play runs the stories. Whoever fetches a file of the servers trusts them, in this process and in those that it starts.
func play(m *testing.M) int {
	roots, _, err := ground.lab.CA()
	if err == nil {
		err = os.Setenv("SSL_CERT_FILE", roots) // read by crypto/x509 when it first needs it, and by OpenSSL
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// ground is what all stories stand on: servers are slow to start, so each kind starts once, when the first story asks.
var ground struct {
	dir string
	lab *lab.Lab

	prosody, ejabberd server
	redis             lazy[*lab.Redis]
	cluster           lazy[*lab.RedisCluster]
	binary            lazy[string]
	newer             lazy[string]

	stages atomic.Int64
}

// server is one XMPP server with the component names that no stage has.
type server struct {
	lazy[*lab.XMPP]
	mu    sync.Mutex
	taken map[string]bool
}

// lazy makes its value on first use.
type lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (l *lazy[T]) use(t *testing.T, start func(context.Context) (T, error)) T {
	t.Helper()
	l.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		l.value, l.err = start(ctx)
	})
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.value
}

// name takes a free component name for the time of a test, from those with rights or the others. keep keeps it for good:
// nobody can use it afterwards.
func (s *server) name(t *testing.T, rights bool) (name string, keep func()) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == nil {
		s.taken = map[string]bool{}
	}
	kept := false
	for n := range gateways + privileged {
		name := gatewayName(n + 1)
		if rights != (n >= gateways) {
			continue
		}
		if s.taken[name] {
			continue
		}
		s.taken[name] = true
		t.Cleanup(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.taken[name] = kept
		})
		return name, func() { kept = true }
	}
	t.Fatalf("more than %d stages on one server", gateways)
	return "", nil
}

func gatewayName(n int) string { return fmt.Sprintf("gw%02d.localhost", n) }

func xmppServer(t *testing.T, kind deploy.Server) (*server, *lab.XMPP) {
	t.Helper()
	cfg := lab.XMPPConfig{Hosts: []string{foreign}}
	for n := range gateways + privileged {
		cfg.Components = append(cfg.Components, lab.Component{Domain: gatewayName(n + 1), Secret: secret, Privileged: n >= gateways})
	}
	if kind == deploy.Ejabberd {
		return &ground.ejabberd, ground.ejabberd.use(t, func(ctx context.Context) (*lab.XMPP, error) { return ground.lab.StartEjabberd(ctx, cfg) })
	}
	return &ground.prosody, ground.prosody.use(t, func(ctx context.Context) (*lab.XMPP, error) { return ground.lab.StartProsody(ctx, cfg) })
}

// Stores that a stage may stand on.
const (
	onRedis   = "redis"
	onCluster = "cluster"
)

func storeURL(t *testing.T, kind string) string {
	t.Helper()
	if kind == onCluster {
		return ground.cluster.use(t, func(ctx context.Context) (*lab.RedisCluster, error) {
			return ground.lab.StartRedisCluster(ctx, 3, lab.RedisConfig{AppendOnly: true})
		}).URL()
	}
	return ground.redis.use(t, func(ctx context.Context) (*lab.Redis, error) {
		return ground.lab.StartRedis(ctx, lab.RedisConfig{AppendOnly: true})
	}).URL()
}

// binary is the program itself, for stories in which a process is ended.
func binary(t *testing.T) string {
	t.Helper()
	return ground.binary.use(t, func(ctx context.Context) (string, error) { return build(ctx, t, "postern") })
}

// newer is the program under another version, for stories of an upgrade.
func newer(t *testing.T) (program, version string) {
	t.Helper()
	const next = "9.9.9-next"
	return ground.newer.use(t, func(ctx context.Context) (string, error) {
		return build(ctx, t, "postern-next", "-ldflags", "-X postern/cmd/internal/app.stamped="+next)
	}), next
}

func build(ctx context.Context, t *testing.T, name string, flags ...string) (string, error) {
	path := filepath.Join(ground.dir, name)
	began := time.Now()
	defer func() { t.Logf("built within %s", time.Since(began).Round(time.Millisecond)) }()
	args := append(append([]string{"build", "-o", path}, flags...), "postern/cmd/postern")
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
}
