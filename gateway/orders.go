package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	ownerOrders Owner = "orders"
	// orderStamp is the record that changes with every order, so that a replica reads all of them only then.
	orderStamp = "stamp"
	// SignalOrders is the topic on which a replica tells the others that there is another order.
	SignalOrders = "orders"
	// orderReview is how often a replica looks whether there is: a signal tells it at once, but may be lost.
	orderReview = 3 * time.Second
	// MaxBlocks is how many users and domains may be blocked at once: every replica holds them in memory.
	MaxBlocks = 10_000
)

// Orders are what the operator orders while the gateway runs: adapters that are stopped, users and domains that are blocked. They
// are kept in the store until they are taken back, and each replica knows them within seconds.
type Orders struct {
	store Store
	keys  *Keyring
	log   *slog.Logger
	now   atomic.Pointer[given]
	mu    sync.Mutex // of who reads them
}

// given is all that is ordered; another order makes another one.
type given struct {
	stamp  string
	stops  map[AdapterID]Stop
	blocks map[string]Block
	over   chan struct{} // closed when there is another order
}

// Stop is why an adapter is stopped: nothing goes out or comes in.
type Stop struct {
	Adapter AdapterID `json:"adapter"`
	// Reason is what users are told, in the operator's words.
	Reason string `json:"reason"`
	// By is who ordered it, as in the audit log.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Block lets a user, or all users of a domain, not use the gateway; Who is a bare JID or a domain.
type Block struct {
	Who    string    `json:"who"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// NewOrders returns the orders that a store holds; Review reads them.
func NewOrders(store Store, keys *Keyring, log *slog.Logger) *Orders {
	o := &Orders{store: store, keys: keys, log: cmp.Or(log, slog.New(slog.DiscardHandler))}
	o.now.Store(&given{over: make(chan struct{})})
	return o
}

// Stopped reports whether an adapter is stopped, and why.
func (o *Orders) Stopped(a AdapterID) (Stop, bool) {
	s, ok := o.now.Load().stops[a]
	return s, ok
}

// Blocked reports whether a user or their domain is blocked, and why.
func (o *Orders) Blocked(user UserID) (Block, bool) {
	blocks := o.now.Load().blocks
	if len(blocks) == 0 {
		return Block{}, false
	}
	if b, ok := blocks[string(user)]; ok {
		return b, true
	}
	_, domain, _ := strings.Cut(string(user), "@")
	b, ok := blocks[domain]
	return b, ok
}

// Blocks lists all blocks by name.
func (o *Orders) Blocks() []Block {
	blocks := o.now.Load().blocks
	return slices.SortedFunc(maps.Values(blocks), func(a, b Block) int { return cmp.Compare(a.Who, b.Who) })
}

// Before returns a policy that refuses who is blocked, and leaves the rest to another.
func (o *Orders) Before(p Policy) Policy { return blocking{o, p} }

type blocking struct {
	orders *Orders
	rest   Policy
}

// Terms implements Policy.
func (b blocking) Terms(ctx context.Context, user UserID, a AdapterID) Terms {
	if block, ok := b.orders.Blocked(user); ok {
		return Terms{Refused: true, Reason: block.Reason, By: ByBlock}
	}
	return b.rest.Terms(ctx, user, a)
}

// Stop stops an adapter; one that is stopped gets another reason.
func (o *Orders) Stop(ctx context.Context, s Stop) error {
	return o.give(ctx, RecordStop, string(s.Adapter), s)
}

// Start lets a stopped adapter go on. ErrNotFound for one that is not stopped.
func (o *Orders) Start(ctx context.Context, a AdapterID) error {
	return o.takeBack(ctx, RecordStop, string(a))
}

// Block blocks a user or a domain. ErrFull when there are MaxBlocks.
func (o *Orders) Block(ctx context.Context, b Block) error {
	if blocks := o.now.Load().blocks; len(blocks) >= MaxBlocks && blocks[b.Who].Who == "" {
		return ErrFull
	}
	return o.give(ctx, RecordBlock, b.Who, b)
}

// Unblock takes a block back. ErrNotFound for who is not blocked.
func (o *Orders) Unblock(ctx context.Context, who string) error {
	return o.takeBack(ctx, RecordBlock, who)
}

// orderPlace is the name of an order's record, and what it is sealed for.
func (o *Orders) orderPlace(kind RecordKind, about string) (name, place string) {
	name = o.keys.Name(string(kind), about)
	return name, "orders/" + string(kind) + "/" + name
}

func (o *Orders) give(ctx context.Context, kind RecordKind, about string, what any) error {
	plain, err := json.Marshal(what)
	if err != nil {
		return err
	}
	name, place := o.orderPlace(kind, about)
	return o.save(ctx, Change{Kind: kind, Name: name, Value: o.keys.operator.Seal(place, plain)})
}

func (o *Orders) takeBack(ctx context.Context, kind RecordKind, about string) error {
	name, _ := o.orderPlace(kind, about)
	got, err := o.store.Load(ctx, RecordKey{ownerOrders, kind, name})
	switch {
	case err != nil:
		return fmt.Errorf("gateway: orders: %w", err)
	case got[0] == nil:
		return ErrNotFound
	}
	return o.save(ctx, Change{Kind: kind, Name: name})
}

// save writes an order and tells everybody.
func (o *Orders) save(ctx context.Context, c Change) error {
	if err := o.store.Save(ctx, ownerOrders, c, Change{Kind: RecordStop, Name: orderStamp, Value: []byte(newULID())}); err != nil {
		return fmt.Errorf("gateway: orders: %w", err)
	}
	if err := o.store.Publish(ctx, SignalOrders, nil); err != nil {
		o.log.Warn("order not signalled", "err", err) // the others find it
	}
	return o.Review(ctx)
}

// Review reads the orders when there are others than are known.
func (o *Orders) Review(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	got, err := o.store.Load(ctx, RecordKey{ownerOrders, RecordStop, orderStamp})
	if err != nil {
		return fmt.Errorf("gateway: orders: %w", err)
	}
	was := o.now.Load()
	if string(got[0]) == was.stamp {
		return nil
	}
	next := &given{stamp: string(got[0]), stops: map[AdapterID]Stop{}, blocks: map[string]Block{}, over: make(chan struct{})}
	err = errors.Join(
		readOrders(ctx, o, RecordStop, func(s Stop) { next.stops[s.Adapter] = s }),
		readOrders(ctx, o, RecordBlock, func(b Block) { next.blocks[b.Who] = b }),
	)
	if err != nil {
		return err
	}
	o.now.Store(next)
	close(was.over)
	return nil
}

// readOrders calls f for each order of a kind.
func readOrders[T any](ctx context.Context, o *Orders, kind RecordKind, f func(T)) error {
	for cursor := ""; ; {
		page, next, err := o.store.List(ctx, ownerOrders, kind, cursor, 500)
		if err != nil {
			return fmt.Errorf("gateway: orders: %w", err)
		}
		for name, sealed := range page {
			if name == orderStamp {
				continue
			}
			var one T
			plain, err := o.keys.operator.Open("orders/"+string(kind)+"/"+name, sealed)
			if err == nil {
				err = json.Unmarshal(plain, &one)
			}
			if err != nil {
				return fmt.Errorf("gateway: orders: %w", err)
			}
			f(one)
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// learn reads the orders for the first time, however long that takes; false when ctx ends before.
func (o *Orders) learn(ctx context.Context) bool {
	for o.Review(ctx) != nil {
		if !sleep(ctx, jitter(shardPoll)) {
			return false
		}
	}
	return true
}

// watch keeps the orders up to date until ctx ends.
func (o *Orders) watch(ctx context.Context) {
	changed := o.store.Subscribe(ctx, SignalOrders)
	tick := time.NewTicker(orderReview)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := o.Review(ctx); err != nil && ctx.Err() == nil {
			o.log.Warn("orders not read, trying again", "err", err)
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
