package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"postern/cmd/internal/chaos"
)

// Result is what one platform saw of a run.
type Result struct {
	Platform string
	// Judged is the checker's report on its messages.
	Judged chaos.Report
	// TwiceIn and TwiceOut are messages that a user or a person saw more than once.
	TwiceIn, TwiceOut int
	// Once: the platform takes a message with the same key once.
	Once bool
	// Faults counts what went wrong on purpose, by kind.
	Faults map[string]int64
	// Over counts requests above the platform's limits; -1 where it has none to exceed.
	Over int64
}

// LostAnswer is the kind of fault after which a sender cannot know whether its message is there.
const LostAnswer = "timeout"

// Duplicates are the messages in the order of arrivals that came to a place more than once.
func Duplicates(arrivals []chaos.Arrival, place chaos.Place) int {
	seen, twice := map[chaos.Key]bool{}, 0
	for _, a := range arrivals {
		if a.Place != place {
			continue
		}
		twice += count(seen[a.Key])
		seen[a.Key] = true
	}
	return twice
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Problems is all in which a result is not what was promised.
func (r Result) Problems() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, r.Platform+": "+fmt.Sprintf(format, args...)) }
	for _, v := range r.Judged.Violations {
		say("%s: %s", v.Kind, v.Text)
	}
	if n := r.Judged.Out.Refused; n > 0 {
		say("%d messages answered with an error (%v), want none: nothing happened that does not pass", n, r.Judged.Conditions)
	}
	if got, want := r.Judged.Out.Receipted, r.Judged.Out.Delivered; got != want {
		say("%d receipts for %d messages", got, want)
	}
	if r.TwiceIn > 0 {
		say("%d messages came to the user twice, want none: each has an id", r.TwiceIn)
	}
	if r.Once && r.TwiceOut > 0 {
		say("%d messages came to people twice, want none: each has a key", r.TwiceOut)
	}
	if lost := r.Faults[LostAnswer]; int64(r.TwiceOut) > lost {
		say("%d messages came to people twice and %d answers were lost", r.TwiceOut, lost)
	}
	if r.Over > 0 {
		say("%d requests above the platform's limits, want none", r.Over)
	}
	return out
}

// Table shows results, a column for each platform.
func Table(results []Result) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(Result) any) {
		fmt.Fprintf(w, "%s\t", name)
		for _, r := range results {
			fmt.Fprintf(w, "%v\t", cell(r))
		}
		fmt.Fprintln(w)
	}
	row("", func(r Result) any { return r.Platform })
	row("to users: sent", func(r Result) any { return r.Judged.In.Sent })
	row("delivered", func(r Result) any { return r.Judged.In.Delivered })
	row("twice", func(r Result) any { return r.TwiceIn })
	row("to people: sent", func(r Result) any { return r.Judged.Out.Sent })
	row("delivered", func(r Result) any { return r.Judged.Out.Delivered })
	row("with a receipt", func(r Result) any { return r.Judged.Out.Receipted })
	row("errors told", func(r Result) any { return r.Judged.Out.Refused })
	row("twice", func(r Result) any { return r.TwiceOut })
	row("allowed, since answers were lost", func(r Result) any {
		if r.Once {
			return 0
		}
		return r.Faults[LostAnswer]
	})
	kinds := map[string]bool{}
	for _, r := range results {
		for k := range r.Faults {
			kinds[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		row("fault: "+k, func(r Result) any { return r.Faults[k] })
	}
	row("above the limits", func(r Result) any {
		if r.Over < 0 {
			return "-"
		}
		return r.Over
	})
	row("out of order, lost, strays", func(r Result) any { return len(r.Judged.Violations) })
	_ = w.Flush() // into a builder
	return b.String()
}
