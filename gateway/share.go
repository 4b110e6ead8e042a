package gateway

import (
	"context"
	"sync"
	"time"
)

// An account gets no more than a quarter of what all share, whatever it has to do.
const (
	shareOf   = 4
	readShare = readAhead / shareOf // entries of one queue that an owner holds of one account while others wait to be read
	// readBlocked is how long an owner reads nothing for want of room before who has more than their share steps back.
	readBlocked = time.Second
)

// shares hands out places to work in, so many to each account at most. Who waits is let in in order.
type shares struct {
	most int

	mu      sync.Mutex
	taken   map[AccountID]int
	waiting map[AccountID][]chan struct{}
}

func newShares(parallel int) *shares {
	return &shares{most: max(1, parallel/shareOf), taken: map[AccountID]int{}, waiting: map[AccountID][]chan struct{}{}}
}

// enter waits for a place; it reports false when ctx ended first. What belongs to no account has no share to keep to.
func (s *shares) enter(ctx context.Context, a AccountID) bool {
	if a == "" {
		return true
	}
	s.mu.Lock()
	if s.taken[a] < s.most {
		s.taken[a]++
		s.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	s.waiting[a] = append(s.waiting[a], mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	for i, c := range s.waiting[a] {
		if c == mine {
			s.waiting[a] = append(s.waiting[a][:i], s.waiting[a][i+1:]...)
			if len(s.waiting[a]) == 0 {
				delete(s.waiting, a)
			}
			s.mu.Unlock()
			return false
		}
	}
	s.mu.Unlock()
	s.leave(a) // the place came at the same moment
	return false
}

// leave gives a place to the next who waits for it.
func (s *shares) leave(a AccountID) {
	if a == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.waiting[a]; len(next) > 0 {
		close(next[0])
		if s.waiting[a] = next[1:]; len(next) == 1 {
			delete(s.waiting, a)
		}
		return
	}
	if s.taken[a]--; s.taken[a] == 0 {
		delete(s.taken, a)
	}
}

func (g *Gateway) sharesOf(q Queue) *shares {
	if q == QueueIn {
		return g.sharesIn
	}
	return g.sharesOut
}

// crowd is what an owner holds of one account in one direction.
type crowd struct {
	queue   Queue
	account AccountID
}

// joins counts an entry that was read. The caller holds o.mu, as of parts and full.
func (o *ownership) joins(l *lane, e Entry) { o.crowds[crowd{l.id.queue, e.Account}]++ }

// parts is the opposite of joins.
func (o *ownership) parts(l *lane, e Entry) {
	c := crowd{l.id.queue, e.Account}
	if o.crowds[c]--; o.crowds[c] <= 0 {
		delete(o.crowds, c)
	}
}

// full is called when there is no room to read a queue, or with false when there is. Where that lasts, the lanes of accounts that
// have more than their share step back before their next entry: what they hold goes to their park queues and makes room for others.
// Lanes that only have much to do, and do it, never come to this.
func (o *ownership) full(q Queue, is bool) {
	since := o.blocked[q]
	switch {
	case !is:
		delete(o.blocked, q)
		return
	case since.IsZero():
		o.blocked[q] = time.Now()
		return
	case time.Since(since) < readBlocked:
		return
	}
	for id, l := range o.byID {
		if id.queue == q && len(l.waiting) > 0 && o.crowds[crowd{q, l.waiting[0].Account}] > readShare {
			l.crowded = true
			tell(l.more)
		}
	}
}

// stepBack parks a lane that was told to make room, for as short as can be: before its next entry, or while it looks for one (gap.go). It
// reports whether it did.
func (o *ownership) stepBack(ctx context.Context, l *lane) bool {
	o.mu.Lock()
	crowded := l.crowded && len(l.waiting) > 0
	l.crowded = false
	o.mu.Unlock()
	if crowded {
		o.park(ctx, l, []*item{}, verdict{end: again, after: parkMinimum, why: ParkShare})
	}
	return crowded
}
