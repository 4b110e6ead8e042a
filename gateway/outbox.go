package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Waiting is a rendered stanza that waits for the stream.
type Waiting struct {
	Bytes []byte
	// At is when what it says happened; the wire stamps a delay when that is long ago (XEP-0203).
	At time.Time
}

// Wire is one live component stream. Package xmpp implements it.
type Wire interface {
	// Write queues stanzas in order; it waits while the stream's buffer is full.
	Write(ctx context.Context, stanzas []Waiting) error
	// Barrier returns nil when the server has taken everything written before. XEP-0114 has no acknowledgements, but a
	// server works a stream off in order, so any answer to a ping proves it (XEP-0199).
	// The error wraps ErrBlameless where no stanza can have ended the stream.
	Barrier(ctx context.Context) error
	// Broke is when the server, or what lies before it, ended the stream without a reason that lies in it: it may then have forgotten
	// what it had taken. Zero: it lives, or ended otherwise.
	Broke() time.Time
}

// ErrHandOver: another replica carries the component from now on.
var ErrHandOver = errors.New("component handed over to another replica")

// ErrBlameless: the stream ended for a reason of its own, such as a server that shuts down.
var ErrBlameless = errors.New("stream ended for a reason of its own")

const (
	outboxBatch = 256
	outboxPoll  = time.Second
	poisonTries = 2 // an entry that was alone on the stream when it ended, twice, is a dead letter
)

// Outbox carries the rendered stanzas of one component from the store to its stream. It holds the component's lease:
// two connections for one component would lose or split messages, so the lease comes before the connection.
type Outbox struct {
	store    Store
	identity *Identity
	adapter  AdapterID
	part     Partition
	balance  *balance
	log      *slog.Logger
	metrics  *Metrics
	tracer   Tracer
	probe    func(point string)

	mu      sync.Mutex
	held    *holding
	drop    func()  // ends the renewal of held, and so the holding
	suspect EntryID // the stream ended with entries up to this one unconfirmed: they go one by one
	seen    recollection
	leaving chan struct{} // closed when another replica should hold the lease
	pumped  chan struct{} // closed when no Pump runs; nil before the first
}

// Acquire takes the component's lease as soon as it is free and this replica should have it, trying until ctx ends, and keeps
// renewing it. The channel closes when the lease is lost, or should be another replica's; it is held until the release all
// the same. Release ends that and must be called once for each Acquire that returned no error: free gives the lease back, so that
// another replica has it at once; otherwise it runs out by itself, for what may still be on its way to the store.
func (o *Outbox) Acquire(ctx context.Context) (lost <-chan struct{}, release func(free bool), err error) {
	h, err := o.balance.acquire(ctx, o.part)
	if err != nil {
		return nil, nil, err
	}
	renew, stop := context.WithCancel(context.WithoutCancel(ctx))
	gone, end := context.WithCancel(renew)
	leaving := make(chan struct{})
	o.mu.Lock()
	o.held, o.drop, o.leaving = h, stop, leaving
	o.seen.under(h.Epoch)
	o.mu.Unlock()
	o.metrics.leader(o.adapter, true)
	o.balance.holds(o.part, true)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer end()
		h.keep(renew)
		o.metrics.leader(o.adapter, false)
	})
	wg.Go(func() {
		if o.balance.surplus(gone, o.part) {
			o.log.Info("component goes to another replica", "partition", o.part)
			close(leaving)
			o.settle(gone)
			end()
		}
	})
	return gone.Done(), func(free bool) {
		stop()
		wg.Wait()
		o.balance.holds(o.part, false)
		if free {
			h.giveBack(ctx)
		}
	}, nil
}

// settle waits until what Pump has written is confirmed, and it has ended.
func (o *Outbox) settle(ctx context.Context) {
	o.mu.Lock()
	pumped := o.pumped
	o.mu.Unlock()
	if pumped == nil {
		return
	}
	select {
	case <-pumped:
	case <-ctx.Done():
	}
}

// Overtaken reports whether the lease ran out while this replica held it: it stood still, and another may speak for the component
// now. What lay in its own stream meanwhile is older than what the other has taken, and no script can tell.
func (o *Outbox) Overtaken() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held != nil && o.held.expired()
}

