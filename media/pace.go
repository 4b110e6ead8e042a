package media

import (
	"sync/atomic"
	"time"
)

// pace is how slow a transfer may be: floor bytes in each window, and rate bytes a second over all of it. Who is slower
// holds a place and a lane that others wait for.
type pace struct {
	window time.Duration
	floor  int64
	rate   int64
}

// whole is how long a transfer of size bytes may take altogether.
func (p pace) whole(size int64) time.Duration {
	return 3*p.window + time.Duration(size/p.rate)*time.Second
}

// watch ends a transfer that is too slow by calling stop. moved is for one goroutine at a time.
type watch struct {
	pace  pace
	got   int64
	step  *time.Timer
	total *time.Timer
	slow  atomic.Bool
}

func (p pace) watch(size int64, stop func()) *watch {
	w := &watch{pace: p}
	end := func() { w.slow.Store(true); stop() }
	w.step, w.total = time.AfterFunc(p.window, end), time.AfterFunc(p.whole(size), end)
	return w
}

// moved is told of each piece.
func (w *watch) moved(n int) {
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
