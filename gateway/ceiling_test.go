package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// stuck blocks one consumer until it is let go.
type stuck struct{ free chan struct{} }

func (s stuck) wait(ctx context.Context) error {
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stuckPlatform hangs in calls of every kind; it looks at contacts and keeps media as well.
type stuckPlatform struct {
	*platform
	stuck
}

func (p stuckPlatform) Send(ctx context.Context, _ gateway.Credentials, _ gateway.Op) (gateway.Sent, error) {
	return gateway.Sent{}, p.wait(ctx)
}

func (p stuckPlatform) Profile(ctx context.Context, _ gateway.Credentials, _ gateway.ContactID) (gateway.Profile, error) {
	return gateway.Profile{}, p.wait(ctx)
}

// waiting is a platform that takes nothing for an hour, so that chats park.
type waiting struct{ *platform }

func (waiting) Send(context.Context, gateway.Credentials, gateway.Op) (gateway.Sent, error) {
	return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, RetryAfter: time.Hour}
}

// stuckFetch is a platform whose files never come.
type stuckFetch struct {
	*mediaPlatform
}

// stuckWire is a server that does not read.
type stuckWire struct {
	stuck
	mu   sync.Mutex
	most int
}

func (w *stuckWire) Write(ctx context.Context, stanzas []gateway.Waiting) error {
	w.mu.Lock()
	w.most = max(w.most, len(stanzas))
	w.mu.Unlock()
	return w.wait(ctx)
}

func (w *stuckWire) Barrier(ctx context.Context) error { return w.wait(ctx) }

func (w *stuckWire) Broke() time.Time { return time.Time{} }

// forgetful is a server that takes everything.
type forgetful struct{}

func (forgetful) Write(context.Context, []gateway.Waiting) error { return nil }
func (forgetful) Barrier(context.Context) error                  { return nil }
func (forgetful) Broke() time.Time                               { return time.Time{} }

// stuckStore is a Redis that does not answer writes, nor questions.
type stuckStore struct {
	gateway.Store
	stuck
}

func (s stuckStore) Ingest(ctx context.Context, _ gateway.Partition, _ gateway.Queue, _ gateway.Entry, _ gateway.IngestOptions) (gateway.EntryID, bool, error) {
	return "", false, s.wait(ctx)
}

func (s stuckStore) Read(ctx context.Context, _ gateway.Partition, _ gateway.Queue, _ gateway.EntryID, _ int) ([]gateway.Entry, error) {
	return nil, s.wait(ctx)
}

// flooding is a Poller whose platform has no end of events.
type flooding struct {
	*platform
	contacts int
	emitted  *int
}

var _ gateway.Poller = flooding{}

