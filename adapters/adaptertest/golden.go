package adaptertest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// update makes the goldens say what the adapter does now; read the difference before committing it.
var update = flag.Bool("update", false, "write goldens instead of comparing")

// golden is one txtar file: the comment says what it shows, the first file is the input, the others are what must come of it.
type golden struct {
	path    string
	archive *txtar.Archive
}

// Goldens checks a folder of goldens of an adapter's own, a subtest each: what answers says of an input, and the name that it has there.
func Goldens(t *testing.T, folder string, answers func(t *testing.T, input []byte) (name string, got []byte)) {
	t.Helper()
	for _, g := range goldensIn(t, folder) {
		t.Run(g.name(), func(t *testing.T) {
			name, got := answers(t, g.input())
			g.compare(t, name, got)
		})
	}
}

func (h Harness) goldens(t *testing.T, folder string) []golden {
	t.Helper()
	return goldensIn(t, filepath.Join(h.Dir, folder))
}

func goldensIn(t *testing.T, folder string) []golden {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no fixtures in %s", folder)
	}
	all := make([]golden, len(paths))
	for i, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Files) == 0 || len(bytes.TrimSpace(a.Comment)) == 0 {
			t.Fatalf("%s: want a comment and a file", p)
		}
		all[i] = golden{p, a}
	}
	return all
}

func (g golden) name() string {
	base := filepath.Base(g.path)
	return base[:len(base)-len(".txtar")]
}

// input is the first file, without the line feed that ends it.
func (g golden) input() []byte { return bytes.TrimSuffix(g.archive.Files[0].Data, []byte("\n")) }

// compare holds got against the golden's file of that name, and that against all files but the first.
func (g golden) compare(t *testing.T, name string, got []byte) {
	t.Helper()
	if n := len(got); n > 0 && got[n-1] != '\n' {
		got = append(got, '\n')
	}
	if *update {
		g.archive.Files = append(g.archive.Files[:1], txtar.File{Name: name, Data: got})
		if err := os.WriteFile(g.path, txtar.Format(g.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(g.archive.Files) != 2 || g.archive.Files[1].Name != name {
		t.Fatalf("%s: want a file %q after the input and no other; got:\n%s", g.path, name, got)
	}
	if diff := cmp.Diff(string(g.archive.Files[1].Data), string(got)); diff != "" {
		t.Errorf("%s: -want +got:\n%s", g.path, diff)
	}
}

// anyBody is a body that the platform can post.
func (h Harness) anyBody(t *testing.T) []byte {
	t.Helper()
	return h.goldens(t, "parse")[0].input()
}
