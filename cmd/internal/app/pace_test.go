package app

import "testing"

func TestPace(t *testing.T) {
	const mb = 1 << 20
	p := &pace{percent: pacePercent, cycles: 7}
	var cycles uint64 = 7
	for _, step := range []struct {
		what         string
		cycles, live uint64 // in a second
		seconds      int
		want         int
		rest         bool
	}{
		{"a start", 2, 8 * mb, 3, 100, false},
		{"load", 12, 8 * mb, 1, 400, false},
		{"load that is kept up with", 2, 8 * mb, 60, 400, false},
		{"more is alive", 5, 16 * mb, 1, 200, false},
		{"much is alive", 5, 100 * mb, 1, 100, false},
		{"load again while little is alive", 5, 10 * mb, 1, 320, false},
		{"much comes alive at once", 1, 40 * mb, 1, 100, false},
		{"load again", 5, 10 * mb, 1, 320, false},
		{"a pause", 0, 10 * mb, 29, 320, false},
		{"the end of the load", 0, 10 * mb, 1, 100, true},
		{"rest", 0, 10 * mb, 90, 100, false},
		{"nothing is alive", 4, 0, 1, 3200, false},
	} {
		var got int
		var rest bool
		for range step.seconds {
			cycles += step.cycles
			got, rest = p.next(cycles, step.live)
		}
		if got != step.want || rest != step.rest {
			t.Errorf("%s: got %d%%, rest %v, want %d%%, %v", step.what, got, rest, step.want, step.rest)
		}
	}
}
