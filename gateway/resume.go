package gateway

import "context"

// A walk whose store fails is made anew, and what it has done is done once: names and fences see to that, except at the platform, which
// may know neither. So an owner remembers what it has sent, in a parked chat too; and once an op has its end, whichever, it is that end
// alone that is tried again, until the store has it. An entry that the store has ended, without its answer coming through, would look there
// as if nobody had begun it.

// sentKept is of how many ops, whose walk the store broke off, an owner remembers that they were sent.
const sentKept = 1000

// ends notes how an op ends, and ends it.
func (w *outWalk) ends(ctx context.Context, end func(ctx context.Context) *verdict) *verdict {
	w.end = end
	return end(ctx)
}

// resume goes on where an op has its end already.
func (w *outWalk) resume(ctx context.Context) verdict {
	w.resumed = true
	if v := w.end(ctx); v != nil {
		return *v
	}
	return w.finish(ctx)
}

// walkOf returns the walk of an entry: the last one's, where that has come to its end, or a new one.
func (o *ownership) walkOf(ctx context.Context, q Queue, it *item) (*outWalk, error) {
	if w := it.ended; w != nil {
		return w, nil
	}
	w := &outWalk{o: o, q: q, entry: it.Entry, turn: it.turn, due: it.due, looked: it.looked, unsure: it.unsure}
	if it.out != nil { // stages write into it: a second try has one of its own
		w.out, it.out = *it.out, nil
		return w, nil
	}
	var err error
	w.out, err = openEntry[Outbound](ctx, o.g.identity, it.Entry)
	return w, err
}

// leave keeps for the next try what this one knows, also when it panics.
func (w *outWalk) leave(it *item, v *verdict) {
	it.ended = nil
	switch {
	case v != nil && v.end == again && v.store && w.end != nil:
		it.ended = w
	case v == nil || v.end == again:
		for id, sent := range w.sent {
			w.o.sent.store(id, sent)
		}
	}
}

// wasSent returns what became of an op that this process knows to be with the platform.
func (w *outWalk) wasSent(id OpID) (Sent, bool) {
	if sent, ok := w.sent[id]; ok {
		return sent, true
	}
	return w.o.sent.load(id)
}
