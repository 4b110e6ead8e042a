package conformance

import (
	_ "embed"
	"fmt"
	"strings"
)

// Priority says how much a statement matters.
type Priority string

// The priorities.
const (
	Must   Priority = "P1"
	Should Priority = "P2"
	Nice   Priority = "P3"
)

// Statement is one thing that a gateway does.
type Statement struct {
	Number   int
	Priority Priority
	Text     string // one or two sentences
}

// list has a statement a line: number, priority, text. Numbers stay what they are for good; those of group chats (76 to 90)
// and of long runs (97) are free for now.
//
//go:embed statements.txt
var list string

// Statements returns all of them by number.
func Statements() []Statement {
	var all []Statement
	for line := range strings.Lines(list) {
		var s Statement
		// The list is part of the program, and a test reads it: a line that does not parse never gets here.
		_, _ = fmt.Sscan(line, &s.Number, &s.Priority)
		s.Text = strings.TrimSpace(strings.SplitN(line, " ", 3)[2])
		all = append(all, s)
	}
	return all
}
