package xmpp

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// defaultWorkers is how many conversations are taken in at a time. Each waits for the store once, and those that wait together go
	// there in one pipeline: few workers make small pipelines, and a flood that the store could take waits here.
	defaultWorkers    = 128
	defaultQueueDepth = 16 // stanzas waiting per worker
)

// dispatcher spreads stanzas over workers such that those between one user and
// one contact are handled one at a time and in order. Presence takes the same
// way as messages, else typing and markers would overtake text.
type dispatcher struct {
	workers int // 0 for 128
	depth   int // stanzas waiting per worker, 0 for 16
	handle  func(context.Context, *Element)
	log     *slog.Logger
	count   func(wireEvent)
	backlog backlog
	cut     atomic.Bool // what ended a stanza's handling was the end of run's context
}

// run starts the workers, calls feed with the function that takes stanzas, and
// after feed has returned handles what is still queued. It returns when all
// workers have stopped. The taking function blocks while the worker's queue is
// full, which stops the reader and so the server; it gives up, and the stanza
// with it, only when its own context ends.
func (d *dispatcher) run(ctx context.Context, feed func(take func(context.Context, *Element))) {
	workers, depth := d.workers, d.depth
	if workers <= 0 {
		workers = defaultWorkers
	}
	if depth <= 0 {
		depth = defaultQueueDepth
	}
	seed := maphash.MakeSeed()
	queues := make([]chan *Element, workers)
	var wg sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan *Element, depth)
		wg.Go(func() {
			for el := range queues[i] {
				d.one(ctx, el)
			}
		})
	}
	feed(func(ctx context.Context, el *Element) {
		d.backlog.add(1)
		select {
		case queues[shardOf(seed, el, workers)] <- el:
		case <-ctx.Done():
			d.backlog.add(-1)
			d.log.Warn("stanza dropped: stopped while its queue was full", "kind", el.Name.Local)
		}
	})
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
}

// settle waits, while nothing is fed, until everything that was is handled. It reports whether that came about before ctx ended,
// and with nothing cut off by the end of run's context: what a store was told by somebody who did not wait for its answer may still
// get there.
func (d *dispatcher) settle(ctx context.Context) bool {
	select {
	case <-d.backlog.none():
		return !d.cut.Load()
	case <-ctx.Done():
		return false
	}
}

// one handles a stanza. A panic costs that stanza, not the process.
func (d *dispatcher) one(ctx context.Context, el *Element) {
	defer func() {
		if ctx.Err() != nil {
			d.cut.Store(true)
		}
		d.backlog.add(-1)
	}()
	defer func() {
		if r := recover(); r != nil {
			stack := make([]byte, 4<<10)
			stack = stack[:runtime.Stack(stack, false)]
			d.count(eventPanic)
			// The value of the panic may quote the stanza; the stack holds only addresses.
			d.log.Error("handler panicked", "kind", el.Name.Local, "stack", string(stack))
			_ = r
		}
	}()
	d.handle(ctx, el)
}

// backlog counts stanzas that are taken and not handled yet.
type backlog struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when n is 0; nil while nobody waits for that
}

func (b *backlog) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n += n
	if b.n == 0 && b.empty != nil {
		close(b.empty)
		b.empty = nil
	}
}

// none returns a channel that is closed the next time that there are none, now or later.
func (b *backlog) none() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.n == 0:
		none := make(chan struct{})
		close(none)
		return none
	case b.empty == nil:
		b.empty = make(chan struct{})
	}
	return b.empty
}

// shardOf picks the worker for a conversation: user and contact, both bare.
func shardOf(seed maphash.Seed, el *Element, n int) int {
	a := maphash.String(seed, el.From().Bare().String())
	b := maphash.String(seed, el.To().Bare().String())
	return int((a ^ bits.RotateLeft64(b, 32)) % uint64(n))
}
