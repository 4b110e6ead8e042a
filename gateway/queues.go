package gateway

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// QueueState is how much waits in one place.
type QueueState struct {
	// Where is in (events), out (ops) or outbox (stanzas for the XMPP server).
	Where string
	// Adapter is set for outboxes alone: shards are shared by all adapters.
	Adapter AdapterID
	Entries int
	// Oldest is when the oldest of them was taken; zero when nothing waits.
	Oldest time.Time
}

// ParkedLanes is how many chats wait for the same thing in one direction.
type ParkedLanes struct {
	Where  string
	Reason ParkReason
	Lanes  int
	// Next is when the first of them is looked at again.
	Next time.Time
}

// Queues tells what waits in all partitions, whoever owns them: first both directions, then the outboxes by name; then the chats
// that are parked. What parked chats hold is not counted among the entries.
func (g *Gateway) Queues(ctx context.Context) ([]QueueState, []ParkedLanes, error) {
	sums := map[Queue]*QueueState{QueueIn: {Where: direction(QueueIn)}, QueueOut: {Where: direction(QueueOut)}}
	type crowd struct {
		where  string
		reason ParkReason
	}
	parked := map[crowd]*ParkedLanes{}
	for _, p := range AllShards() {
		for q, sum := range sums {
			n, oldest, err := g.store.Depth(ctx, p, q)
			if err != nil {
				return nil, nil, err
			}
			sum.add(n, oldest)
		}
		lanes, err := g.store.Parked(ctx, p)
		if err != nil {
			return nil, nil, err
		}
		for _, l := range lanes {
			c, until := crowd{direction(l.From), l.Reason}, l.Until.UTC().Truncate(time.Millisecond)
			if parked[c] == nil {
				parked[c] = &ParkedLanes{Where: c.where, Reason: c.reason, Next: until}
			}
			if parked[c].Lanes++; until.Before(parked[c].Next) {
				parked[c].Next = until
			}
		}
	}
	all := []QueueState{*sums[QueueIn], *sums[QueueOut]}
	for _, a := range slices.Sorted(maps.Keys(g.instances)) {
		b := QueueState{Where: "outbox", Adapter: a}
		n, oldest, err := g.store.Depth(ctx, OutboxPartition(a), QueueXMPP)
		if err != nil {
			return nil, nil, err
		}
		b.add(n, oldest)
		all = append(all, b)
	}
	crowds := make([]ParkedLanes, 0, len(parked))
	for _, c := range parked {
		crowds = append(crowds, *c)
	}
	slices.SortFunc(crowds, func(a, b ParkedLanes) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Reason, b.Reason))
	})
	return all, crowds, nil
}

func (b *QueueState) add(n int, oldest time.Time) {
	b.Entries += n
	if !oldest.IsZero() && (b.Oldest.IsZero() || oldest.Before(b.Oldest)) {
		b.Oldest = oldest
	}
}
