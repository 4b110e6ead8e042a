package stand

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"postern/adapters/gatekeeper"
	"postern/deploy"
	"postern/deploy/lab"
)

// Names that every stand uses.
const (
	Adapter  = "gk"           // the adapter instance
	Domain   = "gk.localhost" // its component
	ClientID = "stand"        // how the platform knows the gateway
)

// Config describes a stand.
type Config struct {
	// Dir takes all files. Binary is the program to run as Postern.
	Dir, Binary string
	// Server is the XMPP server; Prosody when empty. Store is what kind of Redis there is; Single when empty.
	Server deploy.Server
	Store  Store
	// Via puts something between the gateway and the server at addr, and returns its address; nil: nothing. What it is named
	// after is one of the Path constants, with the process's name before it where each process has its own.
	Via func(ctx context.Context, name, addr string) (string, error)
	// Users is how many users the XMPP server has: u0, u1, ...
	Users int
	// NoArchives runs the XMPP server without archives, offline messages and carbons.
	NoArchives bool
	// Platform answers the gateway's calls.
	Platform http.Handler
	// FileHosts are the hosts of files that users share, beside Prosody's own upload service.
	FileHosts []string
	// Enter stands before the command line of a process; name is the process's, spool the folder of its files on their way. Nil:
	// nothing stands there.
	Enter func(ctx context.Context, name, spool string) ([]string, error)
	// Settings are more lines of postern.yaml, at its top level.
	Settings string
}

// Store is a kind of Redis.
type Store string

// The three that Postern knows.
const (
	Single   Store = "single"
	Sentinel Store = "sentinel"
	Cluster  Store = "cluster"
)

// What stands between the gateway and others, as Config.Via names it.
const (
	PathRedis    = "redis" // with "-" and the node's number; a replica's own way to the only node has the replica's name, as all that follow
	PathXMPP     = "xmpp"
	PathPlatform = "platform"
	PathHooks    = "hooks"
)

// Stand is an installation. The XMPP server, Redis and the platform run; Postern is started by the caller.
type Stand struct {
	XMPP *lab.XMPP
	// Redis is the only node, or the first; Nodes are all of them.
	Redis *lab.Redis
	Nodes []*lab.Redis
	// Failover is set where a Sentinel is, Slots where Redis is a Cluster.
	Failover *lab.RedisSentinel
	Slots    *lab.RedisCluster
	// Platform is the origin of the platform, Secret what it signs webhooks with.
	Platform, Secret string
	// ComponentSecret is what the component logs in with.
	ComponentSecret string
	// Roots are behind the addresses of uploaded files.
	Roots *x509.CertPool

	cfg   Config
	roots string // the same as a file
	url   string // of Redis
	hooks atomic.Pointer[[]string]
	turn  atomic.Uint64
}

// New starts Redis and the XMPP server in their labs and writes the secrets. What it starts ends with these, and the platform's listener
// with ctx.
func New(ctx context.Context, redis, xmpp *lab.Lab, cfg Config) (*Stand, error) {
	s := &Stand{cfg: cfg, ComponentSecret: randomText(16), Secret: "whsec_" + randomKey(32)}
	users := make([]lab.Login, cfg.Users)
	for i := range users {
		users[i] = lab.Login{User: fmt.Sprintf("u%d", i), Password: "secret"}
	}
	if err := s.startRedis(ctx, redis); err != nil {
		return nil, err
	}
	start := xmpp.StartProsody
	if cfg.Server == deploy.Ejabberd {
		start = xmpp.StartEjabberd
	}
	var err error
	s.XMPP, err = start(ctx, lab.XMPPConfig{Components: []lab.Component{{Domain: Domain, Secret: s.ComponentSecret}}, Users: users})
	if err != nil {
		return nil, err
	}
	if s.roots, s.Roots, err = xmpp.CA(); err != nil {
		return nil, err
	}
	if cfg.NoArchives {
		if err := s.dropArchives(ctx); err != nil {
			return nil, err
		}
	}
	server := httptest.NewServer(cfg.Platform)
	context.AfterFunc(ctx, server.Close)
	s.Platform = server.URL
	return s, s.writeSecrets()
}

// startRedis starts what the configuration wants, with data that outlives a process.
func (s *Stand) startRedis(ctx context.Context, l *lab.Lab) error {
	cfg, n := lab.RedisConfig{AppendOnly: true}, 0
	if s.cfg.Via != nil {
		cfg.Via = func(ctx context.Context, addr string) (string, error) {
			n++
			return s.cfg.Via(ctx, fmt.Sprintf("%s-%d", PathRedis, n), addr)
		}
	}
	var err error
	switch s.cfg.Store {
	case Sentinel:
		if s.Failover, err = l.StartRedisSentinel(ctx, 2, cfg); err == nil {
			s.Nodes, s.url = s.Failover.Nodes, s.Failover.URL()
		}
	case Cluster:
		if s.Slots, err = l.StartRedisCluster(ctx, 3, cfg); err == nil {
			s.Nodes, s.url = s.Slots.Nodes, s.Slots.URL()
		}
	default:
		if s.Redis, err = l.StartRedis(ctx, cfg); err == nil {
			s.Nodes, s.url = []*lab.Redis{s.Redis}, s.Redis.URL()
		}
	}
	if err == nil {
		s.Redis = s.Nodes[0]
	}
	return err
}

