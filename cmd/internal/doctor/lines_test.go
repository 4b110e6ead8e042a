package doctor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/deploy"
)

var update = flag.Bool("update", false, "write testdata")

// TestLines shows what operators are told to add, on either server.
func TestLines(t *testing.T) {
	v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
	for _, server := range []deploy.Server{deploy.Prosody, deploy.Ejabberd} {
		var b strings.Builder
		for about, name := range []string{"port", "component", "listed", "rights", "upload"} {
			lines := v.lines(server, topic(about), v.parts.Instances[0], "example.org", "upload.example.org")
			fmt.Fprintf(&b, "## %s\n%s\n", name, strings.Join(lines, "\n"))
		}
		if strings.Contains(b.String(), "secret of the rig") {
			t.Error("a secret is told")
		}
		file := filepath.Join("testdata", string(server)+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	if both := strings.Join(v.lines("", topicComponent, v.parts.Instances[0], "example.org", ""), "\n"); !strings.Contains(both, "Prosody:") || !strings.Contains(both, "ejabberd:") {
		t.Errorf("for a server that is not known: got\n%s", both)
	}
}

// TestPrint is what people see.
func TestPrint(t *testing.T) {
	var b strings.Builder
	all := []Finding{
		{Group: "files", Level: OK, Text: "all is there"},
		{Group: "Redis", Level: Loss, Text: "appendonly is no", Lost: "a restart loses messages", Do: "in redis.conf:", Lines: []string{"appendonly yes"}},
	}
	if err := Print(&b, all); err != nil {
		t.Fatal(err)
	}
	want := `files
  ok     all is there
Redis
  loss   appendonly is no: a restart loses messages
         -> in redis.conf:
            appendonly yes
0 fault(s), 1 loss(es)
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Worst(append(all, Finding{Level: Fault}, Finding{Level: Loss})); got != Fault {
		t.Errorf("worst: got %s, want fault", got)
	}
	if got := Worst(all[:1]); got != OK {
		t.Errorf("worst: got %s, want ok", got)
	}
}
