package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	announceTTL   = 10 * time.Second // how long others count on a replica that they do not hear of; less than a lease
	announceEvery = 3 * time.Second
	leasePoll     = time.Second // how often a lease is asked for that another replica holds; a signal is faster
)

// Topics of what replicas tell each other.
const (
	// SignalReplicas: a replica came, went, or carries something else now; the payload is its name.
	SignalReplicas = "replicas"
	// SignalReleased: a lease was given back; the payload is its partition.
	SignalReleased = "released"
)

// note is what a replica announces of itself.
type note struct {
	// Carries lists the components that it is configured for.
	Carries []Partition `json:"carries,omitempty"`
	// Declines lists those of them whose server it does not reach: somebody else carries them, if anybody can.
	Declines []Partition `json:"declines,omitempty"`
	// Schema is what of the store it knows, for who migrates it.
	Schema int `json:"schema,omitempty"`
}

// balance decides which partitions this replica should own. It only wishes: what a replica owns, its leases say. A replica
// that has not heard of another one wishes for everything, so that one alone never waits for anybody.
//
// A shard moves as soon as another replica should own it. A component moves only from a replica that holds more than its
// share, or does not reach the server: each move ends a stream, and the server tells its users that nobody is there meanwhile.
type balance struct {
	store   Store
	replica string
	outbox  []Partition // of the components that are configured here
	log     *slog.Logger
	metrics *Metrics

	mu       sync.Mutex
	known    map[string]note // every announced replica, this one among them; nil before the first answer
	owner    map[Partition]string
	most     int // components that a replica holds at most without giving one away
	held     map[Partition]bool
	declined map[Partition]bool
	away     map[Partition]time.Time // components whose server nobody reaches, since when
	back     func()                  // called when one is reached again
	retired  bool
	hints    map[Partition]chan struct{}
	renewed  chan struct{} // hints that the announcement has changed
}

func newBalance(g *Gateway) *balance {
	b := &balance{
		store: g.store, replica: g.cfg.Replica, log: g.log, metrics: g.metrics, held: map[Partition]bool{}, declined: map[Partition]bool{}, back: g.serverBack,
		hints: map[Partition]chan struct{}{}, renewed: make(chan struct{}, 1),
	}
	for id := range g.instances {
		b.outbox = append(b.outbox, OutboxPartition(id))
	}
	slices.Sort(b.outbox)
	return b
}

// run announces this replica and listens to the others until ctx ends.
func (b *balance) run(ctx context.Context) {
	signals, released := b.store.Subscribe(ctx, SignalReplicas), b.store.Subscribe(ctx, SignalReleased)
	defer b.retire(context.WithoutCancel(ctx))
	var said []byte
	failing := false
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		now, err := b.announce(ctx)
		if (err != nil) != failing && ctx.Err() == nil {
			failing = err != nil
			b.log.Warn("replica announced", "replica", b.replica, "failing", failing, "err", err)
		}
		if err == nil && string(said) != string(now) {
			said = now
			b.publish(ctx, SignalReplicas, b.replica)
		}
		for again := false; !again && ctx.Err() == nil; {
			select {
			case <-tick.C:
				again = true
			case <-b.renewed:
				again = true
			case who := <-signals:
				again = string(who) != b.replica
			case p := <-released:
				tell(b.hint(Partition(p)))
			case <-ctx.Done():
			}
		}
	}
}

// announce says that this replica works and takes in who else does.
func (b *balance) announce(ctx context.Context) (said []byte, err error) {
	b.mu.Lock()
	mine, retired := note{Carries: b.outbox, Declines: slices.Sorted(maps.Keys(b.declined)), Schema: SchemaVersion}, b.retired
	b.mu.Unlock()
	if retired {
		return nil, nil
	}
	if said, err = json.Marshal(mine); err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, announceEvery)
	defer cancel()
	all, err := b.store.Announce(call, b.replica, said, announceTTL)
	if err != nil {
		return nil, err
	}
	known := make(map[string]note, len(all))
	for r, raw := range all {
		var n note
		_ = json.Unmarshal(raw, &n) // of a version that says it in another way: it works all the same
		known[r] = n
	}
	if b.learn(known) {
		b.back()
	}
	return said, nil
}

