package conformance_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/xmpp/conformance"
)

// double stands for a test and keeps what the proof does to it.
type double struct {
	testing.TB
	name          string
	failed, ended bool
	said          []string
	after         []func()
}

func (d *double) Helper()                   {}
func (d *double) Name() string              { return d.name }
func (d *double) Failed() bool              { return d.failed }
func (d *double) Skipped() bool             { return false }
func (d *double) Cleanup(f func())          { d.after = append(d.after, f) }
func (d *double) Errorf(f string, _ ...any) { d.failed, d.said = true, append(d.said, f) }
func (d *double) Fatalf(f string, _ ...any) {
	d.failed, d.ended, d.said = true, true, append(d.said, f)
}

// proofs runs play as a test of that name and returns the proofs that it left.
func proofs(t *testing.T, d *double, play func(testing.TB)) []conformance.Record {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proofs")
	t.Setenv(conformance.Variable, path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	play(d)
	for _, f := range slices.Backward(d.after) {
		f()
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := conformance.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestProof(t *testing.T) {
	for _, c := range []struct {
		name   string
		play   func(testing.TB)
		failed bool
		ended  bool
		want   []conformance.Record
	}{
		{
			name: "checked",
			play: func(tb testing.TB) {
				p := conformance.Prove(tb, conformance.Prosody, 1, 2)
				p.That(true, "x")
				p.Must(true, "x")
			},
			want: []conformance.Record{{Numbers: []int{1, 2}, Server: conformance.Prosody, Test: "conformance.TestX/act"}},
		},
		{
			name: "degraded",
			play: func(tb testing.TB) {
				p := conformance.Prove(tb, conformance.Ejabberd, 71)
				p.Degraded("no archive")
				p.That(true, "x")
			},
			want: []conformance.Record{{Numbers: []int{71}, Server: conformance.Ejabberd, Test: "conformance.TestX/prosody/act", Degraded: "no archive"}},
		},
		{name: "checked nothing", play: func(tb testing.TB) { conformance.Prove(tb, conformance.Prosody, 1) }, failed: true},
		{name: "failed check", play: func(tb testing.TB) { conformance.Prove(tb, conformance.Prosody, 1).That(false, "x") }, failed: true},
		{name: "failed must", play: func(tb testing.TB) { conformance.Prove(tb, conformance.Prosody, 1).Must(false, "x") }, failed: true, ended: true},
		{
			name: "failed elsewhere",
			play: func(tb testing.TB) {
				conformance.Prove(tb, conformance.Prosody, 1).That(true, "x")
				tb.Errorf("x")
			},
			failed: true,
		},
		{name: "no number", play: func(tb testing.TB) { conformance.Prove(tb, conformance.Prosody).That(true, "x") }, failed: true, ended: true},
		{name: "unknown number", play: func(tb testing.TB) { conformance.Prove(tb, conformance.Prosody, 80).That(true, "x") }, failed: true, ended: true},
		{name: "unknown server", play: func(tb testing.TB) { conformance.Prove(tb, "other", 1).That(true, "x") }, failed: true, ended: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &double{name: "TestX/prosody/act"}
			got := proofs(t, d, c.play)
			if d.failed != c.failed || d.ended != c.ended {
				t.Errorf("failed, ended: got %t, %t, want %t, %t (%q)", d.failed, d.ended, c.failed, c.ended, d.said)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("proofs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStatements keeps the list whole: numbers rise, none is missing, each has a priority and a text.
func TestStatements(t *testing.T) {
	var want, got []int
	for n := range 96 {
		if n < 75 || n >= 90 {
			want = append(want, n+1)
		}
	}
	for _, s := range conformance.Statements() {
		got = append(got, s.Number)
		if !slices.Contains([]conformance.Priority{conformance.Must, conformance.Should, conformance.Nice}, s.Priority) || !strings.HasSuffix(s.Text, ".") {
			t.Errorf("statement %d: got priority %q and text %q", s.Number, s.Priority, s.Text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}

// all proves everything in process, but what is left out.
func all(but ...int) []conformance.Record {
	var records []conformance.Record
	for _, s := range conformance.Statements() {
		if !slices.Contains(but, s.Number) {
			records = append(records, conformance.Record{Numbers: []int{s.Number}, Server: conformance.InProcess, Test: "x.TestAll"})
		}
	}
	return records
}

func TestTable(t *testing.T) {
	records := append(all(3, 71), []conformance.Record{
		{Numbers: []int{3}, Server: conformance.Prosody, Test: "story.TestB"},
		{Numbers: []int{3}, Server: conformance.Prosody, Test: "story.TestA"},
		{Numbers: []int{3}, Server: conformance.Prosody, Test: "story.TestA"},
		{Numbers: []int{71}, Server: conformance.Prosody, Test: "story.TestOwn"},
		{Numbers: []int{71}, Server: conformance.Ejabberd, Test: "story.TestOwn", Degraded: "no archive"},
	}...)
	got := conformance.Table(records)
	for _, want := range []string{
		"| `story.TestA`<br>`story.TestB` |  |\n",
		"| `x.TestAll` (in process) | `x.TestAll` (in process) |\n",
		"| `story.TestOwn` | `story.TestOwn` (lack: no archive) |\n",
		"## What nothing proves\n\n- 3 (P1): on ejabberd\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("table: got %s, want in it %q", got, want)
		}
	}
	if strings.Contains(conformance.Table(all()), "- 3") {
		t.Error("a table of everything: got something that nothing proves")
	}
}

func TestCheck(t *testing.T) {
	whole := conformance.Table(all())
	for _, c := range []struct {
		name  string
		table string
		run   []conformance.Record
		want  []string // how lines begin
	}{
		{name: "stands", table: whole, run: all()},
		{name: "more than the table", table: conformance.Table(all(62)), run: all()},
		{name: "stale", table: whole, run: append(all(5), conformance.Record{Numbers: []int{5}, Server: conformance.InProcess, Test: "x.TestNew"}), want: []string{"5 on prosody: the table names `x.TestAll`", "5 on ejabberd: the table names"}},
		{name: "nice to have", table: conformance.Table(all(62)), run: all(62)},
		{name: "missing", table: conformance.Table(all(9)), run: all(9), want: []string{"9 (P2) is not proved: on neither server"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := conformance.Check(c.table, c.run)
			if len(got) != len(c.want) {
				t.Fatalf("wrong: got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("wrong: got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
}
