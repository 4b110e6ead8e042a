package xmpp

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/bits"
	"runtime"
	"sync"
)

const (
	defaultWorkers    = 32
	defaultQueueDepth = 64 // stanzas waiting per worker
)

// dispatcher spreads stanzas over workers such that those between one user and
// one contact are handled one at a time and in order. Presence takes the same
// way as messages, else typing and markers would overtake text.
type dispatcher struct {
	workers int // 0 for 32
	depth   int // stanzas waiting per worker, 0 for 64
	handle  func(context.Context, *Element)
	log     *slog.Logger
	count   func(wireEvent)
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
		select {
		case queues[shardOf(seed, el, workers)] <- el:
		case <-ctx.Done():
			d.log.Warn("stanza dropped: stopped while its queue was full", "kind", el.Name.Local)
		}
	})
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
}

// one handles a stanza. A panic costs that stanza, not the process.
func (d *dispatcher) one(ctx context.Context, el *Element) {
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

// shardOf picks the worker for a conversation: user and contact, both bare.
func shardOf(seed maphash.Seed, el *Element, n int) int {
	a := maphash.String(seed, el.From().Bare().String())
	b := maphash.String(seed, el.To().Bare().String())
	return int((a ^ bits.RotateLeft64(b, 32)) % uint64(n))
}