// learn deals everything out anew. It reports whether the server of a component is reached again that nobody reached.
func (b *balance) learn(known map[string]note) (back bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.retired { // it has asked before it withdrew
		return false
	}
	if b.known != nil && maps.EqualFunc(b.known, known, func(a, b note) bool {
		return slices.Equal(a.Carries, b.Carries) && slices.Equal(a.Declines, b.Declines)
	}) {
		return false
	}
	if len(b.known) != len(known) {
		b.log.Info("replicas", "replica", b.replica, "working", len(known))
	}
	b.known = known
	b.metrics.replicas.Set(float64(len(known)))
	replicas := slices.Sorted(maps.Keys(known))
	b.owner = deal(AllShards(), replicas, func(Partition, string) bool { return true })
	var components []Partition
	able := map[Partition]bool{} // somebody carries it who does not decline
	for _, n := range known {
		for _, p := range n.Carries {
			if !slices.Contains(components, p) {
				components = append(components, p)
			}
			able[p] = able[p] || !slices.Contains(n.Declines, p)
		}
	}
	slices.Sort(components)
	maps.Copy(b.owner, deal(components, replicas, func(p Partition, r string) bool {
		return slices.Contains(known[r].Carries, p) && (!able[p] || !slices.Contains(known[r].Declines, p))
	}))
	b.most = (len(components) + len(replicas) - 1) / len(replicas)
	b.hintAll()
	return b.mind(components, able)
}

// alone reports whether no other replica is known to work. b.mu is held.
func (b *balance) alone() bool {
	_, self := b.known[b.replica]
	return len(b.known) == 0 || self && len(b.known) == 1
}

// elsewhere reports whether another replica can carry a component.
func (b *balance) elsewhere(p Partition) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r, n := range b.known {
		if r != b.replica && slices.Contains(n.Carries, p) && !slices.Contains(n.Declines, p) {
			return true
		}
	}
	return false
}

// wants reports whether this replica should try to get a partition.
func (b *balance) wants(p Partition) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mine(p)
}

func (b *balance) mine(p Partition) bool {
	if b.alone() {
		return true
	}
	return !b.retired && b.owner[p] == b.replica
}

// keeps reports whether this replica should go on owning a partition that it holds.
func (b *balance) keeps(p Partition) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mine(p) {
		return true
	}
	return !b.retired && b.held[p] && len(b.held) <= b.most && !b.declined[p]
}

// acquire takes a partition's lease as soon as it is free and this replica should have it. The error is that of ctx.
func (b *balance) acquire(ctx context.Context, p Partition) (*holding, error) {
	hint := b.hint(p)
	for ctx.Err() == nil {
		if b.wants(p) {
			l, err := b.store.Acquire(ctx, p, b.replica, leaseTTL)
			if err == nil {
				h := &holding{Lease: l, balance: b}
				h.until.Store(&l.Until)
				return h, nil
			}
			if !errors.Is(err, ErrHeld) && ctx.Err() == nil {
				b.log.Warn("lease not acquired", "partition", p, "err", err)
			}
		}
		wait(ctx, hint, jitter(leasePoll))
	}
	return nil, ctx.Err()
}

// surplus waits until another replica should own a partition that this one holds; it reports false when ctx ended first.
func (b *balance) surplus(ctx context.Context, p Partition) bool {
	hint := b.hint(p)
	for b.keeps(p) {
		select {
		case <-hint:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// holds notes that a component is held here, or not any more.
func (b *balance) holds(p Partition, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		b.held[p] = true
	} else {
		delete(b.held, p)
	}
	b.hintAll()
}

// carries reports whether a component is held here.
func (b *balance) carries(a AdapterID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held[OutboxPartition(a)]
}

// decline notes whether the server of a component is out of reach from here.
func (b *balance) decline(p Partition, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.declined[p] == on {
		return
	}
	if on {
		b.declined[p] = true
	} else {
		delete(b.declined, p)
	}
	tell(b.renewed)
}

// retire leaves everything to the other replicas, where there are any.
func (b *balance) retire(ctx context.Context) (others bool) {
	b.mu.Lock()
	others = !b.alone()
	if b.retired {
		b.mu.Unlock()
		return others
	}
	b.retired = true
	b.hintAll()
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := b.store.Withdraw(ctx, b.replica); err != nil {
		b.log.Warn("replica not withdrawn; its announcement runs out by itself", "replica", b.replica, "err", err)
	}
	b.publish(ctx, SignalReplicas, b.replica)
	return others
}

// publish tells the other replicas something that they find out by themselves otherwise, but later.
func (b *balance) publish(ctx context.Context, topic, what string) {
	if err := b.store.Publish(ctx, topic, []byte(what)); err != nil && ctx.Err() == nil {
		b.log.Warn("other replicas not told", "topic", topic, "err", err)
	}
}

// hint returns the channel that tells whoever waits for a partition, or holds it, to look again.
func (b *balance) hint(p Partition) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hints[p] == nil {
		b.hints[p] = make(chan struct{}, 1)
	}
	return b.hints[p]
}

// hintAll is hint for everybody. b.mu is held.
func (b *balance) hintAll() {
	for _, h := range b.hints {
		tell(h)
	}
}