// via is Config.Via, which may be missing.
func (s *Stand) via(ctx context.Context, name, addr string) (string, error) {
	if s.cfg.Via == nil {
		return addr, nil
	}
	return s.cfg.Via(ctx, name, addr)
}

// FastLab returns a lab on a file system in memory where there is one: Prosody's archive in SQLite waits for the disk after every
// message. The caller closes it and removes dir, which is empty when there is no such file system.
func FastLab(log io.Writer) (l *lab.Lab, dir string, err error) {
	const memory = "/dev/shm" // shm_overview(7)
	if _, err := os.Stat(memory); err != nil {
		return nil, "", nil //nolint:nilerr // then there is none
	}
	if dir, err = os.MkdirTemp(memory, "postern-"); err != nil {
		return nil, "", fmt.Errorf("stand: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // Prosody runs as its own user
		return nil, "", fmt.Errorf("stand: %w", err)
	}
	return lab.New(dir, log), dir, nil
}

// TB is what a test gives to FastForTest.
type TB interface {
	lab.TB
	Fatal(args ...any)
	Output() io.Writer
}

// FastForTest is FastLab for the time of a test, or lab.ForTest where there is no such file system.
func FastForTest(tb TB) *lab.Lab {
	tb.Helper()
	l, dir, err := FastLab(tb.Output())
	if err != nil {
		tb.Fatal(err)
	}
	if l == nil {
		return lab.ForTest(tb)
	}
	tb.Cleanup(func() {
		if err := errors.Join(l.Close(), os.RemoveAll(dir)); err != nil {
			tb.Errorf("lab: %v", err)
		}
	})
	return l
}

// dropArchives restarts the XMPP server without what keeps messages.
func (s *Stand) dropArchives(ctx context.Context) error {
	file, keeping := "prosody.cfg.lua", [][2]string{{`"carbons", "mam", "smacks", "csi_simple", "offline",`, `"carbons", "smacks",`}}
	if s.XMPP.Kind() == deploy.Ejabberd {
		file, keeping = "conf/ejabberd.yml", [][2]string{
			{"\n  mod_mam:\n    db_type: sql\n    default: always\n    request_activates_archiving: false\n", "\n"},
			{"\n  mod_carboncopy: {}\n", "\n"},
			{"\n  mod_offline: {}\n", "\n"},
			{"\n    default_room_options:\n      mam: true\n", "\n"},
		}
	}
	file = filepath.Join(s.XMPP.Dir(), file)
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("stand: %w", err)
	}
	text := string(raw)
	for _, k := range keeping {
		without := strings.Replace(text, k[0], k[1], 1)
		if without == text {
			return fmt.Errorf("stand: %s: %q is not where it was", s.XMPP.Kind(), k[0])
		}
		text = without
	}
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		return fmt.Errorf("stand: %w", err)
	}
	return s.XMPP.Restart(ctx)
}

// writeSecrets makes what postern.yaml names.
func (s *Stand) writeSecrets() error {
	key, err := gatekeeper.NewSigningKey()
	if err != nil {
		return fmt.Errorf("stand: %w", err)
	}
	for name, data := range map[string]string{
		"partner.pem":    key,
		"webhook.secret": s.Secret + "\n",
		"store.key":      randomKey(32) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(s.cfg.Dir, name), []byte(data), 0o600); err != nil {
			return fmt.Errorf("stand: %w", err)
		}
	}
	return nil
}

// HookClient is an HTTP client for the platform: whatever the address, it calls one of the processes that Hook named last, in
// turn, as a load balancer before several processes does.
func (s *Stand) HookClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &balancer{s, &http.Transport{MaxIdleConnsPerHost: 128}}}
}

// Hook makes ps the processes that webhooks go to.
func (s *Stand) Hook(ps ...*Process) {
	var to []string
	for _, p := range ps {
		to = append(to, p.hooks)
	}
	s.hooks.Store(&to)
}

// HookHost is where the webhooks of all processes go, as they tell the platform.
const HookHost = "hooks.localhost"

type balancer struct {
	s    *Stand
	next http.RoundTripper
}

var errNoProcess = errors.New("stand: no process takes webhooks")

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	to := b.s.hooks.Load()
	if to == nil || len(*to) == 0 {
		return nil, errNoProcess
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", (*to)[b.s.turn.Add(1)%uint64(len(*to))]
	return b.next.RoundTrip(out)
}

// Build compiles a program of this module with build tags and returns its path. It is run from the package's folder.
func Build(ctx context.Context, dir, pkg string, tags ...string) (string, error) {
	out := filepath.Join(dir, filepath.Base(pkg))
	args := []string{"build", "-buildvcs=false", "-tags", strings.Join(tags, ","), "-o", out}
	if slices.Contains(tags, "chaos") {
		args = append(args, "-ldflags=-checklinkname=0") // for the clock of package app
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stand: build %s: %w\n%s", pkg, err, text)
	}
	return out, nil
}

// FreeAddr picks a loopback address below the range of outgoing connections, so that it stays free while its process is down.
func FreeAddr(ctx context.Context) (string, error) {
	const first, count = 22_500, 8_000 // above those of package lab
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+mrand.IntN(count))
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return "", errors.New("stand: no free loopback port")
}

func randomKey(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(raw)
}

func randomText(n int) string {
	return strings.NewReplacer("+", "a", "/", "b", "=", "").Replace(randomKey(n))
}
