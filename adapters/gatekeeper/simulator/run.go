package simulator

import (
	"context"
	"sync"
	"time"

	"postern/adapters/internal/sandbox"
)

// maxFlying is how many webhooks a partner is sent at once (GIA, Webhooks: max_parallel up to 8).
const maxFlying = 8

// staleTyping is the age after which a typing event is not worth sending.
const staleTyping = 10 * time.Second

// lane and shipment are those of a partner's events: a lane is a conversation.
type (
	lane     = sandbox.Lane[*event]
	shipment = sandbox.Shipment[*event]
)

func (s *Server) after(d time.Duration, do func()) {
	s.tasks.Add(s.cfg.Now().Add(d), do)
	s.nudge()
}

func (s *Server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run sends webhooks and lets personas act until ctx ends, then waits for what is in flight.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop.Do(func() {
		close(s.stopped)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropMedia()
	})
	sandbox.Loop(ctx, s.wake, func(flying *sync.WaitGroup) time.Duration { return s.step(ctx, flying) })
	return nil
}

// step starts all that is due and says how long nothing else will be.
func (s *Server) step(ctx context.Context, flying *sync.WaitGroup) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	next := time.Hour
	if d := s.tasks.RunDue(now); d > 0 {
		next = min(next, d)
	}
	for _, p := range s.partners {
		if d := s.launch(ctx, p, now, flying); d > 0 {
			next = min(next, d)
		}
	}
	return next
}

// launch sends the partner's due shipments as far as its parallelism allows and says when the next is due; 0 when something else
// will wake the loop.
func (s *Server) launch(ctx context.Context, p *partner, now time.Time, flying *sync.WaitGroup) time.Duration {
	for p.hook.active() && p.lanes.Flying < p.hook.parallel() && p.lanes.First() != nil {
		if d := p.lanes.First().NotBefore.Sub(now); d > 0 {
			return d
		}
		l := p.lanes.Next()
		ship := l.Take()
		a, gone := s.prepare(p, ship, now)
		if gone != "" {
			s.record(ship, delivered{Result: gone, At: now})
			s.settle(p, l)
			continue
		}
		l.Flying++
		p.lanes.Flying++
		s.settle(p, l)
		flying.Go(func() {
			outcome := s.send(ctx, a)
			s.landed(p, l, ship, outcome)
		})
	}
	return 0
}

// settle puts a lane where it belongs after it was changed.
func (s *Server) settle(p *partner, l *lane) { p.lanes.Settle(l, s.faults.WebhookParallel) }

// enqueue gives an event to its lane.
func (s *Server) enqueue(p *partner, e *event) {
	if !p.hook.wants(e.typ) {
		return
	}
	key := e.chat
	if key == "" {
		key = e.to
	}
	l := p.lanes.Lane(key)
	if len(l.Queue) >= s.cfg.Limits.Events { // the backlog has forgotten the oldest as well
		_ = l.Take()
	}
	l.Add(&shipment{Load: e, NotBefore: e.at})
	s.settle(p, l)
	s.nudge()
}

// reschedule makes everything that waits due now, as when an endpoint was set again.
func (s *Server) reschedule(p *partner) {
	p.lanes.Redeliver(s.cfg.Now(), s.faults.WebhookParallel)
	s.nudge()
}

// landed books the outcome of a delivery and decides about repeating it.
func (s *Server) landed(p *partner, l *lane, ship *shipment, out delivered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.Flying--
	p.lanes.Flying--
	s.record(ship, out)
	now := s.cfg.Now()
	switch {
	case out.taken():
		s.taken[ship.Load.typ]++
		if !ship.Replay && s.dice.Hit(s.faults.WebhookReplayRate) {
			l.Add(&shipment{Load: ship.Load, NotBefore: now, Replay: true})
		}
	case ship.Replay || !ship.Load.kept():
	default:
		if out.Result == "410" { // GIA, Webhooks: 410 disables the endpoint
			p.hook.disable(now)
		}
		l.Repeat(ship, now.Add(s.backoff(ship.Attempt+1)))
	}
	s.settle(p, l)
	s.touch()
	s.nudge()
}

// backoff doubles from RetryBase to RetryMax; the lower half is certain, the upper half is drawn.
func (s *Server) backoff(attempt int) time.Duration {
	d := s.cfg.RetryMax
	if attempt < 30 {
		d = min(s.cfg.RetryBase<<(attempt-1), s.cfg.RetryMax)
	}
	return d/2 + time.Duration(s.dice.Rand.Int64N(int64(d/2)+1))
}
