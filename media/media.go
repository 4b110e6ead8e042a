package media

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"postern/gateway"
)

// Guards: what this package promises the domain.
var _ gateway.Files = (*Files)(nil)

// Config says where files lie and how much may pass. Dir is required; everything else works as its zero value.
type Config struct {
	// Dir holds spool/, files on their way, and store/, files that this gateway serves itself. Processes may share it, and
	// must where any of them may be asked for a file that another one put there.
	Dir string
	// Max is the most bytes of any file, 0 for 100 MiB.
	Max int64
	// Keep is how long a file stays in the own store, 0 for 7 days. MaxStore is the most bytes of all files there, 0 for
	// 1 GiB: the oldest go first.
	Keep     time.Duration
	MaxStore int64
	// PublicURL is the origin under which the own store is served. Empty: there is no own store.
	PublicURL string
	// Internal are the hosts that may have private addresses and speak plain HTTP: the provider's own upload host. Each is
	// "host" for its standard ports or "host:port" for exactly that one, so that nothing else on the machine is reached.
	Internal []string
	// Roots are the certificate authorities to trust, nil for those of the system.
	Roots *x509.CertPool
	// Timeout is how long a host may take to be connected to, and again to answer, 0 for 20 s.
	Timeout time.Duration
	// Stall is how long a transfer may all but stand still, 0 for 10 s.
	Stall time.Duration

	resolver *net.Resolver // nil is the system's; tests bring their own
	pace     pace          // zero is the default
}

// Limits that are nobody's to choose.
const (
	atOnce     = 64       // transfers at the same time; further ones wait
	bufferSize = 32 << 10 // what one transfer has in memory
	slotUntil  = 24 * time.Hour
)

func (c Config) withDefaults() Config {
	if c.Max <= 0 {
		c.Max = 100 << 20
	}
	if c.Keep <= 0 {
		c.Keep = 7 * 24 * time.Hour
	}
	if c.MaxStore <= 0 {
		c.MaxStore = 1 << 30
	}
	if c.Timeout <= 0 {
		c.Timeout = 20 * time.Second
	}
	if c.Stall <= 0 {
		c.Stall = 10 * time.Second
	}
	if c.pace == (pace{}) {
		c.pace = pace{window: c.Stall, floor: 16 << 10, rate: 256 << 10}
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return c
}

// Validate looks at the Config alone.
func (c Config) Validate() error {
	if c.Dir == "" {
		return errors.New("media: no folder for files")
	}
	for _, h := range c.Internal {
		if h == "" || strings.ContainsAny(h, "/@? ") {
			return fmt.Errorf("media: internal host %q: want host or host:port", h)
		}
	}
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("media: public URL %q: want an origin such as https://gateway.example.org", c.PublicURL)
	}
	return nil
}

// Files moves files by way of the disk. Close it when nothing uses it any more.
type Files struct {
	cfg   Config
	slots gateway.Slots
	log   *slog.Logger

	guard  guard
	getter *http.Client
	putter *http.Client
	spool  *spool
	store  *store // nil: none
	busy   chan struct{}
	// decoding is held while an image is decoded: one at a time, so that memory has a ceiling.
	decoding chan struct{}
}

// New makes the folders and removes what dead processes left in the spool. slots may be nil: then files go to the own store.
func New(cfg Config, slots gateway.Slots, log *slog.Logger) (*Files, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	f := &Files{cfg: cfg, slots: slots, log: log, guard: newGuard(cfg.Internal), busy: make(chan struct{}, atOnce), decoding: make(chan struct{}, 1)}
	f.getter, f.putter = f.guard.clients(cfg)
	if cfg.PublicURL != "" {
		s, err := openStore(filepath.Join(cfg.Dir, "store"), cfg.MaxStore, cfg.Keep)
		if err != nil {
			return nil, err
		}
		f.store = s
	}
	var err error
	if f.spool, err = openSpool(filepath.Join(cfg.Dir, "spool")); err != nil {
		return nil, err
	}
	return f, nil
}

// Run removes files of the own store whose time is over, until ctx ends.
func (f *Files) Run(ctx context.Context) error {
	if f.store == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(min(f.cfg.Keep, 5*time.Minute))
	defer tick.Stop()
	for {
		if err := f.store.sweep(time.Now(), 0); err != nil {
			f.log.Warn("media store not swept", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Close removes this process's spool with everything in it.
func (f *Files) Close() error {
	f.getter.CloseIdleConnections()
	f.putter.CloseIdleConnections()
	return f.spool.close()
}

// enter waits for a place among the transfers; the caller gives it back with leave.
func (f *Files) enter(ctx context.Context) error {
	select {
	case f.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Files) leave() { <-f.busy }

// most is the limit that counts: the caller's, never above the configured one.
func (f *Files) most(limit int64) int64 {
	if limit <= 0 {
		return f.cfg.Max
	}
	return min(limit, f.cfg.Max)
}

// because makes a FileError, so that the reason stands beside the check.
func because(reason gateway.FileReason, format string, args ...any) *gateway.FileError {
	return &gateway.FileError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

func tooLarge(limit int64) *gateway.FileError {
	return &gateway.FileError{Reason: gateway.FileTooLarge, Max: limit}
}

// fault turns what a transfer ended with into what this package returns. ctx is the caller's.
func fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if known, ok := errors.AsType[*gateway.FileError](err); ok {
		return known
	}
	// net/url's error repeats the address, which is a user's secret.
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	reason := gateway.FileAway
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		reason = gateway.FileGone
	}
	return &gateway.FileError{Reason: reason, Err: err}
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("media: make folder: %w", err)
	}
	return nil
}
