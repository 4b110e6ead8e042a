package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start is when the made-up histories begin.
func start() time.Time { return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC) }

// whole is a history in which everything went well: two chats, two messages each way, one kill with one refusal.
func whole() History {
	var h History
	at := start()
	for chat := range 2 {
		for n := 1; n <= 2; n++ {
			in, out := Key{In, chat, n}, Key{Out, chat, n}
			h.Sent = append(h.Sent, Sent{Key: in, At: at, Taken: true}, Sent{Key: out, At: at, Twice: n == 1, Once: n == 2})
			for _, p := range []Place{Live, Archive} {
				h.Arrivals = append(h.Arrivals, Arrival{Key: in, Place: p, Chat: chat, ID: "stanza " + in.String()})
			}
			h.Arrivals = append(h.Arrivals, Arrival{Key: out, Place: Platform, Chat: chat, At: at, ID: "op " + out.String()})
			h.Receipts = append(h.Receipts, out)
		}
	}
	// The second messages of the second chat are files.
	for i, s := range h.Sent {
		if s.Key.Chat == 1 && s.Key.N == 2 {
			h.Sent[i].File = FileSum(s.Key.FileBody())
		}
	}
	for i, a := range h.Arrivals {
		if a.Key.Chat == 1 && a.Key.N == 2 {
			h.Arrivals[i].File = FileSum(a.Key.FileBody())
		}
	}
	refused := Key{Out, 0, 3}
	h.Sent = append(h.Sent, Sent{Key: refused, At: at})
	h.Faults = []Fault{{Kind: "after-send", From: at.Add(time.Second), To: at.Add(2 * time.Second), Pending: map[string]int{"in": 20, "out": 40}}}
	h.Refusals = []Refusal{{refused, "remote-server-timeout", at.Add(1500 * time.Millisecond)}}
	h.Bursts = []Burst{{In, 4, 10 * time.Millisecond}, {Out, 5, 10 * time.Millisecond}}
	return h
}

func least() Minimum {
	return Minimum{Messages: 3, Rate: 200, Pending: 50, Twice: 2, Faults: map[string]int{"after-send": 1}, Refused: 0.5}
}

