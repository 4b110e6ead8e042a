package xmpp

import (
	"sync"
	"time"

	"postern/gateway"
)

const (
	typingEvery = 5 * time.Second  // between two notices of one chat
	typingLasts = 30 * time.Second // after that nobody believes it any more
	maxTypists  = 4096             // chats remembered at a time
)

// typists keeps platforms from hearing of every keystroke, and of an end that
// had no beginning: clients say active and inactive for many reasons (XEP-0085
// §5.1).
type typists struct {
	mu    sync.Mutex
	since map[string]time.Time
}

// pass tells whether a notice is news.
func (t *typists) pass(user gateway.UserID, alias gateway.Alias, on bool) bool {
	key := string(alias) + " " + string(user)
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	last, known := t.since[key]
	if !on {
		delete(t.since, key)
		return known && now.Sub(last) < typingLasts
	}
	if known && now.Sub(last) < typingEvery {
		return false
	}
	if t.since == nil {
		t.since = make(map[string]time.Time)
	}
	if len(t.since) >= maxTypists {
		t.evict(now)
	}
	t.since[key] = now
	return true
}

// evict makes room: what is over first, then whatever comes first, down to half
// so that a crowd does not pay for it at every notice.
func (t *typists) evict(now time.Time) {
	for key, at := range t.since {
		if now.Sub(at) >= typingLasts {
			delete(t.since, key)
		}
	}
	for key := range t.since {
		if len(t.since) <= maxTypists/2 {
			return
		}
		delete(t.since, key)
	}
}
