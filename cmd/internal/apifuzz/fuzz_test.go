//go:build servers

package apifuzz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// root is the checkout.
const root = "../../.."

// TestAPIFuzz sends POSTERN_REQUESTS requests at least to the program, as each role and as nobody: what they are follows from POSTERN_SEED.
// A few hundred belong to every run of the tests, make apifuzz sends thousands.
func TestAPIFuzz(t *testing.T) {
	want, seed := number(t, "POSTERN_REQUESTS", 500), number(t, "POSTERN_SEED", 1)
	fuzzer := installed(t)
	w := newWatch(t, open(t))
	short := want <= 1000
	for round := 0; round == 0 || w.total() < want; round++ {
		for _, c := range callers(w.site) {
			w.fuzz(t, fuzzer, c, seed+round, short)
		}
		w.rude(t, seed+round, max(want/20, 100))
		if t.Failed() {
			break
		}
	}
	t.Logf("seed %d: %s", seed, w)
	for _, text := range slices.Sorted(maps.Keys(w.faults)) {
		t.Errorf("%d times %s", w.faults[text], text)
	}
	if !short && len(w.reached) < 20 { // else it knocked at closed doors
		t.Errorf("only these answered as asked: %v", slices.Sorted(maps.Keys(w.reached)))
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// installed is where deploy/dev/install.sh has put the fuzzer.
func installed(t *testing.T) string {
	t.Helper()
	pinned, err := os.ReadFile(filepath.Join(root, "deploy/dev/apifuzz/requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(pinned)
	home, err := filepath.Abs(filepath.Join(root, ".cache", "apifuzz-"+hex.EncodeToString(sum[:])[:12]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "whole")); err != nil {
		t.Fatalf("the fuzzer is not there, deploy/dev/install.sh apifuzz brings it: %v", err)
	}
	return filepath.Join(home, "bin", "schemathesis")
}

// caller is who asks; header is empty for who shows nothing.
type caller struct{ name, header string }

// callers begin with who may do most: what others may not, there must be something to refuse them.
func callers(s *site) []caller {
	all := []caller{{"nobody", ""}, {"stranger", "Bearer postern_eve_" + strings.Repeat("a", 52)}}
	for _, role := range gateway.Roles() {
		all = append(all, caller{string(role), "Bearer " + s.tokens[role]})
	}
	slices.Reverse(all)
	return all
}

// fuzz runs Schemathesis once. What it finds wrong is what it says at its end.
func (w *watch) fuzz(t *testing.T, fuzzer string, c caller, seed int, short bool) {
	t.Helper()
	at, err := filepath.Abs(document)
	if err != nil {
		t.Fatal(err)
	}
	phases, examples := "examples,coverage,fuzzing", 60
	if c.header == "" || c.name == "stranger" {
		examples = 10
	}
	if short {
		phases, examples = "fuzzing", 4
	}
	// Left out are: what texts are accepted, since a JID is more than a text, and what hangs on links between operations.
	args := []string{
		"run", at, "--url", w.url, "--include-path-regex", "^/v1/", "--seed", strconv.Itoa(seed), "--phases", phases, "--max-examples", strconv.Itoa(examples),
		"--checks", "all", "--exclude-checks", "positive_data_acceptance,use_after_free,ensure_resource_availability",
		"--workers", "1", "--continue-on-failure", "--no-shrink", "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off",
		"--request-timeout", fmt.Sprint(patience.Seconds()), "--no-color",
	}
	if c.header != "" {
		args = append(args, "--header", "Authorization: "+c.header)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, fuzzer, args...)
	cmd.Dir = t.TempDir() // it writes there
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=/usr/bin:/bin", "NO_PROXY=*", "LANG=C.UTF-8", "SCHEMATHESIS_HOOKS="}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as %s, seed %d: %v\n%s", c.name, seed, err, out[max(0, len(out)-20_000):])
	}
}
