package postern_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile(`(?:\b([a-z]+)\.)?\b(Test[A-Z]\w+)`)
	testFunc  = regexp.MustCompile(`(?m)^func (Test[A-Z]\w+)\(`)
)

// TestNamedTestsExist: what HACKING.md says is tested is, by a test of that name, and in that package where it names one.
func TestNamedTestsExist(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, f := range testFunc.FindAllStringSubmatch(string(raw), -1) {
			there["."+f[1]], there[filepath.Base(filepath.Dir(path))+"."+f[1]] = true, true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("HACKING.md")
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllStringSubmatch(string(text), -1)
	if len(named) < 30 {
		t.Errorf("got %d tests named in HACKING.md, want those that its promises stand on", len(named))
	}
	for _, n := range named {
		if !there[n[1]+"."+n[2]] {
			t.Errorf("HACKING.md names %s, which does not exist", n[0])
		}
	}
}
