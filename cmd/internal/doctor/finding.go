package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Level says how bad a finding is.
type Level string

// Levels.
const (
	OK    Level = "ok"
	Loss  Level = "loss"  // the service works, and users lack something
	Fault Level = "fault" // the service does not work, in whole or for an adapter
)

// Finding is one thing that was looked at.
type Finding struct {
	// Group is files, Redis, HTTP, XMPP server, or the name of an adapter.
	Group string `json:"group"`
	Level Level  `json:"level"`
	// Text is what was found, Lost what users will not have because of it.
	Text string `json:"text"`
	Lost string `json:"lost,omitempty"`
	// Do is what to do about it, Lines what to add somewhere, as Do says.
	Do    string   `json:"do,omitempty"`
	Lines []string `json:"lines,omitempty"`
}

// Worst is the level of the worst finding.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		if f.Level == Fault || worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// Print writes findings for people: a line each, by group.
func Print(w io.Writer, all []Finding) error {
	var b strings.Builder
	group := ""
	count := map[Level]int{}
	for _, f := range all {
		if f.Group != group {
			fmt.Fprintln(&b, f.Group)
			group = f.Group
		}
		count[f.Level]++
		fmt.Fprintf(&b, "  %-5s  %s", f.Level, f.Text)
		if f.Lost != "" {
			fmt.Fprintf(&b, ": %s", f.Lost)
		}
		b.WriteByte('\n')
		if f.Do != "" {
			fmt.Fprintf(&b, "         -> %s\n", f.Do)
		}
		for _, line := range f.Lines {
			fmt.Fprintf(&b, "            %s\n", line)
		}
	}
	if Worst(all) == OK {
		fmt.Fprintln(&b, "all is well")
	} else {
		fmt.Fprintf(&b, "%d fault(s), %d loss(es)\n", count[Fault], count[Loss])
	}
	_, err := io.WriteString(w, b.String())
	return err
}
