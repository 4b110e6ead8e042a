package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Count is what became of the messages of one direction.
type Count struct {
	Sent, Delivered int
	// Files are those of them that are files.
	Files, FilesDelivered int
	// Overtaken came from the server's store for users who are away, after later ones that it had taken later; Earlier are arrivals
	// of messages of runs before, which that store had had since then.
	Overtaken, Earlier int
	// Twice were sent twice at once; Resent again after they had neither receipt nor error; Unordered of these arrived after
	// later ones for that; Once were sent when all had settled.
	Twice, Resent, Unordered, Once int
	Taken                          int // webhooks answered 200
	Receipted                      int // messages with at least one receipt
	Refused                        int // messages answered with an error
	RefusedYetDelivered            int // an error and the message all the same: the answer of the store was lost
	Duplicates                     int // arrivals or requests beyond the first, all under the same id
}

// Report is what Judge found.
type Report struct {
	In, Out    Count
	Conditions map[string]int // of errors
	Faults     []Fault
	Errors     []int   // answered to users while each fault lasted
	Bursts     []Burst // one per direction
	Violations []Violation
}

// Kinds counts the violations of each kind.
func (r Report) Kinds() map[Kind]int {
	out := map[Kind]int{}
	for _, v := range r.Violations {
		out[v.Kind]++
	}
	return out
}

// shown is how many violations a report spells out; their numbers are always complete.
const shown = 20

// String is the report as a table.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, in, out int) { fmt.Fprintf(w, "%s\t%d\t%d\t\n", name, in, out) }
	fmt.Fprintln(w, "\tplatform->user\tuser->platform\t")
	row("sent", r.In.Sent, r.Out.Sent)
	row("sent twice at once", r.In.Twice, r.Out.Twice)
	row("sent again, no answer", r.In.Resent, r.Out.Resent)
	row("late for that", r.In.Unordered, r.Out.Unordered)
	row("webhook answered 200", r.In.Taken, 0)
	row("delivered", r.In.Delivered, r.Out.Delivered)
	row("files sent", r.In.Files, r.Out.Files)
	row("files delivered", r.In.FilesDelivered, r.Out.FilesDelivered)
	row("with a receipt", 0, r.Out.Receipted)
	row("answered with an error", r.In.Refused, r.Out.Refused)
	row("error, yet delivered", r.In.RefusedYetDelivered, r.Out.RefusedYetDelivered)
	row("kept by the server, late", r.In.Overtaken, 0)
	row("kept since an earlier run", r.In.Earlier, 0)
	row("duplicates, same id", r.In.Duplicates, r.Out.Duplicates)
	row("sent after settling", r.In.Once, r.Out.Once)
	_ = w.Flush() // a strings.Builder takes everything
	for _, burst := range r.Bursts {
		fmt.Fprintf(&b, "rate while sending, %s: %.0f/s\n", burst.Dir, burst.Rate())
	}
	if len(r.Conditions) > 0 {
		fmt.Fprintf(&b, "errors: %s\n", counts(r.Conditions))
	}
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nfault\tat\tdown\terrors\tpending\tby queue")
	for n, f := range r.Faults {
		fmt.Fprintf(w, "%s\t%s\t%.1f s\t%d\t%d\t%s\n", f.Kind, f.From.Format(clock), f.To.Sub(f.From).Seconds(), r.Errors[n], f.Total(), counts(f.Pending))
	}
	_ = w.Flush()
	kinds := r.Kinds()
	b.WriteString("\nviolations:")
	for _, k := range []Kind{
		TakenMissing, ReceiptedMissing, Lost, Disorder, OtherIdentity, OtherFile, Misaddressed, Stray, Causeless, Repeated, Shortfall,
	} {
		fmt.Fprintf(&b, " %s %d", k, kinds[k])
	}
	b.WriteByte('\n')
	for i, v := range r.Violations {
		if i == shown {
			fmt.Fprintf(&b, "  and %d more\n", len(r.Violations)-shown)
			break
		}
		fmt.Fprintf(&b, "  %s: %s\n", v.Kind, v.Text)
	}
	return b.String()
}

func counts(m map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}
