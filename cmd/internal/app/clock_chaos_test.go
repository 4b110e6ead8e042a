//go:build chaos

package app

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestChaosClock makes the wall clock jump both ways; what was measured meanwhile is not longer for it.
func TestChaosClock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	jump := func(seconds int64) {
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
