// Package postern_test holds the rules that the whole repository keeps: import arrows, package comments, cited standards,
// folders, file sizes, pinned versions.
package postern_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	Imports    []string
	GoFiles    []string
}

// list returns the module's packages by import path, built with the given tags.
func list(t *testing.T, tags string) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Name,Standard,Imports,GoFiles", "-tags", tags, "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all[p.ImportPath] = p
		}
	}
	if len(all) < 10 {
		t.Fatalf("go list: got %d packages, want those of the whole module", len(all))
	}
	return all
}

// below reports whether a package is root or inside of it.
func below(path string, roots ...string) bool {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return true
		}
	}
	return false
}

// arrows is what each part of the module may import of the others: cmd -> api | xmpp | adapters | media -> gateway.
var arrows = []struct {
	from  string
	may   []string
	never string // why
}{
	{"postern/gateway", []string{"postern/gateway"}, "the domain knows nobody"},
	{"postern/xmpp", []string{"postern/xmpp", "postern/gateway"}, "XMPP and the platforms meet in cmd"},
	{"postern/adapters", []string{"postern/adapters", "postern/gateway"}, "adapters know the domain only"},
	{"postern/api", []string{"postern/api", "postern/gateway"}, "the HTTP side meets the others in cmd"},
	{"postern/media", []string{"postern/media", "postern/gateway"}, "files meet XMPP and the platforms in cmd"},
	{"postern/deploy", []string{"postern/deploy"}, "the lab starts what everything else is tested on"},
}

// homes are the only places for libraries that shape what they touch.
var homes = []struct {
	module string
	in     func(pkg string) bool
}{
	{"gosrc.io/xmpp", func(p string) bool { return below(p, "postern/xmpp") }},
	{"github.com/go-chi/chi", func(p string) bool {
		return below(p, "postern/api", "postern/adapters/internal/sandbox") || strings.Contains(p+"/", "/simulator/")
	}},
	{"go.opentelemetry.io/otel", func(p string) bool { return below(p, "postern/cmd/internal/tracing") }},
	{"github.com/sony/gobreaker", func(p string) bool { return below(p, "postern/cmd") }},
	{"github.com/redis/go-redis", func(p string) bool { return below(p, "postern/gateway/redisstore", "postern/cmd") }},
}

func TestImportArrows(t *testing.T) {
	for _, tags := range []string{"", "servers", "chaos"} {
		for _, p := range list(t, tags) {
			for _, imp := range p.Imports {
				for _, a := range arrows {
					if below(p.ImportPath, a.from) && below(imp, "postern") && !below(imp, a.may...) {
						t.Errorf("%s imports %s: %s", p.ImportPath, imp, a.never)
					}
				}
				for _, h := range homes {
					if (imp == h.module || strings.HasPrefix(imp, h.module+"/")) && !h.in(p.ImportPath) {
						t.Errorf("%s imports %s, which is not at home there", p.ImportPath, imp)
					}
				}
				if a, b := adapterOf(p.ImportPath), adapterOf(imp); a != "" && b != "" && a != b {
					t.Errorf("%s imports %s: adapters never import each other", p.ImportPath, imp)
				}
			}
		}
	}
}

// adapterOf names the adapter that a package belongs to; empty for what adapters share.
func adapterOf(path string) string {
	rest, ok := strings.CutPrefix(path, "postern/adapters/")
	name, _, _ := strings.Cut(rest, "/")
	if !ok || name == "internal" || name == "adaptertest" || name == "control" || name == "simulators" {
		return ""
	}
	return name
}

// TestGatewayStandsOnLittle keeps the domain free of libraries: the standard module, metrics, and ids.
func TestGatewayStandsOnLittle(t *testing.T) {
	want := []string{"github.com/oklog/ulid/v2", "github.com/prometheus/client_golang/prometheus"}
	var got []string
	for _, imp := range list(t, "")["postern/gateway"].Imports {
		if strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
			got = append(got, imp)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("libraries of the domain (-want +got):\n%s", diff)
	}
}

func TestEveryPackageSaysItsJob(t *testing.T) {
	for _, p := range list(t, "") {
		said := 0
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if doc := f.Doc.Text(); doc != "" {
				said++
				checkDoc(t, p, f, doc)
			}
		}
		if said != 1 {
			t.Errorf("%s: got %d package comments, want 1", p.ImportPath, said)
		}
	}
}

