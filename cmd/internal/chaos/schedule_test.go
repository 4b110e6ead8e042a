package chaos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanIsAFunctionOfItsSeed(t *testing.T) {
	for seed := uint64(1); seed <= 100; seed++ {
		a, b := Plan(seed, CellOf(seed)), Plan(seed, CellOf(seed))
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("seed %d is another one the second time (-first +second):\n%s", seed, diff)
		}
		if len(a.Acts) != byTurn+byLuck {
			t.Errorf("seed %d: got %d faults, want %d", seed, len(a.Acts), byTurn+byLuck)
		}
	}
	if cmp.Equal(Plan(1, Cells()[0]).Acts, Plan(2, Cells()[0]).Acts) {
		t.Error("seeds 1 and 2 have the same faults")
	}
}

// TestPlanKeepsResourcesApart: a fault begins when the one before on the same resource is over.
func TestPlanKeepsResourcesApart(t *testing.T) {
	of := map[string]kind{}
	for _, k := range kinds() {
		if _, twice := of[k.name]; twice {
			t.Errorf("two kinds are called %s", k.name)
		}
		of[k.name] = k
	}
	for seed := uint64(1); seed <= 500; seed++ {
		s := Plan(seed, CellOf(seed))
		for i, a := range s.Acts {
			k := of[a.Kind]
			if a.For < k.least || a.For > k.most || a.Target < 0 || a.Target >= k.targets || a.At < actsGap {
				t.Errorf("seed %d: %+v is outside of %+v", seed, a, k)
			}
			for _, b := range s.Acts[:i] {
				if of[b.Kind].on == k.on && (k.targets != Replicas || a.Target == b.Target) && a.At < b.At+b.For {
					t.Errorf("seed %d: %+v begins while %+v lasts", seed, a, b)
				}
				if b.At > a.At {
					t.Errorf("seed %d: %+v stands behind %+v", seed, a, b)
				}
			}
		}
	}
}

// TestPlanReachesEveryKind: every stretch of seeds has every kind as often as Floor says, and in the long run every cell has all.
func TestPlanReachesEveryKind(t *testing.T) {
	for _, k := range kinds() {
		if n := Floor(k.name, 50); n < 2 || n < 4 && k.store == "" {
			t.Errorf("floor of 50 seeds for %s: got %d, want 4 at least, or 2 where one kind of Redis has it", k.name, n)
		}
	}
	for _, n := range []int{11, 50, 100} {
		for first := uint64(1); first < 60; first += 7 {
			got := map[string]int{}
			for seed := first; seed < first+uint64(n); seed++ {
				for k, c := range Plan(seed, CellOf(seed)).Counts() {
					got[k] += c
				}
			}
			for _, k := range Kinds() {
				if got[k] < Floor(k, n) {
					t.Errorf("%d seeds from %d: %s %d times, want at least %d", n, first, k, got[k], Floor(k, n))
				}
			}
		}
	}
	in := map[Cell]map[string]int{}
	for seed := uint64(1); seed <= 300; seed++ {
		c := CellOf(seed)
		if in[c] == nil {
			in[c] = map[string]int{}
		}
		for k, n := range Plan(seed, c).Counts() {
			in[c][k] += n
		}
	}
	for _, c := range Cells() {
		for _, k := range kinds() {
			if got := in[c][k.name]; k.store != "" && k.store != c.Store {
				if got != 0 {
					t.Errorf("%s has %s, which its Redis cannot have", c, k.name)
				}
			} else if got == 0 && (!k.long || k.store != "") {
				t.Errorf("%s never sees %s", c, k.name)
			}
		}
	}
}
