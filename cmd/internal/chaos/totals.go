package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Totals add up the reports of many runs.
type Totals struct {
	Seeds       int
	In, Out     Count
	Faults      map[string]int
	Idle        map[string]int // of these, those that nothing ran into
	Errors      map[string]int // answered to users, by condition
	Cells       map[Cell]int   // seeds of each
	Kinds, Away map[Kind]int   // violations; Away are those that are counted apart
	Apart       []uint64       // the seeds of these
}

// Apart tells whether a schedule is counted by itself: ejabberd shares the stanzas for a domain out between all connections that
// say they are it, so that it hands some to an owner that stands still while another has taken over. These come late, out of order.
func (s Schedule) Apart() bool { return s.Cell.Server == "ejabberd" && s.Has("owner-frozen") }

// Excuses tells whether a violation is counted apart: what lay with an owner that stood still comes late, or is lost with its connection
// before anybody took it. Nothing that was taken may be missing for that, nor come twice, nor elsewhere.
func (s Schedule) Excuses(k Kind) bool { return s.Apart() && (k == Disorder || k == Lost) }

// Blames returns the violations of a run that its schedule does not excuse.
func (s Schedule) Blames(r Report) []Violation {
	return slices.DeleteFunc(slices.Clone(r.Violations), func(v Violation) bool { return s.Excuses(v.Kind) })
}

// Add counts one run.
func (t *Totals) Add(s Schedule, r Report) {
	if t.Faults == nil {
		t.Faults, t.Idle, t.Errors, t.Cells, t.Kinds, t.Away = map[string]int{}, map[string]int{}, map[string]int{}, map[Cell]int{}, map[Kind]int{}, map[Kind]int{}
	}
	t.Seeds++
	t.Cells[s.Cell]++
	t.In, t.Out = t.In.plus(r.In), t.Out.plus(r.Out)
	for _, f := range r.Faults {
		t.Faults[f.Kind]++
		if f.Met == 0 {
			t.Idle[f.Kind]++
		}
	}
	for c, n := range r.Conditions {
		t.Errors[c] += n
	}
	if s.Apart() {
		t.Apart = append(t.Apart, s.Seed)
	}
	for k, n := range r.Kinds() {
		if s.Excuses(k) {
			t.Away[k] += n
		} else {
			t.Kinds[k] += n
		}
	}
}

// refusedMost is how large a part of what users write may be refused for all faults together. A Redis of two nodes takes nothing for eight
// seconds after each failover, since nothing confirms it (wait_replicas).
const refusedMost = 0.25

// Short tells where so many seeds were less of a trial than they must be: which faults happened less often, or struck nothing, and whether
// too much was refused. Seeds too few for each kind to have its turn are held to none of that.
func (t Totals) Short(seeds int) []string {
	var out []string
	all := true
	for _, k := range Kinds() {
		least, n := Floor(k, seeds), t.Faults[k]
		switch {
		case n < least:
			out = append(out, fmt.Sprintf("%s happened %d times, want at least %d", k, n, least))
		case least > 0 && t.Idle[k] == n:
			out = append(out, fmt.Sprintf("%s happened %d times, and nothing ever ran into it", k, n))
		}
		all = all && least > 0
	}
	if all && float64(t.Out.Refused) > refusedMost*float64(t.Out.Sent) {
		out = append(out, fmt.Sprintf("%d of %d messages of users answered with an error, want %.0f %% at most", t.Out.Refused, t.Out.Sent, 100*refusedMost))
	}
	return out
}

// lost and reordered are the violations that make a message lost, or out of order.
func lost(k map[Kind]int) int { return k[Lost] + k[TakenMissing] + k[ReceiptedMissing] }

func (t Totals) String() string {
	var b strings.Builder
	sum := 0
	for _, n := range t.Faults {
		sum += n
	}
	fmt.Fprintf(&b, "%d seeds: %d messages (%d platform->user, %d user->platform), %d faults\n", t.Seeds, t.In.Sent+t.Out.Sent, t.In.Sent, t.Out.Sent, sum)
	for _, c := range Cells() {
		if t.Cells[c] > 0 {
			fmt.Fprintf(&b, "  %s: %d seeds\n", c, t.Cells[c])
		}
	}
	fmt.Fprintf(&b, "faults: %s\n", counts(t.Faults))
	if len(t.Idle) > 0 {
		fmt.Fprintf(&b, "of these struck nothing: %s\n", counts(t.Idle))
	}
	fmt.Fprintf(&b, "lost %d, reordered %d, in another chat %d, never sent %d, error without a cause %d, receipt without delivery %d, other file %d\n",
		lost(t.Kinds), t.Kinds[Disorder], t.Kinds[Misaddressed], t.Kinds[Stray], t.Kinds[Causeless], t.Kinds[ReceiptedMissing], t.Kinds[OtherFile])
	fmt.Fprintf(&b, "duplicates under another identity %d\n", t.Kinds[OtherIdentity])
	fmt.Fprintf(&b, "duplicates to users %d: written again since no answer proved that the server took them, or it ended right after (XEP-0114 has no acknowledgements), same stanza id\n", t.In.Duplicates)
	fmt.Fprintf(&b, "shown late to users %d, %d of them in a later run: the server had put them away before it took what follows, by its own mark (XEP-0203)\n",
		t.In.Overtaken+t.In.Earlier, t.In.Earlier)
	fmt.Fprintf(&b, "requests repeated to the platform %d: their answer was lost, same idempotency key, shown once\n", t.Out.Duplicates)
	fmt.Fprintf(&b, "answered with an error %d of %d (%s), of these delivered nevertheless %d\n", t.Out.Refused, t.Out.Sent, counts(t.Errors), t.Out.RefusedYetDelivered)
	fmt.Fprintf(&b, "sent again by the client after no answer %d, late for that %d\n", t.Out.Resent, t.Out.Unordered)
	if len(t.Apart) > 0 {
		fmt.Fprintf(&b, "apart, ejabberd with a frozen owner: seeds %v, lost %d, reordered %d\n", t.Apart, lost(t.Away), t.Away[Disorder])
	}
	if len(t.Kinds) > 0 {
		fmt.Fprintf(&b, "violations:")
		for _, k := range slices.Sorted(maps.Keys(t.Kinds)) {
			fmt.Fprintf(&b, " %s %d", k, t.Kinds[k])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (c Count) plus(d Count) Count {
	return Count{
		Sent: c.Sent + d.Sent, Delivered: c.Delivered + d.Delivered, Files: c.Files + d.Files, FilesDelivered: c.FilesDelivered + d.FilesDelivered,
		Twice: c.Twice + d.Twice, Resent: c.Resent + d.Resent, Unordered: c.Unordered + d.Unordered, Once: c.Once + d.Once, Taken: c.Taken + d.Taken,
		Receipted: c.Receipted + d.Receipted, Refused: c.Refused + d.Refused, RefusedYetDelivered: c.RefusedYetDelivered + d.RefusedYetDelivered,
		Duplicates: c.Duplicates + d.Duplicates, Overtaken: c.Overtaken + d.Overtaken, Earlier: c.Earlier + d.Earlier,
	}
}
