package chaos

import (
	"slices"
	"strings"
	"testing"
)

func TestTotals(t *testing.T) {
	var totals Totals
	plain := Schedule{Seed: 1, Cell: Cell{"prosody", "single"}, Acts: []Act{{Kind: "owner-frozen"}}}
	apart := Schedule{Seed: 2, Cell: Cell{"ejabberd", "single"}, Acts: []Act{{Kind: "owner-frozen"}}}
	report := Report{
		In: Count{Sent: 10, Duplicates: 2, Overtaken: 3, Earlier: 1}, Out: Count{Sent: 20, Refused: 3}, Conditions: map[string]int{"forbidden": 3},
		Faults: []Fault{{Kind: "owner-frozen", Met: Uncounted}, {Kind: "api-slow"}}, Violations: []Violation{{Lost, "a"}, {Disorder, "b"}, {Disorder, "c"}, {OtherIdentity, "d"}},
	}
	totals.Add(plain, report)
	totals.Add(apart, report)
	text := totals.String()
	for _, want := range []string{
		"2 seeds: 60 messages (20 platform->user, 40 user->platform), 4 faults\n", "  ejabberd, Redis single: 1 seeds\n", "faults: api-slow 2, owner-frozen 2\nof these struck nothing: api-slow 2\n",
		"lost 1, reordered 2, in another chat 0", "duplicates under another identity 2\n", "duplicates to users 4: ", "shown late to users 8, 2 of them in a later run: ", "answered with an error 6 of 40 (forbidden 6)",
		"apart, ejabberd with a frozen owner: seeds [2], lost 1, reordered 2\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant %q in it", text, want)
		}
	}
	if plain, apart := plain.Blames(report), apart.Blames(report); len(plain) != 4 || len(apart) != 1 || apart[0].Kind != OtherIdentity {
		t.Errorf("blamed: got %v, and apart %v, want all, and what no frozen owner excuses", plain, apart)
	}
	short := totals.Short(25)
	if len(short) != len(Kinds())-1 || slices.ContainsFunc(short, func(s string) bool { return strings.HasPrefix(s, "owner-frozen") }) {
		t.Errorf("short of 25 seeds: got %q, want all kinds but one, and one that struck nothing", short)
	}
	if want := "api-slow happened 2 times, and nothing ever ran into it"; !slices.Contains(short, want) {
		t.Errorf("short of 25 seeds: got %q, want %q among them", short, want)
	}
	totals.Out.Refused = 11
	if short := totals.Short(25); !slices.Contains(short, "11 of 40 messages of users answered with an error, want 25 % at most") {
		t.Errorf("11 of 40 refused: got %q", short)
	}
}

func TestApart(t *testing.T) {
	for _, c := range Cells() {
		s := Schedule{Cell: c, Acts: []Act{{Kind: "kill"}, {Kind: "owner-frozen"}}}
		if want := c.Server == "ejabberd"; s.Apart() != want {
			t.Errorf("a frozen owner on %s: got apart %t, want %t", c, s.Apart(), want)
		}
		if s.Acts = s.Acts[:1]; s.Apart() {
			t.Errorf("a kill on %s is apart", c)
		}
	}
}
