package sandbox

import (
	"container/heap"
	"time"
)

// Lanes hold what waits to be posted to one receiver, in a lane for each key: one after the other in a lane, lanes in parallel. The zero
// value has none. A Load is what goes into one request.
type Lanes[Load any] struct {
	byKey map[string]*Lane[Load]
	due   laneQueue[Load]
	// Flying counts the requests that are on their way.
	Flying int
}

// Lane holds what has one key, in its order. With the fault parallel several of it fly at once.
type Lane[Load any] struct {
	Queue  []*Shipment[Load]
	Flying int
	key    string
	index  int // in the heap; -1 when it is not there
}

// Shipment is a Load on its way.
type Shipment[Load any] struct {
	Load      Load
	Attempt   int // how many there were
	NotBefore time.Time
	Replay    bool
}

// laneQueue is a heap of lanes by when their first shipment is due.
type laneQueue[Load any] []*Lane[Load]

func (q laneQueue[Load]) Len() int { return len(q) }
func (q laneQueue[Load]) Less(i, j int) bool {
	return q[i].Queue[0].NotBefore.Before(q[j].Queue[0].NotBefore)
}
func (q laneQueue[Load]) Swap(i, j int) { q[i], q[j] = q[j], q[i]; q[i].index, q[j].index = i, j }
func (q *laneQueue[Load]) Push(x any)   { l := x.(*Lane[Load]); l.index = len(*q); *q = append(*q, l) }

func (q *laneQueue[Load]) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	l.index = -1
	*q = old[:len(old)-1]
	return l
}

// Lane is that of a key, made when there is none. It has to be settled.
func (q *Lanes[Load]) Lane(key string) *Lane[Load] {
	l := q.byKey[key]
	if l == nil {
		l = &Lane[Load]{key: key, index: -1}
		if q.byKey == nil {
			q.byKey = map[string]*Lane[Load]{}
		}
		q.byKey[key] = l
	}
	return l
}

// Settle puts a lane, whose Queue or Flying changed, where it belongs: among those that are due when it has something to send and fewer
// than width on their way, or away when it is empty.
func (q *Lanes[Load]) Settle(l *Lane[Load], width int) {
	q.unlist(l)
	switch {
	case len(l.Queue) > 0 && l.Flying < max(width, 1):
		heap.Push(&q.due, l)
	case len(l.Queue) == 0 && l.Flying == 0:
		delete(q.byKey, l.key)
	}
}

func (q *Lanes[Load]) unlist(l *Lane[Load]) {
	if l.index >= 0 {
		heap.Remove(&q.due, l.index)
	}
}

// Each changes every lane and settles it. The change must not call other methods of q.
func (q *Lanes[Load]) Each(width int, change func(*Lane[Load])) {
	for _, l := range q.byKey {
		q.unlist(l) // before it changes: the heap's order hangs on the first shipment
		change(l)
		q.Settle(l, width)
	}
}

// Redeliver makes everything that waits due now.
func (q *Lanes[Load]) Redeliver(now time.Time, width int) {
	q.Each(width, func(l *Lane[Load]) {
		for _, ship := range l.Queue {
			ship.NotBefore = now
		}
	})
}

// First is the shipment that is due first; nil when nothing can be sent.
func (q *Lanes[Load]) First() *Shipment[Load] {
	if len(q.due) == 0 {
		return nil
	}
	return q.due[0].Queue[0]
}

// Next takes the lane of First off the list, to be settled after it was changed.
func (q *Lanes[Load]) Next() *Lane[Load] { return heap.Pop(&q.due).(*Lane[Load]) }

// Waiting counts the shipments that wait or are on their way.
func (q *Lanes[Load]) Waiting() int {
	n := q.Flying
	for _, l := range q.byKey {
		n += len(l.Queue)
	}
	return n
}

// Take removes the first shipment.
func (l *Lane[Load]) Take() *Shipment[Load] {
	ship := l.Queue[0]
	l.Queue[0] = nil
	l.Queue = l.Queue[1:]
	return ship
}

// Add puts something behind what waits.
func (l *Lane[Load]) Add(ship *Shipment[Load]) { l.Queue = append(l.Queue, ship) }

// Repeat puts a shipment that failed back to the front.
func (l *Lane[Load]) Repeat(ship *Shipment[Load], notBefore time.Time) {
	ship.Attempt++
	ship.NotBefore = notBefore
	l.Queue = append([]*Shipment[Load]{ship}, l.Queue...)
}
