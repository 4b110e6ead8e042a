//go:build servers

package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestManualReads: troff finds nothing to complain about, and the name is one that apropos(1) finds.
func TestManualReads(t *testing.T) {
	for _, argv := range [][]string{{"groff", "-man", "-Tutf8", "-ww", "-b"}, {"lexgrog", "-"}} {
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(printed(t, "man")), &out, &errs
		if err := cmd.Run(); err != nil || errs.Len() > 0 {
			t.Errorf("%v: %v\n%s", argv, err, errs.String())
		}
		if !strings.Contains(out.String(), "postern - ") && !strings.Contains(out.String(), "POSTERN(1)") {
			t.Errorf("%v: got\n%s", argv, out.String())
		}
	}
}

// TestOtherShellsComplete asks fish, and the parser of zsh, which completes for a person at a terminal alone.
func TestOtherShellsComplete(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "zsh", "-n", completion(t, "zsh")).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("zsh: %v\n%s", err, out)
	}
	file := completion(t, "fish")
	for line, want := range map[string]string{
		"postern tok":                  "token",
		"postern token ":               "create list revoke",
		"postern token create --role ": "admin operator viewer",
		"postern completion z":         "zsh",
		"postern serve --c":            "--config",
	} {
		cmd := exec.CommandContext(t.Context(), "fish", "--no-config", "-c", `source $argv[1]; complete -C "$argv[2]"`, file, line)
		cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", line, err, out)
		}
		var words []string
		for l := range strings.Lines(string(out)) {
			words = append(words, strings.Fields(l)[0])
		}
		if diff := cmp.Diff(want, strings.Join(words, " ")); diff != "" {
			t.Errorf("%q (-want +got)\n%s", line, diff)
		}
	}
}
