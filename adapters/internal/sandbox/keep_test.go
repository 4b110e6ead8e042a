package sandbox_test

import (
	"testing"
	"time"

	"postern/adapters/internal/sandbox"
)

func TestExpiring(t *testing.T) {
	e := sandbox.NewExpiring[int](2)
	t0 := time.Unix(0, 0)
	if !e.Add("a", 1, t0.Add(time.Minute), t0) || e.Add("a", 2, t0.Add(time.Minute), t0) {
		t.Error("a living entry is added once")
	}
	if !e.Add("a", 3, t0.Add(3*time.Minute), t0.Add(2*time.Minute)) {
		t.Error("an ended entry is replaced")
	}
	e.Add("b", 4, t0.Add(9*time.Minute), t0)
	e.Add("c", 5, t0.Add(9*time.Minute), t0)
	if _, ok := e.Get("a", t0); ok || e.Len() != 2 {
		t.Errorf("got %d entries, a %v; want 2 and the oldest gone", e.Len(), ok)
	}
}

func TestRing(t *testing.T) {
	r := sandbox.Ring[int]{Max: 3}
	for i := range 5 {
		r.Add(i + 1)
	}
	got, next := r.After(0, 2)
	if len(got) != 2 || got[0] != 3 || got[1] != 4 || next != 4 {
		t.Errorf("got %v next %d, want [3 4] next 4", got, next)
	}
	if got, next = r.After(next, 2); len(got) != 1 || got[0] != 5 || next != 5 {
		t.Errorf("got %v next %d, want [5] next 5", got, next)
	}
}
