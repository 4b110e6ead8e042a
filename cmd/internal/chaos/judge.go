package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is a way in which a run can break a promise.
type Kind string

// The kinds of violation.
const (
	TakenMissing     Kind = "taken-missing"     // the webhook was answered 200, and the user never saw the message
	ReceiptedMissing Kind = "receipted-missing" // the user has a receipt, and the platform has no message
	Lost             Kind = "lost"              // neither delivered nor refused
	Disorder         Kind = "disorder"          // first arrivals of a chat and direction out of order
	OtherIdentity    Kind = "other-identity"    // a duplicate under another stanza id or idempotency key
	OtherFile        Kind = "other-file"        // a message without its file, or with other bytes
	Misaddressed     Kind = "misaddressed"      // seen in another chat than its own
	Stray            Kind = "stray"             // seen, but never sent, or sent in a run that was over
	Causeless        Kind = "causeless"         // refused while nothing was broken
	Repeated         Kind = "repeated"          // sent to the platform more than once while nothing was broken
	Shortfall        Kind = "shortfall"         // the run did not do what it should: too few faults, messages, pending entries
)

// Violation is one broken promise.
type Violation struct {
	Kind Kind
	Text string
}

// Minimum is what a run must have done for its result to mean anything.
type Minimum struct {
	Messages int     // delivered per direction
	Files    int     // of these, messages that are files
	Rate     float64 // messages per second and direction while sending
	Pending  int     // at each fault whose kind is in Faults
	Twice    int     // messages sent twice at once
	// Faults is how often each kind must have happened.
	Faults map[string]int
	// Refused is the largest share of outbound messages that may be refused; zero: any.
	Refused float64
}

// clock is how times are written, to hold against the logs of those who took part.
const clock = "15:04:05.000"

// refusalGrace is how long after a fault's end a refusal may still be its doing, where the history names no longer time.
const refusalGrace = 3 * time.Second

// Judge holds a history to the promises and to the minimum. It is a function of its arguments alone.
func Judge(h History, least Minimum) Report {
	j := &judge{
		h: h, sent: map[Key]Sent{}, before: map[Key]past{}, seen: map[Key]map[Place]bool{}, ids: map[Key]map[string]bool{}, refused: map[Key]bool{},
	}
	for _, s := range h.Sent {
		j.sent[s.Key] = s
	}
	for _, r := range h.Refusals {
		j.refused[r.Key] = true
	}
	j.remember()
	j.arrivals()
	j.ends()
	j.receipts()
	j.order()
	j.causes()
	j.minimum(least)
	j.report.Faults = h.Faults
	j.report.Bursts = rates(h.Bursts)
	return j.report
}

type judge struct {
	h       History
	sent    map[Key]Sent
	before  map[Key]past
	seen    map[Key]map[Place]bool
	ids     map[Key]map[string]bool
	refused map[Key]bool
	report  Report
}

func (j *judge) violate(k Kind, format string, args ...any) {
	j.report.Violations = append(j.report.Violations, Violation{k, fmt.Sprintf(format, args...)})
}

// past is a message of a run before.
type past struct {
	Sent
	over time.Time // when that run was over
}

// remember reads the runs before: what was sent in them, and under which ids it was seen.
func (j *judge) remember() {
	for _, h := range j.h.Before {
		for _, s := range h.Sent {
			j.before[s.Key] = past{s, h.Over}
		}
		for _, a := range h.Arrivals {
			j.note(a)
		}
	}
}

// note keeps the id of a sighting.
func (j *judge) note(a Arrival) {
	if j.ids[a.Key] == nil {
		j.ids[a.Key], j.seen[a.Key] = map[string]bool{}, map[Place]bool{}
	}
	j.ids[a.Key][a.ID], j.seen[a.Key][a.Place] = true, true
}

