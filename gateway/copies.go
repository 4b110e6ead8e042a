package gateway

import (
	"hash/maphash"
	"sync"
)

// copies is a cache of what the store holds. What was read before a change does not come back after it, however long the reader was on
// its way: whoever reads or writes takes a moment first, and what they bring counts only if nothing has changed since.
type copies[K comparable, V any] struct {
	cache   *cache[K, V]
	mu      sync.Mutex
	seed    maphash.Seed
	changes [4096]moment // by hash of the key: keys that share one cost each other a question to the store now and then, no more
}

// moment counts the changes so far.
type moment uint32

func newCopies[K comparable, V any](c *cache[K, V]) *copies[K, V] {
	return &copies[K, V]{cache: c, seed: maphash.MakeSeed()}
}

func (c *copies[K, V]) count(k K) *moment {
	return &c.changes[maphash.Comparable(c.seed, k)%uint64(len(c.changes))]
}

func (c *copies[K, V]) load(k K) (V, bool) { return c.cache.load(k) }

// now is to be taken before the store is asked or told.
func (c *copies[K, V]) now(k K) moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.count(k)
}

// read keeps what the store had at that moment or later.
func (c *copies[K, V]) read(k K, v V, since moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.count(k) == since {
		c.cache.store(k, v)
	}
}

// wrote keeps what the store was told since that moment; of two who told it nobody here knows who was last.
func (c *copies[K, V]) wrote(k K, v V, since moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.count(k)
	if *n == since {
		c.cache.store(k, v)
	} else {
		c.cache.forget(k)
	}
	*n++
}

// forget is for what somebody else changed, or may have.
func (c *copies[K, V]) forget(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.count(k)++
	c.cache.forget(k)
}