func (flooding) Polls() bool { return true }
func (p flooding) Run(ctx context.Context, _ gateway.Credentials, to gateway.Intake) error {
	for ctx.Err() == nil {
		n := *p.emitted
		if err := to.Take(ctx, []gateway.Event{said(gateway.ContactID(fmt.Sprint("c", n%p.contacts)), fmt.Sprint("p", n), filler, 0)}); err != nil {
			return &gateway.SendError{Class: gateway.Retryable, Err: err}
		}
		if *p.emitted++; n%50 == 0 && !sleepFor(ctx, 10*time.Millisecond) {
			return nil
		}
	}
	return nil
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

var filler = strings.Repeat("x", 1024)

// measure returns what the process holds.
func measure() (goroutines int, heap uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// TestCeilings blocks each consumer in turn while producers push: what the process holds comes to a standstill, and the producers hear
// of it, where there is anybody to hear. The store is in memory here, so that its own ceilings count as well.
func TestCeilings(t *testing.T) {
	const chats = 400
	cfg := gateway.Config{Parallel: 32, LaneMax: 20, ShardMax: 40, ParkedMax: 30, OutboxMax: 300, MediaParallel: 2, AskAfter: -1}
	for _, tt := range []struct {
		name  string
		block func(r *rig, s stuck) gateway.Wire
		push  func(r *rig, n int, chat gateway.Alias) error // nil: what runs pushes by itself
		hears bool
	}{
		{"platform", func(r *rig, s stuck) gateway.Wire {
			r.adapter = stuckPlatform{r.platform, s}
			return r.wire
		}, pushText, true},
		{"platform, parked", func(r *rig, _ stuck) gateway.Wire {
			r.adapter = waiting{r.platform}
			return r.wire
		}, pushText, true},
		{"XMPP server, parked", func(r *rig, _ stuck) gateway.Wire {
			r.away = true
			return r.wire
		}, pushEvent, true},
		{"XMPP server", func(_ *rig, s stuck) gateway.Wire { return &stuckWire{stuck: s} }, pushEvent, true},
		{"Redis, asked", func(r *rig, s stuck) gateway.Wire {
			r.store = stuckStore{r.store, s}
			return r.wire
		}, pushText, true},
		{"Redis, webhooks", func(r *rig, s stuck) gateway.Wire {
			r.store = stuckStore{r.store, s}
			return r.wire
		}, pushEvent, true},
		{"media in", func(r *rig, s stuck) gateway.Wire {
			p := newMediaPlatform()
			p.platform, p.hold = r.platform, s.free
			r.platform.caps.Levels[gateway.FeatureMedia] = gateway.Native
			r.adapter, r.files = stuckFetch{p}, &gatewaytest.Files{}
			return r.wire
		}, func(r *rig, n int, _ gateway.Alias) error {
			ev := picture(fmt.Sprint("n", n), fmt.Sprint("h", n), gateway.Text{Text: filler})
			ev.Chat.Contact, ev.From = gateway.ContactID(fmt.Sprint("c", n%chats)), gateway.ContactID(fmt.Sprint("c", n%chats))
			return receiveFor(r, ev)
		}, true},
		{"typing", func(r *rig, s stuck) gateway.Wire {
			r.adapter = stuckPlatform{r.platform, s}
			r.platform.caps.Levels[gateway.FeatureTypingOut] = gateway.Native
			return r.wire
		}, func(r *rig, _ int, chat gateway.Alias) error {
			return r.gw.Ask(r.t.Context(), gateway.Outbound{Adapter: wall, Alias: chat, User: romeo, Op: gateway.Op{Body: gateway.OpTyping{On: true}}}, nil)
		}, false},
		{"looks", func(r *rig, s stuck) gateway.Wire {
			r.adapter = stuckPlatform{r.platform, s}
			return forgetful{}
		}, pushEvent, false},
		{"polling", func(r *rig, s stuck) gateway.Wire {
			r.adapter = flooding{r.platform, chats, new(int)}
			return &stuckWire{stuck: s}
		}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.stop()
				var aliases []gateway.Alias
				for n := range chats {
					aliases = append(aliases, r.contact(gateway.ContactID(fmt.Sprint("c", n))))
				}
				s := stuck{make(chan struct{})}
				w := tt.block(r, s)
				r.startOn(cfg, w)
				gatewaytest.Advance(100 * time.Millisecond)
				if r.away { // for longer than events go into the outbox all the same
					r.gw.Outbox(wall).Decline(true)
					gatewaytest.Advance(time.Minute)
				}
				refused := 0
				round := func(from int) {
					for n := from; n < from+2500; n++ {
						if tt.push != nil && tt.push(r, n, aliases[n%chats]) != nil {
							refused++
						}
						if n%100 == 0 {
							gatewaytest.Advance(20 * time.Millisecond)
						}
					}
				}
				round(0)
				round(2500)
				was, held := measure()
				refused = 0
				round(5000)
				round(7500)
				now, holds := measure()
				if now > was+20 || now > 1500 {
					t.Errorf("%d goroutines, then %d, want no more", was, now)
				}
				may := int64(2 << 20)
				if tt.name == "looks" { // nothing is refused there, and the store keeps two names of each event for as long as it may come again
					may += 5000 * 500
				}
				if grown := int64(holds) - int64(held); grown > may || holds > 120<<20 {
					t.Errorf("%d KiB, then %d, want no more: five thousand further pushes have 5 MiB", held>>10, holds>>10)
				}
				if tt.hears && refused == 0 {
					t.Error("no push was refused, want the producers to hear")
				}
				t.Logf("%d goroutines, %d KiB; then %d, %d KiB; %d of 5000 refused", was, held>>10, now, holds>>10, refused)
				close(s.free)
				r.stop()
			})
		})
	}
}

// pushText asks within a moment, as a stanza's worker does.
func pushText(r *rig, n int, chat gateway.Alias) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	return r.gw.Ask(ctx, gateway.Outbound{
		Adapter: wall, Alias: chat, User: romeo, Stanza: gateway.StanzaID(fmt.Sprint("s", n)), Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.PlainText(filler)}},
	}, nil)
}

func pushEvent(r *rig, n int, _ gateway.Alias) error {
	return receiveFor(r, said(gateway.ContactID(fmt.Sprint("c", n%400)), fmt.Sprint("n", n), filler, 0))
}

// receiveFor is a webhook whose platform does not wait long.
func receiveFor(r *rig, ev gateway.Event) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	r.platform.hook = func(gateway.Request) ([]gateway.Event, error) { return []gateway.Event{ev}, nil }
	err := r.gw.Receive(ctx, wall, gateway.Request{Header: map[string][]string{"Signature": {"good"}}})
	if errors.Is(err, gateway.ErrUnverified) {
		r.t.Fatal(err)
	}
	return err
}
