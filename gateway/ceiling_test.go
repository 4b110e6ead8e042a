package gateway_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// stuck blocks one consumer until it is let go, and counts who waits in it.
type stuck struct {
	free chan struct{}
	in   *atomic.Int64
}

func (s stuck) wait(ctx context.Context) error {
	s.in.Add(1)
	defer s.in.Add(-1)
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stuckPlatform hangs in calls of every kind.
type stuckPlatform struct {
	*platform
	stuck
}

func (p stuckPlatform) Send(ctx context.Context, _ gateway.Credentials, _ gateway.Op) (gateway.Sent, error) {
	return gateway.Sent{}, p.wait(ctx)
}

func (p stuckPlatform) Fetch(ctx context.Context, _ gateway.Credentials, m gateway.Media) (io.ReadCloser, gateway.Media, error) {
	return nil, m, p.wait(ctx)
}

func (p stuckPlatform) Upload(ctx context.Context, _ gateway.Credentials, m gateway.Media, _ io.Reader) (gateway.Media, error) {
	return m, p.wait(ctx)
}

// waiting is a platform that takes nothing for an hour, so that chats park.
type waiting struct{ *platform }

func (waiting) Send(context.Context, gateway.Credentials, gateway.Op) (gateway.Sent, error) {
	return gateway.Sent{}, &gateway.SendError{Class: gateway.Retryable, RetryAfter: time.Hour}
}

// stuckFiles is where users' files lie and are put: it gives none and takes none.
type stuckFiles struct {
	*gatewaytest.Files
	stuck
}

func (f stuckFiles) Fetch(ctx context.Context, _ gateway.Media, _ int64) (gateway.File, error) {
	return nil, f.wait(ctx)
}

func (f stuckFiles) Publish(ctx context.Context, _ gateway.Recipient, _ gateway.File) (gateway.Published, error) {
	return gateway.Published{}, f.wait(ctx)
}

// stuckWire is a server that does not read.
type stuckWire struct{ stuck }

func (w stuckWire) Write(ctx context.Context, _ []gateway.Waiting) error { return w.wait(ctx) }
func (w stuckWire) Barrier(ctx context.Context) error                    { return w.wait(ctx) }
func (w stuckWire) Broke() time.Time                                     { return time.Time{} }

// forgetful is a server that takes everything.
type forgetful struct{}

func (forgetful) Write(context.Context, []gateway.Waiting) error { return nil }
func (forgetful) Barrier(context.Context) error                  { return nil }
func (forgetful) Broke() time.Time                               { return time.Time{} }

// stuckStore is a Redis that does not answer writes, nor questions. What then waits in the store itself is its own affair:
// redisstore.TestCallersWhoGiveUp.
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
	emitted  *atomic.Int64
}

var _ gateway.Poller = flooding{}

