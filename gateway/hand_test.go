package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// slowHands is a store whose answers take their time: an ingest until it hands over, a read until it returns what it has found.
type slowHands struct {
	gateway.Store
	hand, read time.Duration
	found      atomic.Int64 // entries that reads have brought
	handed     atomic.Int64
}

func (s *slowHands) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	if hand := o.Hand; hand != nil {
		o.Hand = func(id gateway.EntryID) bool {
			if s.hand > 0 {
				<-time.After(s.hand)
			}
			took := hand(id)
			if took {
				s.handed.Add(1)
			}
			return took
		}
	}
	return s.Store.Ingest(ctx, p, q, e, o)
}

func (s *slowHands) ReadQueues(ctx context.Context, p gateway.Partition, from ...gateway.Cursor) ([][]gateway.Entry, error) {
	all, err := s.Store.ReadQueues(ctx, p, from...)
	for _, entries := range all {
		if s.found.Add(int64(len(entries))); len(entries) > 0 && s.read > 0 {
			<-time.After(s.read)
		}
	}
	return all, err
}

func (r *rig) onSlowHands(s *slowHands) {
	r.stop()
	s.Store = r.store
	r.store = s
	r.start(gateway.Config{})
	gatewaytest.Advance(time.Second) // the shards are owned, and read once
}

// TestFromHandToHand: what comes one by one is never read back, and comes in order all the same.
func TestFromHandToHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
		s := &slowHands{}
		r.onSlowHands(s)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		var want, heard []string
		for n := range 20 {
			r.mustAsk(juliet, fmt.Sprint("s", n), fmt.Sprint("line ", n))
			if err := r.event(said("juliet", fmt.Sprint("n", n), fmt.Sprint("answer ", n), 0)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			want, heard = append(want, fmt.Sprint("juliet line ", n)), append(heard, fmt.Sprintf(`"answer %d"`, n))
		}
		gatewaytest.Advance(5 * time.Second)
		diff(t, "sent", r.platform.taken(), want)
		var got []string
		for _, l := range texts(r.wire.lines()) {
			if at := strings.Index(l, `"answer`); at >= 0 {
				got = append(got, l[at:])
			}
		}
		diff(t, "shown", got, heard)
		if s.found.Load() > 0 || s.handed.Load() != 40 {
			t.Errorf("%d entries were handed over and %d read back, want 40 and none", s.handed.Load(), s.found.Load())
		}
	})
}

// TestHandedOverOnce: whichever of reading and handing over is late, an entry is worked on once.
func TestHandedOverOnce(t *testing.T) {
	for name, s := range map[string]*slowHands{
		"read first, and done before it is handed over": {hand: 1500 * time.Millisecond},
		"handed over, and done before the read is back": {hand: 1500 * time.Millisecond, read: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.onSlowHands(s)
				defer func() { r.stop() }()
				juliet := r.contact("juliet")
				r.mustAsk(juliet, "s1", "one")
				gatewaytest.Advance(20 * time.Second)
				r.mustAsk(juliet, "s2", "two")
				gatewaytest.Advance(20 * time.Second)
				diff(t, "sent", r.platform.taken(), []string{"juliet one", "juliet two"})
				if s.found.Load() == 0 {
					t.Error("nothing was read, and so nothing tested")
				}
			})
		})
	}
}

// TestHandedOverBehind: what is not alone in its lane waits its turn, also when it was taken in by somebody who is quicker.
func TestHandedOverBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		p := &platform{caps: textCaps(), send: func(op gateway.Op) (gateway.Sent, error) {
			if op.Body.(gateway.OpMessage).Content.Parts[0].(gateway.Text).Text == "one" {
				<-first
			}
			return gateway.Sent{}, nil
		}}
		r := newRig(t, p, gateway.Config{})
		s := &slowHands{read: time.Second}
		r.onSlowHands(s)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		r.mustAsk(juliet, "s1", "one") // handed over
		r.mustAsk(juliet, "s2", "two") // read
		synctest.Wait()
		close(first)
		gatewaytest.Advance(10 * time.Millisecond) // "two" is not read yet, though "one" is done
		r.mustAsk(juliet, "s3", "three")
		gatewaytest.Advance(5 * time.Second)
		diff(t, "sent", p.taken(), []string{"juliet one", "juliet two", "juliet three"})
		if s.handed.Load() != 1 {
			t.Errorf("%d entries were handed over, want 1", s.handed.Load())
		}
	})
}
