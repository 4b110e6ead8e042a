package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// blips is a store that fails where a test says so.
type blips struct {
	gateway.Store
	mu   sync.Mutex
	fail func(verb string, q gateway.Queue) bool
}

var errBlip = errors.New("blip")

func (b *blips) at(verb string, q gateway.Queue) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil && b.fail(verb, q) {
		return errBlip
	}
	return nil
}

func (b *blips) on(fail func(verb string, q gateway.Queue) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = fail
}

func (b *blips) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	if err := b.at("ingest", q); err != nil {
		return "", false, err
	}
	return b.Store.Ingest(ctx, p, q, e, o)
}

func (b *blips) Read(ctx context.Context, p gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) ([]gateway.Entry, error) {
	if err := b.at("read", q); err != nil {
		return nil, err
	}
	return b.Store.Read(ctx, p, q, after, n)
}

func (b *blips) ReadQueues(ctx context.Context, p gateway.Partition, from ...gateway.Cursor) ([][]gateway.Entry, error) {
	for _, c := range from {
		if err := b.at("read", c.Queue); err != nil {
			return nil, err
		}
	}
	return b.Store.ReadQueues(ctx, p, from...)
}

func (b *blips) Park(ctx context.Context, l gateway.Lease, q gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, why gateway.ParkReason) error {
	if err := b.at("park", q); err != nil {
		return err
	}
	if err := b.Store.Park(ctx, l, q, lane, ids, wait, why); err != nil {
		return err
	}
	return b.at("parked", q) // whose answer is lost
}

func (b *blips) Unpark(ctx context.Context, l gateway.Lease, q gateway.Queue, lane string) (bool, error) {
	if err := b.at("unpark", q); err != nil {
		return false, err
	}
	return b.Store.Unpark(ctx, l, q, lane)
}

func (b *blips) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	if err := b.at("load", ""); err != nil {
		return nil, err
	}
	return b.Store.Load(ctx, keys...)
}

func (b *blips) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	if err := b.at("finish", q); err != nil {
		return err
	}
	return b.Store.Finish(ctx, l, q, done, maps)
}

// Acquire counts as a blip that does not fail.
func (b *blips) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	_ = b.at("acquire", "")
	return b.Store.Acquire(ctx, p, replica, ttl)
}

// newBlipRig is a rig on a store that can fail.
func newBlipRig(t *testing.T, p *platform) (*rig, *blips) {
	t.Helper()
	r := newRig(t, p, gateway.Config{})
	r.stop()
	b := &blips{Store: r.store}
	r.store = b
	r.identity = gateway.NewIdentity(b, r.keys)
	r.start(gateway.Config{})
	return r, b
}

// once fails the nth call of a verb on a queue.
func once(verb string, q gateway.Queue, nth int) func(string, gateway.Queue) bool {
	n := 0
	return func(v string, on gateway.Queue) bool {
		if v != verb || on != q {
			return false
		}
		n++
		return n == nth
	}
}

func (r *rig) dead(p gateway.Partition) []gateway.DeadLetter {
	r.t.Helper()
	got, err := r.store.ListDead(r.t.Context(), p, "", 10)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

func TestFirstMessageSurvivesABlip(t *testing.T) {
	for nth := 1; nth <= 2; nth++ {
		synctest.Test(t, func(t *testing.T) {
			r, b := newBlipRig(t, &platform{caps: textCaps()})
			defer r.stop()
			b.on(once("ingest", gateway.QueueXMPP, nth))
			if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
				t.Fatal(err)
			}
			gatewaytest.Advance(10 * time.Second)
			got := texts(r.wire.lines())
			if len(got) != 2 || !strings.HasPrefix(got[0], "subscribe") || !strings.HasSuffix(got[1], `"hello"`) {
				t.Errorf("blip at %d: got %q, want a subscription request and the text", nth, got)
			}
		})
	}
}

func TestBlipIsNoDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newBlipRig(t, &platform{caps: textCaps()})
		defer r.stop()
		juliet := r.contact("juliet")
		r.stop()
		r.identity = gateway.NewIdentity(b, r.keys)
		lane := gateway.LaneKey{Adapter: wall, Local: juliet}
		r.start(gateway.Config{})
		r.mustAsk(juliet, "s1", "out")
		if err := r.event(said("juliet", "n1", "in", 0)); err != nil {
			t.Fatal(err)
		}
		r.identity.Forget(r.account.ID)
		b.on(func(verb string, _ gateway.Queue) bool { return verb == "load" })
		gatewaytest.Advance(2 * time.Second)
		b.on(nil)
		gatewaytest.Advance(10 * time.Second)
		if dead := r.dead(lane.Shard()); len(dead) != 0 {
			t.Errorf("got %d dead letters (%v), want none", len(dead), dead[0].Why)
		}
		diff(t, "sent", r.platform.taken(), []string{"juliet out"})
		if got := texts(r.wire.lines()); len(got) != 1 || !strings.HasSuffix(got[0], `"in"`) {
			t.Errorf("shown: got %q, want the message", got)
		}
	})
}

func TestBlipEndsNoStreamAndNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newBlipRig(t, &platform{caps: textCaps()})
		defer r.stop()
		juliet := r.contact("juliet")
		gatewaytest.Advance(time.Second)
		reads, leases := 0, 0
		down := true
		b.on(func(verb string, _ gateway.Queue) bool {
			switch verb {
			case "read":
				if reads++; reads > 5000 {
					down = false // it spins: let the test end
				}
				return down
			case "acquire":
				leases++
			}
			return false
		})
		gatewaytest.Advance(10 * time.Second)
		b.mu.Lock()
		down = false
		gotReads, gotLeases := reads, leases
		b.mu.Unlock()
		if gotReads > 2000 || gotLeases > 0 {
			t.Errorf("got %d reads and %d leases in 10 s, want a read a second and no new lease", gotReads, gotLeases)
		}
		r.mustAsk(juliet, "s1", "after")
		gatewaytest.Advance(3 * time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet after"})
	})
}

func TestConfirmedBatchIsNotWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newBlipRig(t, &platform{caps: textCaps()})
		defer r.stop()
		r.contact("juliet")
		b.on(once("finish", gateway.QueueXMPP, 1))
		if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(10 * time.Second)
		if got := texts(r.wire.lines()); len(got) != 1 {
			t.Errorf("got %q, want one message", got)
		}
	})
}

// A store that is silent refuses nobody: the gateway does, and what waits behind the first is not kept waiting as long, wherever the
// first has met the silence.
func TestSilentStoreIsRefused(t *testing.T) {
	for name, limits := range map[string][]gateway.Limit{
		"the op":          nil,
		"the user's turn": {{Scope: gateway.LimitUser, Every: time.Second, Burst: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				juliet := r.contact("juliet")
				r.stop()
				p := &puppet{Store: r.store}
				r.store, r.limits = silent{p}, limits
				r.start(gateway.Config{})
				defer r.stop()
				r.mustAsk(juliet, "s0", "heard")
				gatewaytest.Advance(time.Second)
				p.pause()
				defer p.wake()
				began := time.Now()
				for n := range 6 {
					var refusal *gateway.Refusal
					if err := r.ask(juliet, fmt.Sprint("lost", n), "not heard"); !errors.As(err, &refusal) || refusal.Condition != gateway.ResourceConstraint {
						t.Fatalf("got %v, want resource-constraint", err)
					}
				}
				if took := time.Since(began); took > 8*time.Second { // a stream lives as long when the last renewal is just due
					t.Errorf("six refusals took %s, want at most 8 s", took)
				}
			})
		})
	}
}

// silent is a puppet whose callers may give up waiting for it.
type silent struct{ *puppet }

func (s silent) hears(ctx context.Context) error {
	if c := s.woken.Load(); c != nil {
		select {
		case <-*c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s silent) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	if err := s.hears(ctx); err != nil {
		return "", false, err
	}
	return s.puppet.Ingest(ctx, p, q, e, o)
}

// TestOutageBehindBarrier: a store that is away for less than the lease lives neither ends the stream nor has anything written twice.
func TestOutageBehindBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newBlipRig(t, &platform{caps: textCaps()})
		defer func() { r.stop() }()
		r.contact("nurse")
		gatewaytest.Advance(2 * time.Second)
		var began time.Time
		b.on(func(verb string, q gateway.Queue) bool {
			if verb == "finish" && q == gateway.QueueXMPP && began.IsZero() {
				began = time.Now()
			}
			return !began.IsZero() && time.Since(began) < 7*time.Second
		})
		r.mustEvent(said("nurse", "n1", "one", 0))
		gatewaytest.Advance(20 * time.Second)
		if n := r.saw("one"); n != 1 {
			t.Errorf("written %d times, want once", n)
		}
	})
}

func (s silent) Take(ctx context.Context, a gateway.AdapterID, most time.Duration, b ...gateway.Bucket) (gateway.Taken, error) {
	if err := s.hears(ctx); err != nil {
		return gateway.Taken{}, err
	}
	return s.puppet.Take(ctx, a, most, b...)
}
