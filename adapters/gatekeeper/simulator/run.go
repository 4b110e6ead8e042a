package simulator

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// maxFlying is how many webhooks a partner is sent at once (GIA, Webhooks: max_parallel up to 8).
const maxFlying = 8

// staleTyping is the age after which a typing event is not worth sending.
const staleTyping = 10 * time.Second

// lane holds the events of one conversation in their order. With the parallel fault several of them fly at once.
type lane struct {
	key    string
	queue  []*shipment
	flying int
	index  int // in the heap; -1 when it is not there
}

// shipment is an event that has to reach the partner.
type shipment struct {
	event     *event
	attempt   int
	notBefore time.Time
	replay    bool
}

// laneQueue is a heap of lanes by when their first shipment is due.
type laneQueue []*lane

func (q laneQueue) Len() int { return len(q) }
func (q laneQueue) Less(i, j int) bool {
	return q[i].queue[0].notBefore.Before(q[j].queue[0].notBefore)
}
func (q laneQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i]; q[i].index, q[j].index = i, j }
func (q *laneQueue) Push(x any)   { l := x.(*lane); l.index = len(*q); *q = append(*q, l) }
func (q *laneQueue) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	l.index = -1
	*q = old[:len(old)-1]
	return l
}

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
	var flying sync.WaitGroup
	defer flying.Wait()
	defer s.stop.Do(func() {
		close(s.stopped)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropMedia()
	})
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := s.step(ctx, &flying)
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
	}
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
	for p.hook.active() && p.flying < p.hook.parallel() && len(p.due) > 0 {
		l := p.due[0]
		if d := l.queue[0].notBefore.Sub(now); d > 0 {
			return d
		}
		heap.Pop(&p.due) // before the queue changes: its order hangs on the first shipment
		ship := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		a, gone := s.prepare(p, ship, now)
		if gone != "" {
			s.record(ship, delivered{Result: gone, At: now})
			s.settle(p, l)
			continue
		}
		l.flying++
		p.flying++
		s.settle(p, l)
		flying.Go(func() {
			outcome := s.send(ctx, a)
			s.landed(p, l, ship, outcome)
		})
	}
	return 0
}

// settle puts a lane where it belongs: into the heap when it has something to send and room for it, or away when it is empty.
func (s *Server) settle(p *partner, l *lane) {
	width := max(s.faults.WebhookParallel, 1)
	if l.index >= 0 {
		heap.Remove(&p.due, l.index)
	}
	switch {
	case len(l.queue) > 0 && l.flying < width:
		heap.Push(&p.due, l)
	case len(l.queue) == 0 && l.flying == 0:
		delete(p.lanes, l.key)
	}
}

// enqueue gives an event to its lane.
func (s *Server) enqueue(p *partner, e *event) {
	if !p.hook.wants(e.typ) {
		return
	}
	key := e.chat
	if key == "" {
		key = e.to
	}
	l := p.lanes[key]
	if l == nil {
		l = &lane{key: key, index: -1}
		p.lanes[key] = l
	}
	if len(l.queue) >= s.cfg.Limits.Events { // the backlog has forgotten the oldest as well
		l.queue[0] = nil
		l.queue = l.queue[1:]
	}
	l.queue = append(l.queue, &shipment{event: e, notBefore: e.at})
	s.settle(p, l)
	s.nudge()
}

// reschedule makes everything that waits due now, as when an endpoint was set again.
func (s *Server) reschedule(p *partner) {
	now := s.cfg.Now()
	for _, l := range p.lanes {
		for _, ship := range l.queue {
			ship.notBefore = now
		}
		s.settle(p, l)
	}
	s.nudge()
}

// waiting counts the events that the partner has not taken yet.
func (p *partner) waiting() int {
	n := p.flying
	for _, l := range p.lanes {
		n += len(l.queue)
	}
	return n
}

// landed books the outcome of a delivery and decides about repeating it.
func (s *Server) landed(p *partner, l *lane, ship *shipment, out delivered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.flying--
	p.flying--
	s.record(ship, out)
	now := s.cfg.Now()
	switch {
	case out.taken():
		s.taken[ship.event.typ]++
		if !ship.replay && s.dice.Hit(s.faults.WebhookReplayRate) {
			l.queue = append(l.queue, &shipment{event: ship.event, notBefore: now, replay: true})
		}
	case ship.replay || !ship.event.kept():
	default:
		if out.Result == "410" { // GIA, Webhooks: 410 disables the endpoint
			p.hook.disable(now)
		}
		ship.attempt++
		ship.notBefore = now.Add(s.backoff(ship.attempt))
		l.queue = append([]*shipment{ship}, l.queue...)
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
