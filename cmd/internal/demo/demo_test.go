package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSweepDeletesDemosOnly(t *testing.T) {
	dir := t.TempDir()
	if err := sweep(filepath.Join(dir, "new")); err != nil {
		t.Errorf("new folder: %v", err)
	}
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sweep(dir); err == nil {
		t.Error("a folder that no demo was in: got no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "lab.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sweep(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "lab.lock" {
		t.Errorf("left: got %v, %v, want lab.lock", left, err)
	}
}

func TestNarratorWraps(t *testing.T) {
	var out bytes.Buffer
	n := &narrator{out: &out, began: time.Now()}
	n.says(atXMPP, "gateway", "romeo", strings.Repeat("word ", 60)+"\n\nsecond\nthird\nfourth", 3)
	text := out.String()
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if len(line) > width+10 {
			t.Errorf("line of %d characters: %q", len(line), line)
		}
	}
	if got := strings.Count(text, "word"); got != 60 {
		t.Errorf("words: got %d, want 60", got)
	}
	if !strings.Contains(text, "(2 more lines)") || strings.Contains(text, "fourth") {
		t.Errorf("cut: got\n%s", text)
	}
	if strings.Contains(text, "\x1b") {
		t.Error("colour without being asked for")
	}
}
