//go:build servers

package packages_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// once is the build that all tests look at.
var once struct {
	sync.Once
	dir string
	err error
	log []byte
}

func TestMain(m *testing.M) {
	code := m.Run()
	if once.dir != "" {
		_ = os.RemoveAll(once.dir) // a folder in the system's for temporary files
	}
	os.Exit(code)
}

// build runs the script of a checkout.
func build(t *testing.T, checkout, out string, env ...string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), "deploy/packages/build.sh")
	cmd.Dir = checkout
	cmd.Env = append(append(cmd.Environ(), "OUT="+out, "ARCHES="+runtime.GOARCH), env...)
	return cmd.CombinedOutput()
}

// built returns the folder with what make package builds for this architecture.
func built(t *testing.T) string {
	t.Helper()
	once.Do(func() {
		if once.dir, once.err = os.MkdirTemp("", "postern-package"); once.err == nil {
			once.log, once.err = build(t, "../..", once.dir)
		}
	})
	if once.err != nil {
		t.Fatalf("%v\n%s", once.err, once.log)
	}
	return once.dir
}

// TestSameBytes builds the same state in another folder, with another clock's zone and another mask of modes.
func TestSameBytes(t *testing.T) {
	first := built(t)
	copied := filepath.Join(t.TempDir(), "a checkout elsewhere")
	local(t, "mkdir", copied)
	local(t, "sh", "-euc", `cd ../.. && git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\\0" "$f"; done' sh |
		tar --null --files-from=- -cf - | tar -C "$0" -xf - && cp -a .git "$0/.git"`, copied)
	second := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "sh", "-euc", `umask 077; cd "$0"; TZ=Asia/Tokyo OUT="$1" ARCHES="$2" exec deploy/packages/build.sh`, copied, second, runtime.GOARCH).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sums := func(dir string) string {
		raw, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		local(t, "sh", "-euc", `cd "$0" && sha256sum --check --strict SHA256SUMS`, dir)
		return string(raw)
	}
	if diff := cmp.Diff(sums(first), sums(second)); diff != "" {
		t.Errorf("two builds (-first +second):\n%s", diff)
	}
	var kinds []string
	for line := range strings.Lines(sums(first)) {
		kinds = append(kinds, filepath.Ext(strings.TrimSpace(line)))
	}
	slices.Sort(kinds)
	for _, want := range []string{".deb", ".tar", ".tgz", ".json"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("SHA256SUMS has no %s: %v", want, kinds)
		}
	}
}

// TestVersion: a program says of itself what its file is called, and who builds one of their own says which it is.
func TestVersion(t *testing.T) {
	says := func(dir, want string) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, "postern-*-linux-"+runtime.GOARCH))
		if err != nil || len(found) != 1 {
			t.Fatalf("got %v, %v, want one program", found, err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "postern-"), "-linux-"+runtime.GOARCH)
		if want != "" && name != want {
			t.Errorf("the program is called %s, want %s", name, want)
		}
		if got, _, _ := strings.Cut(local(t, found[0], "version"), "\n"); got != "postern "+name {
			t.Errorf("got %q, want postern %s", got, name)
		}
	}
	says(built(t), "")
	for version, want := range map[string]string{"v1.2.3": "1.2.3", "1.2.3~rc1": "1.2.3-rc1"} {
		out := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "deploy/packages/build.sh", "programs")
		cmd.Dir = "../.."
		cmd.Env = append(cmd.Environ(), "OUT="+out, "ARCHES="+runtime.GOARCH, "VERSION="+version)
		if log, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		says(out, want)
	}
}

// TestMaintainer: who builds packages for others names themselves, in one place; what dpkg would stumble over is refused before anything is built.
func TestMaintainer(t *testing.T) {
	maintainer := func(dir string) string {
		found, err := filepath.Glob(filepath.Join(dir, "postern_*_"+runtime.GOARCH+".deb"))
		if err != nil || len(found) != 1 {
			t.Fatalf("got %v, %v, want one package", found, err)
		}
		root := t.TempDir()
		local(t, "dpkg-deb", "--extract", found[0], root)
		name := strings.TrimSpace(local(t, "dpkg-deb", "--field", found[0], "Maintainer"))
		if changes := local(t, "gzip", "-dc", filepath.Join(root, "usr/share/doc/postern/changelog.gz")); !strings.Contains(changes, "\n -- "+name+"  ") {
			t.Errorf("the changelog does not name %s:\n%s", name, changes)
		}
		return name
	}
	if got, want := maintainer(built(t)), "Postern maintainers <maintainers@postern.example>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "deploy/packages/build.sh", "programs", "debian")
	cmd.Dir = "../.."
	const anna = "Anna Müller <anna@packages.example.org>"
	cmd.Env = append(cmd.Environ(), "OUT="+out, "ARCHES="+runtime.GOARCH, "MAINTAINER="+anna)
	if log, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if got := maintainer(out); got != anna {
		t.Errorf("got %q, want %q", got, anna)
	}
	for _, wrong := range []string{"nobody", "Anna <anna>", "Anna <anna@example.org>\nEssential: yes <a@b>", "A/e touch x/ <a@b>", "Anna & Bob <a@b>"} {
		log, err := build(t, "../..", t.TempDir(), "MAINTAINER="+wrong)
		if err == nil || !strings.Contains(string(log), `MAINTAINER wants a name and an address, such as "Anna Example <anna@example.org>"`) {
			t.Errorf("%q: got %v and %s, want a refusal", wrong, err, log)
		}
	}
}

// TestBillOfMaterials: every module that is linked is listed, in its version.
func TestBillOfMaterials(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(built(t), "*.cdx.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v, want one", found, err)
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Components             []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(raw, &bom); err != nil || bom.BOMFormat != "CycloneDX" {
		t.Fatalf("got %q, %v", bom.BOMFormat, err)
	}
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name+" "+c.Version] = true
	}
	programs, err := filepath.Glob(filepath.Join(built(t), "postern-*-linux-"+runtime.GOARCH))
	if err != nil || len(programs) != 1 {
		t.Fatalf("got %v, %v, want one program", programs, err)
	}
	linked := 0
	for line := range strings.Lines(local(t, "go", "version", "-m", programs[0])) {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "dep" {
			if linked++; !listed[f[1]+" "+f[2]] {
				t.Errorf("%s %s is linked and not listed", f[1], f[2])
			}
		}
	}
	if linked < 20 {
		t.Errorf("got %d modules, the search is broken", linked)
	}
}
