package gateway

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestCrew: nobody waits for a member, as many as may wait for the next job, and all jobs are done when the crew is dismissed.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		var done atomic.Int32
		hold := make(chan struct{})
		for range 2 * crewIdle {
			c.do(func() { <-hold; done.Add(1) })
		}
		close(hold)
		synctest.Wait()
		if got := len(c.idle); got != crewIdle {
			t.Errorf("after the first jobs: got %d members that wait, want %d", got, crewIdle)
		}
		c.do(func() { done.Add(1) })
		synctest.Wait()
		if got := len(c.idle); got != crewIdle {
			t.Errorf("after another job: got %d members that wait, want %d", got, crewIdle)
		}
		c.do(func() { done.Add(1) })
		c.dismiss()
		if got := done.Load(); got != 2*crewIdle+2 {
			t.Errorf("got %d jobs done, want %d", got, 2*crewIdle+2)
		}
	})
}
