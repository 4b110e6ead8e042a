package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/xmpp/conformance"
)

const origin = "https://gw.example.org"

// keep publishes a file of so many bytes in the own store and returns its token and name.
func keep(t *testing.T, f *Files, size int) (token, name string) {
	t.Helper()
	src := spoolText(t, f, strings.Repeat("a", size), "a.txt")
	at, err := f.Publish(t.Context(), gateway.Recipient{}, src)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(at.URL, origin+"/m/")
	token, name, found := strings.Cut(rest, "/")
	if !ok || !found {
		t.Fatalf("got address %q", at.URL)
	}
	return token, name
}

// there says whether the store still serves a file.
func there(t *testing.T, f *Files, token string) bool {
	t.Helper()
	r, _, _, err := f.Stored(token, "a.txt")
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
		return false
	}
	r.Close()
	return true
}

// filesBelow are all files in a folder.
func filesBelow(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStore(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 69)
	f := open(t, Config{PublicURL: origin, Keep: time.Hour}, nil)
	token, name := keep(t, f, 100_000)
	r, m, until, err := f.Stored(token, name)
	p.Must(err == nil, "stored: %v", err)
	defer r.Close()
	if diff := cmp.Diff(gateway.Media{Handle: token, MIME: "text/plain", Name: "a.txt", Size: 100_000}, m); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	left := time.Until(until)
	p.That(left > 59*time.Minute && left <= time.Hour, "lasts %v, want an hour", left)
	raw, err := io.ReadAll(r)
	p.That(err == nil && bytes.Equal(raw, bytes.Repeat([]byte("a"), 100_000)), "read: %d bytes, %v", len(raw), err)
	for _, path := range filesBelow(t, f.store.dir) {
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: got mode %v, %v, want 0600", path, info.Mode(), err)
		}
	}
	other := token[:25] + "a"
	if other == token {
		other = token[:25] + "b"
	}
	for _, miss := range [][2]string{
		{token, "b.txt"},
		{token, ""},
		{other, name},
		{"", name},
		{"..", name},
		{"../../../../../../../../etc/passwd", name},
		{strings.ToUpper(token), name},
		{token[:25], name},
		{token + "a", name},
		{token + ".json", name},
		{token[:24] + "/.", name},
	} {
		if _, _, _, err := f.Stored(miss[0], miss[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want fs.ErrNotExist", miss, err)
		}
	}
	none := open(t, Config{}, nil)
	if there(t, none, token) {
		t.Error("served without a store")
	}
}

func TestStoreOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	first, err := New(Config{Dir: dir, PublicURL: origin}, nil, discard())
	if err != nil {
		t.Fatal(err)
	}
	token, _ := keep(t, first, 10)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if !there(t, open(t, Config{Dir: dir, PublicURL: origin}, nil), token) {
		t.Error("gone after a restart")
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Config{PublicURL: origin, Keep: time.Hour}, nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		}()
		early, _ := keep(t, f, 10)
		<-time.After(30 * time.Minute)
		late, _ := keep(t, f, 10)
		<-time.After(30*time.Minute + time.Second)
		if there(t, f, early) {
			t.Error("the first is served after its time")
		}
		<-time.After(5 * time.Minute)
		synctest.Wait()
		if !there(t, f, late) {
			t.Error("the second went with the first")
		}
		if got := filesBelow(t, f.store.dir); len(got) != 2 {
			t.Errorf("got %v, want the second file and its record", got)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if got := filesBelow(t, f.store.dir); len(got) > 0 {
			t.Errorf("got %v, want nothing", got)
		}
	})
}

func TestOldestGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Config{PublicURL: origin, MaxStore: 1 << 20}, nil)
		var tokens []string
		for range 12 {
			token, _ := keep(t, f, 100<<10)
			tokens = append(tokens, token)
			<-time.After(time.Minute)
			var total int64
			for _, path := range filesBelow(t, f.store.dir) {
				if info, err := os.Stat(path); err == nil && filepath.Ext(path) == "" {
					total += info.Size()
				}
			}
			if total > 1<<20 {
				t.Fatalf("the store holds %d bytes, want at most %d", total, 1<<20)
			}
		}
		was := false
		for i, token := range tokens {
			is := there(t, f, token)
			if was && !is {
				t.Errorf("file %d went before an older one", i)
			}
			was = is
		}
		if there(t, f, tokens[0]) || !there(t, f, tokens[11]) {
			t.Error("the oldest stayed, or the newest went")
		}
		src := spoolText(t, f, strings.Repeat("a", 1<<20+1), "a.txt")
		_, err := f.Publish(t.Context(), gateway.Recipient{}, src)
		if fe, ok := errors.AsType[*gateway.FileError](err); !ok || fe.Reason != gateway.FileTooLarge || fe.Max != 1<<20 {
			t.Errorf("larger than the store: got %v, want too large", err)
		}
		if !there(t, f, tokens[11]) {
			t.Error("a file that has no room anyway took others away")
		}
	})
}

