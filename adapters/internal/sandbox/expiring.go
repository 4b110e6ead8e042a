package sandbox

import "time"

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

// Len counts the entries, dead ones that nobody swept included.
func (e *Expiring[V]) Len() int { return len(e.entries) }

// Drop ends an entry before its time.
func (e *Expiring[V]) Drop(key string) {
	if got, ok := e.entries[key]; ok {
		got.until = time.Time{}
		e.entries[key] = got
	}
}
