package adaptertest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
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

// compare holds what came of the input against all files of the golden but the first: the same names, and the same in each.
func (g golden) compare(t *testing.T, name string, got []byte) {
	t.Helper()
	g.compareAll(t, txtar.File{Name: name, Data: got})
}

func (g golden) compareAll(t *testing.T, got ...txtar.File) {
	t.Helper()
	for i, f := range got {
		if n := len(f.Data); n > 0 && f.Data[n-1] != '\n' {
			got[i].Data = append(f.Data, '\n')
		}
	}
	if *update {
		g.archive.Files = append(g.archive.Files[:1], got...)
		if err := os.WriteFile(g.path, txtar.Format(g.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := g.archive.Files[1:]
	if !slices.EqualFunc(want, got, func(a, b txtar.File) bool { return a.Name == b.Name }) {
		t.Fatalf("%s: want after the input these files and no other; got:\n%s", g.path, txtar.Format(&txtar.Archive{Files: got}))
	}
	for i, f := range want {
		if diff := cmp.Diff(string(f.Data), string(got[i].Data)); diff != "" {
			t.Errorf("%s: %s: -want +got:\n%s", g.path, f.Name, diff)
		}
	}
}

// anyBody is a body that the platform can post.
func (h Harness) anyBody(t *testing.T) []byte {
	t.Helper()
	return h.goldens(t, "parse")[0].input()
}