// TestSmallFilesTakeRoom: their number has a limit too.
func TestSmallFilesTakeRoom(t *testing.T) {
	f := open(t, Config{PublicURL: origin, MaxStore: 10 * block}, nil)
	for range 30 {
		keep(t, f, 1)
	}
	if got := len(filesBelow(t, f.store.dir)); got > 20 {
		t.Errorf("got %d files for 10 places, want at most a file and a record for each", got)
	}
}

// TestSweepAfterACrash: what was half done goes when it surely belongs to nobody at work, and what is not ours stays.
func TestSweepAfterACrash(t *testing.T) {
	f := open(t, Config{PublicURL: origin}, nil)
	token, _ := keep(t, f, 10)
	dir := filepath.Join(f.store.dir, "zz")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	half := "zz" + strings.Repeat("a", 24)
	for _, name := range []string{half, half[:25] + "b.new", half[:25] + "c.json.new", "README"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[time.Duration]int{time.Minute: 6} {
		if err := f.store.sweep(time.Now().Add(after), 0); err != nil {
			t.Fatal(err)
		}
		if got := filesBelow(t, f.store.dir); len(got) != want {
			t.Errorf("after %v: got %d files, want %d", after, len(got), want)
		}
	}
	if err := f.store.sweep(time.Now().Add(2*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	got := filesBelow(t, f.store.dir)
	if len(got) != 3 || !there(t, f, token) {
		t.Errorf("got %v, want the whole file with its record, and the one that is not ours", got)
	}
}

// TestSweepOfTheUnreadable: a record that cannot be read at this moment costs nobody a file.
func TestSweepOfTheUnreadable(t *testing.T) {
	f := open(t, Config{PublicURL: origin}, nil)
	token, _ := keep(t, f, 10)
	record := f.store.path(token) + ".json"
	// A link to itself: the error is neither that it is not there nor about what it says, whoever runs the test.
	if err := errors.Join(os.Rename(record, record+".aside"), os.Symlink(record, record)); err != nil {
		t.Fatal(err)
	}
	if err := f.store.sweep(time.Now().Add(2*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(record+".aside", record); err != nil {
		t.Fatal(err)
	}
	if !there(t, f, token) {
		t.Error("the file is gone")
	}
}

// TestSpoolsOfProcesses: a new process removes what dead ones left and nothing of the living.
func TestSpoolsOfProcesses(t *testing.T) {
	p := conformance.Prove(t, conformance.InProcess, 67)
	dir := filepath.Join(t.TempDir(), "[any name]")
	alive := open(t, Config{Dir: dir}, nil)
	kept := spoolText(t, alive, "abc", "a.txt")

	dead, err := New(Config{Dir: dir}, nil, discard())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Spool(t.Context(), gateway.Media{}, strings.NewReader("left behind"), 0); err != nil {
		t.Fatal(err)
	}
	// A killed process keeps its files and loses its lock.
	if err := syscall.Flock(int(dead.spool.lock.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	dead.spool.lock.Close()

	open(t, Config{Dir: dir}, nil)
	if _, err := os.Stat(dead.spool.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead process's folder: got %v, want it gone", err)
	}
	if _, err := os.Stat(dead.spool.lock.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead process's lock: got %v, want it gone", err)
	}
	p.That(string(read(t, kept)) == "abc", "the living process lost its file")
	p.That(len(filesBelow(t, filepath.Join(dir, "spool"))) == 3, "got %v, want two locks and one file", filesBelow(t, filepath.Join(dir, "spool")))
}

func TestCloseEmptiesTheSpool(t *testing.T) {
	dir := t.TempDir()
	f, err := New(Config{Dir: dir}, nil, discard())
	if err != nil {
		t.Fatal(err)
	}
	spoolText(t, f, "abc", "a.txt")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := filesBelow(t, dir); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no folder": {}, "path": {Dir: "x", PublicURL: "https://gw.example.org/a"}, "no scheme": {Dir: "x", PublicURL: "gw.example.org"},
		"no host": {Dir: "x", PublicURL: "https://"}, "URL as host": {Dir: "x", Internal: []string{"https://up.example.org"}}, "empty host": {Dir: "x", Internal: []string{""}},
	} {
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	good := Config{Dir: "x", PublicURL: origin + "/", Internal: []string{"up.example.org", "127.0.0.1:5281", "[::1]:5281"}}
	if err := good.Validate(); err != nil {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{Dir: "/dev/null/x"}, nil, discard()); err == nil {
		t.Error("a folder that cannot be made: got no error")
	}
}
