package gateway

import (
	"hash/fnv"
	"slices"
	"strings"
	"sync"
)

// markersKept is how many of a chat's last messages are known by their order.
const markersKept = 32

// reading is how far a chat was shown and read in this process: markers of several clients overtake each other, and the
// platform would take an older one for news (XEP-0333 §5.1).
type reading struct {
	mu    sync.Mutex
	shown []sign
	upTo  sign // 0 for nothing
}

// sign stands for a message's id, in an eighth of its room: thousands of chats are known at once. Two ids of a chat's last messages
// have the same one by a chance of 1 in 10^16.
type sign uint64

func signOf(id StanzaID) sign {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return sign(h.Sum64())
}

// readingOf returns a chat's; both its lanes run in one process.
func (g *Gateway) readingOf(lane string) *reading {
	if r, ok := g.readings.load(lane); ok {
		return r
	}
	return g.readings.keep(lane, &reading{})
}

// saw notes messages of the contact in the order in which they are shown.
func (r *reading) saw(ids ...StanzaID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if s := signOf(id); !slices.Contains(r.shown, s) { // a replay
			if len(r.shown) == markersKept {
				r.shown = slices.Delete(r.shown, 0, 1)
			}
			r.shown = append(r.shown, s)
		}
	}
}

// news reports whether reading up to a message says more than what was said before. What is not known any more may.
func (r *reading) news(id StanzaID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, last := slices.Index(r.shown, signOf(whole(id))), slices.Index(r.shown, r.upTo)
	return at < 0 || last < 0 || at > last
}

// read notes how far the platform was told.
func (r *reading) read(id StanzaID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.upTo = signOf(whole(id))
}

// whole returns the id of the message that a stanza shows a further piece of: pieces carry a suffix.
func whole(id StanzaID) StanzaID {
	w, _, _ := strings.Cut(string(id), ".")
	return StanzaID(w)
}
