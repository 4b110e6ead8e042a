package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// ReadReport reads what Report.Write wrote.
func ReadReport(file string) (Report, error) {
	var r Report
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return r, fmt.Errorf("bench: report: %w", err)
	}
	return r, nil
}

// Against is a table of what became of the figures of an earlier run, for systems of the same name. Rates and times of two runs
// compare only on the same idle machine; what they are of the floor of their own run compares everywhere.
func (r Report) Against(old Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "since %s: before -> now (now / before)\n", old.Date.Format("2006-01-02 15:04"))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tload\tmsg/s of the floor's\tCPU/msg of the floor's\tp99 ms\tallocations/msg")
	for _, now := range slices.Concat(r.Systems, r.Simulators) {
		for _, was := range slices.Concat(old.Systems, old.Simulators) {
			if was.Name != now.Name {
				continue
			}
			for i, l := range now.loads() {
				of, base, oldBase := was.loads()[i], r.base(now).loads()[i], old.base(was).loads()[i]
				if l.Load == nil || of.Load == nil {
					continue
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", now.Name, l.name,
					change(rateOf(of.Load, oldBase.Load), rateOf(l.Load, base.Load)), change(cpuOf(of.Load, oldBase.Load), cpuOf(l.Load, base.Load)),
					change(of.P99, l.P99), change(of.Allocs, l.Allocs))
			}
		}
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// named is a load with its name in tables.
type named struct {
	name string
	*Load
}

func (s System) loads() []named {
	return []named{
		{"flood x->p", s.FloodOut},
		{"flood p->x", s.FloodIn},
		{"100/s x->p", s.DripOut},
		{"100/s p->x", s.DripIn},
		{"500/s x->p", s.BriskOut},
		{"500/s p->x", s.BriskIn},
		{"flood until the receipt", s.FloodReceipt},
	}
}

func rateOf(l, base *Load) float64 {
	if base == nil || base.Rate == 0 {
		return 0
	}
	return l.Rate / base.Rate
}

func cpuOf(l, base *Load) float64 {
	if base == nil || base.CPU[gatewayCPU] == 0 {
		return 0
	}
	return l.CPU[gatewayCPU] / base.CPU[gatewayCPU]
}

func change(was, now float64) string {
	if was == 0 || now == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f -> %.2f (%.2f)", was, now, now/was)
}
