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
	// came are the keys as they came, in a ring once there are max of them: next is the first of them then. One that was forgotten
	// keeps its place until it is its turn.
	came []K
	next int
}

type cached[V any] struct {
	v     V
	until time.Time
}

func newCache[K comparable, V any](max int, ttl time.Duration) *cache[K, V] {
	return &cache[K, V]{m: make(map[K]cached[V]), max: max, ttl: ttl}
}

func (c *cache[K, V]) load(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[k]
	if ok && time.Now().After(e.until) {
		delete(c.m, k)
		return v, false
	}
	return e.v, ok
}

func (c *cache[K, V]) store(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, had := c.m[k]; !had {
		c.enlist(k)
	}
	c.m[k] = cached[V]{v, time.Now().Add(c.ttl)}
}

// enlist gives a new key its place, at the cost of the first one's when all are taken.
func (c *cache[K, V]) enlist(k K) {
	if len(c.came) < c.max {
		c.came = append(c.came, k)
		return
	}
	delete(c.m, c.came[c.next])
	c.came[c.next] = k
	c.next = (c.next + 1) % c.max
}

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
	delete(c.m, k)
}
