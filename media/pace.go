package media

import (
	"sync/atomic"
	"time"
)

// pace is how slow a transfer may be: floor bytes in each window, and rate bytes a second on the whole, at any moment after
// the first three windows. Who is slower holds a place and a lane that others wait for. What a host announces buys it no time.
type pace struct {
	window time.Duration
	floor  int64
	rate   int64
}

// whole is how long a transfer may have taken when size bytes have moved.
func (p pace) whole(size int64) time.Duration {
	return 3*p.window + time.Duration(float64(size)/float64(p.rate)*float64(time.Second))
}

// watch ends a transfer that is too slow by calling stop. moved is for one goroutine at a time.
type watch struct {
	pace  pace
	began time.Time
	all   int64
	got   int64 // in this window
	step  *time.Timer
	total *time.Timer
	slow  atomic.Bool
}

func (p pace) watch(stop func()) *watch {
	w := &watch{pace: p, began: time.Now()}
	end := func() {
		if w.slow.CompareAndSwap(false, true) {
			stop()
		}
	}
	w.step, w.total = time.AfterFunc(p.window, end), time.AfterFunc(p.whole(0), end)
	return w
}

// moved is told of each piece.
func (w *watch) moved(n int) {
	w.all += int64(n)
	w.total.Reset(time.Until(w.began.Add(w.pace.whole(w.all))))
	if w.got += int64(n); w.got >= w.pace.floor {
		w.got = 0
		w.step.Reset(w.pace.window)
	}
}

// sent says that there is nothing more to move: how long an answer may take is another limit's affair.
func (w *watch) sent() { w.step.Stop() }

func (w *watch) end() {
	w.step.Stop()
	w.total.Stop()
}
