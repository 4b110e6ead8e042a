package load

import (
	"strings"
	"testing"

	"postern/cmd/internal/chaos"
)

func TestDuplicates(t *testing.T) {
	k := func(n int) chaos.Key { return chaos.Key{Dir: chaos.Out, Chat: 1, N: n} }
	list := []chaos.Arrival{
		{Key: k(1), Place: chaos.Platform},
		{Key: k(1), Place: chaos.Live},
		{Key: k(2), Place: chaos.Platform},
		{Key: k(1), Place: chaos.Platform},
		{Key: k(1), Place: chaos.Platform},
	}
	if got := Duplicates(list, chaos.Platform); got != 2 {
		t.Errorf("got %d duplicates, want 2", got)
	}
}

func TestProblems(t *testing.T) {
	good := func() Result {
		return Result{
			Platform: "toy", Judged: chaos.Report{Out: chaos.Count{Sent: 9, Delivered: 9, Receipted: 9}}, Faults: map[string]int64{LostAnswer: 2},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Result)
		want   string // part of the only problem; empty for none
	}{
		{"all is well", func(*Result) {}, ""},
		{"a duplicate for each lost answer", func(r *Result) { r.TwiceOut = 2 }, ""},
		{"more duplicates than that", func(r *Result) { r.TwiceOut = 3 }, "3 messages came to people twice and 2 answers were lost"},
		{"a duplicate in spite of a key", func(r *Result) { r.TwiceOut, r.Once = 1, true }, "each has a key"},
		{"a duplicate at the user", func(r *Result) { r.TwiceIn = 1 }, "each has an id"},
		{"an error", func(r *Result) { r.Judged.Out.Refused = 1 }, "1 messages answered with an error"},
		{"a receipt too few", func(r *Result) { r.Judged.Out.Receipted = 8 }, "8 receipts for 9 messages"},
		{"too much", func(r *Result) { r.Over = 4 }, "4 requests above"},
		{"no limits", func(r *Result) { r.Over = -1 }, ""},
		{"a violation", func(r *Result) { r.Judged.Violations = []chaos.Violation{{Kind: chaos.Disorder, Text: "x"}} }, "toy: disorder: x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good()
			c.change(&r)
			got := r.Problems()
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if table := Table([]Result{r}); !strings.Contains(table, "fault: timeout") || !strings.Contains(table, "toy") {
				t.Errorf("table:\n%s", table)
			}
		})
	}
}
