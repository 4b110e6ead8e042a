package sandbox

import (
	"iter"
	"slices"
	"time"
)

// Expiring is a map of bounded size whose entries end; the oldest entry gives way. The owner's lock guards it.
type Expiring[V any] struct {
	max     int
	entries map[string]expiringEntry[V]
	queue   []string // in order of insertion
}

type expiringEntry[V any] struct {
	value V
	until time.Time
}

// NewExpiring makes one of at most so many entries.
func NewExpiring[V any](size int) *Expiring[V] {
	return &Expiring[V]{max: size, entries: map[string]expiringEntry[V]{}}
}

// Get finds a living entry.
func (e *Expiring[V]) Get(key string, now time.Time) (V, bool) {
	got, ok := e.entries[key]
	if !ok || !now.Before(got.until) {
		var zero V
		return zero, false
	}
	return got.value, true
}

// Add stores an entry and reports false when a living one is there already.
func (e *Expiring[V]) Add(key string, value V, until, now time.Time) bool {
	old, there := e.entries[key]
	if there && now.Before(old.until) {
		return false
	}
	e.entries[key] = expiringEntry[V]{value, until}
	if there {
		return true
	}
	e.queue = append(e.queue, key)
	for len(e.queue) > e.max || (len(e.queue) > 0 && !now.Before(e.entries[e.queue[0]].until)) {
		delete(e.entries, e.queue[0])
		e.queue[0] = ""
		e.queue = e.queue[1:]
	}
	return true
}

// Until says when an entry ends; zero where there is none.
func (e *Expiring[V]) Until(key string) time.Time { return e.entries[key].until }

// Drop ends an entry.
func (e *Expiring[V]) Drop(key string) {
	delete(e.entries, key)
	e.queue = slices.DeleteFunc(e.queue, func(k string) bool { return k == key })
}

// All are the living entries, oldest first.
func (e *Expiring[V]) All(now time.Time) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Clone(e.queue) {
			if v, ok := e.Get(key, now); ok && !yield(key, v) {
				return
			}
		}
	}
}

// Len counts the entries, dead ones that nobody swept included.
func (e *Expiring[V]) Len() int { return len(e.entries) }
