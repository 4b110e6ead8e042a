package app

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/adapters"
)

var update = flag.Bool("update", false, "write the adapters' parts of deploy/postern.yaml")

// TestExampleIsTheAdapters: what deploy/postern.yaml says of an adapter's own keys is what the adapter's folder says, so that there
// is one source for the example and for `postern init`.
func TestExampleIsTheAdapters(t *testing.T) {
	file, raw := example(t)
	head, rest, ok := strings.Cut(string(raw), "\nadapters:\n")
	if !ok {
		t.Fatal("deploy/postern.yaml has no adapters")
	}
	blocks := strings.Split(strings.TrimSuffix(rest, "\n"), "\n\n")
	seen := map[string]bool{}
	for i, block := range blocks {
		name, _, _ := strings.Cut(strings.TrimSpace(block), ":")
		for _, typ := range adapters.All() {
			if typ.Name == name {
				blocks[i], seen[name] = common(t, name, block)+strings.TrimSuffix(typ.Setup().Example, "\n"), true
			}
		}
	}
	for _, typ := range adapters.All() {
		if !seen[typ.Name] {
			t.Errorf("deploy/postern.yaml has no block of %s", typ.Name)
		}
	}
	want := head + "\nadapters:\n" + strings.Join(blocks, "\n\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("deploy/postern.yaml and the adapters' examples (-adapters +file), see -update:\n%s", diff)
	}
}

// common returns what every adapter has, which ends with the secret of the component.
func common(t *testing.T, name, block string) string {
	t.Helper()
	var out strings.Builder
	found := false
	for line := range strings.Lines(block) {
		if found && !strings.HasPrefix(line, "    # secret:") {
			break
		}
		out.WriteString(line)
		found = found || strings.HasPrefix(line, fmt.Sprintf("    secret_file: /etc/postern/%s.secret", name))
	}
	if !found {
		t.Fatalf("deploy/postern.yaml: %s has no secret_file", name)
	}
	return out.String()
}