// arrivals looks at each sighting for itself, and counts duplicates.
func (j *judge) arrivals() {
	for _, text := range j.h.Strays {
		j.violate(Stray, "%q", text)
	}
	for _, a := range j.h.Arrivals {
		s, ok := j.sent[a.Key]
		was, earlier := j.before[a.Key]
		if !ok && !earlier {
			j.violate(Stray, "%s at %s", a.Key, a.Place)
			continue
		}
		if !ok {
			s = was.Sent
		}
		if a.Chat != a.Key.Chat {
			j.violate(Misaddressed, "%s at %s in chat %d", a.Key, a.Place, a.Chat)
		}
		if a.File != s.File {
			j.violate(OtherFile, "%s at %s: the file is %q, want %q", a.Key, a.Place, a.File, s.File)
		}
		if len(j.ids[a.Key]) > 0 && !j.ids[a.Key][a.ID] {
			j.violate(OtherIdentity, "%s at %s under another id", a.Key, a.Place)
		}
		again := a.Replays
		if j.seen[a.Key][a.Place] {
			again++
		}
		j.note(a)
		if !ok {
			j.late(a, was)
			continue
		}
		// The archive repeats what was live; a duplicate is counted where the user meets it.
		switch {
		case a.Key.Dir == In && a.Place == Live:
			j.report.In.Duplicates += again
		case a.Key.Dir == Out:
			j.report.Out.Duplicates += again
			if s.Once && again > 0 {
				j.violate(Repeated, "%s was sent to the platform %d times more", a.Key, again)
			}
		}
	}
}

// late looks at what a run before left behind. All that was under way had arrived when it was over, so that whoever shows a message
// of its after that must have had it since then: the server, whose mark says when it was put away. Without that mark, or with one that
// may mean a later time, somebody may have sent it again.
func (j *judge) late(a Arrival, of past) {
	if !a.keptUntil(of.over) {
		j.violate(Stray, "%s at %s, of a run that was over at %s (%s)", a.Key, a.Place, of.over.Format(clock), a.At.Format(clock))
		return
	}
	j.report.In.Earlier++
}

// ends checks that every message came to an end.
func (j *judge) ends() {
	for _, s := range j.h.Sent {
		count, delivered := &j.report.In, j.seen[s.Key][Live] || j.seen[s.Key][Archive]
		if s.Key.Dir == Out {
			count, delivered = &j.report.Out, j.seen[s.Key][Platform]
		}
		count.Sent++
		count.Twice += one(s.Twice)
		count.Resent += one(!s.ResentAt.IsZero())
		count.Taken += one(s.Taken)
		count.Once += one(s.Once)
		count.Delivered += one(delivered)
		if s.File != "" {
			count.Files++
			count.FilesDelivered += one(delivered)
		}
		count.Refused += one(j.refused[s.Key])
		switch {
		case delivered:
			count.RefusedYetDelivered += one(j.refused[s.Key])
		case s.Taken:
			j.violate(TakenMissing, "%s", s.Key)
		case !j.refused[s.Key]:
			j.violate(Lost, "%s", s.Key)
		}
	}
}

func (j *judge) receipts() {
	receipted := map[Key]bool{}
	for _, k := range j.h.Receipts {
		if !receipted[k] && !j.seen[k][Platform] {
			j.violate(ReceiptedMissing, "%s", k)
		}
		receipted[k] = true
	}
	j.report.Out.Receipted = len(receipted)
}

// order compares first arrivals: a duplicate that comes late is no disorder. What came only after it was sent again may be late: it
// was lost before the gateway had it. What the server had put away may be late too: it had it in time.
func (j *judge) order() {
	type line struct {
		dir   Direction
		chat  int
		place Place
	}
	last, first, all := map[line]Arrival{}, map[Place]map[Key]bool{}, map[line][]Arrival{}
	for _, a := range j.h.Arrivals {
		if first[a.Place] == nil {
			first[a.Place] = map[Key]bool{}
		}
		if first[a.Place][a.Key] {
			continue
		}
		first[a.Place][a.Key] = true
		at := line{a.Key.Dir, a.Key.Chat, a.Place}
		shown := all[at]
		all[at] = append(shown, a)
		if before, ok := last[at]; ok && before.Key.N > a.Key.N {
			if again := j.sent[a.Key].ResentAt; !again.IsZero() && a.At.After(again) {
				j.report.Out.Unordered++
				continue
			}
			if a.keptBefore(shown) {
				j.report.In.Overtaken++
				continue
			}
			was := ""
			if j.refused[a.Key] {
				was = ", answered with an error"
			}
			j.violate(Disorder, "%s at %s after %s (%s, %s)%s%s", a.Key, a.Place, before.Key, a.At.Format(clock), before.At.Format(clock), was, j.told(a, before))
			continue
		}
		last[at] = a
	}
}

// told is what the server says of a message that was shown late, and of the one that overtook it.
func (j *judge) told(late, early Arrival) string {
	var out strings.Builder
	for _, a := range []Arrival{late, early} {
		place := slices.IndexFunc(j.h.Arrivals, func(b Arrival) bool { return b.Place == Archive && b.Key == a.Key })
		fmt.Fprintf(&out, "; %s", a.Key)
		if !a.Kept.IsZero() {
			fmt.Fprintf(&out, " put away at %s", a.Kept.Format(clock))
		}
		if place >= 0 {
			fmt.Fprintf(&out, " archived as %d", place)
		}
		if a.File != "" {
			out.WriteString(", a file")
		}
	}
	return out.String()
}

