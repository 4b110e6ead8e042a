package media

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"postern/gateway"
)

// spool is the folder of files on their way through this process. A lock beside it says that the process lives, so that
// whoever starts next may remove what is left of others.
type spool struct {
	dir  string
	lock *os.File
}

// openSpool makes a folder of its own below base and empties those of dead processes.
func openSpool(base string) (*spool, error) {
	if err := makeFolder(base); err != nil {
		return nil, err
	}
	names, err := os.ReadDir(base)
	if err != nil {
		return nil, fmt.Errorf("media: spool: %w", err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".lock") {
			continue
		}
		if err := removeDead(filepath.Join(base, n.Name())); err != nil {
			return nil, fmt.Errorf("media: spool: %w", err)
		}
	}
	for {
		s, err := newSpool(filepath.Join(base, token()))
		if s != nil || err != nil {
			return s, err
		}
	}
}

// newSpool returns nil without an error when another process took the new lock for a dead one's.
func newSpool(dir string) (*spool, error) {
	f, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("media: spool: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && sameFile(f) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			f.Close()
			return nil, fmt.Errorf("media: spool: %w", err)
		}
		return &spool{dir, f}, nil
	}
	f.Close()
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("media: spool: %w", err)
	}
	return nil, nil //nolint:nilnil // said above
}

// sameFile says whether an open file is still the one that its name leads to.
func sameFile(f *os.File) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Stat(f.Name())
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// removeDead removes a spool if nobody holds its lock.
func removeDead(lock string) error {
	f, err := os.OpenFile(lock, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil
		}
		return err
	}
	if err := os.RemoveAll(strings.TrimSuffix(lock, ".lock")); err != nil {
		return err
	}
	// The lock goes last: a folder without one would be nobody's to remove.
	if err := os.Remove(lock); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (s *spool) close() error {
	err := errors.Join(os.RemoveAll(s.dir), os.Remove(s.lock.Name()))
	return errors.Join(err, s.lock.Close())
}

// token is 130 random bits as a name of 26 letters and digits.
func token() string { return strings.ToLower(rand.Text()) }

// file is a gateway.File in the spool.
type file struct {
	path   string
	media  gateway.Media
	remove func() error
}

func (f *file) Media() gateway.Media { return f.media }

func (f *file) Open() (io.ReadSeekCloser, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return nil, because(gateway.FileAway, "open spooled file: %w", err)
	}
	return r, nil
}

func (f *file) Close() error { return f.remove() }

// Spool implements gateway.Files. A body that is an io.Closer is closed when it comes too slowly, which ends a Read that hangs.
func (f *Files) Spool(ctx context.Context, m gateway.Media, body io.Reader, limit int64) (gateway.File, error) {
	limit = f.most(limit)
	if m.Size > limit {
		return nil, tooLarge(limit)
	}
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.leave()
	w := f.cfg.pace.watch(func() {
		if c, ok := body.(io.Closer); ok {
			_ = c.Close()
		}
	})
	defer w.end()
	got, err := f.take(ctx, m, body, limit, w)
	switch {
	case err == nil:
		f.thumb(ctx, got)
		return got, nil
	case w.slow.Load() && ctx.Err() == nil:
		return nil, because(gateway.FileAway, "too slow")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, because(gateway.FileBroken, "ended before its announced length")
	default:
		return nil, fault(ctx, err)
	}
}

// take writes a body to the spool, hashes it and says what it is. After an error nothing is left on the disk.
func (f *Files) take(ctx context.Context, m gateway.Media, body io.Reader, limit int64, w *watch) (*file, error) {
	path := filepath.Join(f.spool.dir, token())
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, because(gateway.FileAway, "spool: %w", err)
	}
	got := &file{path: path, media: m, remove: sync.OnceValue(func() error { return os.Remove(path) })}
	head, err := f.pour(ctx, got, out, body, limit, w)
	if err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = recognise(&got.media, head, out)
	}
	if closed := out.Close(); err == nil && closed != nil {
		err = because(gateway.FileAway, "spool: %w", closed)
	}
	if err != nil {
		_ = got.Close()
		return nil, err
	}
	return got, nil
}

// pour copies, and returns the beginning of the file. It fills in size and hash.
func (f *Files) pour(ctx context.Context, got *file, out io.Writer, body io.Reader, limit int64, w *watch) ([]byte, error) {
	sum, buf := sha256.New(), make([]byte, bufferSize)
	var head []byte
	size, empty := int64(0), 0
	for {
		n, err := body.Read(buf)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if size += int64(n); size > limit {
			return nil, tooLarge(limit)
		}
		if len(head) < headSize {
			head = append(head, buf[:min(n, headSize-len(head))]...)
		}
		_, _ = sum.Write(buf[:n])
		if _, err := out.Write(buf[:n]); err != nil {
			return nil, because(gateway.FileAway, "spool: %w", err)
		}
		w.moved(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty > 100 {
			return nil, io.ErrNoProgress
		}
	}
	if size == 0 {
		return nil, because(gateway.FileBroken, "empty")
	}
	claimed := got.media.SHA256
	got.media.Size, got.media.SHA256 = size, sum.Sum(nil)
	if len(claimed) > 0 && !bytes.Equal(claimed, got.media.SHA256) {
		return nil, because(gateway.FileBroken, "another SHA-256 than announced")
	}
	return head, nil
}