func (flooding) Polls() bool { return true }
func (p flooding) Run(ctx context.Context, _ gateway.Credentials, to gateway.Intake) error {
	for ctx.Err() == nil {
		n := int(p.emitted.Load())
		if err := to.Take(ctx, []gateway.Event{said(gateway.ContactID(fmt.Sprint("c", n%p.contacts)), fmt.Sprint("p", n), filler, 0)}); err != nil {
			return &gateway.SendError{Class: gateway.Retryable, Err: err}
		}
		if p.emitted.Add(1); n%50 == 0 && !sleepFor(ctx, 10*time.Millisecond) {
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

// ceiling is a consumer that is blocked while a producer pushes.
type ceiling struct {
	name  string
	block func(r *rig, s stuck) gateway.Wire
	push  func(r *rig, n int, chat gateway.Alias) error // nil: what runs pushes by itself
	hears bool                                          // somebody is there to hear a refusal
	most  int64                                         // how many may be in the consumer's hands at once; 0: that is not the case's affair
	// each is what one push would hold in memory without a bound, 1 KiB when 0; kept is what it holds for good reasons besides.
	each, kept int64
}

// may is how much more memory five thousand pushes may hold than before. Without the bound it is 5 MiB at least: twice as much.
func (c ceiling) may() int64 { return 2<<20 + 5000*c.kept }

const ceilingChats = 400

func ceilings() []ceiling {
	return []ceiling{
		{name: "platform", block: func(r *rig, s stuck) gateway.Wire {
			r.adapter = stuckPlatform{r.platform, s}
			return r.wire
		}, push: pushText, hears: true, most: 8},
		{name: "platform, parked", block: func(r *rig, _ stuck) gateway.Wire {
			r.adapter = waiting{r.platform}
			return r.wire
		}, push: pushText, hears: true},
		{name: "XMPP server, parked", block: func(r *rig, _ stuck) gateway.Wire {
			r.away = true
			return r.wire
		}, push: pushEvent, hears: true},
		{name: "XMPP server", block: func(_ *rig, s stuck) gateway.Wire { return stuckWire{s} }, push: pushEvent, hears: true, most: 1},
		{name: "Redis, asked", block: func(r *rig, s stuck) gateway.Wire {
			r.store = stuckStore{r.store, s}
			return r.wire
		}, push: pushText, hears: true},
		{name: "Redis, webhooks", block: func(r *rig, s stuck) gateway.Wire {
			r.store = stuckStore{r.store, s}
			return r.wire
		}, push: pushEvent, hears: true},
		{name: "files, from the platform", block: func(r *rig, s stuck) gateway.Wire {
			r.platform.caps.Levels[gateway.FeatureMedia] = gateway.Native
			r.adapter, r.files = stuckPlatform{r.platform, s}, &gatewaytest.Files{}
			return r.wire
		}, push: pushPicture, hears: true, most: 2},
		{name: "files, to users", block: func(r *rig, s stuck) gateway.Wire {
			p := newMediaPlatform()
			p.platform, p.held["cat"] = r.platform, gif
			r.platform.caps.Levels[gateway.FeatureMedia] = gateway.Native
			r.adapter, r.files = p, stuckFiles{&gatewaytest.Files{}, s}
			return r.wire
		}, push: pushPicture, hears: true, most: 2},
		{name: "files, from users", block: func(r *rig, s stuck) gateway.Wire {
			p := newMediaPlatform()
			p.platform = r.platform
			r.platform.caps.Levels[gateway.FeatureMedia] = gateway.Native
			r.adapter, r.files = p, stuckFiles{&gatewaytest.Files{}, s}
			return r.wire
		}, push: pushFile, hears: true, most: 2},
		{name: "files, to the platform", block: func(r *rig, s stuck) gateway.Wire {
			files := &gatewaytest.Files{}
			files.Host(cat, []byte(gif))
			r.platform.caps.Levels[gateway.FeatureMedia] = gateway.Native
			r.adapter, r.files = stuckPlatform{r.platform, s}, files
			return r.wire
		}, push: pushFile, hears: true, most: 2},
		{name: "typing", block: func(r *rig, s stuck) gateway.Wire {
			r.adapter = stuckPlatform{r.platform, s}
			r.platform.caps.Levels[gateway.FeatureTypingOut] = gateway.Native
			return r.wire
		}, push: func(r *rig, n int, chat gateway.Alias) error {
			out := gateway.Outbound{Adapter: wall, Alias: chat, User: romeo, Resource: fmt.Sprint(n) + filler, Op: gateway.Op{Body: gateway.OpTyping{On: true}}}
			return r.gw.Ask(r.t.Context(), out, nil)
		}, most: 8},
		{name: "looks", block: func(r *rig, s stuck) gateway.Wire {
			r.adapter, r.files = stuckPlatform{r.platform, s}, &gatewaytest.Files{}
			return forgetful{}
		}, push: func(r *rig, n int, _ gateway.Alias) error {
			ev, picture := said(chatter(n), fmt.Sprint("n", n), "", 0), fmt.Sprint(n)+strings.Repeat(filler, 4)
			ev.Body = gateway.ContactUpdate{Avatar: &picture}
			return receiveFor(r, ev)
		}, most: 2, each: 4 << 10, kept: 500}, // the store keeps two names of each event, for as long as it may come again
		{name: "polling", block: func(r *rig, s stuck) gateway.Wire {
			r.adapter = flooding{r.platform, ceilingChats, s.in}
			return stuckWire{stuck{s.free, new(atomic.Int64)}}
		}, most: 64*40 + 300 + 64},
	}
}

// TestCeilings blocks each consumer in turn while producers push: what the process holds comes to a standstill, and the producers hear
// of it, where there is anybody to hear. The store is in memory here, so that its own ceilings count as well.
func TestCeilings(t *testing.T) {
	cfg := gateway.Config{Parallel: 32, LaneMax: 20, ShardMax: 40, ParkedMax: 30, OutboxMax: 300, MediaParallel: 2, AskAfter: -1}
	for _, c := range ceilings() {
		t.Run(c.name, func(t *testing.T) {
			if each := cmp.Or(c.each, 1<<10); c.may() > 5000*each/2 {
				t.Fatalf("without a bound %d bytes are held, of which %d may be: this cannot fail", 5000*each, c.may())
			}
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &platform{caps: textCaps()}, gateway.Config{})
				r.stop()
				var aliases []gateway.Alias
				for n := range ceilingChats {
					aliases = append(aliases, r.contact(chatter(n)))
				}
				s := stuck{make(chan struct{}), new(atomic.Int64)}
				w := c.block(r, s)
				r.startOn(cfg, w)
				gatewaytest.Advance(100 * time.Millisecond)
				if r.away { // for longer than events go into the outbox all the same
					r.gw.Outbox(wall).Decline(true)
					gatewaytest.Advance(time.Minute)
				}
				push := func(from, many int) (refused int) {
					for n := from; n < from+many; n++ {
						if c.push != nil && c.push(r, n, aliases[n%ceilingChats]) != nil {
							refused++
						}
						if n%100 == 0 {
							gatewaytest.Advance(20 * time.Millisecond)
						}
					}
					return refused
				}
				push(0, 5000)
				was, held := measure()
				given := s.in.Load()
				refused := push(5000, 5000)
				now, holds := measure()
				if now > was+20 || now > 1500 {
					t.Errorf("%d goroutines, then %d, want no more", was, now)
				}
				if grown := int64(holds) - int64(held); grown > c.may() || holds > 120<<20 {
					t.Errorf("%d KiB, then %d, want no more: five thousand further pushes have %d", held>>10, holds>>10, 5000*cmp.Or(c.each, 1<<10)>>10)
				}
				if in := s.in.Load(); c.most > 0 && (given == 0 || in > given || in > c.most) {
					t.Errorf("%d in the consumer's hands, then %d, want some, no more and at most %d", given, in, c.most)
				}
				if c.hears && refused == 0 {
					t.Error("no push was refused, want the producers to hear")
				}
				t.Logf("%d goroutines, %d KiB, %d in hand; then %d, %d KiB, %d; %d of 5000 refused", was, held>>10, given, now, holds>>10, s.in.Load(), refused)
				close(s.free)
				r.stop()
			})
		})
	}
}

