package gateway

import (
	"context"
	"hash/fnv"
	"sync"
	"time"
)

// handOverMost is how long a shard that goes to another replica is held for what is begun: then its lease runs out, and what is still under
// way finds that the next time it asks the store.
const handOverMost = 2 * time.Minute

// Run works until ctx ends: it owns what shards it can get and carries fleeting signals. Everything that it starts has
// stopped when it returns. The goroutines of the delivery path are all started in this file:
//
//	Run ── balance.run: announces this replica, hears of the others
//	    ├─ one per shard: shard.run ── one per owned shard: lease holder, reader, who sees that it is another replica's
//	    │                           └─ one of a crew per lane with work: ownership.work
//	    ├─ fleetingWorkers: typing towards platforms, and that something has arrived
//	    ├─ lookWorkers: how contacts look
//	    ├─ polls.carry: one per platform that is asked for its events, and one runner per account of it
//	    ├─ canary.carry: one per adapter that has one
//	    ├─ listen: account changes and wake-ups from other replicas
//	    ├─ orders.watch, heed: what the operator orders, and what follows from it here
//	    ├─ keepPulse: writes down when accounts last did something
//	    └─ survey, census: tell in metrics what waits here, and how accounts stand
func (g *Gateway) Run(ctx context.Context) {
	g.crew = newCrew()
	defer g.crew.dismiss()
	if !g.orders.learn(ctx) { // before anything is sent
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { g.balance.run(ctx) })
	for _, p := range AllShards() {
		wg.Go(func() { (&shard{g: g, part: p}).run(ctx) })
	}
	for _, q := range g.fleeting {
		wg.Go(func() { g.carryFleeting(ctx, q) })
	}
	for _, q := range g.looks {
		wg.Go(func() { g.carryLooks(ctx, q) })
	}
	for _, s := range g.polled {
		wg.Go(func() { s.carry(ctx) })
	}
	for _, c := range g.canaries {
		wg.Go(func() { c.carry(ctx) })
	}
	wg.Go(func() { g.listen(ctx) })
	wg.Go(func() { g.orders.watch(ctx) })
	wg.Go(func() { g.heed(ctx) })
	wg.Go(func() { g.survey(ctx) })
	wg.Go(func() { g.census(ctx) })
	wg.Go(func() { g.keepPulse(ctx) })
	wg.Wait()
	g.lastPulse(ctx)
}

// newQueues makes a queue for each of so many workers, which share the depth.
func newQueues[T any](workers, depth int) []chan T {
	queues := make([]chan T, workers)
	for i := range queues {
		queues[i] = make(chan T, depth/workers)
	}
	return queues
}

// enqueue hands v to a contact's worker, who keeps their order; false when the worker is behind.
func enqueue[T any](queues []chan T, a AccountID, alias Alias, v T) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(string(a) + "/" + string(alias))) // never fails
	select {
	case queues[h.Sum32()%uint32(len(queues))] <- v:
		return true
	default:
		return false
	}
}

// run owns the shard whenever it can.
func (s *shard) run(ctx context.Context) {
	for {
		held, err := s.g.balance.acquire(ctx, s.part)
		if err != nil {
			return
		}
		owned, lose := context.WithCancel(ctx)
		renew, stop := context.WithCancel(context.WithoutCancel(ctx)) // what is begun goes to its end under the lease
		patience, hurry := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			defer hurry()
			defer lose()
			held.keep(renew)
		})
		wg.Go(func() {
			if s.g.balance.surplus(owned, s.part) {
				lose() // what is begun goes to its end, then the lease is given back
			}
		})
		s.g.metrics.shards.Inc()
		o := s.own(held.Lease, lose)
		disown := s.g.own(s.part, owned.Done())
		o.read(withPatience(owned, patience))
		lose()
		bound := time.AfterFunc(handOverMost, stop)
		disown()
		o.lanes.Wait()
		bound.Stop()
		stop()
		wg.Wait()
		s.g.metrics.shards.Dec()
		held.giveBack(ctx)
		if !sleep(ctx, jitter(shardPoll)) { // what ended the ownership may last
			return
		}
	}
}

// start gives a lane a goroutine until it has no work. The caller holds o.mu.
func (o *ownership) start(ctx context.Context, l *lane) {
	l.active = true
	o.lanes.Add(1)
	o.g.crew.do(func() {
		defer o.lanes.Done()
		o.work(ctx, l)
	})
}

// listen forgets what other replicas changed and wakes what waits for it.
func (g *Gateway) listen(ctx context.Context) {
	changed, unparked, held := g.store.Subscribe(ctx, SignalAccounts), g.store.Subscribe(ctx, SignalUnpark), g.store.Subscribe(ctx, SignalHeld)
	for {
		select {
		case id := <-changed:
			g.identity.Forget(AccountID(id))
		case id := <-unparked:
			g.identity.Forget(AccountID(id)) // the other topic may come later
			g.replugged.Range(func(_, wake any) bool {
				if f, ok := wake.(func()); ok {
					f()
				}
				return true
			})
		case payload := <-held:
			g.heldElsewhere(payload)
		case <-ctx.Done():
			return
		}
	}
}
