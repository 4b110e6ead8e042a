package gateway

import (
	"context"
	"time"
)

// echoPatience is how long a first send of uncertain effect waits for the platform to tell of it, before it is made again. Each further one
// has twice the time: a platform whose answers are lost is late with what it tells as well.
const echoPatience = 20 * time.Second

// echoMost is how long it waits at most, and while the chat has something to work on that came in, which may be what tells of it.
const echoMost = 5 * time.Minute

// byEcho is the kind of field in an id map that holds what a platform told of one of our ops: its reference, with the suffix of a
// piece, to the platform's ids.
const byEcho = "e"

// echoedSend looks for the platform's echo of an op whose answer was lost. Until one has had its time to come, the op waits.
func (w *outWalk) echoedSend(ctx context.Context, op Op) (Sent, bool, *verdict) {
	id := string(op.ID)
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byEcho, id)
	if err != nil {
		return Sent{}, false, new(w.o.storeFailed(ctx, err))
	}
	if m, ok := got[id]; ok {
		at, err := w.o.lookup(ctx, w.account, w.entry.Lane, byEchoTime, id)
		if err != nil {
			return Sent{}, false, new(w.o.storeFailed(ctx, err))
		}
		return Sent{IDs: m.IDs, At: at[id].instant()}, true, nil
	}
	began := w.o.g.echoes.keep(id, time.Now())
	most := min(echoPatience<<min(max(w.unsure-1, 0), 4), echoMost)
	if w.carriedOf(op) == nil && w.o.busy(laneID{QueueIn, w.entry.Lane}) { // nobody fetches a file anew for each look
		most = echoMost
	}
	if left := time.Until(began.Add(most)); left > 0 {
		pause := min(max(time.Second, time.Since(began)/8), waitInLane)
		return Sent{}, false, &verdict{end: again, after: min(left, pause), why: ParkRetry, mine: w.turn, look: true}
	}
	return Sent{}, false, nil
}

// busy reports whether a lane has something to do, or stands still.
func (o *ownership) busy(id laneID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, parked := o.parked[id]
	return parked || o.byID[id] != nil
}

// noteEcho keeps what a status tells of one of our ops, for a send that never got its answer.
func (w *inWalk) noteEcho(b Status) {
	if b.Ref == "" || len(b.IDs) == 0 || b.State == StatusFailed {
		return
	}
	w.after = append(w.after, w.o.g.mapEntry(w.account, w.entry.Lane, byEcho, string(b.Ref), mapped{IDs: b.IDs}))
	if w.o.g.watermarks(w.in.Adapter) {
		w.after = append(w.after, w.o.g.mapEntry(w.account, w.entry.Lane, byEchoTime, string(b.Ref), instant(w.in.Event.At)))
	}
}

// watermarks reports whether a platform tells of delivery by times.
func (g *Gateway) watermarks(id AdapterID) bool {
	inst, ok := g.instance(id)
	return ok && inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}).Watermarks
}
