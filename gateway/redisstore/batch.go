package redisstore

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// maxFlights is how many pipelines of a node may be on their way at once: while one is answered, the next is written.
	maxFlights = 2
	// maxBatch is how many calls one pipeline carries, so that a burst does not delay the first of them.
	maxBatch = 256
	// waitMillis is how long an ingest waits for its replicas (WAIT). It outlasts a slow moment of a replica, since an ingest that
	// gives up is told as an error and has taken place nevertheless; and it is short, since other calls stand behind it.
	waitMillis = 500
)

// call is one caller's commands, all for one node. results and err are the batcher's until done is closed.
type call struct {
	args [][]any
	// gone is closed when nobody waits for the call any more: then it is not sent.
	gone <-chan struct{}
	// replicas is how many replicas must have the writes of this call.
	replicas int
	done     chan struct{}
	results  []*redis.Cmd
	err      error

	// Most calls are one command, none of those that messages make are more than two.
	few  [2]*redis.Cmd
	outs [2]any
}

// batcher is the group commit of one node: a call that finds the node idle is sent at once; calls that come while
// pipelines are on their way wait for one to return and leave together.
type batcher struct {
	flights sync.WaitGroup
	next    chan struct{} // for goroutines that stay: the stack of a new one would grow anew with each pipeline

	mu      sync.Mutex
	node    *redis.Client // the latest: a cluster client replaces them
	flying  int
	fliers  int // goroutines; flying of them are at work
	pending []*call
	swept   int // when there are so many pending, those that nobody waits for go
	closed  bool
}

func newBatcher() *batcher { return &batcher{next: make(chan struct{}, maxFlights), swept: maxBatch} }

// submit queues a call and starts a pipeline when there is room for one.
func (b *batcher) submit(node *redis.Client, c *call) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return redis.ErrClosed
	}
	b.node = node
	if len(b.pending) >= b.swept {
		b.sweep()
	}
	b.pending = append(b.pending, c)
	if b.flying < maxFlights {
		b.flying++
		if b.fliers < b.flying {
			b.fliers++
			b.flights.Go(b.fly)
		}
		b.next <- struct{}{} // there is room for as many as may fly
	}
	return nil
}

// sweep drops calls that nobody waits for any more: a Redis that does not answer takes none of them away, and callers who give up and
// come again would fill the memory. So no more wait than one batch, or twice as many as there are callers, of whom each part of the
// process has a number: workers, lanes at work, webhooks and pages at a time. b.mu is held.
func (b *batcher) sweep() {
	b.pending = slices.DeleteFunc(b.pending, (*call).over)
	b.swept = max(maxBatch, 2*len(b.pending))
}

// over reports whether nobody waits for a call any more.
func (c *call) over() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// take returns the next batch, without calls that nobody waits for any more; b.mu is held.
func (b *batcher) take() []*call {
	n := min(len(b.pending), maxBatch)
	batch := make([]*call, 0, n)
	for _, c := range b.pending[:n] {
		if !c.over() {
			batch = append(batch, c)
		}
	}
	rest := copy(b.pending, b.pending[n:])
	clear(b.pending[rest:])
	b.pending = b.pending[:rest]
	return batch
}

// fly sends batches until none is left, and waits for the next, until the batcher closes. Before each it lets those go first who are
// ready to run: what they ask for goes along. Under load that halves the number of pipelines, and where nobody else is ready it costs
// nothing.
func (b *batcher) fly() {
	for range b.next {
		for {
			runtime.Gosched()
			node, batch, ok := b.batch()
			if !ok {
				break
			}
			send(node, batch)
		}
	}
}

// batch is what waits; without any the flight is over.
func (b *batcher) batch() (node *redis.Client, batch []*call, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 {
		b.flying--
		return nil, nil, false
	}
	return b.node, b.take(), true
}

// send carries out a batch in one round trip. It has a context of its own: a pipeline serves many callers and ends by its
// connection's timeouts.
func send(node *redis.Client, batch []*call) {
	ctx := context.Background()
	pipe := node.Pipeline()
	replicas := 0
	for _, c := range batch {
		c.results = c.few[:0]
		for _, args := range c.args {
			c.results = append(c.results, pipe.Do(ctx, args...))
		}
		replicas = max(replicas, c.replicas)
	}
	var held *redis.Cmd
	if replicas > 0 {
		held = pipe.Do(ctx, "wait", replicas, waitMillis) // on the same connection: it speaks of all writes before it
	}
	if len(batch) > 0 {
		if _, err := pipe.Exec(ctx); err != nil {
			unsent(batch, err)
		}
	}
	for _, c := range batch {
		if c.replicas > 0 {
			if n, err := held.Int(); err != nil || n < c.replicas {
				c.err = fmt.Errorf("wait for replicas: got %d, want %d: %w", n, c.replicas, errReplicas)
			}
		}
		close(c.done)
	}
}

// unsent gives its error to each command of a batch that has neither an answer nor an error of its own: a connection that Redis refuses
// while it is set up, as for a wrong password, has carried none of them. Whoever takes "no answer" for "nothing there" would lose mail.
func unsent(batch []*call, err error) {
	for _, c := range batch {
		for _, cmd := range c.results {
			if v, own := cmd.Result(); v == nil && own == nil {
				cmd.SetErr(err)
			}
		}
	}
}

// close refuses new calls and waits for those on their way.
func (b *batcher) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.next)
	}
	b.mu.Unlock()
	b.flights.Wait()
}
