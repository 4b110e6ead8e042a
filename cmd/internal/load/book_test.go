//go:build servers

package load

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/user"
)

// book is what happened so far, by platform.
type book struct {
	mu        sync.Mutex
	address   []string          // of each chat's contact
	chatOf    map[string]int    // by user and address
	talks     []map[string]int  // chats by the platform's conversation
	histories []chaos.History   // without what the platforms saw
	open      map[chaos.Key]int // what has not come to its end yet, with its platform
}

func newBook(chats, platforms int) *book {
	b := &book{address: make([]string, chats), chatOf: map[string]int{}, histories: make([]chaos.History, platforms), open: map[chaos.Key]int{}}
	for range platforms {
		b.talks = append(b.talks, map[string]int{})
	}
	return b
}

// talk notes under which conversation a platform has a chat.
func (b *book) talk(platform int, conversation string, chat int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.talks[platform][conversation] = chat
}

// met notes the address of a chat's contact.
func (b *book) met(user, chat int, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.address[chat] = address
	b.chatOf[fmt.Sprint(user, " ", address)] = chat
}

// strangers says which chats have no address yet.
func (b *book) strangers() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for chat, a := range b.address {
		if a == "" {
			return fmt.Errorf("chat %d has no address", chat)
		}
	}
	return nil
}

// sent notes a message before it leaves.
func (b *book) sent(platform int, k chaos.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &b.histories[platform]
	h.Sent = append(h.Sent, chaos.Sent{Key: k, At: time.Now()})
	b.open[k] = platform
}

// in books what a client got of a contact of a platform.
func (b *book) in(platform, user int, from string, s *user.Stanza) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &b.histories[platform]
	switch k, ok := chaos.ParseKey(strings.TrimPrefix(s.ID, idPrefix)); {
	case s.Type == "error" && ok:
		h.Refusals = append(h.Refusals, chaos.Refusal{Key: k, Condition: s.Condition, At: s.At})
		delete(b.open, k)
		return
	case s.Type == "error":
		return
	}
	if s.Received != "" {
		k, ok := chaos.ParseKey(strings.TrimPrefix(s.Received, idPrefix))
		if !ok {
			h.Strays = append(h.Strays, "receipt for "+s.Received)
			return
		}
		h.Receipts = append(h.Receipts, k)
		delete(b.open, k)
		return
	}
	k, ok := chaos.ParseKey(s.Body)
	if !ok || k.Dir != chaos.In {
		h.Strays = append(h.Strays, s.Body)
		return
	}
	chat, known := b.chatOf[fmt.Sprint(user, " ", from)]
	if !known {
		chat = -1
	}
	h.Arrivals = append(h.Arrivals, chaos.Arrival{Key: k, Place: chaos.Live, Chat: chat, At: s.At, ID: s.ID})
	delete(b.open, k)
}

// pending says how much of each platform has not come to its end.
func (b *book) pending() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open) == 0 {
		return nil
	}
	var one chaos.Key
	by := map[string]int{}
	for k, p := range b.open {
		by[fmt.Sprint(k.Dir, " of platform ", p)]++
		one = k
	}
	return fmt.Errorf("%d messages without an end: %v, such as %q", len(b.open), by, one)
}
