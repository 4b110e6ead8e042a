package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Read reads the proofs of a run, one a line.
func Read(r io.Reader) ([]Record, error) {
	var all []Record
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return all, lines.Err()
		}
		var record Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("conformance: read proofs: %w", err)
		}
		all = append(all, record)
	}
}

// cell names the tests that have proved a statement on a server, sorted; those in process count for every server.
func cell(records []Record, number int, server Server) []string {
	var tests []string
	for _, r := range records {
		if !slices.Contains(r.Numbers, number) || r.Server != server && r.Server != InProcess {
			continue
		}
		name := "`" + r.Test + "`"
		if r.Server == InProcess {
			name += " (in process)"
		}
		if r.Degraded != "" {
			name += " (lack: " + strings.NewReplacer("|", "/", "<br>", " ").Replace(r.Degraded) + ")"
		}
		tests = append(tests, name)
	}
	slices.Sort(tests)
	return slices.Compact(tests)
}

const head = `# Conformance

Written by ` + "`make conformance`" + ` from the proofs of one run of all tests: what a test has not shown is not here. A test is named as package.Test;
"in process" needs no server and holds for both. Where a server cannot do it, the text says what was shown instead.

| | | Statement | Prosody | ejabberd |
|---|---|---|---|---|
`

// Table writes the proofs as xmpp/CONFORMANCE.md.
func Table(records []Record) string {
	var b strings.Builder
	b.WriteString(head)
	var lacking []string
	for _, s := range Statements() {
		prosody, ejabberd := cell(records, s.Number, Prosody), cell(records, s.Number, Ejabberd)
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", s.Number, s.Priority, escape(s.Text), strings.Join(prosody, "<br>"), strings.Join(ejabberd, "<br>"))
		if where := without(prosody, ejabberd); where != "" {
			lacking = append(lacking, fmt.Sprintf("- %d (%s)%s", s.Number, s.Priority, where))
		}
	}
	b.WriteString("\n## What nothing proves\n\n")
	if len(lacking) == 0 {
		lacking = []string{"Nothing is missing."}
	}
	b.WriteString(strings.Join(lacking, "\n") + "\n")
	return b.String()
}

// without says on which server there is no proof; empty when there is one on each.
func without(prosody, ejabberd []string) string {
	switch {
	case len(prosody) == 0 && len(ejabberd) == 0:
		return ": on neither server"
	case len(prosody) == 0:
		return ": on Prosody"
	case len(ejabberd) == 0:
		return ": on ejabberd"
	}
	return ""
}

// escape makes a text safe between the bars of a table.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "\\", `\\`, "*", `\*`, "_", `\_`).Replace(text)
}

// Check compares a table with the proofs of a run. Each line of the answer says what is wrong: a proof that the table
// names and the run has not given, or a statement that must or should hold and that nothing proves.
func Check(table string, records []Record) []string {
	var wrong []string
	for line := range strings.Lines(table) {
		columns := strings.Split(strings.ReplaceAll(line, `\|`, ""), "|")
		var number int
		if len(columns) != 7 {
			continue
		}
		if n, _ := fmt.Sscan(columns[1], &number); n != 1 {
			continue
		}
		for i, server := range []Server{Prosody, Ejabberd} {
			given := cell(records, number, server)
			for name := range strings.SplitSeq(strings.TrimSpace(columns[4+i]), "<br>") {
				if name != "" && !slices.Contains(given, name) {
					wrong = append(wrong, fmt.Sprintf("%d on %s: the table names %s, which has not proved it in this run", number, server, name))
				}
			}
		}
	}
	for _, s := range Statements() {
		where := without(cell(records, s.Number, Prosody), cell(records, s.Number, Ejabberd))
		if where != "" && s.Priority != Nice {
			wrong = append(wrong, fmt.Sprintf("%d (%s) is not proved%s: %s", s.Number, s.Priority, where, s.Text))
		}
	}
	return wrong
}
