package gateway

import (
	"context"
	"errors"
	"time"
)

// startsMost is how often the process may end over an entry before the entry is a dead letter: the first time beside others, then alone.
const startsMost = 4

// suspectPause is how long a suspect waits for each time that the process ended over it alone, so that those who only stood beside are done
// first, and one that takes long, as a file does, is not taken for what ends a process again and again.
const suspectPause = 2 * time.Second

// found is an entry that a new owner found at the head of its lane: where the last owner died, it may have died of it. That is counted
// before the entry is tried, and forgotten as soon as a try has an end, whatever end. So an owner that comes and goes in order costs an
// entry nothing, and one that was never there when a process died costs no question.
//
// An entry that was there once when a process died becomes a suspect: suspects are tried one by one, over all shards, so that those who
// only stood beside the one that kills get through.
func (o *ownership) found(ctx context.Context, l *lane, q Queue, it *item) verdict {
	var v verdict
	if !it.suspect {
		v = o.once(ctx, l, q, it)
	}
	if it.suspect && it.found {
		if !sleep(ctx, time.Duration(it.starts-1)*suspectPause) {
			return verdict{end: stop}
		}
		select {
		case o.g.suspects <- struct{}{}:
			defer func() { <-o.g.suspects }()
		case <-ctx.Done():
			return verdict{end: stop}
		}
		v = o.once(ctx, l, q, it)
	}
	if v.end != done && !it.found {
		o.survived(ctx, q, it)
	}
	return v
}

// counted counts the start of an entry that was found, once it has its place to work in. A verdict ends the try before it began: a suspect's
// because its turn is another.
func (o *ownership) counted(ctx context.Context, q Queue, it *item) *verdict {
	most := 1
	if it.suspect {
		most = startsMost
	}
	before, err := o.g.store.Start(ctx, o.lease, q, it.ID, most)
	switch {
	case err != nil:
		if !errors.Is(err, ErrFenced) {
			o.survived(ctx, q, it) // it may be counted all the same
		}
		return new(o.storeFailed(ctx, err))
	case before < most:
		it.found = false
		return nil
	case !it.suspect:
		it.suspect, it.starts = true, before
		return &verdict{end: again, why: ParkRetry}
	}
	o.g.log.Error("entry set aside: the process ended each time it was worked on", "partition", o.part, "queue", direction(q), "entry", it.ID)
	return new(o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "kills"}))
}

// survived forgets the starts of an entry that is not done. Should that fail, the next owner counts one too many.
func (o *ownership) survived(ctx context.Context, q Queue, it *item) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := o.g.store.Survived(ctx, o.lease, q, it.ID); err != nil {
		o.g.log.Warn("end of a try not kept", "partition", o.part, "entry", it.ID, "err", err)
	}
}
