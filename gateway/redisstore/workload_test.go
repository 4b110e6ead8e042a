//go:build servers

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"postern/gateway"
)

// workload ingests numbered entries into a partition, and works them off as an owner does, beside whatever happens to Redis.
type workload struct {
	t    *testing.T
	s    *Store
	part gateway.Partition
	stop context.CancelFunc // of the writer
	quit context.CancelFunc // of the worker
	wg   sync.WaitGroup

	mu    sync.Mutex
	taken int      // entries that count as taken
	seen  []string // in the order of first arrivals
	tries map[string]int
	lost  int // leases

	counted int // times that what is parked was compared with its number
}

func newWorkload(t *testing.T, s *Store, part gateway.Partition) *workload {
	w := &workload{t: t, s: s, part: part, tries: map[string]int{}}
	write, stop := context.WithCancel(t.Context())
	work, quit := context.WithCancel(t.Context())
	w.stop, w.quit = stop, quit
	w.wg.Go(func() { w.write(write) })
	w.wg.Go(func() { w.work(work) })
	t.Cleanup(func() {
		stop()
		quit()
		w.wg.Wait()
	})
	return w
}

// write ingests one entry after the other, each until it is taken.
func (w *workload) write(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprint(n)
		o := gateway.IngestOptions{Dedupe: name, DedupeFor: time.Hour}
		for ctx.Err() == nil {
			if _, _, err := w.s.Ingest(ctx, w.part, gateway.QueueIn, entry(name), o); err == nil {
				w.mu.Lock()
				w.taken++
				w.mu.Unlock()
				break
			}
			<-time.After(5 * time.Millisecond)
		}
		<-time.After(2 * time.Millisecond) // a few hundred a second
	}
}

// work owns the partition again and again.
func (w *workload) work(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := w.s.Acquire(ctx, w.part, "r1", time.Minute)
		if err == nil {
			err = w.own(ctx, l)
		}
		if errors.Is(err, gateway.ErrFenced) {
			w.mu.Lock()
			w.lost++
			w.mu.Unlock()
		}
		<-time.After(5 * time.Millisecond)
	}
}

// own works off what is parked, then reads from the beginning and works every entry off, until the lease is lost. Every other page it
// parks first.
func (w *workload) own(ctx context.Context, l gateway.Lease) error {
	lane := entry("").Lane
	park := gateway.ParkQueue(gateway.QueueIn, lane)
	if err := w.drain(ctx, l, park); err != nil {
		return err
	}
	var after gateway.EntryID
	for turn := 0; ctx.Err() == nil; turn++ {
		entries, err := w.s.Read(ctx, w.part, gateway.QueueIn, after, 16)
		if err != nil {
			return err
		}
		switch {
		case len(entries) == 0:
			<-time.After(time.Millisecond)
		case turn%2 == 0:
			err = w.workOff(ctx, l, gateway.QueueIn, entries)
			after = entries[len(entries)-1].ID
		default:
			var ids []gateway.EntryID
			for _, e := range entries {
				ids = append(ids, e.ID)
			}
			if err = w.s.Park(ctx, l, gateway.QueueIn, lane, ids, 0, gateway.ParkRetry); err == nil {
				w.counts(ctx, park)
				err = w.drain(ctx, l, park)
			}
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *workload) workOff(ctx context.Context, l gateway.Lease, q gateway.Queue, entries []gateway.Entry) error {
	for _, e := range entries {
		if _, err := w.s.Begin(ctx, l, q, e.ID, []gateway.MapEntry{{Lane: e.Lane, Field: "f" + string(e.Payload), Value: e.Payload}}); err != nil {
			return err
		}
		w.saw(string(e.Payload))
		if err := w.s.Finish(ctx, l, q, []gateway.Entry{e}, nil); err != nil {
			return err
		}
	}
	return nil
}

// drain works off what is parked.
func (w *workload) drain(ctx context.Context, l gateway.Lease, park gateway.Queue) error {
	for {
		entries, err := w.s.Read(ctx, w.part, park, "", 4)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := w.workOff(ctx, l, park, entries); err != nil {
			return err
		}
		w.counts(ctx, park)
	}
}

// counts compares the number of parked entries with what is parked: one lane, whose owner asks.
func (w *workload) counts(ctx context.Context, park gateway.Queue) {
	pipe := w.s.client.TxPipeline() // of one moment, also when Redis fails over
	held, n := pipe.Get(ctx, w.s.held(w.part, park)), pipe.XLen(ctx, w.s.stream(w.part, park))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return // the owner will see
	}
	if got, _ := held.Int64(); got != n.Val() {
		w.t.Errorf("%s: got %d entries that count as parked, want %d", w.part, got, n.Val())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counted++
}

func (w *workload) saw(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tries[name]++; w.tries[name] == 1 {
		w.seen = append(w.seen, name)
	}
}

func (w *workload) done() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// reach waits until so many entries were worked off.
func (w *workload) reach(n int) {
	w.t.Helper()
	eventually(w.t, fmt.Sprint(n, " entries worked off"), func() bool { return w.done() >= n })
}

// finish stops the writer and asserts that everything taken is worked off, in order, and nothing is left.
func (w *workload) finish() {
	w.t.Helper()
	w.stop()
	eventually(w.t, "end of the work", func() bool {
		for _, q := range []gateway.Queue{gateway.QueueIn, gateway.ParkQueue(gateway.QueueIn, entry("").Lane)} {
			if n, _, err := w.s.Depth(w.t.Context(), w.part, q); err != nil || n > 0 {
				return false
			}
		}
		return true
	})
	w.quit()
	w.wg.Wait()
	var want []string
	for n := range w.taken {
		want = append(want, fmt.Sprint(n))
	}
	again := 0
	for _, n := range w.tries {
		again += n - 1
	}
	w.t.Logf("%s: %d entries taken, %d worked off more than once, %d leases lost, parked ones counted %d times", w.part, w.taken, again, w.lost, w.counted)
	if w.counted == 0 {
		w.t.Errorf("%s: nothing was parked", w.part)
	}
	// The last one may have been stored without an answer.
	if got := w.seen; len(got) < w.taken || len(got) > w.taken+1 || !slices.Equal(got[:w.taken], want) {
		w.t.Errorf("%s: got %d entries worked off, want 0 to %d in order: %v", w.part, len(got), w.taken-1, got)
	}
}
