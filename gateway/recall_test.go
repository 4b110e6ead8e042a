package gateway_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// broken is a stream that breaks off, or does not.
type broken struct {
	*wire
	off    bool
	end    time.Time
	refuse bool // nothing that is written is confirmed
}

func (b *broken) Broke() time.Time { return b.end }

func (b *broken) Barrier(ctx context.Context) error {
	if b.refuse {
		b.discard()
		return errors.New("stream ended")
	}
	return b.wire.Barrier(ctx)
}

// What the server had just confirmed when the stream broke off goes once more, before anything else: it may have forgotten it.
func TestRecall(t *testing.T) {
	whole := func() *broken { return &broken{wire: new(wire)} }
	torn := func() *broken { return &broken{wire: new(wire), off: true} }
	dead := func() *broken { return &broken{wire: new(wire), off: true, refuse: true} }
	for name, c := range map[string]struct {
		streams []*broken // one after another; a line is put in before each of the last
		renew   string    // who takes the lease before it is taken anew for the last stream
		want    []string  // on the last stream
	}{
		"the stream breaks off":                    {[]*broken{torn(), whole()}, "", []string{"new", "next 1"}},
		"the stream ends in order":                 {[]*broken{whole(), whole()}, "", []string{"next 1"}},
		"the lease was lost in between":            {[]*broken{torn(), whole()}, "nobody", []string{"new", "next 1"}},
		"another may have carried meanwhile":       {[]*broken{torn(), whole()}, "r2", []string{"next 1"}},
		"what was written again is so once":        {[]*broken{torn(), torn(), whole()}, "", []string{"next 1", "next 2"}},
		"the next stream does not live":            {[]*broken{torn(), dead(), whole()}, "", []string{"new", "next 1", "next 2"}},
		"two do not":                               {[]*broken{torn(), dead(), dead(), whole()}, "", []string{"new", "next 1", "next 2", "next 3"}},
		"it may be what breaks them: three do not": {[]*broken{torn(), dead(), dead(), dead(), whole()}, "", []string{"next 1", "next 2", "next 3", "next 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.stop()
				out := r.gw.Outbox(wall)
				hold := func() (release func(bool)) {
					_, release, err := out.Acquire(t.Context())
					must(t, err)
					return release
				}
				put := func(line string) {
					e := r.identity.Seal(r.account, "l", gateway.EntryStanzas, []byte(line), time.Now())
					_, _, err := r.store.Ingest(t.Context(), gateway.OutboxPartition(wall), gateway.QueueXMPP, e, gateway.IngestOptions{})
					must(t, err)
				}
				// pump carries what there is until the stream ends.
				pump := func(w *broken, meanwhile func()) {
					ctx, end := context.WithCancel(t.Context())
					var wg sync.WaitGroup
					wg.Go(func() { _ = out.Pump(ctx, w) }) // it ends as the test wants it to
					meanwhile()
					if w.off {
						w.end = time.Now()
					}
					end()
					wg.Wait()
				}
				release := hold()
				put("old")
				pump(c.streams[0], func() {
					gatewaytest.Advance(3 * time.Second)
					put("new")
					gatewaytest.Advance(1500 * time.Millisecond)
				})
				last := len(c.streams) - 1
				for n, w := range c.streams[1:] {
					if c.renew != "" && n+1 == last {
						release(true)
						if c.renew != "nobody" {
							l, err := r.store.Acquire(t.Context(), gateway.OutboxPartition(wall), c.renew, time.Minute)
							must(t, err)
							must(t, r.store.Release(t.Context(), l))
						}
						release = hold()
					}
					put("next " + string(rune('1'+n)))
					pump(w, func() { gatewaytest.Advance(time.Second) })
				}
				release(true)
				if got := c.streams[0].all(); !slices.Equal(got, []string{"old", "new"}) {
					t.Errorf("the first stream: got %q", got)
				}
				if got := c.streams[last].all(); !slices.Equal(got, c.want) {
					t.Errorf("the last stream: got %q, want %q", got, c.want)
				}
			})
		})
	}
}
