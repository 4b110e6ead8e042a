//go:build servers

package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/adapters/simulators"
)

// build compiles the program that make demo runs.
func build(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "postern")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", exe, "postern/cmd/postern")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// output collects what a program prints while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan struct{} // closed when want was printed
	want string
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := strings.Contains(o.text.String(), o.want)
	n, err := o.text.Write(p)
	if !before && strings.Contains(o.text.String(), o.want) {
		close(o.seen)
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs the demo; want is what closes seen.
func start(t *testing.T, exe, want string, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	dir, err := os.MkdirTemp("/var/tmp", "postern-demo-") // where the user prosody can read, so that nothing is left elsewhere
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out := &output{seen: make(chan struct{}), want: want}
	cmd := exec.CommandContext(ctx, exe, append([]string{"demo", "--dir", filepath.Join(dir, "demo")}, args...)...)
	cmd.Dir = "../../.." // where .cache is
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// gone checks that no process that the demo named is left.
func gone(t *testing.T, out string) {
	t.Helper()
	pids := regexp.MustCompile(`pid (\d+)`).FindAllStringSubmatch(out, -1)
	if len(pids) < 3 {
		t.Errorf("servers named: got %d, want 3 or more", len(pids))
	}
	for _, pid := range pids {
		if _, err := os.Stat("/proc/" + pid[1]); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("process %s still runs", pid[1])
		}
	}
}

func TestDemo(t *testing.T) {
	exe := build(t)
	t.Run("once", func(t *testing.T) {
		cmd, out := start(t, exe, "All 10 steps went as they should.", "--once")
		if err := cmd.Wait(); err != nil {
			t.Errorf("exit: got %v, want 0\n%s", err, out)
		}
		for _, want := range []string{"Do you agree?", "Receipt of your consent", "(delivered)", "SIGKILL", "All 10 steps went as they should."} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		gone(t, out.String())
	})
	t.Run("webhooks dropped", func(t *testing.T) {
		cmd, out := start(t, exe, "FAILED", "--once", "--drop-webhooks")
		var failed *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 1 {
			t.Errorf("exit: got %v, want 1\n%s", err, out)
		}
		for _, want := range []string{"expected:", "instead:", "last on romeo's stream:", "log: "} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		gone(t, out.String())
	})
	t.Run("stays up", func(t *testing.T) {
		cmd, out := start(t, exe, "Ctrl-C stops everything.")
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-out.seen:
		case err := <-ended:
			t.Fatalf("ended by itself: %v\n%s", err, out)
		}
		seesPhones(t, out.String())
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("exit after Ctrl-C: got %v, want 0\n%s", err, out)
		}
		gone(t, out.String())
	})
}

// TestDemoOnPlatforms plays the same on every platform that has a simulator.
func TestDemoOnPlatforms(t *testing.T) {
	exe := build(t)
	for _, sim := range simulators.All() {
		t.Run(sim.Name, func(t *testing.T) {
			cmd, out := start(t, exe, "All 13 steps went as they should.", "--once", "--platform", sim.Name)
			if err := cmd.Wait(); err != nil {
				t.Errorf("exit: got %v, want 0\n%s", err, out)
			}
			for _, want := range []string{
				"a person inside " + sim.Title, "Do you agree?", "Receipt of your consent", "(opens", "SIGKILL", "Your message was not kept",
				"once in romeo's archive", "All 13 steps went as they should.",
			} {
				if told := strings.Join(strings.Fields(strings.ReplaceAll(out.String(), "|", " ")), " "); !strings.Contains(told, want) { // long lines are broken
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			gone(t, out.String())
		})
	}
	t.Run("webhooks dropped", func(t *testing.T) {
		cmd, out := start(t, exe, "FAILED", "--once", "--platform", "telegram", "--drop-webhooks")
		var failed *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 1 {
			t.Errorf("exit: got %v, want 1\n%s", err, out)
		}
		if !strings.Contains(out.String(), "expected: Anna's presence") {
			t.Errorf("got\n%s, want Anna's presence missed", out)
		}
		gone(t, out.String())
	})
	t.Run("a platform that nobody plays", func(t *testing.T) {
		cmd, out := start(t, exe, "want gatekeeper", "--once", "--platform", "pigeon")
		if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "--platform: want gatekeeper, instagram") {
			t.Errorf("got %v\n%s, want the names of those that are", err, out)
		}
	})
}
