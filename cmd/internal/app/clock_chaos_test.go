//go:build chaos

package app

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// jumping bends the clock for a test, and returns what makes it jump.
func jumping(t *testing.T) (jump func(seconds int64)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clock")
	jump = func(seconds int64) {
		t.Helper()
		f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(binary.NativeEndian.AppendUint64(nil, uint64(seconds))); err != nil {
			t.Fatal(err)
		}
	}
	jump(0)
	if err := bendClock(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { jump(0) })
	return jump
}

// TestChaosClocks makes the wall clock jump both ways. It bends the clock of the process once, so that all that it does to what
// measures time is looked at in one test.
func TestChaosClocks(t *testing.T) {
	jump := jumping(t)
	t.Run("where it is", testClockPlace)
	t.Run("the clocks", func(t *testing.T) { testClocks(t, jump) })
	t.Run("a breaker's pause", func(t *testing.T) { testBreakerClock(t, jump) })
}

// testClockPlace: the runtime interrupts Go code, also what the compiler puts around assembly, and looks for a goroutine's stack there;
// the clock is looked at on another one, and a process that is interrupted in it is broken.
func testClockPlace(t *testing.T) {
	f := runtime.FuncForPC(vdsoClockgettimeSym)
	if file, _ := f.FileLine(f.Entry()); filepath.Ext(file) != ".s" {
		t.Errorf("the clock begins in %s, in %s, want assembly", f.Name(), file)
	}
}

// testClocks: what was measured while a clock jumps is not longer for it.
func testClocks(t *testing.T, jump func(int64)) {
	began := time.Now()
	for _, seconds := range []int64{90, -90, 0} {
		jump(seconds)
		now := time.Now()
		wall := now.Round(0).Sub(began.Round(0)) // without the monotonic clock
		if want := time.Duration(seconds) * time.Second; (wall - want).Abs() > 5*time.Second {
			t.Errorf("the wall clock is %s ahead, want %s", wall, want)
		}
		if took := now.Sub(began); took < 0 || took > 5*time.Second {
			t.Errorf("the monotonic clock jumped by %s", took)
		}
	}
}

// testBreakerClock: a host is left alone as long as it was to be, however the clock jumps meanwhile: whoever asks waits so long at
// once, and in a park, which outlasts the jump.
func testBreakerClock(t *testing.T, jump func(int64)) {
	b := failing(breakerFailures)
	for _, seconds := range []int64{-90, 90, 0} {
		jump(seconds)
		if got := b.Wait(); got > breakerPause || got < breakerPause-5*time.Second {
			t.Errorf("the clock jumped by %d s: got %s to wait, want what is left of %s", seconds, got, breakerPause)
		}
	}
}
