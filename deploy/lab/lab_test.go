package lab

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMissingProgramNamesPackages(t *testing.T) {
	_, err := program("no-such-program", "some-package other-package")
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"no-such-program", "apt-get install some-package other-package", "deploy/dev/install.sh"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if err := needFile("the module", "some-package", "/no/such/*"); err == nil || !strings.Contains(err.Error(), "the module") {
		t.Errorf("missing file: got %v, want an error that names the module", err)
	}
	if err := needFile("the module", "some-package", "/no/such/*", "/proc/self/stat*"); err != nil {
		t.Errorf("file that exists: got %v", err)
	}
}

func TestPortsAreReservedAcrossLabs(t *testing.T) {
	a, b := New(t.TempDir(), nil), New(t.TempDir(), nil)
	got, err := a.ports(t.Context(), 3, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got {
		if p < firstPort || p >= firstPort+portCount {
			t.Errorf("port %d: want one below the kernel's own range", p)
		}
		if b.reserve(t.Context(), p) || b.reserve(t.Context(), p+busOffset) {
			t.Errorf("port %d: got by a second lab, want it reserved", p)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !b.reserve(t.Context(), got[0]) {
		t.Errorf("port %d: still reserved after Close", got[0])
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestOneLabForADirectory(t *testing.T) {
	dir := t.TempDir()
	a, b := New(dir, nil), New(dir, nil)
	for range 2 {
		if _, err := a.home("server", account{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.home("server", account{}); err == nil || !strings.Contains(err.Error(), "in use by another lab") {
		t.Errorf("second lab: got %v, want an error", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.home("server", account{}); err != nil {
		t.Errorf("after the first closed: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestReaches(t *testing.T) {
	dir := t.TempDir()
	nobody := account{set: true, uid: 65534, gid: 65534}
	me := account{set: true, uid: uint32(os.Getuid())}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if nobody.reaches(closed) {
		t.Error("nobody reaches a directory of mode 0700, want not")
	}
	if !me.reaches(closed) && me.reaches(dir) {
		t.Error("the owner does not reach the own directory of mode 0700")
	}
	if !nobody.reaches("/usr/lib") {
		t.Error("nobody does not reach /usr/lib")
	}
	if nobody.reaches(filepath.Join(dir, "missing")) {
		t.Error("a missing directory is reached")
	}
}

func TestReadReply(t *testing.T) {
	for _, c := range []struct {
		in   string
		want any
		err  string
	}{
		{"+OK\r\n", "OK", ""},
		{":42\r\n", int64(42), ""},
		{"$3\r\na\r\n\r\n", "a\r\n", ""},
		{"$-1\r\n", nil, ""},
		{"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", []any{int64(1), []any{"x"}}, ""},
		{"-LOADING not yet\r\n", nil, "LOADING not yet"},
		{"\r\n", nil, "empty reply"},
		{"?\r\n", nil, "unknown reply"},
		{"$99999999\r\n", nil, "bad length"},
		{"$5\r\nab", nil, "unexpected EOF"},
	} {
		got, err := readReply(bufio.NewReader(strings.NewReader(c.in)))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got %v, %v, want error %q", c.in, got, err, c.err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got)\n%s", c.in, err, diff)
		}
	}
}

func TestServerThatEndsEarly(t *testing.T) {
	dir := t.TempDir()
	s := &Server{
		name: "short", dir: dir, log: filepath.Join(dir, "short.log"),
		command: command{path: "/bin/sh", args: []string{"-c", "echo out of luck; exit 3"}},
		probe:   func(context.Context) error { return errors.New("no answer") },
	}
	err := s.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ended before it was ready") || !strings.Contains(err.Error(), "out of luck") {
		t.Errorf("got %v, want what the server wrote", err)
	}
	if s.PID() != 0 {
		t.Errorf("process id: got %d, want 0", s.PID())
	}
	if err := s.Kill(); err == nil {
		t.Error("kill of a server that does not run: got no error")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stop of a server that does not run: %v", err)
	}
}

// stubborn is a server that does not heed SIGTERM.
func stubborn(t *testing.T) *Server {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	const script = "trap '' TERM; mkfifo pipe; exec 3<>pipe; touch ready; while :; do read x <&3; done"
	return &Server{
		name: "stubborn", dir: dir, log: filepath.Join(dir, "stubborn.log"),
		command: command{path: "/bin/sh", args: []string{"-c", script}},
		probe: func(context.Context) error {
			_, err := os.Stat(ready)
			return err
		},
	}
}

func TestStopKillsWhatIsStuck(t *testing.T) {
	l := New(t.TempDir(), testLog{t})
	s := stubborn(t)
	s.command.patience = 10 * time.Millisecond
	if err := l.start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	pid := s.PID()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
		t.Errorf("process %d is left over", pid)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Errorf("start after that: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestStopKillsWhatWillNotEnd(t *testing.T) {
	s := stubborn(t)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("second start: got no error")
	}
	if err := s.Pause(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pid := s.PID()
	if err := s.Stop(ctx); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v, want an error that says it was killed", err)
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
		t.Errorf("process %d is left over", pid)
	}
}
