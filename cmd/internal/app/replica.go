package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/oklog/ulid/v2"
)

// ErrStateInUse: another process uses the same state_dir. Two with one replica id would take each other's leases.
var ErrStateInUse = errors.New("another Postern uses this state_dir: stop it, or give each process a directory of its own")

// replica is this process's name among the others. It stays the same over restarts, so that a restarted process takes up
// its own leases at once.
type replica struct {
	id   string
	file *os.File
}

// openReplica reads or makes the id and holds it until close.
func openReplica(dir string) (*replica, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("app: state_dir: %w", err)
	}
	path := filepath.Join(dir, "replica")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("app: state_dir: %w", err)
	}
	r := &replica{file: f}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		r.close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrStateInUse
		}
		return nil, fmt.Errorf("app: state_dir %s: %w", dir, err)
	}
	if err := r.load(); err != nil {
		r.close()
		return nil, fmt.Errorf("app: state_dir: %s: %w", path, err)
	}
	return r, nil
}

func (r *replica) load() error {
	raw, err := io.ReadAll(io.LimitReader(r.file, 64))
	if err != nil {
		return err
	}
	r.id = strings.TrimSpace(string(raw))
	if _, err := ulid.ParseStrict(r.id); err == nil {
		return nil
	}
	// Empty after the first start, damaged after a crash: a new id costs one lease time.
	r.id = ulid.Make().String()
	if err := r.file.Truncate(0); err != nil {
		return err
	}
	if _, err := r.file.WriteAt([]byte(r.id+"\n"), 0); err != nil {
		return err
	}
	return r.file.Sync()
}

// close gives the id free for the next process.
func (r *replica) close() { _ = r.file.Close() } // closing is what unlocks
