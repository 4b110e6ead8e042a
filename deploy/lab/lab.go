// Package lab starts real servers (Prosody, ejabberd, Redis with Sentinel or as a Cluster) for demonstrations, tests and measurements,
// and proxies that spoil the connections between them.
//
// Every server gets a directory of its own, free loopback ports and the full configuration of
// config/, which includes the snippet of package deploy, so that what operators copy is what runs here.
// A Lab ends exactly the processes it started; should its own process be killed, the kernel ends them.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// stopTimeout bounds how long Close waits for one server to end in order; ejabberd takes one to three seconds.
const stopTimeout = 30 * time.Second

// Lab owns the servers it started.
type Lab struct {
	// Keep leaves folders that had to be made outside the lab's directory in place when the lab closes.
	Keep bool

	dir string
	log io.Writer

	mu      sync.Mutex
	servers []*Server
	proxies []*Proxy
	names   map[string]int
	outside []string       // folders under /var/tmp
	locks   []net.Listener // one for each reserved port
	claim   *os.File       // held on dir while servers keep files there
	ca      *authority
}

// New returns a lab whose servers keep their files below dir. What happens is told to log, one line each; nil discards.
func New(dir string, log io.Writer) *Lab {
	if log == nil {
		log = io.Discard
	}
	return &Lab{dir: dir, log: log, names: map[string]int{}}
}

// Close stops all servers, the last started first, and frees their ports and outside folders.
func (l *Lab) Close() error {
	l.mu.Lock()
	servers, proxies, outside, locks, claim := l.servers, l.proxies, l.outside, l.locks, l.claim
	l.servers, l.proxies, l.outside, l.locks, l.claim = nil, nil, nil, nil, nil
	l.mu.Unlock()

	var errs []error
	for _, p := range proxies {
		errs = append(errs, p.Close())
	}
	for _, s := range slices.Backward(servers) {
		// Closing has its own deadline: it also runs after the caller's context has ended.
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		errs = append(errs, s.Stop(ctx))
		cancel()
	}
	for _, lock := range locks {
		errs = append(errs, lock.Close())
	}
	if claim != nil {
		errs = append(errs, claim.Close())
	}
	if !l.Keep {
		for _, dir := range outside {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// Servers returns the servers in the order of their start.
func (l *Lab) Servers() []*Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Server(nil), l.servers...)
}

func (l *Lab) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.log, "lab: "+format+"\n", args...) // a log that cannot be written stops nothing
}

// name makes the second server of a kind "redis-2".
func (l *Lab) name(kind string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names[kind]++
	if n := l.names[kind]; n > 1 {
		return kind + "-" + strconv.Itoa(n)
	}
	return kind
}

// home makes the directory of a server that runs as acct. Where that user cannot reach the lab's own
// directory, a private folder under /var/tmp takes its place.
func (l *Lab) home(name string, acct account) (string, error) {
	root, err := filepath.Abs(l.dir)
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	if err := l.claimDir(root); err != nil {
		return "", err
	}
	dir := filepath.Join(root, name)
	if acct.set && !acct.reaches(root) {
		if dir, err = os.MkdirTemp("/var/tmp", "postern-"+name+"-"); err != nil {
			return "", fmt.Errorf("lab: %w", err)
		}
		l.mu.Lock()
		l.outside = append(l.outside, dir)
		l.mu.Unlock()
	} else if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return dir, acct.own(dir)
}

// claimDir keeps two labs from starting servers on the same files, which would spoil them.
func (l *Lab) claimDir(root string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claim != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(root, "lab.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("lab: %s is in use by another lab: %w", root, err), f.Close())
	}
	l.claim = f
	return nil
}

// start launches s, waits until it answers and makes it the lab's to stop.
func (l *Lab) start(ctx context.Context, s *Server) error {
	s.printf = l.printf
	l.mu.Lock()
	l.servers = append(l.servers, s)
	l.mu.Unlock()
	if err := s.Start(ctx); err != nil {
		return err
	}
	l.printf("%s runs, pid %d, files in %s", s.name, s.PID(), s.dir)
	return nil
}

// reaches reports whether the account can enter dir, by owner and other bits alone.
func (a account) reaches(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		mode := info.Mode().Perm()
		st, ok := info.Sys().(*syscall.Stat_t)
		owner := ok && st.Uid == a.uid
		if mode&0o001 == 0 && (!owner || mode&0o100 == 0) {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}
