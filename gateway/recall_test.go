package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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
	refuse atomic.Bool // nothing that is written is confirmed
	calm   bool        // and no stanza can have ended it
}

func (b *broken) Broke() time.Time { return b.end }

func (b *broken) Barrier(ctx context.Context) error {
	if b.refuse.Load() && b.discard() {
		if b.calm {
			return fmt.Errorf("stream ended: %w", gateway.ErrBlameless)
		}
		return errors.New("stream ended")
	}
	return b.wire.Barrier(ctx)
}

// What the server had just confirmed when the stream broke off goes once more, before anything else: it may have forgotten it.
func TestRecall(t *testing.T) {
	whole := func() *broken { return &broken{wire: new(wire)} }
	torn := func() *broken { return &broken{wire: new(wire), off: true} }
	dead := func() *broken {
		b := torn()
		b.refuse.Store(true)
		return b
	}
	calm := func() *broken {
		b := dead()
		b.calm = true
		return b
	}
	poisoned := func(line string) *broken {
		b := torn()
		b.broken = func(batch []string) bool { return slices.Contains(batch, line) }
		return b
	}
	numbered := func(what string, from, to int) (lines []string) {
		for n := from; n < to; n++ {
			lines = append(lines, fmt.Sprint(what, " ", n))
		}
		return lines
	}
	for name, c := range map[string]struct {
		streams []*broken // one after another; a line is put in before each of the last
		lines   []string  // which the first confirms just before it ends; nil: one
		open    bool      // the first ends with a line unconfirmed
		renew   string    // who takes the lease before it is taken anew for the last stream
		want    []string  // on the last stream
		dead    int       // letters
	}{
		"the stream breaks off":              {streams: []*broken{torn(), whole()}, want: []string{"new", "next 1"}},
		"the stream ends in order":           {streams: []*broken{whole(), whole()}, want: []string{"next 1"}},
		"the lease was lost in between":      {streams: []*broken{torn(), whole()}, renew: "nobody", want: []string{"new", "next 1"}},
		"another may have carried meanwhile": {streams: []*broken{torn(), whole()}, renew: "r2", want: []string{"next 1"}},
		"the next stream breaks off":         {streams: []*broken{torn(), torn(), whole()}, want: []string{"new", "next 1", "next 2"}},
		"the next stream does not live":      {streams: []*broken{torn(), dead(), whole()}, want: []string{"new", "next 1", "next 2"}},
		"it ended all that it was on":        {streams: []*broken{torn(), dead(), dead(), dead(), whole()}, want: numbered("next", 1, 5), dead: 1},
		"it ended some":                      {streams: []*broken{torn(), dead(), dead(), whole()}, want: append([]string{"new"}, numbered("next", 1, 4)...)},
		"the next ends in the middle of it": {
			streams: []*broken{torn(), poisoned("new 299"), whole()}, lines: numbered("new", 0, 300), want: append(numbered("new", 0, 300), numbered("next", 1, 3)...),
		},
		"one line of it ends each stream": {
			streams: []*broken{torn(), poisoned("new 1"), poisoned("new 1"), poisoned("new 1"), whole()}, lines: numbered("new", 0, 3),
			want: append([]string{"new 0", "new 2"}, numbered("next", 1, 5)...), dead: 1,
		},
		"a server that starts slowly":            {streams: []*broken{torn(), calm(), calm(), calm(), whole()}, want: []string{"new", "next 1", "next 2", "next 3", "next 4"}},
		"with a line under way":                  {streams: []*broken{torn(), whole()}, open: true, want: []string{"new", "open", "next 1"}},
		"with a line under way, and twice in it": {streams: []*broken{torn(), dead(), whole()}, open: true, want: []string{"new", "open", "next 1", "next 2"}},
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
				lines := c.lines
				if lines == nil {
					lines = []string{"new"}
				}
				release := hold()
				put("old")
				pump(c.streams[0], func() {
					gatewaytest.Advance(3 * time.Second)
					for _, line := range lines {
						put(line)
					}
					gatewaytest.Advance(1500 * time.Millisecond)
					if c.open {
						c.streams[0].refuse.Store(true)
						put("open")
						gatewaytest.Advance(100 * time.Millisecond)
					}
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
				if got := c.streams[0].all(); !slices.Equal(got, append([]string{"old"}, lines...)) {
					t.Errorf("the first stream: got %q", got)
				}
				if got := c.streams[last].all(); !slices.Equal(got, c.want) {
					t.Errorf("the last stream: got %q, want %q", got, c.want)
				}
				letters, err := r.store.ListDead(t.Context(), gateway.OutboxPartition(wall), "", 10)
				must(t, err)
				if len(letters) != c.dead {
					t.Errorf("got %d dead letters, want %d", len(letters), c.dead)
				}
			})
		})
	}
}