// keptBefore tells whether the server had certainly put the message away before it took any of those that follow it and were shown
// before. ejabberd shows what it kept when the user's presence comes, and what it takes at that moment beside it: a message may then be
// overtaken, or even stay until the next presence. Users see the server's time with it (XEP-0203 §4). Prosody does both in one step,
// and shows what it kept as it was put away, so that its marks, of whole seconds, need not excuse more than they say.
func (a Arrival) keptBefore(shown []Arrival) bool {
	return !slices.ContainsFunc(shown, func(b Arrival) bool {
		took := b.At
		if !b.Kept.IsZero() {
			took = b.Kept // at the earliest
		}
		return b.Key.N > a.Key.N && !a.keptUntil(took)
	})
}

// keptUntil tells whether the server had certainly put the message away before a time. A mark without a fraction is any time of its
// second: Prosody cuts it off.
func (a Arrival) keptUntil(at time.Time) bool {
	latest := a.Kept
	if latest.Nanosecond() == 0 {
		latest = latest.Add(time.Second - time.Nanosecond)
	}
	return !a.Kept.IsZero() && latest.Before(at)
}

// causes checks that something was broken when an error was answered.
func (j *judge) causes() {
	grace := max(refusalGrace, j.h.Grace)
	j.report.Conditions, j.report.Errors = map[string]int{}, make([]int, len(j.h.Faults))
	for _, r := range j.h.Refusals {
		j.report.Conditions[r.Condition]++
		cause := -1 // the latest that it may be: one fault's grace reaches into the next
		for n, f := range j.h.Faults {
			if !r.At.Before(f.From) && !r.At.After(f.To.Add(grace)) {
				cause = n
			}
		}
		if cause < 0 {
			j.violate(Causeless, "%s: %s at %s", r.Key, r.Condition, r.At.Format(clock))
			continue
		}
		j.report.Errors[cause]++
	}
}

// minimum checks that the run was the run that was asked for.
func (j *judge) minimum(least Minimum) {
	for _, d := range []struct {
		dir   Direction
		count Count
	}{{In, j.report.In}, {Out, j.report.Out}} {
		if d.count.Delivered < least.Messages {
			j.violate(Shortfall, "%s: delivered %d messages, want at least %d", d.dir, d.count.Delivered, least.Messages)
		}
		if d.count.FilesDelivered < least.Files {
			j.violate(Shortfall, "%s: delivered %d files, want at least %d", d.dir, d.count.FilesDelivered, least.Files)
		}
	}
	for _, b := range rates(j.h.Bursts) {
		if b.Rate() < least.Rate {
			j.violate(Shortfall, "%s: sent %.0f messages/s, want at least %.0f", b.Dir, b.Rate(), least.Rate)
		}
	}
	if n := j.report.Out.Twice; n < least.Twice {
		j.violate(Shortfall, "%d messages sent twice at once, want at least %d", n, least.Twice)
	}
	if out := j.report.Out; least.Refused > 0 && float64(out.Refused) > least.Refused*float64(out.Sent) {
		j.violate(Shortfall, "%d of %d outbound messages refused, want at most %.0f %%", out.Refused, out.Sent, 100*least.Refused)
	}
	happened := map[string]int{}
	for _, f := range j.h.Faults {
		happened[f.Kind]++
		if _, wanted := least.Faults[f.Kind]; wanted && f.Total() < least.Pending {
			j.violate(Shortfall, "%s: %d entries pending, want at least %d", f.Kind, f.Total(), least.Pending)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(least.Faults)) {
		if happened[kind] < least.Faults[kind] {
			j.violate(Shortfall, "%s: happened %d times, want %d", kind, happened[kind], least.Faults[kind])
		}
	}
}

// Rate is messages per second.
func (b Burst) Rate() float64 {
	if b.Time <= 0 {
		return 0
	}
	return float64(b.N) / b.Time.Seconds()
}

// rates adds the bursts of each direction up.
func rates(bursts []Burst) []Burst {
	sum := map[Direction]Burst{}
	for _, b := range bursts {
		sum[b.Dir] = Burst{b.Dir, sum[b.Dir].N + b.N, sum[b.Dir].Time + b.Time}
	}
	return slices.SortedFunc(maps.Values(sum), func(a, b Burst) int { return cmp.Compare(a.Dir, b.Dir) })
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
