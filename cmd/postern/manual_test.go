package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// printed runs a command line and returns what it prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatalf("postern %s: got exit code %d\n%s", strings.Join(args, " "), code, errs.String())
	}
	return out.String()
}

// verbs are the commands that postern --help lists.
func verbs(t *testing.T) []string {
	t.Helper()
	_, list, _ := strings.Cut(printed(t, "--help"), "\nCommands:\n")
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z][a-z -]*?[a-z])(  |$)`).FindAllStringSubmatch(list, -1) {
		out = append(out, m[1])
	}
	if len(out) < 20 {
		t.Fatalf("got %d commands, the search is broken: %v", len(out), out)
	}
	return out
}

// TestManualHasAll holds the manual page against what --help says of each command: every verb, every argument and every flag.
func TestManualHasAll(t *testing.T) {
	page := strings.ReplaceAll(printed(t, "man"), `\-`, "-")
	parts := map[string]string{}
	for _, part := range strings.Split(page, "\n.SS ")[1:] {
		title, _, _ := strings.Cut(part, "\n")
		name, _, _ := strings.Cut(regexp.MustCompile(` (?:[[<]|--).*`).ReplaceAllString(title, ""), "\n")
		parts[name] = part
	}
	flag := regexp.MustCompile(`(?m)^ +(?:-\w, )? *(--[a-z-]+)`)
	for _, verb := range verbs(t) {
		help := printed(t, append(strings.Fields(verb), "--help")...)
		found := flag.FindAllStringSubmatch(help, -1)
		if len(found) == 0 {
			t.Errorf("%s --help: found no flags, the search is broken", verb)
		}
		for _, m := range found {
			if m[1] != "--help" && !strings.Contains(parts[verb], `\fB`+m[1]+`\fR`) {
				t.Errorf("the page has no %s %s", verb, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^  (<[a-z-]+>)`).FindAllStringSubmatch(help, -1) {
			if !strings.Contains(parts[verb], ".I "+m[1]) {
				t.Errorf("the page has no argument %s of %s", m[1], verb)
			}
		}
	}
	if len(parts) != len(verbs(t)) {
		t.Errorf("got %d commands in the page, want %d", len(parts), len(verbs(t)))
	}
}

// completion writes what a shell reads to a file.
func completion(t *testing.T, shell string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "postern."+shell)
	if err := os.WriteFile(file, []byte(printed(t, "completion", shell)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCompletionHasAll: each shell is told every verb and the flags of each.
func TestCompletionHasAll(t *testing.T) {
	for shell, flag := range map[string]string{"bash": "--%", "zsh": "'--%:", "fish": " -l %"} {
		text := printed(t, "completion", shell)
		for _, verb := range verbs(t) {
			if !strings.Contains(text, verb) {
				t.Errorf("%s knows no %s", shell, verb)
			}
		}
		for _, name := range []string{"partner-jwks-url", "role", "no-probe"} {
			if want := strings.ReplaceAll(flag, "%", name); !strings.Contains(text, want) {
				t.Errorf("%s: got no %q", shell, want)
			}
		}
	}
}

func TestBashCompletes(t *testing.T) {
	for line, want := range map[string]string{
		"postern tok":                   "token",
		"postern token ":                "create list revoke --help",
		"postern token create --role ":  "viewer operator admin",
		"postern token create --role=o": "operator",
		"postern completion z":          "zsh",
		"postern serve --c":             "--config",
		"postern dead-letters replay x": "",
	} {
		out, err := exec.CommandContext(t.Context(), "bash", "-uc", `. "$0"; line=${1//=/ = }; read -ra COMP_WORDS <<<"$line"
			[[ $line == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _postern; echo "${COMPREPLY[*]}"`, completion(t, "bash"), line).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", line, err, out)
		}
		if diff := cmp.Diff(want, strings.TrimSpace(string(out))); diff != "" {
			t.Errorf("%q (-want +got)\n%s", line, diff)
		}
	}
}