func chatter(n int) gateway.ContactID { return gateway.ContactID(fmt.Sprint("c", n%ceilingChats)) }

func pushText(r *rig, n int, chat gateway.Alias) error {
	return askFor(r, n, chat, gateway.PlainText(filler))
}

const cat = "https://up.example/cat.png"

func pushFile(r *rig, n int, chat gateway.Alias) error {
	return askFor(r, n, chat, gateway.Content{Parts: []gateway.Part{gateway.Media{Handle: cat, Name: "cat.png"}, gateway.Text{Text: filler}}})
}

// askFor asks within a moment, as a stanza's worker does.
func askFor(r *rig, n int, chat gateway.Alias, what gateway.Content) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	return r.gw.Ask(ctx, gateway.Outbound{
		Adapter: wall, Alias: chat, User: romeo, Stanza: gateway.StanzaID(fmt.Sprint("s", n)), Op: gateway.Op{Body: gateway.OpMessage{Content: what}},
	}, nil)
}

func pushEvent(r *rig, n int, _ gateway.Alias) error {
	return receiveFor(r, said(chatter(n), fmt.Sprint("n", n), filler, 0))
}

func pushPicture(r *rig, n int, _ gateway.Alias) error {
	ev := picture(fmt.Sprint("n", n), "cat", gateway.Text{Text: filler})
	ev.Chat.Contact, ev.From = chatter(n), chatter(n)
	return receiveFor(r, ev)
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
