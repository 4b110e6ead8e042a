package gateway

import (
	"context"
	"testing"
)

// TestTransfers: places are given in the order in which they were asked for, a quarter of them to one user at most, and none
// is lost with whoever had it.
func TestTransfers(t *testing.T) {
	const romeo, juliet, nurse, tybalt, paris = UserID("romeo"), UserID("juliet"), UserID("nurse"), UserID("tybalt"), UserID("paris")
	ctx := t.Context()
	files := newTransfers(4)
	ready := func(w *fileTurn) bool {
		select {
		case <-w.ready:
			return true
		default:
			return false
		}
	}
	take := func(ctx context.Context, u UserID, want bool) (func(), *fileTurn) {
		t.Helper()
		leave, wait := files.take(ctx, u)
		if (wait == nil) != want || (leave != nil) != want {
			t.Fatalf("%s: got a turn %v, want a place: %v", u, wait, want)
		}
		return leave, wait
	}
	romeoLeaves, _ := take(ctx, romeo, true)
	_, romeoWaits := take(ctx, romeo, false) // the second one of a user, whatever the account
	julietLeaves, _ := take(ctx, juliet, true)
	take(ctx, nurse, true)
	tybaltLeaves, _ := take(ctx, tybalt, true)
	_, first := take(ctx, paris, false)
	_, second := take(ctx, "mercutio", false)
	_, gone := take(ctx, "benvolio", false)
	_, third := take(ctx, "rosaline", false)
	gone.end()
	julietLeaves()
	if ready(romeoWaits) || !ready(first) || ready(second) {
		t.Fatalf("got turns %v %v %v, want the first one of those who may", ready(romeoWaits), ready(first), ready(second))
	}
	leave, _ := take(withTurn(ctx, first), paris, true)
	take(withTurn(ctx, first), paris, false) // a turn is one place
	first.end()                              // it was used: the place is given back by release alone
	if ready(second) {
		t.Fatal("got a place out of nothing")
	}
	leave()
	if !ready(second) {
		t.Fatal("got no turn after a release")
	}
	second.end() // not used
	if !ready(third) || ready(gone) {
		t.Fatalf("got %v %v, want the place of a turn that was not used passed on, not to who left", ready(third), ready(gone))
	}
	romeoLeaves()
	if !ready(romeoWaits) {
		t.Fatal("got no turn for a user who may again")
	}
	tybaltLeaves()
	if files.busy != 4 || len(files.by) != 4 || len(files.waiting) != 0 { // paris has waited for one more
		t.Fatalf("got %d busy %v, %d waiting", files.busy, files.by, len(files.waiting))
	}
}
