// Command table writes xmpp/CONFORMANCE.md from the proofs of a run, or checks it against them.
package main

import (
	"flag"
	"fmt"
	"os"

	"postern/xmpp/conformance"
)

func main() {
	proofs := flag.String("proofs", "", "file that the tests wrote, named by "+conformance.Variable)
	table := flag.String("table", "xmpp/CONFORMANCE.md", "the table")
	check := flag.Bool("check", false, "compare with the table instead of writing it")
	flag.Parse()
	if err := run(*proofs, *table, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(proofs, table string, check bool) error {
	f, err := os.Open(proofs)
	if err != nil {
		return err
	}
	defer f.Close()
	records, err := conformance.Read(f)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(table, []byte(conformance.Table(records)), 0o644) //nolint:gosec // a report, not a secret
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return err
	}
	wrong := conformance.Check(string(text), records)
	for _, line := range wrong {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s does not stand: %d of its lines; `make conformance` writes it anew", table, len(wrong))
	}
	return nil
}