func checkDoc(t *testing.T, p pkg, f *ast.File, doc string) {
	t.Helper()
	start := "Package " + f.Name.Name + " "
	if p.Name == "main" {
		start = "Command "
	}
	first, _, ends := strings.Cut(strings.ReplaceAll(doc, "\n", " "), ". ")
	if !strings.HasPrefix(doc, start) || !ends && !strings.HasSuffix(first, ".") && !strings.HasSuffix(first, ". ") && !strings.Contains(first, ":") {
		t.Errorf("%s: package comment %q, want a sentence that begins with %q", p.ImportPath, first, start)
	}
}

var xep = regexp.MustCompile(`XEP-(\d{4})`)

// TestCitedStandardsAreListed compares the XEPs that the code cites with those that doap.xml lists.
func TestCitedStandardsAreListed(t *testing.T) {
	cited := map[string]string{}
	walkGo(t, func(file string, raw []byte) {
		for _, m := range xep.FindAllSubmatch(raw, -1) {
			cited[string(m[1])] = file
		}
	})
	listed := doap(t)
	for n, file := range cited {
		if !listed[n] {
			t.Errorf("%s cites XEP-%s, which doap.xml does not list", file, n)
		}
	}
	for n := range listed {
		if cited[n] == "" {
			t.Errorf("doap.xml lists XEP-%s, which no file cites", n)
		}
	}
}

var (
	doapRow   = regexp.MustCompile(`xep-(\d{4})\.html"/>\s*<xmpp:status>(\w+)</xmpp:status>`)
	readmeRow = regexp.MustCompile(`(?m)^\| \[(\d{4})\]\([^)]*\) \| [^|]+ \| (\w+) \|`)
)

// TestReadmeListsTheStandards compares the table of the README with doap.xml: each XEP with its status, in one order.
func TestReadmeListsTheStandards(t *testing.T) {
	rows := func(file string, re *regexp.Regexp) (out []string) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range re.FindAllSubmatch(raw, -1) {
			out = append(out, string(m[1])+" "+string(m[2]))
		}
		return out
	}
	want := rows("doap.xml", doapRow)
	if len(want) < 50 {
		t.Fatalf("doap.xml: got %d standards, the search is broken", len(want))
	}
	if diff := cmp.Diff(want, rows("README.md", readmeRow)); diff != "" {
		t.Errorf("README.md lists other standards than doap.xml (-doap +README):\n%s", diff)
	}
}

// doap returns the numbers that doap.xml lists (XEP-0453).
func doap(t *testing.T) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("doap.xml")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		tok, err := d.Token()
		if tok == nil {
			if err.Error() != "EOF" {
				t.Fatalf("doap.xml: %v", err)
			}
			break
		}
		el, ok := tok.(xml.StartElement)
		if !ok || el.Name.Space != "https://linkmauve.fr/ns/xmpp-doap#" || el.Name.Local != "xep" {
			continue
		}
		for _, a := range el.Attr {
			n := regexp.MustCompile(`/extensions/xep-(\d{4})\.html$`).FindStringSubmatch(a.Value)
			if n != nil {
				listed[n[1]] = true
			}
		}
	}
	for _, n := range regexp.MustCompile(`/extensions/xep-(\d{4})\.html`).FindAllSubmatch(raw, -1) {
		listed[string(n[1])] = true
	}
	if len(listed) == 0 {
		t.Fatal("doap.xml lists no XEP")
	}
	return listed
}

func TestTopFolders(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "git", "ls-files")
	out, err := cmd.Output()
	var got []string
	if err == nil {
		seen := map[string]bool{}
		for line := range strings.SplitSeq(string(out), "\n") {
			if top, _, inside := strings.Cut(line, "/"); inside && !strings.HasPrefix(top, ".") {
				seen[top] = true
			}
		}
		got = slices.Sorted(maps.Keys(seen))
	} else { // an archive without its history
		got = foldersOnDisk(t)
	}
	if diff := cmp.Diff([]string{"adapters", "api", "cmd", "deploy", "gateway", "media", "xmpp"}, got); diff != "" {
		t.Errorf("top-level folders (-want +got):\n%s", diff)
	}
}

