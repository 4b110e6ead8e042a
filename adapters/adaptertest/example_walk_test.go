package adaptertest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exampleLines is what HACKING.md promises of the example: its lines of Go, test and fake platform included, comments and empty
// lines not.
const exampleLines = 400

// TestExampleIsShort counts the example.
func TestExampleIsShort(t *testing.T) {
	lines := 0
	for _, file := range exampleFiles(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "//") {
				lines++
			}
		}
	}
	t.Logf("%d lines", lines)
	if lines >= exampleLines {
		t.Errorf("the example has %d lines, HACKING.md says fewer than %d", lines, exampleLines)
	}
}

// TestWalkThroughNamesTheFiles: whoever follows HACKING.md makes each file of the example, and hears of each group of the kit's doc.
func TestWalkThroughNamesTheFiles(t *testing.T) {
	raw, err := os.ReadFile("../../HACKING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(raw), "\n## Add an adapter\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, file := range exampleFiles(t) {
		if !strings.Contains(section, "`"+filepath.Base(file)+"`") {
			t.Errorf("HACKING.md, Add an adapter: does not name %s", filepath.Base(file))
		}
	}
	for _, part := range optional {
		if !strings.Contains(section, "`"+part+"`") {
			t.Errorf("HACKING.md, Add an adapter: does not name %s", part)
		}
	}
}

// optional are the parts of the contract that an adapter may leave out.
var optional = []string{
	"Webhook", "Poller", "Linker", "Sharer", "Registrar", "EachRegistrar", "Publisher", "MediaStore", "MediaSender", "Profiles", "Directory",
	"Moderator", "Acknowledger", "Reconciler", "Backlog", "Caps.Window", "Caps.Echo", "OpReopen", "Descriptor.Limits", "Status.Through", "Event.Also",
	"Event.Seq", "Event.Invite",
}

func exampleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("example/*.go")
	if err != nil || len(files) < 9 {
		t.Fatalf("got files %v and %v, want the example", files, err)
	}
	return files
}
