package gateway

import (
	"sync"
	"time"
)

// cache keeps up to max values for ttl each. When full it forgets the one that came first, so memory stays bounded; what is too old is
// forgotten when somebody asks for it.
type cache[K comparable, V any] struct {
	mu  sync.Mutex
	m   map[K]cached[V]
	max int
	ttl time.Duration
	// came are the keys of m as they came, each once, in a ring once there are max of them: next is the first of them then. One that
	// was forgotten stays in m without its value, and keeps its place until it is its turn.
	came []K
	next int
}

type cached[V any] struct {
	v     V
	until time.Time
	place int // in came
}

func newCache[K comparable, V any](max int, ttl time.Duration) *cache[K, V] {
	return &cache[K, V]{m: make(map[K]cached[V]), max: max, ttl: ttl}
}

func (c *cache[K, V]) load(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[k]
	if ok && time.Now().After(e.until) {
		c.clear(e)
		return v, false
	}
	return e.v, ok
}

func (c *cache[K, V]) store(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, had := c.m[k]
	if !had {
		e.place = c.enlist(k)
	}
	c.m[k] = cached[V]{v, time.Now().Add(c.ttl), e.place}
}

// enlist gives a new key its place, at the cost of the first one's when all are taken.
func (c *cache[K, V]) enlist(k K) int {
	if len(c.came) < c.max {
		c.came = append(c.came, k)
		return len(c.came) - 1
	}
	place := c.next
	delete(c.m, c.came[place])
	c.came[place] = k
	c.next = (c.next + 1) % c.max
	return place
}

// clear leaves a key its place alone, under the cache's own copy of it: what somebody asks by may be a part of a stanza.
func (c *cache[K, V]) clear(e cached[V]) { c.m[c.came[e.place]] = cached[V]{place: e.place} }

// keep stores v unless there is a value already, and returns the one that is there then.
func (c *cache[K, V]) keep(k K, v V) V {
	if had, ok := c.load(k); ok {
		return had
	}
	c.store(k, v)
	return v
}

func (c *cache[K, V]) forget(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, had := c.m[k]; had {
		c.clear(e)
	}
}