func foldersOnDisk(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" {
			out = append(out, e.Name())
		}
	}
	return out
}

const (
	maxLines   = 450 // no file is longer
	manyLines  = 400 // longer ones are listed
	manyFilled = 10  // and are at most this many percent of all
)

func TestFilesStayShort(t *testing.T) {
	files, long := 0, []string{}
	walkGo(t, func(file string, raw []byte) {
		files++
		n := bytes.Count(raw, []byte("\n"))
		if n > manyLines {
			long = append(long, file)
		}
		if n > maxLines {
			t.Errorf("%s has %d lines, want at most %d: it does two jobs", file, n, maxLines)
		}
	})
	if len(long)*100 > files*manyFilled {
		t.Errorf("%d of %d files have more than %d lines, want at most %d in a hundred: %v", len(long), files, manyLines, manyFilled, long)
	}
	t.Logf("more than %d lines: %v", manyLines, long)
}

// walkGo calls f with every Go file of the repository that is no test.
func walkGo(t *testing.T, f func(file string, raw []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err == nil {
			f(path, raw)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestVersionsArePinned wants an exact released version of everything that the module imports, and no replacement.
func TestVersionsArePinned(t *testing.T) {
	raw, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace) > 0 {
		t.Errorf("go.mod replaces %s: a build elsewhere gets something else", mod.Replace[0].Old.Path)
	}
	required := map[string]string{}
	for _, r := range mod.Require {
		required[r.Mod.Path] = r.Mod.Version
	}
	direct := imported(t, slices.Collect(maps.Keys(required)))
	for _, path := range direct {
		if v := required[path]; !semver.IsValid(v) || module.IsPseudoVersion(v) {
			t.Errorf("%s: got version %q, want a released one", path, v)
		}
	}
	for path, want := range map[string]string{
		"gosrc.io/xmpp": "v0.5.1", "github.com/go-chi/chi/v5": "", "github.com/redis/go-redis/v9": "", "github.com/prometheus/client_golang": "",
	} {
		if !slices.Contains(direct, path) || want != "" && required[path] != want {
			t.Errorf("%s: got version %q, want it used in version %s", path, required[path], want)
		}
	}
}

// imported returns those of the required modules that the module's own packages and tests import.
func imported(t *testing.T, modules []string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-tags", "servers,chaos", "-f", `{{join .Imports "\n"}}{{"\n"}}{{join .TestImports "\n"}}{{"\n"}}{{join .XTestImports "\n"}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for imp := range strings.FieldsSeq(string(out)) {
		if host, _, _ := strings.Cut(imp, "/"); !strings.Contains(host, ".") {
			continue
		}
		// The longest path wins: one module may be inside of another's path.
		home := ""
		for _, m := range modules {
			if below(imp, m) && len(m) > len(home) {
				home = m
			}
		}
		if home == "" {
			t.Errorf("%s is imported, but go.mod requires no module with it", imp)
		}
		seen[home] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// TestChosenLibrariesAreExplained wants every imported module named in HACKING.md, where its reason stands.
func TestChosenLibrariesAreExplained(t *testing.T) {
	raw, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for _, r := range mod.Require {
		modules = append(modules, r.Mod.Path)
	}
	text, err := os.ReadFile("HACKING.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for line := range strings.SplitSeq(string(text), "\n") {
		if cell, ok := strings.CutPrefix(line, "|"); ok {
			name, _, _ := strings.Cut(cell, "|")
			rows.WriteString(name + "\n")
		}
	}
	for _, path := range imported(t, modules) {
		if !regexp.MustCompile(`(^|[\s/])` + regexp.QuoteMeta(shortName(path)) + `($|[\s/,])`).MatchString(rows.String()) {
			t.Errorf("HACKING.md does not say why %s", path)
		}
	}
}

// shortName is how people call a module: the repository's name, or x/... for Go's own.
func shortName(path string) string {
	name, _, _ := module.SplitPathVersion(path)
	switch parts := strings.Split(name, "/"); parts[0] {
	case "github.com":
		return parts[2]
	case "golang.org":
		return parts[1] + "/" + parts[2]
	default:
		return parts[len(parts)-1]
	}
}
