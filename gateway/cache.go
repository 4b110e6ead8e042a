package gateway

import (
	"sync"
	"time"
)

// cache keeps up to max values for ttl each. When full it forgets one at random, so memory stays bounded; what is too old is
// forgotten when somebody asks for it.
type cache[K comparable, V any] struct {
	mu  sync.Mutex
	m   map[K]cached[V]
	max int
	ttl time.Duration
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
	if len(c.m) >= c.max {
		for old := range c.m { // map order is random enough
			delete(c.m, old)
			break
		}
	}
	c.m[k] = cached[V]{v, time.Now().Add(c.ttl)}
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
