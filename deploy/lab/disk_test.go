//go:build servers

package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern/deploy/lab"
)

// TestDisk fills a disk under a program that writes to it.
func TestDisk(t *testing.T) {
	at := filepath.Join(t.TempDir(), "small")
	d, err := lab.ForTest(t).StartDisk(deadline(t), at, 256<<10)
	if err != nil {
		t.Fatal(err)
	}
	write := func() string {
		t.Helper()
		argv := append(d.Enter(), "sh", "-c", `head -c 20000 /dev/zero > "$0/file"; rm "$0/file"`, at)
		out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if got := write(); got != "" {
		t.Errorf("write: got %q, want nothing", got)
	}
	if err := d.Fill(); err != nil {
		t.Fatal(err)
	}
	if got := write(); !strings.Contains(got, "No space left on device") {
		t.Errorf("write to a full disk: got %q, want no space", got)
	}
	if err := d.Free(); err != nil {
		t.Fatal(err)
	}
	if got := write(); got != "" {
		t.Errorf("write afterwards: got %q, want nothing", got)
	}
	if files, err := os.ReadDir(at); err != nil || len(files) > 0 {
		t.Errorf("the folder outside: got %v, %v, want it empty", files, err)
	}
}
