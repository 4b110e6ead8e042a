package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

// store is the own store: a file under its token, and beside it a record. Who knows the token may fetch the file until its
// time is over. Processes share the folder; what one puts there all serve.
type store struct {
	dir  string
	most int64
	keep time.Duration

	mu    sync.Mutex
	total int64 // as of the last sweep, and what this process put there since
}

// record is what the store knows of a file.
type record struct {
	MIME  string    `json:"mime"`
	Name  string    `json:"name"`
	Size  int64     `json:"size"`
	Until time.Time `json:"until"`
}

// block is what a file counts as at least, so that their number has a limit too: a sweep holds all their names.
const block = 64 << 10

func openStore(dir string, most int64, keep time.Duration) (*store, error) {
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	s := &store{dir: dir, most: most, keep: keep}
	if err := s.sweep(time.Now(), 0); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *store) path(token string) string { return filepath.Join(s.dir, token[:2], token) }

// put takes a file over and returns its token and when its time is over.
func (s *store) put(src gateway.File, name, is string, now time.Time) (string, time.Time, error) {
	rec := record{MIME: is, Name: name, Size: src.Media().Size, Until: now.Add(s.keep).UTC().Truncate(time.Second)}
	if err := s.room(rec.Size, now); err != nil {
		return "", time.Time{}, err
	}
	t := token()
	path := s.path(t)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return "", time.Time{}, because(gateway.FileAway, "store: %w", err)
	}
	raw, err := json.Marshal(rec)
	if err == nil {
		err = writeDurable(path, func(w io.Writer) error { return contents(w, src) })
	}
	if err == nil {
		// The record is last: without it the file is not there.
		err = writeDurable(path+".json", func(w io.Writer) error { _, err := w.Write(raw); return err })
	}
	if err != nil {
		_ = remove(path)
		return "", time.Time{}, because(gateway.FileAway, "store: %w", err)
	}
	return t, rec.Until, nil
}

// room counts a file in and lets the oldest go where there would be too much.
func (s *store) room(size int64, now time.Time) error {
	if size > s.most {
		return tooLarge(s.most)
	}
	takes := max(size, block)
	s.mu.Lock()
	s.total += takes
	full := s.total > s.most
	s.mu.Unlock()
	if !full {
		return nil
	}
	if err := s.sweep(now, takes); err != nil {
		return because(gateway.FileAway, "store: %w", err)
	}
	return nil
}

func contents(w io.Writer, src gateway.File) error {
	r, err := src.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, bufferSize))
	return err
}

// writeDurable makes a file that is whole once it has its name: a loss of power may cost a new file, never half of one.
func writeDurable(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

var tokenShape = regexp.MustCompile(`^[a-z2-7]{26}$`)

// Stored opens a file of the own store by what its URL says. Whatever is missing, over or wrong is fs.ErrNotExist alike.
func (f *Files) Stored(token, name string) (io.ReadSeekCloser, gateway.Media, time.Time, error) {
	none := func() (io.ReadSeekCloser, gateway.Media, time.Time, error) {
		return nil, gateway.Media{}, time.Time{}, fs.ErrNotExist
	}
	if f.store == nil || !tokenShape.MatchString(token) {
		return none()
	}
	path := f.store.path(token)
	rec, err := readRecord(path)
	if err != nil || rec.Name != name || !time.Now().Before(rec.Until) {
		return none()
	}
	r, err := os.Open(path)
	if err != nil {
		return none()
	}
	return r, gateway.Media{Handle: token, MIME: rec.MIME, Name: rec.Name, Size: rec.Size}, rec.Until, nil
}

func readRecord(path string) (record, error) {
	raw, err := os.ReadFile(path + ".json")
	if err != nil {
		return record{}, err
	}
	var rec record
	return rec, json.Unmarshal(raw, &rec)
}

// remove takes the record first: a file without one is not served.
func remove(path string) error {
	var err error
	for _, p := range []string{path + ".json", path, path + ".new", path + ".json.new"} {
		if e := os.Remove(p); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}

// entry is a file in a sweep.
type entry struct {
	path  string
	takes int64
	until time.Time
}

// sweep removes what is over, what a crash left half done, and then the oldest until what stays has room for so many bytes more.
func (s *store) sweep(now time.Time, more int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []entry
	total := more
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		base := strings.TrimSuffix(strings.TrimSuffix(path, ".new"), ".json")
		if !tokenShape.MatchString(filepath.Base(base)) {
			return nil // not ours
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		rec, err := readRecord(base)
		_, unread := errors.AsType[*fs.PathError](err)
		switch {
		case unread && !errors.Is(err, fs.ErrNotExist):
			return nil // too many open files, say: that tells nothing of this one
		case err == nil && !now.Before(rec.Until), err != nil && now.Sub(info.ModTime()) > time.Hour:
			return remove(base)
		case err == nil && path == base:
			kept = append(kept, entry{base, max(info.Size(), block), rec.Until})
			total += max(info.Size(), block)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("media: sweep: %w", err)
	}
	slices.SortFunc(kept, func(a, b entry) int { return a.until.Compare(b.until) })
	// A tenth below the limit, so that not every next file sweeps again.
	if low := s.most - s.most/10; total > s.most {
		for _, e := range kept {
			if total <= max(low, more) {
				break
			}
			if err := remove(e.path); err != nil {
				return fmt.Errorf("media: sweep: %w", err)
			}
			total -= e.takes
		}
	}
	s.total = total
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process was quicker
	}
	return err
}
