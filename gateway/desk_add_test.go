package gateway

import (
	"fmt"
	"testing"
	"time"
)

// TestLookupBudgetIsBounded: memory does not grow with the number of users who look somebody up.
func TestLookupBudgetIsBounded(t *testing.T) {
	b := newLookupBudget()
	now := time.Unix(0, 0)
	for i := range lookupUsers + 10 {
		if !b.take(fmt.Sprint(i), now) {
			t.Fatalf("user %d: got no lookup", i)
		}
		if len(b.used) > lookupUsers {
			t.Fatalf("got %d budgets, want at most %d", len(b.used), lookupUsers)
		}
	}
	b.take("late", now.Add(lookupWindow))
	if n := len(b.used); n != 1 {
		t.Errorf("got %d budgets after the window, want 1", n)
	}
}
