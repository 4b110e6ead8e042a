package gateway

import (
	"context"
	"time"
)

// What this replica takes in for a shard that it owns goes to its lane from hand to hand, without being read back: two queries, an
// answer with the whole payload, its opening and a wake-up of the shard for each message. It is in the store first, like all else, and
// whoever owns the shard next finds it there.
//
// The order stays the store's. Only what is alone in its lane there is handed over, so that nothing of the lane can stand before it
// unread; what comes behind it while it is there is read as ever. And only an ownership that was there before the ingest began takes
// it: one that came later has read the entry itself, or somebody else has worked on it meanwhile.

// hand is the way to the owner of a shard, as IngestOptions.Hand; nil when that is not this replica.
func (g *Gateway) hand(p Partition, q Queue, it *item) func(EntryID) bool {
	v, _ := g.takers.Load(p)
	take, ok := v.(func(Queue, *item) bool)
	if !ok {
		return nil
	}
	it.At = it.At.UTC().Truncate(time.Millisecond) // as it would be read
	return func(id EntryID) bool {
		it.ID, it.queue = id, q
		return take(q, it)
	}
}

// take gives an entry that was just stored to its lane, unless it has to be read after all: when it was read already, when its lane
// is parked, or when there is no room.
func (o *ownership) take(ctx context.Context, q Queue, it *item) bool {
	id := laneID{q, it.Lane}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, parked := o.parked[id]; parked || o.over || !o.known[q] || o.pending[q] > readResume || !o.last[q].Before(it.ID) {
		return false
	}
	o.handed[q][it.ID] = false
	o.enqueue(ctx, id, it)
	return true
}

// takeNoMore ends the handing over: who waits for the lanes after it waits for all that were started.
func (o *ownership) takeNoMore() {
	o.g.takers.Delete(o.part)
	o.mu.Lock()
	o.over = true
	o.mu.Unlock()
}

// passed reports whether an entry that was read was handed over before. The caller holds o.mu, as of what follows.
func (o *ownership) passed(q Queue, id EntryID) bool {
	_, ok := o.handed[q][id]
	return ok
}

// beforeRead notes what is handed over before a queue is read: it will be in what is read, or is finished, as what reading has passed is.
func (o *ownership) beforeRead(q Queue) {
	for id := range o.handed[q] {
		if o.handed[q][id] = true; !o.last[q].Before(id) {
			delete(o.handed[q], id)
		}
	}
}

// afterRead forgets what was handed over before a queue was read to its end: no later read finds it again.
func (o *ownership) afterRead(q Queue) {
	for id, before := range o.handed[q] {
		if before {
			delete(o.handed[q], id)
		}
	}
}
