package xmpp

import (
	"context"
	"hash/maphash"
	"sync"
)

// errands runs work that may wait for a platform, apart from the dispatcher: a
// slow login must not hold up anybody's messages. What belongs to one user runs
// in order and one at a time; what does not fit is refused.
type errands struct {
	queues []chan func(context.Context)
	seed   maphash.Seed
}

func newErrands(workers, depth int) *errands {
	e := &errands{queues: make([]chan func(context.Context), workers), seed: maphash.MakeSeed()}
	for i := range e.queues {
		e.queues[i] = make(chan func(context.Context), depth)
	}
	return e
}

// run starts the workers, calls feed, and once feed has returned finishes what is
// queued. Offers come from within feed only. It returns when all have stopped.
func (e *errands) run(ctx context.Context, feed func()) {
	var wg sync.WaitGroup
	for _, q := range e.queues {
		wg.Go(func() {
			for f := range q {
				f(ctx)
			}
		})
	}
	feed()
	for _, q := range e.queues {
		close(q)
	}
	wg.Wait()
}

// offer queues work for a user; false when the user's worker is behind already.
func (e *errands) offer(user string, f func(context.Context)) bool {
	select {
	case e.queues[maphash.String(e.seed, user)%uint64(len(e.queues))] <- f:
		return true
	default:
		return false
	}
}
