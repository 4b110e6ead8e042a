package lab

import (
	"fmt"
	"os"
)

// TB is the part of testing.TB that ForTest needs; naming it here keeps package testing out of the programs.
type TB interface {
	Helper()
	Cleanup(func())
	TempDir() string
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// ForTest returns a lab in a directory of the test, closed at its end. A failed test shows the end of each
// server's log.
func ForTest(tb TB) *Lab {
	tb.Helper()
	l := New(tb.TempDir(), testLog{tb})
	tb.Cleanup(func() {
		if tb.Failed() {
			for _, s := range l.Servers() {
				tb.Logf("%s:\n%s", s.Name(), s.tail())
			}
		}
		if err := l.Close(); err != nil {
			tb.Errorf("lab: close: %v", err)
		}
	})
	return l
}

// testLog writes to the log of a test.
type testLog struct{ tb TB }

func (t testLog) Write(p []byte) (int, error) {
	t.tb.Logf("%s", p)
	return len(p), nil
}

// writeFile writes a configuration file that the account reads; it may hold secrets.
func writeFile(path, text string, as account) error {
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if !as.set {
		return nil
	}
	if err := os.Chown(path, int(as.uid), int(as.gid)); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}
