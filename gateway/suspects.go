package gateway

import (
	"context"
	"time"
)

// startsMost is how often the process may end over an entry before the entry is a dead letter: the first time beside others, then alone.
const startsMost = 4

// found is an entry that a new owner found at the head of its lane: where the last owner died, it may have died of it. That is counted
// before the entry is tried, and forgotten as soon as a try has an end, whatever end. So an owner that comes and goes in order costs an
// entry nothing, and one that was never there when a process died costs no question.
//
// An entry that was there once when a process died becomes a suspect: suspects are tried one by one, over all shards, so that those who
// only stood beside the one that kills get through.
func (o *ownership) found(ctx context.Context, l *lane, q Queue, it *item) verdict {
	before, err := o.g.store.Start(ctx, o.lease, q, it.ID, 1)
	if err == nil && before > 0 {
		select {
		case o.g.suspects <- struct{}{}:
			defer func() { <-o.g.suspects }()
		case <-ctx.Done():
			return verdict{end: stop}
		}
		before, err = o.g.store.Start(ctx, o.lease, q, it.ID, startsMost)
	}
	if err != nil {
		return o.storeFailed(ctx, err)
	}
	it.found = false
	if before >= startsMost {
		o.g.log.Error("entry set aside: the process ended each time it was worked on", "partition", o.part, "queue", direction(q), "entry", it.ID)
		return o.bury(ctx, q, it, DeadReason{Class: Permanent, Code: "kills"})
	}
	v := o.once(ctx, l, q, it)
	if v.end != done {
		o.survived(ctx, q, it)
	}
	return v
}

// survived forgets the starts of an entry that is not done. Should that fail, the next owner counts one too many.
func (o *ownership) survived(ctx context.Context, q Queue, it *item) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := o.g.store.Survived(ctx, o.lease, q, it.ID); err != nil {
		o.g.log.Warn("end of a try not kept", "partition", o.part, "entry", it.ID, "err", err)
	}
}
