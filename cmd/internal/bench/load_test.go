package bench

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMeter(t *testing.T) {
	m := newMeter(ToUser)
	for range 4 {
		if !m.enter(t.Context()) {
			t.Fatal("enter: got false, want room")
		}
	}
	second, first := m.text(3, 2), m.text(3, 1)
	m.arrived(m.text(4, 1))
	m.arrived(second)
	m.arrived(first) // overtaken
	m.arrived(m.text(5, 1))
	for _, other := range []string{"", "hello 3", "bench x 1 1 1", "bench p 50 1 1", "bench p -1 1 1", "bench p a 1 1"} {
		m.arrived(other)
	}
	if m.disorder != 1 || m.seen.Load() != 4 || m.settle(t.Context()) != 0 {
		t.Errorf("got %d out of order, %d seen, want 1 and 4", m.disorder, m.seen.Load())
	}
}

// TestTurns: a chat whose message is under way waits, another does not.
func TestTurns(t *testing.T) {
	m := newMeterOf(ToUser, 2, 2).inTurns()
	ended, end := context.WithCancel(t.Context())
	end()
	if !m.turn(t.Context(), 0) || !m.turn(t.Context(), 1) {
		t.Fatal("turn: got false, want room for the first of each chat")
	}
	m.arrived(m.text(1, 1))
	if !m.turn(t.Context(), 1) {
		t.Error("turn: got false, want room once the first has arrived")
	}
	if m.turn(ended, 0) {
		t.Error("turn: got true, want chat 0 to wait for what is under way")
	}
}

func TestPercentile(t *testing.T) {
	m := newMeter(ToUser)
	if got := m.percentile(0.5); got != 0 {
		t.Errorf("percentile of nothing: got %s, want 0", got)
	}
	for n := 100; n > 0; n-- {
		m.times = append(m.times, time.Duration(n))
	}
	for p, want := range map[float64]time.Duration{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := m.percentile(p); got != want {
			t.Errorf("percentile %v: got %d, want %d", p, got, want)
		}
	}
}

func TestTextOf(t *testing.T) {
	for stanza, want := range map[string]string{
		"<message from='a'><body>bench x 1 2 3</body><request/>":               "bench x 1 2 3",
		"<message><received xmlns='urn:xmpp:receipts' id='bench-x-1-2-3'/>":    "bench x 1 2 3",
		`<presence/><message><received id="bench-x-1-2-3" xmlns="u"/><store/>`: "bench x 1 2 3",
		"<message><composing/>": "",
	} {
		if got := textOf([]byte(stanza)); got != want {
			t.Errorf("textOf(%s): got %q, want %q", stanza, got, want)
		}
	}
}

func TestReportMore(t *testing.T) {
	m := Memory{RSS: 40e6, Anon: 18e6, Live: 5e6, Heap: 9e6, Stacks: 2e6, Goroutines: 300}
	r := Report{
		Slow:  &Slow{Delay: 20, Chats: 1000, Calls: []int64{9, 5, 7}, Load: &Load{Rate: 2000, CPU: map[string]float64{gatewayCPU: 0.25, benchCPU: 0.5}}, Memory: m},
		Scale: []Scale{{Contacts: 10, Flood: &Load{Rate: 1000}, Idle: m}, {Contacts: 100_000, Seeding: 1500, Flood: &Load{Rate: 970}}, {Contacts: 1_000_000}},
	}
	got := r.String()
	for _, want := range []string{"5 / 7 / 7", " 1.5 ", "970 (0.97)", "40.0 (18.0; 5.0, 9.0, 2.0; 300)"} {
		if !strings.Contains(got, want) {
			t.Errorf("report: %q is not in it:\n%s", want, got)
		}
	}
}

func TestReportRatios(t *testing.T) {
	r := Report{Systems: []System{
		{Name: "floor", FloodOut: &Load{Rate: 1000}, Memory: Memory{RSS: 18e6}},
		{Name: "postern", FloodOut: &Load{Rate: 250, Disorder: 3}, DripIn: &Load{P50: 1.5, P99: 9, Missing: 2}, FloodReceipt: &Load{Rate: 77}},
	}}
	got := r.String()
	for _, want := range []string{"250 (0.25)", "1.50 / 9.00 / 0.00", "until the receipt is back: 77 msg/s"} {
		if !strings.Contains(got, want) {
			t.Errorf("report: %q is not in it:\n%s", want, got)
		}
	}
	if d, m := sum(r.Systems[1], func(l *Load) int { return l.Disorder }), sum(r.Systems[1], func(l *Load) int { return l.Missing }); d != 3 || m != 2 {
		t.Errorf("sums: got %d and %d, want 3 and 2", d, m)
	}
}

// TestReportServers: what was measured with another server compares with the floor on that one.
func TestReportServers(t *testing.T) {
	r := Report{
		Systems: []System{
			{Name: "floor", Server: "prosody", FloodIn: &Load{Rate: 1000}},
			{Name: "floor, ejabberd", Server: "ejabberd", FloodIn: &Load{Rate: 400}},
			{Name: "postern, ejabberd", Server: "ejabberd", FloodIn: &Load{Rate: 300, RedisLeft: 654}},
		},
		Simulators: []System{{Name: "telegram", Server: "prosody", FloodIn: &Load{Rate: 321}}},
	}
	got := r.String()
	for _, want := range []string{"300 (0.75)", "- / 654", "321 (0.32)"} {
		if !strings.Contains(got, want) {
			t.Errorf("report: %q is not in it:\n%s", want, got)
		}
	}
	old := r
	old.Systems = slices.Clone(r.Systems)
	old.Systems[2].FloodIn = &Load{Rate: 200}
	if got, want := r.Against(old), "0.50 -> 0.75 (1.50)"; !strings.Contains(got, want) {
		t.Errorf("against: %q is not in it:\n%s", want, got)
	}
}

// TestProblems: nothing that Postern loses or turns round goes unseen, under whatever load.
func TestProblems(t *testing.T) {
	r := Report{
		Systems:    []System{{Name: "floor", FloodIn: &Load{Disorder: 9}}, {Name: "postern", FloodIn: &Load{Disorder: 1}, FloodReceipt: &Load{Missing: 2}}},
		Simulators: []System{{Name: "telegram", DripOut: &Load{Missing: 3}}},
		Slow:       &Slow{Load: &Load{Missing: 4}, HeldDisorder: 5},
		Scale:      []Scale{{Contacts: 10, Flood: &Load{Missing: 6}}, {Contacts: 1_000_000}},
	}
	want := []string{
		"postern, flood p->x: 1 messages out of order, 0 missing",
		"postern, flood until the receipt: 0 messages out of order, 2 missing",
		"telegram, 100/s x->p: 0 messages out of order, 3 missing",
		"slow platform: 0 messages out of order, 4 missing",
		"platform that answered nothing for a time: 5 messages out of order, 0 missing",
		"10 contacts: 0 messages out of order, 6 missing",
	}
	if diff := cmp.Diff(want, r.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
