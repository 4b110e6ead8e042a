package gateway

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// holds lists which of some keys have a value.
func (c *cache[K, V]) holds(keys ...K) (there []K) {
	for _, k := range keys {
		if _, ok := c.load(k); ok {
			there = append(there, k)
		}
	}
	return there
}

// When a cache is full the one that came first goes, and a key that comes and goes costs no other one's place.
func TestCacheOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string, int](4, time.Hour)
		want := func(what, want string) {
			t.Helper()
			if got := fmt.Sprint(c.holds("a", "b", "c", "d", "e", "f", "g")); got != want {
				t.Errorf("%s: got %s, want %s", what, got, want)
			}
		}
		for n, k := range []string{"a", "b", "c"} {
			c.store(k, n)
		}
		for n := range 100 {
			c.forget("d")
			c.store("d", n)
		}
		want("one of them toggled", "[a b c d]")
		c.store("e", 0)
		want("one too many", "[b c d e]")
		c.forget("c")
		c.store("f", 0)
		want("another one", "[d e f]")
		c.store("g", 0) // in the place that the forgotten one kept
		want("the forgotten one's turn", "[d e f g]")
		<-time.After(2 * time.Hour)
		want("their time is over", "[]")
		for range 100 {
			c.store("e", 1)
			c.forget("e")
		}
		c.store("f", 1)
		c.store("g", 1)
		c.store("a", 1)
		want("stored again", "[a f g]")
	})
}

// Whatever comes and goes, each key has one place, and there are no more than may be.
func TestCacheStaysBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		c := newCache[int, int](most, time.Minute)
		for range 10_000 {
			switch k := rand.N(3 * most); rand.N(4) {
			case 0:
				c.forget(k)
			case 1:
				<-time.After(time.Duration(rand.N(20)) * time.Second)
				c.load(k)
			default:
				c.store(k, k)
				if v, ok := c.load(k); !ok || v != k {
					t.Fatalf("got %d, %t for %d, which was just stored", v, ok, k)
				}
			}
			places := map[int]int{}
			for i, k := range c.came {
				places[k] = i
			}
			if len(places) != len(c.came) || len(places) > most {
				t.Fatalf("got %v in the ring, want each key once, and at most %d", c.came, most)
			}
			for k := range c.m {
				if _, ok := places[k]; !ok {
					t.Fatalf("got %d in the cache, which has no place in %v", k, c.came)
				}
			}
		}
	})
}
