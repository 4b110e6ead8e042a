package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// faulty is a stream that ends as a test says: before anything is written, or with what was.
type faulty struct {
	gateway.Wire
	batch []gateway.Waiting
	end   func(batch []gateway.Waiting) error
}

func (f *faulty) Write(ctx context.Context, stanzas []gateway.Waiting) error {
	f.batch = stanzas
	return f.Wire.Write(ctx, stanzas)
}

func (f *faulty) Barrier(ctx context.Context) error {
	batch := f.batch
	f.batch = nil
	if err := f.end(batch); err != nil {
		f.Wire.(*wire).discard()
		return err
	}
	return f.Wire.Barrier(ctx)
}

// A server that stops, or does not answer at all, is not the fault of what was under way.
func TestInnocentStanzasSurviveBadServers(t *testing.T) {
	lost := errors.New("stream ended")
	for name, end := range map[string]func(n int, batch []gateway.Waiting) error{
		"restarts": func(n int, _ []gateway.Waiting) error {
			if n < 12 {
				return fmt.Errorf("%w: shut down", gateway.ErrBlameless)
			}
			return nil
		},
		"silent": func(n int, _ []gateway.Waiting) error {
			if n < 12 {
				return lost
			}
			return nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
			r.stop()
			n := -1
			w := &faulty{Wire: r.wire, end: func(batch []gateway.Waiting) error { n++; return end(n, batch) }}
			r.carry(w)
			defer func() { r.stop() }()
			for i := range 3 {
				if err := r.event(said("juliet", fmt.Sprint("n", i), fmt.Sprint(i), 0)); err != nil {
					t.Fatal(err)
				}
			}
			gatewaytest.Advance(time.Minute)
			if got := texts(r.wire.lines()); len(got) != 4 {
				t.Errorf("%s: got %q, want a request and three messages", name, got)
			}
			if dead := r.dead(gateway.OutboxPartition(wall)); len(dead) != 0 {
				t.Errorf("%s: got %d dead letters, want none", name, len(dead))
			}
		})
	}
}

// A lease that somebody else has taken is lost as soon as it shows, so that nobody connects on it again.
func TestFencedOutboxDropsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		e := r.identity.Seal(r.account, "l", gateway.EntryStanzas, []byte("hello"), time.Now())
		if _, _, err := r.store.Ingest(t.Context(), gateway.OutboxPartition(wall), gateway.QueueXMPP, e, gateway.IngestOptions{}); err != nil {
			t.Fatal(err)
		}
		out := r.gw.Outbox(wall)
		lost, release, err := out.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release(true)
		other, err := r.store.Acquire(t.Context(), gateway.OutboxPartition(wall), "r1", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.store.Release(t.Context(), other) }()
		if err := out.Pump(t.Context(), r.wire); !errors.Is(err, gateway.ErrFenced) {
			t.Fatalf("got %v, want fenced", err)
		}
		synctest.Wait()
		select {
		case <-lost:
		default:
			t.Error("the lease is still held")
		}
	})
}

// relapsed is a store that forgets the first end of an entry of a queue, as a Redis whose replica took over too early.
type relapsed struct {
	gateway.Store
	queue  gateway.Queue
	forgot atomic.Bool
}

func (s *relapsed) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	if q == s.queue && s.forgot.CompareAndSwap(false, true) {
		return nil
	}
	return s.Store.Finish(ctx, l, q, done, maps)
}

// What is in the queue again after it was finished is carried again, and does not stay there until the next owner comes.
func TestOutboxFindsWhatAFailoverBroughtBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		s := &relapsed{Store: r.store, queue: gateway.QueueXMPP}
		r.store = s
		r.carry(r.wire)
		defer func() { r.stop() }()
		if err := r.event(said("juliet", "n1", "once", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(5 * time.Second)
		if !s.forgot.Load() {
			t.Fatal("nothing was finished")
		}
		n, _, err := r.store.Depth(t.Context(), gateway.OutboxPartition(wall), gateway.QueueXMPP)
		if err != nil || n != 0 {
			t.Errorf("left in the queue: got %d and error %v, want none", n, err)
		}
	})
}

// The same in a shard: nothing stays in a queue that nobody works on.
func TestShardFindsWhatAFailoverBroughtBack(t *testing.T) {
	for _, q := range []gateway.Queue{gateway.QueueIn, gateway.QueueOut} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
			r.stop()
			s := &relapsed{Store: r.store, queue: q}
			r.store = s
			r.carry(r.wire)
			defer func() { r.stop() }()
			if err := r.event(said("juliet", "n1", "once", 0)); err != nil {
				t.Fatal(err)
			}
			r.mustAsk(r.contact("juliet"), "s1", "once")
			gatewaytest.Advance(2 * time.Minute)
			if !s.forgot.Load() {
				t.Fatal("nothing was finished")
			}
			for _, p := range gateway.AllShards() {
				if n, _, err := r.store.Depth(t.Context(), p, q); err != nil || n != 0 {
					t.Errorf("%s left in %s: got %d and error %v, want none", q, p, n, err)
				}
			}
		})
	}
}

// An entry that its key does not open is kept for the operator, not dropped.
func TestUnreadableStanzaIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		defer r.stop()
		part := gateway.OutboxPartition(wall)
		e := gateway.Entry{Lane: "l", Kind: gateway.EntryStanzas, Account: r.account.ID, Payload: []byte("damaged"), At: time.Now()}
		if _, _, err := r.store.Ingest(t.Context(), part, gateway.QueueXMPP, e, gateway.IngestOptions{}); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(2 * time.Second)
		if dead := r.dead(part); len(dead) != 1 || dead[0].Why.Code != "unreadable" {
			t.Errorf("got %v, want one unreadable dead letter", dead)
		}
	})
}

// slowEnd is a store that takes a second to record the end of a batch, in which it can be read.
type slowEnd struct {
	gateway.Store
	ending, read atomic.Bool
}

func (s *slowEnd) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	if q == gateway.QueueXMPP {
		s.ending.Store(true)
		defer s.ending.Store(false)
		<-time.After(time.Second)
	}
	return s.Store.Finish(ctx, l, q, done, maps)
}

func (s *slowEnd) Read(ctx context.Context, p gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) ([]gateway.Entry, error) {
	<-time.After(time.Millisecond)
	if s.ending.Load() {
		s.read.Store(true)
	}
	return s.Store.Read(ctx, p, q, after, n)
}

// While the end of a batch is recorded the next one is read, and not written: an owner that was fenced would learn it too late.
func TestOutboxReadsAheadAndWritesAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		r.stop()
		s := &slowEnd{Store: r.store}
		r.store = s
		w := &faulty{Wire: r.wire, end: func([]gateway.Waiting) error {
			if s.ending.Load() {
				t.Error("a batch was written before the end of the one before was recorded")
			}
			return nil
		}}
		r.carry(w)
		defer func() { r.stop() }()
		for i := range 3 {
			if err := r.event(said("juliet", fmt.Sprint("n", i), fmt.Sprint(i), 0)); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(300 * time.Millisecond)
		}
		gatewaytest.Advance(10 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 4 || !s.read.Load() {
			t.Errorf("got %q, read meanwhile %v, want a request, three messages, and true", got, s.read.Load())
		}
	})
}
