package gateway

import (
	"fmt"
	"slices"
	"testing"
)

func anybody(Partition, string) bool { return true }

// TestDeal: every replica gets an equal share, everybody comes to the same answer, and one more or less moves little.
func TestDeal(t *testing.T) {
	var replicas []string
	var before map[Partition]string
	for n := 1; n <= 70; n += 1 + n/8 {
		for len(replicas) < n {
			replicas = append(replicas, fmt.Sprintf("01J%07d", len(replicas)*7919))
		}
		got := deal(AllShards(), replicas, anybody)
		load := map[string]int{}
		moved := 0
		for _, p := range AllShards() {
			load[got[p]]++
			if before != nil && got[p] != before[p] {
				moved++
			}
		}
		least, most := Shards/n, (Shards+n-1)/n
		for _, r := range replicas {
			if load[r] < least || load[r] > most {
				t.Errorf("%d replicas: one has %d shards, want %d to %d", n, load[r], least, most)
			}
		}
		// A replica's own share moves, and what gives way to it: dealt out at random, nearly all of them would.
		if bound := 3*most + 2; before != nil && n <= 8 && moved > bound {
			t.Errorf("the replica number %d moved %d shards, want at most %d", n, moved, bound)
		}
		turned := slices.Clone(replicas)
		slices.Reverse(turned)
		if again := deal(AllShards(), turned, anybody); !equalShares(got, again) {
			t.Errorf("%d replicas in another order: got another answer", n)
		}
		before = got
	}
}

// TestSharesOfWhatNotAllCanCarry: nobody gets what they cannot carry, and everything that somebody can carry goes somewhere.
func TestSharesOfWhatNotAllCanCarry(t *testing.T) {
	parts := []Partition{"c:a", "c:b", "c:c", "c:d"}
	got := deal(parts, []string{"r1", "r2"}, func(p Partition, r string) bool { return p != "c:d" && (p == "c:a" || r == "r2") })
	if got["c:a"] != "r1" && got["c:a"] != "r2" || got["c:b"] != "r2" || got["c:c"] != "r2" {
		t.Errorf("got %v, want b and c at r2", got)
	}
	if r, dealt := got["c:d"]; dealt {
		t.Errorf("got d at %q, want it nowhere", r)
	}
	if got := deal(parts, nil, anybody); len(got) != 0 {
		t.Errorf("no replicas: got %v, want nothing", got)
	}
}

func equalShares(a, b map[Partition]string) bool {
	for p, r := range a {
		if b[p] != r {
			return false
		}
	}
	return len(a) == len(b)
}
