package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// sampleEvery is how often the calls in a platform's hand are counted.
const sampleEvery = 50 * time.Millisecond

// more is what is measured of Postern alone.
func (r Report) more(w io.Writer) {
	for _, s := range slices.Concat(r.Systems, r.Simulators) {
		if s.Memory.Live > 0 {
			fmt.Fprintf(w, "\n%s\tMB RSS (no file's; live, heap, stacks; goroutines): %s\n", s.Name, s.Memory)
		}
	}
	if s := r.Slow; s != nil {
		fmt.Fprintf(w, "\nplatform takes %.0f ms, %d chats\tmsg/s\tp50 / p99 / p99.9 ms\tCPU ms/msg\tcores in use by all\tcalls in hand p10 / p50 / p90\tRedis bytes per message in flight (of %d)\n", s.Delay, s.Chats, s.InFlight)
		fmt.Fprintf(w, "postern\t%.0f\t%s\t%s\t%.1f\t%s\t%.0f\n", s.Load.Rate, times(s.Load), cpu(s.Load, gatewayCPU), s.Load.cores(), spread(s.Calls), s.InFlightBytes)
		fmt.Fprintf(w, "MB RSS (no file's; live, heap, stacks; goroutines)\t%s\n", s.Memory)
	}
	if len(r.Scale) > 0 {
		fmt.Fprintln(w, "\ncontacts\tRedis bytes each\tseeding s\tstart ms\tx->p msg/s (of the first)\tp50 / p99 / p99.9 ms\tCPU ms/msg\tMB RSS idle (no file's; live, heap, stacks; goroutines)\tafter the flood\tat rest")
	}
	for _, s := range r.Scale {
		rate := "-"
		if s.Flood != nil {
			rate = fmt.Sprintf("%.0f", s.Flood.Rate)
			if first := r.Scale[0].Flood; first != nil && first != s.Flood && first.Rate > 0 {
				rate += fmt.Sprintf(" (%.2f)", s.Flood.Rate/first.Rate)
			}
		}
		fmt.Fprintf(w, "%d\t%.0f\t%.1f\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Contacts, s.ContactBytes, s.Seeding/1e3, s.Start, rate,
			times(s.Flood), cpu(s.Flood, gatewayCPU), s.Idle, s.Flooded, s.Rested)
	}
}

// Problems says what Postern lost or turned round. The floor promises nothing.
func (r Report) Problems() (all []string) {
	check := func(where string, disorder, missing int) {
		if disorder > 0 || missing > 0 {
			all = append(all, fmt.Sprintf("%s: %d messages out of order, %d missing", where, disorder, missing))
		}
	}
	for _, s := range slices.Concat(r.Systems, r.Simulators) {
		if strings.HasPrefix(s.Name, "floor") {
			continue
		}
		for _, l := range s.loads() {
			if l.Load != nil {
				check(s.Name+", "+l.name, l.Disorder, l.Missing)
			}
		}
	}
	if s := r.Slow; s != nil {
		check("slow platform", s.Load.Disorder, s.Load.Missing)
		check("platform that answered nothing for a time", s.HeldDisorder, s.HeldMissing)
	}
	for _, s := range r.Scale {
		if s.Flood != nil {
			check(fmt.Sprintf("%d contacts", s.Contacts), s.Flood.Disorder, s.Flood.Missing)
		}
	}
	return all
}

// cores is how many processors all that was measured kept busy: where that is all of the machine's, nothing but a faster processor
// makes more of it.
func (l *Load) cores() (busy float64) {
	for _, ms := range l.CPU {
		busy += ms * l.Rate / 1000
	}
	return busy
}

// spread is three percentiles of samples.
func spread(samples []int64) string {
	if len(samples) == 0 {
		return "-"
	}
	all := slices.Sorted(slices.Values(samples))
	at := func(percent int) int64 { return all[(len(all)-1)*percent/100] }
	return fmt.Sprintf("%d / %d / %d", at(10), at(50), at(90))
}
