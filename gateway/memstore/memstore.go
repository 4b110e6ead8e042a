// Package memstore is the gateway.Store in memory: the reference that every other store is compared with, used by timer
// tests and for trying Postern out. It forgets everything when the process ends.
//
// It has no goroutine and no timer of its own: whatever runs out is compared with time.Now when it is looked at, so that
// it works under virtual time. What has run out is removed by the writes that follow.
package memstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"postern/gateway"
)

var _ gateway.Store = (*Store)(nil)

// Store implements gateway.Store. The zero value is not usable; call New.
type Store struct {
	kinds map[gateway.RecordKind]time.Duration // from gateway.RetentionTable, never written after New
	hints hub[struct{}]
	sigs  hub[[]byte]

	mu     sync.Mutex
	parts  map[gateway.Partition]*partition
	owners map[gateway.Owner]map[recordName]record
	levels expiring[bucketName, level]
	live   map[string]announcement
	ahead  time.Duration
}

// New returns an empty store.
func New() *Store {
	s := &Store{
		kinds:  map[gateway.RecordKind]time.Duration{},
		hints:  newHub[struct{}](),
		sigs:   newHub[[]byte](),
		parts:  map[gateway.Partition]*partition{},
		owners: map[gateway.Owner]map[recordName]record{},
		live:   map[string]announcement{},
	}
	for _, r := range gateway.RetentionTable() {
		s.kinds[r.Kind] = r.TTL
	}
	return s
}

// Ahead puts the store's own clock, by which parks end, ahead of its callers', as that of a machine of its own may be.
func (s *Store) Ahead(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = d
}

// Ready returns nil: memory takes writes.
func (s *Store) Ready(ctx context.Context) error { return failed("ready", ctx.Err()) }

// Close ends every Watch and Subscribe.
func (s *Store) Close() error {
	s.hints.close()
	s.sigs.close()
	return nil
}

// partition is what one replica owns at a time.
type partition struct {
	epoch  int64
	lease  gateway.Lease
	queues map[gateway.Queue]*queue
	lanes  map[laneName]int      // entries that a lane has queued and parked
	held   map[gateway.Queue]int // entries of a queue that are parked
	seen   expiring[string, gateway.EntryID]
	parked map[laneName]gateway.ParkedLane
	dead   *queue
	maps   map[mapBucket]map[string][]byte
}

// laneName names a lane in one direction: from is In, Out or Xmpp.
type laneName struct {
	from gateway.Queue
	lane string
}

// part returns a partition; s.mu is held.
func (s *Store) part(p gateway.Partition) *partition {
	pt := s.parts[p]
	if pt == nil {
		pt = &partition{
			queues: map[gateway.Queue]*queue{},
			lanes:  map[laneName]int{},
			held:   map[gateway.Queue]int{},
			seen:   expiring[string, gateway.EntryID]{},
			parked: map[laneName]gateway.ParkedLane{},
			dead:   &queue{},
			maps:   map[mapBucket]map[string][]byte{},
		}
		s.parts[p] = pt
	}
	return pt
}

// queue returns a queue of the partition, made on first use.
func (pt *partition) queue(q gateway.Queue) *queue {
	qu := pt.queues[q]
	if qu == nil {
		qu = &queue{}
		pt.queues[q] = qu
	}
	return qu
}

// count changes how many entries a lane has, and with it how many are parked where q is its park queue; a lane without entries is forgotten.
func (pt *partition) count(q gateway.Queue, lane string, by int) {
	if q.IsPark() {
		pt.held[q.Base()] += by
	}
	name := laneName{q.Base(), lane}
	pt.lanes[name] += by
	if pt.lanes[name] <= 0 {
		delete(pt.lanes, name)
	}
}

// failed names the verb that an error stopped; nil stays nil.
func failed(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("memstore: %s: %w", verb, err)
}

// expiring is a map whose entries run out. It is swept when it has doubled since the last sweep, so that a write costs
// O(1) on average and the map is never more than twice as large as what is still valid, plus a floor.
type expiring[K comparable, V any] struct {
	m     map[K]expiringValue[V]
	sweep int // the size at which to sweep next
}

type expiringValue[V any] struct {
	value V
	until time.Time
}

func (x *expiring[K, V]) load(k K) (V, bool) {
	v, ok := x.m[k]
	if !ok || !time.Now().Before(v.until) {
		var none V
		return none, false
	}
	return v.value, true
}

func (x *expiring[K, V]) store(k K, v V, ttl time.Duration) {
	const floor = 1024
	now := time.Now()
	if x.m == nil {
		x.m, x.sweep = map[K]expiringValue[V]{}, floor
	}
	if len(x.m) >= x.sweep {
		for k, v := range x.m {
			if !now.Before(v.until) {
				delete(x.m, k)
			}
		}
		x.sweep = max(floor, 2*len(x.m))
	}
	x.m[k] = expiringValue[V]{v, now.Add(ttl)}
}