// Decline says whether the component's server is out of reach from here. Another replica that reaches it gets the component
// then; where none does, nothing changes.
func (o *Outbox) Decline(on bool) { o.balance.decline(o.part, on) }

// Pump writes what waits to the wire and forgets it once the server has confirmed it, until ctx ends or the stream or the
// lease fails. Entries left unconfirmed by a stream that ended go one by one the next time, so that one that the server
// cannot bear is found and set aside. What was confirmed just before a stream broke off goes again (recall.go). A lease that the store
// no longer knows is lost at once, before anybody connects again.
// A component that goes to another replica ends with ErrHandOver, and nothing unconfirmed.
func (o *Outbox) Pump(ctx context.Context, w Wire) error {
	pumped := make(chan struct{})
	defer close(pumped)
	defer o.parted(w)
	o.mu.Lock()
	o.seen.settle()
	held, drop, suspects, leaving := o.held, o.drop, o.suspect != "" || o.seen.alone > 0, o.leaving
	o.pumped = pumped
	o.mu.Unlock()
	var err error
	if suspects {
		err = w.Barrier(ctx) // a stream that does not live is no suspect's fault
	}
	if err == nil {
		err = o.recall(ctx, w, held)
	}
	if err == nil {
		err = o.pump(ctx, w, held, leaving)
	}
	if errors.Is(err, ErrFenced) {
		o.metrics.fenced.Inc()
		drop()
	}
	return err
}

func (o *Outbox) pump(ctx context.Context, w Wire, held *holding, leaving <-chan struct{}) error {
	wake := o.store.Watch(ctx, o.part)
	for {
		if err := o.drain(ctx, w, held, leaving); err != nil {
			return err
		}
		o.forgetOld()
		t := time.NewTimer(outboxPoll)
		select {
		case <-wake:
		case <-t.C:
		case <-leaving:
		case <-ctx.Done():
		}
		if t.Stop(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// drain carries batch after batch until the queue is empty. It reads the queue from its beginning: all that was read before is
// finished, but after a failover of Redis an entry may be there again, whose end the new master never heard of.
func (o *Outbox) drain(ctx context.Context, w Wire, held *holding, leaving <-chan struct{}) error {
	entries, err := o.next(ctx, "")
	for err == nil {
		select {
		case <-leaving:
			return ErrHandOver
		default:
		}
		if len(entries) == 0 {
			return nil
		}
		record, failed := o.carry(ctx, w, held, entries)
		if failed != nil {
			return failed
		}
		// The end of a batch is recorded while the next one is read, in one round trip. Nothing more is written before that is over.
		recorded := make(chan error, 1)
		go func() { recorded <- record() }()
		entries, err = o.next(ctx, entries[len(entries)-1].ID)
		if failed := <-recorded; failed != nil {
			return failed
		}
	}
	return err
}

// next reads the batch behind an entry.
func (o *Outbox) next(ctx context.Context, after EntryID) (entries []Entry, err error) {
	err = o.insist(ctx, func() (err error) {
		entries, err = o.store.Read(ctx, o.part, QueueXMPP, after, o.width(after))
		return err
	})
	return entries, err
}

// insist tries something of the store until it works: a store that fails for a moment does not end the stream, and what the
// server has confirmed is not written again. A longer failure ends with the lease, and so with ctx.
func (o *Outbox) insist(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || fatal(ctx, err) {
			return err
		}
		o.log.Warn("store not reached, trying again", "partition", o.part, "err", err)
		if !sleep(ctx, jitter(outboxPoll)) {
			return ctx.Err()
		}
	}
}

// width is how many entries the next batch may have: one while suspects remain.
func (o *Outbox) width(after EntryID) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.suspect != "" && after.Before(o.suspect) {
		return 1
	}
	o.suspect = ""
	return outboxBatch
}

// carry writes one batch and waits until the server has taken it. What it returns forgets the batch.
func (o *Outbox) carry(ctx context.Context, w Wire, held *holding, entries []Entry) (record func() error, err error) {
	lease := held.Lease
	alone := len(entries) == 1 && o.isSuspect(entries[0].ID)
	var stanzas []Waiting
	var done []Entry
	err = o.insist(ctx, func() (err error) {
		stanzas, done, err = o.open(ctx, lease, entries)
		return err
	})
	if err != nil {
		return nil, err
	}
	if held.expired() { // a stream cannot refuse what a former owner writes: the clock has to
		return nil, ErrFenced
	}
	start := time.Now()
	if len(stanzas) > 0 {
		written, err := o.confirm(ctx, w, stanzas)
		o.trace(ctx, done, start, err)
		if err != nil {
			o.mark(entries[len(entries)-1].ID)
			if alone && written && !errors.Is(err, ErrBlameless) {
				o.blame(ctx, lease, entries[0].ID)
			}
			return nil, err
		}
		o.remember(done)
	}
	o.probe("after-barrier")
	return func() error {
		// What is confirmed is recorded, also when the stream ends meanwhile: else it would be written again. Without the lease it is
		// another's, who waits for the stream to be down.
		ctx, cancel := outlive(ctx, func() time.Duration { return min(leaseRenewal, held.left()) })
		defer cancel()
		if err := o.insist(ctx, func() error { return o.store.Finish(ctx, lease, QueueXMPP, done, nil) }); err != nil {
			return err
		}
		o.metrics.carried(o.adapter, len(stanzas), time.Since(start))
		return nil
	}, nil
}

// outlive returns a context that ends some time after another, as much as is due then.
func outlive(ctx context.Context, by func() time.Duration) (context.Context, context.CancelFunc) {
	after, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { sleep(after, by()); cancel() })
	return after, func() { stop(); cancel() }
}

