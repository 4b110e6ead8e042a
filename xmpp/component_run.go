package xmpp

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"time"

	"postern/gateway"
)

// session is what lives as long as one stream.
type session struct {
	stream *stream
	wire   *wire
	pace   *pacer
	// hush ends all that is told besides the outbox, and waits until it has ended.
	hush func()
}

// Run keeps the component connected until ctx ends. It then says goodbye, ends
// the stream in order, takes everything that was still under way, and returns
// when all that it started has stopped.
func (c *Component) Run(ctx context.Context) {
	drain := cmp.Or(c.cfg.Drain, 15*time.Second)
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	streamCtx, endStream := context.WithCancel(context.WithoutCancel(ctx))
	defer endStream()
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-stopped:
			return
		}
		timer := time.AfterFunc(drain, abandon)
		defer timer.Stop()
		c.farewell(work, drain*2/3)
		endStream()
		<-stopped
	})
	wg.Go(func() { c.watchShares(ctx) })
	c.errands.run(work, func() {
		c.lookers.run(work, func() {
			c.healers.run(work, func() { c.connect(ctx, work, streamCtx) })
		})
	})
	close(stopped)
	wg.Wait()
}

// connect keeps a stream until streamCtx ends, and hands what comes over it to
// workers that stop when work does.
func (c *Component) connect(ctx, work, streamCtx context.Context) {
	d := dispatcher{handle: c.handle, log: c.log, count: c.count}
	d.run(work, func(take func(context.Context, *Element)) {
		v := supervisor{
			stream: streamConfig{
				domain: c.self.Domain(), server: c.cfg.Server, secret: c.cfg.Secret, dial: c.cfg.Dial, tls: c.cfg.TLS,
				maxBytes: c.cfg.MaxStanza, log: c.cfg.Log, count: c.count,
			},
			lease: &heldLease{outbox: c.outbox}, leaseTTL: cmp.Or(c.cfg.LeaseTTL, 15*time.Second),
			handle: c.opened(take), settle: d.settle, session: c.session(ctx), state: c.state, log: c.cfg.Log,
		}
		v.Run(streamCtx)
	})
}

// session works on one live stream: presence for everybody, what is said in
// passing, and the outbox. stop is the end of the process rather than of the
// stream.
func (c *Component) session(stop context.Context) func(context.Context, *stream) error {
	return func(ctx context.Context, s *stream) error {
		aside, quiet := context.WithCancel(ctx)
		var wg sync.WaitGroup
		live := &session{stream: s, wire: newWire(c, s), pace: newPacer(c.pace), hush: func() {
			quiet()
			wg.Wait()
		}}
		defer live.hush()
		c.clients.forget()
		wg.Go(func() {
			err := c.gw.Greet(aside, c.cfg.Adapter, func(g gateway.Rendering) error { return live.pace.await(aside, g) })
			if err != nil && aside.Err() == nil {
				c.log.Warn("not everybody was greeted", "error", err.Error())
			}
		})
		wg.Go(func() {
			err := c.gw.News(aside, c.cfg.Adapter, func(g gateway.Rendering) error { return live.pace.await(aside, g) })
			if err != nil && aside.Err() == nil {
				c.log.Warn("not everybody was told of an order", "error", err.Error())
			}
		})
		wg.Go(func() { c.passing(aside, live) })
		wg.Go(func() {
			live.pace.run(aside, c.page, func(ctx context.Context, n *paced) error { return c.tell(ctx, s, n) })
		})
		c.live.Store(live)
		close(*c.gate.Load())
		defer c.live.CompareAndSwap(live, nil)
		err := c.outbox.Pump(ctx, live.wire)
		if stop.Err() != nil {
			<-ctx.Done() // the stream goes on until farewell has been said
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
}

// opened holds the first stanzas of a stream back until there is somebody to
// write the answers.
func (c *Component) opened(take func(context.Context, *Element)) func(context.Context, *Element) {
	return func(ctx context.Context, el *Element) {
		if c.advertised(el) { // before anything that may go by it
			return
		}
		select {
		case <-*c.gate.Load():
		case <-ctx.Done():
		}
		take(ctx, el)
	}
}

// tell writes what has waited for its turn.
func (c *Component) tell(ctx context.Context, s *stream, n *paced) error {
	if n.raw != nil {
		return s.write(ctx, n.raw)
	}
	return c.present(ctx, s, n.g)
}

// present renders and writes what is told anew on every stream.
func (c *Component) present(ctx context.Context, s *stream, g gateway.Rendering) error {
	stanzas, err := c.render.Render(g)
	if err != nil {
		c.log.Error("not shown", "error", err.Error())
		return nil
	}
	for _, b := range stanzas {
		if err := s.write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// passing writes typing as it comes, and hands presence and contacts' news to
// the pacer.
func (c *Component) passing(ctx context.Context, live *session) {
	if c.cfg.Ephemeral == nil {
		return
	}
	stanzas := c.cfg.Ephemeral(ctx)
	for {
		select {
		case b, ok := <-stanzas:
			if !ok {
				return
			}
			if isNews(b) {
				if !live.pace.offerRaw(b) {
					c.count(eventPresenceDropped)
				}
			} else if live.stream.write(ctx, b) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// isNews tells what comes in crowds: presence, and contacts' news in headlines.
func isNews(stanza []byte) bool {
	head, _, _ := bytes.Cut(stanza, []byte(">"))
	return bytes.HasPrefix(head, []byte("<presence ")) || bytes.Contains(head, []byte("type='headline'"))
}

// farewellRate is how many stanzas a second a goodbye may take, above the pace
// of presence: together with what was told just before it stays below 200.
const farewellRate = 120

// farewell lets the open batch of the outbox be confirmed and tells everybody
// that the gateway goes, at a pace for as long as the budget allows one.
func (c *Component) farewell(ctx context.Context, budget time.Duration) {
	live := c.live.Load()
	if live == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	gentle := time.Now().Add(budget * 4 / 5)
	live.wire.stop(ctx)
	live.hush() // else somebody would be told hello after goodbye
	c.pace.SetLimit(farewellRate)
	err := c.gw.Farewell(ctx, c.cfg.Adapter, func(g gateway.Rendering) error {
		if time.Now().Before(gentle) {
			if err := c.pace.Wait(ctx); err != nil {
				return err
			}
		}
		return c.present(ctx, live.stream, g)
	})
	if err != nil {
		c.log.Warn("not everybody was told goodbye", "error", err.Error())
	}
}

func (c *Component) state(s linkState, err error) {
	c.privileges.Store(nil)
	if s == linkUp {
		gate := make(chan struct{})
		c.gate.Store(&gate)
		c.privileges.Store(newPrivileges())
		c.rosters.Store(newRosters())
	}
	if c.cfg.State != nil {
		c.cfg.State(string(s), err)
	}
}

func (c *Component) count(e wireEvent) {
	if c.cfg.Count != nil {
		c.cfg.Count(string(e))
	}
}

// heldLease makes the outbox's lease the supervisor's.
type heldLease struct {
	outbox  Outbox
	release func(free bool)
}

func (h *heldLease) Acquire(ctx context.Context) (<-chan struct{}, error) {
	lost, release, err := h.outbox.Acquire(ctx)
	h.release = release
	return lost, err
}

func (h *heldLease) Release(free bool) { h.release(free) }

func (h *heldLease) Decline(on bool) { h.outbox.Decline(on) }