func TestJudgeWhole(t *testing.T) {
	got := Judge(whole(), least())
	if len(got.Violations) > 0 {
		t.Errorf("violations: got %v, want none", got.Violations)
	}
	wantIn := Count{Sent: 4, Delivered: 4, Files: 1, FilesDelivered: 1, Taken: 4}
	wantOut := Count{Sent: 5, Delivered: 4, Files: 1, FilesDelivered: 1, Twice: 2, Once: 2, Receipted: 4, Refused: 1}
	if diff := cmp.Diff(wantIn, got.In) + cmp.Diff(wantOut, got.Out); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// drop removes the arrivals for which f is true.
func (h *History) drop(f func(Arrival) bool) {
	var kept []Arrival
	for _, a := range h.Arrivals {
		if !f(a) {
			kept = append(kept, a)
		}
	}
	h.Arrivals = kept
}

func resend(h *History, k Key, at time.Time) {
	for i := range h.Sent {
		if h.Sent[i].Key == k {
			h.Sent[i].ResentAt = at
		}
	}
}

func TestJudgeViolations(t *testing.T) {
	in, out := Key{In, 1, 2}, Key{Out, 1, 2}
	add := func(a Arrival) func(*History) {
		return func(h *History) { h.Arrivals = append(h.Arrivals, a) }
	}
	swap := func(place Place, dir Direction) func(*History) {
		return func(h *History) {
			var at []int
			for i, a := range h.Arrivals {
				if a.Place == place && a.Key.Dir == dir && a.Chat == 0 {
					at = append(at, i)
				}
			}
			h.Arrivals[at[0]], h.Arrivals[at[1]] = h.Arrivals[at[1]], h.Arrivals[at[0]]
		}
	}
	file := func(key Key, place Place, sum string) func(*History) {
		return func(h *History) {
			for i, a := range h.Arrivals {
				if a.Key == key && a.Place == place {
					h.Arrivals[i].File = sum
				}
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*History)
		want  map[Kind]int
	}{
		"another message's file":        {file(in, Live, FileSum(Key{In, 0, 2}.FileBody())), map[Kind]int{OtherFile: 1}},
		"another file in the archive":   {file(in, Archive, "404 Not Found"), map[Kind]int{OtherFile: 1}},
		"another file on the platform":  {file(out, Platform, FileSum(nil)), map[Kind]int{OtherFile: 1}},
		"a file's words without it":     {file(out, Platform, ""), map[Kind]int{OtherFile: 1}},
		"a file where a text was meant": {file(Key{In, 0, 1}, Live, FileSum(in.FileBody())), map[Kind]int{OtherFile: 1}},
		"a file twice, same id, anew": {
			add(Arrival{Key: in, Place: Live, Chat: 1, ID: "stanza in 1 2", File: FileSum(in.FileBody())}), map[Kind]int{},
		},
		"a file twice, other id": {
			add(Arrival{Key: in, Place: Live, Chat: 1, ID: "other", File: FileSum(in.FileBody())}), map[Kind]int{OtherIdentity: 1},
		},
		"a file in another chat": {
			add(Arrival{Key: in, Place: Live, Chat: 0, ID: "stanza in 1 2", File: FileSum(in.FileBody())}), map[Kind]int{Misaddressed: 1},
		},
		"taken and never seen": {
			func(h *History) { h.drop(func(a Arrival) bool { return a.Key == in }) }, map[Kind]int{TakenMissing: 1},
		},
		"only in the archive is seen": {
			func(h *History) { h.drop(func(a Arrival) bool { return a.Key == in && a.Place == Live }) }, map[Kind]int{},
		},
		"never taken": {
			func(h *History) {
				h.drop(func(a Arrival) bool { return a.Key == in })
				for i := range h.Sent {
					h.Sent[i].Taken = h.Sent[i].Taken && h.Sent[i].Key != in
				}
			}, map[Kind]int{Lost: 1},
		},
		"receipt without a message": {
			func(h *History) { h.drop(func(a Arrival) bool { return a.Key == out }) }, map[Kind]int{ReceiptedMissing: 1, Lost: 1},
		},
		"neither delivered nor refused": {func(h *History) { h.Refusals = nil }, map[Kind]int{Lost: 1}},
		"refused, then delivered":       {add(Arrival{Key: Key{Out, 0, 3}, Place: Platform, Chat: 0, ID: "x"}), map[Kind]int{}},
		"out of order live":             {swap(Live, In), map[Kind]int{Disorder: 1}},
		"out of order in the archive":   {swap(Archive, In), map[Kind]int{Disorder: 1}},
		"out of order on the platform":  {swap(Platform, Out), map[Kind]int{Disorder: 1}},
		"what arrives after it was resent has no order": {
			func(h *History) {
				swap(Platform, Out)(h)
				resend(h, Key{Out, 0, 1}, start().Add(-time.Second))
			}, map[Kind]int{},
		},
		"what arrives before it was resent has": {
			func(h *History) {
				swap(Platform, Out)(h)
				resend(h, Key{Out, 0, 1}, start().Add(time.Second))
			}, map[Kind]int{Disorder: 1},
		},
		"late duplicate, same id":      {add(Arrival{Key: Key{In, 1, 1}, Place: Live, Chat: 1, ID: "stanza in 1 1"}), map[Kind]int{}},
		"duplicate, other stanza id":   {add(Arrival{Key: Key{In, 1, 1}, Place: Live, Chat: 1, ID: "other"}), map[Kind]int{OtherIdentity: 1}},
		"archived under another id":    {add(Arrival{Key: Key{In, 1, 1}, Place: Archive, Chat: 1, ID: "other"}), map[Kind]int{OtherIdentity: 1}},
		"duplicate, other idempotency": {add(Arrival{Key: Key{Out, 1, 1}, Place: Platform, Chat: 1, ID: "other"}), map[Kind]int{OtherIdentity: 1}},
		"in another chat":              {func(h *History) { h.Arrivals[0].Chat = 1 }, map[Kind]int{Misaddressed: 1}},
		"never sent":                   {add(Arrival{Key: Key{In, 7, 7}, Place: Live, Chat: 7, ID: "x"}), map[Kind]int{Stray: 1}},
		"unknown text":                 {func(h *History) { h.Strays = []string{"hello"} }, map[Kind]int{Stray: 1}},
		"refused before the fault":     {func(h *History) { h.Refusals[0].At = start() }, map[Kind]int{Causeless: 1}},
		"refused long after the fault": {func(h *History) { h.Refusals[0].At = start().Add(time.Minute) }, map[Kind]int{Causeless: 1}},
		"replayed after settling":      {func(h *History) { h.Arrivals[5].Replays = 1 }, map[Kind]int{Repeated: 1}},
		"replayed before settling":     {func(h *History) { h.Arrivals[2].Replays = 1 }, map[Kind]int{}},
		"too few pending":              {func(h *History) { h.Faults[0].Pending["out"] = 29 }, map[Kind]int{Shortfall: 1}},
		"too few faults":               {func(h *History) { h.Faults[0].Kind = "another" }, map[Kind]int{Shortfall: 1}},
		"too few messages and doubles": {
			func(h *History) {
				h.Sent = slices.DeleteFunc(h.Sent, func(s Sent) bool { return s.Key.N == 1 })
				h.Receipts = slices.DeleteFunc(h.Receipts, func(k Key) bool { return k.N == 1 })
				h.drop(func(a Arrival) bool { return a.Key.N == 1 })
			}, map[Kind]int{Shortfall: 3},
		},
		"too slow":                      {func(h *History) { h.Bursts[0].Time = time.Second }, map[Kind]int{Shortfall: 1}},
		"nothing was sent for any time": {func(h *History) { h.Bursts[0].Time = 0 }, map[Kind]int{Shortfall: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			h := whole()
			c.spoil(&h)
			got := Judge(h, least())
			if diff := cmp.Diff(c.want, got.Kinds()); diff != "" {
				t.Errorf("violations (-want +got):\n%s%v", diff, got.Violations)
			}
		})
	}
}

// TestJudgeKept: what the server put away may be overtaken by what it took later, and by nothing else.
func TestJudgeKept(t *testing.T) {
	at := func(s float64) time.Time { return start().Add(time.Duration(s * float64(time.Second))) }
	for name, c := range map[string]struct {
		first, second Arrival // live, the second message before the first
		want          map[Kind]int
		overtaken     int
	}{
		"put away before the other was shown": {Arrival{Kept: at(1), At: at(5)}, Arrival{At: at(2)}, map[Kind]int{}, 1},
		"put away after the other was shown":  {Arrival{Kept: at(3), At: at(5)}, Arrival{At: at(2)}, map[Kind]int{Disorder: 1}, 0},
		"both put away, the first first":      {Arrival{Kept: at(1), At: at(5)}, Arrival{Kept: at(2), At: at(4)}, map[Kind]int{}, 1},
		"both put away, the second first":     {Arrival{Kept: at(2), At: at(5)}, Arrival{Kept: at(1), At: at(4)}, map[Kind]int{Disorder: 1}, 0},
		"both put away in one second":         {Arrival{Kept: at(1), At: at(5)}, Arrival{Kept: at(1), At: at(4)}, map[Kind]int{Disorder: 1}, 0},
		"both put away at one moment":         {Arrival{Kept: at(1.5), At: at(5)}, Arrival{Kept: at(1.5), At: at(4)}, map[Kind]int{Disorder: 1}, 0},
		"both in one second, its parts known": {Arrival{Kept: at(1.2), At: at(5)}, Arrival{Kept: at(1.5), At: at(4)}, map[Kind]int{}, 1},
		"both in one second, one part known":  {Arrival{Kept: at(1), At: at(5)}, Arrival{Kept: at(1.5), At: at(4)}, map[Kind]int{Disorder: 1}, 0},
		"the other in its second, part known": {Arrival{Kept: at(1.5), At: at(5)}, Arrival{Kept: at(1), At: at(4)}, map[Kind]int{Disorder: 1}, 0},
		"the other shown in that second":      {Arrival{Kept: at(2), At: at(5)}, Arrival{At: at(2.3)}, map[Kind]int{Disorder: 1}, 0},
		"the other shown, the part known":     {Arrival{Kept: at(2.2), At: at(5)}, Arrival{At: at(2.3)}, map[Kind]int{}, 1},
		"the other shown as the next begins":  {Arrival{Kept: at(2), At: at(5)}, Arrival{At: at(3)}, map[Kind]int{}, 1},
		"only the other was put away":         {Arrival{At: at(5)}, Arrival{Kept: at(1), At: at(4)}, map[Kind]int{Disorder: 1}, 0},
		"nothing was put away":                {Arrival{At: at(5)}, Arrival{At: at(4)}, map[Kind]int{Disorder: 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := whole()
			h.drop(func(a Arrival) bool { return a.Key.Dir == In && a.Key.Chat == 0 && a.Place == Live })
			for n, a := range map[int]Arrival{1: c.first, 2: c.second} {
				a.Key, a.Place = Key{In, 0, n}, Live
				a.ID = "stanza " + a.Key.String()
				h.Arrivals = append(h.Arrivals, a)
			}
			slices.SortStableFunc(h.Arrivals, func(a, b Arrival) int { return a.At.Compare(b.At) })
			got := Judge(h, Minimum{})
			if diff := cmp.Diff(c.want, got.Kinds()); diff != "" || got.In.Overtaken != c.overtaken {
				t.Errorf("violations (-want +got):\n%s%v\novertaken: got %d, want %d", diff, got.Violations, got.In.Overtaken, c.overtaken)
			}
		})
	}
}

// TestJudgeRunsBefore: a message of a run that is over may come again only from where the server had put it away before that.
func TestJudgeRunsBefore(t *testing.T) {
	over := start().Add(time.Minute)
	kept, in, out := over.Add(-time.Second), Key{In, 7, 1}, Key{Out, 7, 1}
	again := Arrival{Key: in, Place: Live, Chat: 7, ID: "stanza in 7 1", Kept: kept, At: over.Add(time.Second)}
	for name, c := range map[string]struct {
		change func(*Arrival, *History) // of what comes now, and of the run before
		want   map[Kind]int
	}{
		"put away before it was over":           {func(*Arrival, *History) {}, map[Kind]int{}},
		"never shown before":                    {func(_ *Arrival, h *History) { h.drop(func(a Arrival) bool { return a.Place == Live }) }, map[Kind]int{}},
		"put away when it was over":             {func(a *Arrival, _ *History) { a.Kept = over }, map[Kind]int{Stray: 1}},
		"put away in the second it was over in": {func(a *Arrival, h *History) { h.Over = over.Add(500 * time.Millisecond); a.Kept = over }, map[Kind]int{Stray: 1}},
		"put away just before, the part known": {func(a *Arrival, h *History) {
			h.Over, a.Kept = over.Add(500*time.Millisecond), over.Add(499*time.Millisecond)
		}, map[Kind]int{}},
		"not put away":                           {func(a *Arrival, _ *History) { a.Kept = time.Time{} }, map[Kind]int{Stray: 1}},
		"of a run that never came to rest":       {func(_ *Arrival, h *History) { h.Over = time.Time{} }, map[Kind]int{Stray: 1}},
		"under another id":                       {func(a *Arrival, _ *History) { a.ID = "other" }, map[Kind]int{OtherIdentity: 1}},
		"to another user":                        {func(a *Arrival, _ *History) { a.Chat = -1 }, map[Kind]int{Misaddressed: 1}},
		"with a file":                            {func(a *Arrival, _ *History) { a.File = FileSum(nil) }, map[Kind]int{OtherFile: 1}},
		"in no run before either":                {func(a *Arrival, _ *History) { a.Key.N = 2 }, map[Kind]int{Stray: 1}},
		"archived anew":                          {func(a *Arrival, _ *History) { a.Place, a.Kept = Archive, time.Time{} }, map[Kind]int{Stray: 1}},
		"at the platform, same key":              {func(a *Arrival, _ *History) { *a = Arrival{Key: out, Place: Platform, Chat: 7, ID: "op"} }, map[Kind]int{Stray: 1}},
		"at the platform, other key: two faults": {func(a *Arrival, _ *History) { *a = Arrival{Key: out, Place: Platform, Chat: 7, ID: "x"} }, map[Kind]int{Stray: 1, OtherIdentity: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			h, a := whole(), again
			before := History{Over: over, Sent: []Sent{{Key: in, Taken: true}, {Key: out}}, Arrivals: []Arrival{
				{Key: in, Place: Live, Chat: 7, ID: a.ID}, {Key: in, Place: Archive, Chat: 7, ID: a.ID}, {Key: out, Place: Platform, Chat: 7, ID: "op"},
			}}
			c.change(&a, &before)
			h.Before, h.Arrivals = []History{before}, append(h.Arrivals, a)
			got := Judge(h, least())
			if diff := cmp.Diff(c.want, got.Kinds()); diff != "" {
				t.Errorf("violations (-want +got):\n%s%v", diff, got.Violations)
			}
			if want := one(c.want[Stray] == 0); got.In.Earlier != want {
				t.Errorf("counted apart: got %d, want %d", got.In.Earlier, want)
			}
			if plain := Judge(whole(), least()); got.In.Sent != plain.In.Sent || got.In.Delivered != plain.In.Delivered || got.In.Duplicates > 0 {
				t.Errorf("a run before is counted: got %+v", got.In)
			}
		})
	}
}

func TestJudgeShortfalls(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Minimum)
		want   int
	}{
		"twice":                    {func(m *Minimum) { m.Twice = 3 }, 1},
		"refused":                  {func(m *Minimum) { m.Refused = 0.1 }, 1},
		"files, in each direction": {func(m *Minimum) { m.Files = 2 }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := least()
			m.Files = 1
			c.change(&m)
			if diff := cmp.Diff(map[Kind]int{Shortfall: c.want}, Judge(whole(), m).Kinds()); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudgeCountsDuplicates(t *testing.T) {
	h := whole()
	h.Arrivals[2].Replays = 2 // the first outbound message
	for range 3 {
		h.Arrivals = append(h.Arrivals, h.Arrivals[0]) // a live inbound message
	}
	h.Arrivals = append(h.Arrivals, h.Arrivals[1]) // what the archive holds twice is no second meeting
	got := Judge(h, least())
	if got.In.Duplicates != 3 || got.Out.Duplicates != 2 || len(got.Violations) > 0 {
		t.Errorf("duplicates: got %d in, %d out, %v, want 3, 2 and no violation", got.In.Duplicates, got.Out.Duplicates, got.Violations)
	}
}

func TestFiles(t *testing.T) {
	sums := map[string]Key{}
	for _, dir := range []Direction{In, Out} {
		for chat := range 12 {
			for n := 1; n <= 12; n++ {
				k := Key{dir, chat, n}
				if got, ok := ParseFileName("https://up.example/token/" + k.FileName()); !ok || got != k {
					t.Errorf("ParseFileName of %v: got %v, %v", k, got, ok)
				}
				body := k.FileBody()
				if other, taken := sums[FileSum(body)]; taken || len(body) < 1024 || len(body) > 4096 {
					t.Errorf("the file of %v: %d bytes, the same as that of %v", k, len(body), other)
				}
				sums[FileSum(body)] = k
			}
		}
	}
	for _, name := range []string{"", "in-1-2", "in 1 2.txt", "in-1.txt", "in-01-2.txt", "cat.png"} {
		if k, ok := ParseFileName(name); ok {
			t.Errorf("ParseFileName(%q): got %v", name, k)
		}
	}
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]Key{
		"in 0 1": {In, 0, 1}, "out 49 1000": {Out, 49, 1000},
		"": {}, "in 1": {}, "in 1 2 3": {}, "to 1 2": {}, "in a 2": {}, "in 01 2": {}, "> in 1 2": {},
	} {
		k, ok := ParseKey(text)
		if ok != (want != Key{}) || ok && k != want {
			t.Errorf("ParseKey(%q): got %v, %v, want %v", text, k, ok, want)
		}
	}
}

func TestReportNamesEverything(t *testing.T) {
	h := whole()
	h.drop(func(a Arrival) bool { return a.Key.Dir == In })
	got := Judge(h, least()).String()
	for _, want := range []string{
		"platform->user", "sent after settling", "remote-server-timeout 1", "in 20, out 40", "taken-missing 4", "taken-missing: in 1 2", "400/s",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("report: %q is not in it:\n%s", want, got)
		}
	}
}