// trace tells of those of a batch whose way is told of.
func (o *Outbox) trace(ctx context.Context, batch []Entry, start time.Time, err error) {
	if o.tracer == nil {
		return
	}
	for _, e := range batch {
		if _, c := cutTrace(e.Lane); c != "" {
			_, s := o.tracer.Start(ctx, SpanBarrier, c, start)
			s.End(o.adapter, taken(err))
		}
	}
}

// confirm writes stanzas and waits until the server has taken them.
func (o *Outbox) confirm(ctx context.Context, w Wire, stanzas []Waiting) (written bool, err error) {
	if err := w.Write(ctx, stanzas); err != nil {
		return false, err
	}
	o.probe("after-write")
	return true, w.Barrier(ctx)
}

// blame counts that the stream ended while an entry was alone on it, and sets the entry aside when that is too often.
func (o *Outbox) blame(ctx context.Context, lease Lease, id EntryID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenewal) // ctx ends with the stream
	defer cancel()
	try, err := o.store.Begin(ctx, lease, QueueXMPP, id, nil)
	if err == nil && try.Number >= poisonTries {
		o.metrics.deadLetter("outbox")
		o.log.Error("stanza set aside: the stream ended each time it was written", "partition", o.part, "entry", id)
		err = o.store.Dead(ctx, lease, QueueXMPP, id, DeadReason{Class: Permanent, Code: "stream-ended"})
	}
	if err != nil {
		o.log.Warn("end of the stream not counted", "partition", o.part, "entry", id, "err", err)
	}
}

// open unseals a batch. What belongs to an erased account has no key any more and goes in silence: that is the erasure. What
// its key does not open is a dead letter.
func (o *Outbox) open(ctx context.Context, lease Lease, entries []Entry) ([]Waiting, []Entry, error) {
	out, done := make([]Waiting, 0, len(entries)), make([]Entry, 0, len(entries))
	for _, e := range entries {
		plain, err := o.identity.Open(ctx, e)
		switch {
		case errors.Is(err, ErrSealed):
			o.metrics.deadLetter("outbox")
			o.log.Error("stanza not readable", "partition", o.part, "entry", e.ID)
			if err := o.store.Dead(ctx, lease, QueueXMPP, e.ID, DeadReason{Class: Permanent, Code: "unreadable"}); err != nil {
				return nil, nil, err
			}
			continue
		case errors.Is(err, ErrNoAccount):
			o.log.Info("stanza of an erased account dropped", "partition", o.part, "entry", e.ID)
		case err != nil:
			return nil, nil, err
		default:
			out = append(out, Waiting{Bytes: plain, At: e.At})
		}
		done = append(done, e)
	}
	return out, done, nil
}

func (o *Outbox) isSuspect(id EntryID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.suspect != "" && !o.suspect.Before(id)
}

func (o *Outbox) mark(id EntryID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.suspect.Before(id) {
		o.suspect = id
	}
}
