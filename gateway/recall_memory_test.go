package gateway

import (
	"testing"
	"time"
)

// What may have to be written again is bounded by its bytes: the newest stay, and what is older than a server may be behind goes.
func TestRecallIsBounded(t *testing.T) {
	o, payload := &Outbox{}, make([]byte, 64<<10)
	const batches = 200 // of a megabyte each
	for n := range batches {
		entries := make([]Entry, 16)
		for i := range entries {
			entries[i] = Entry{ID: EntryID(string(rune('a' + n%26))), Payload: payload}
		}
		o.remember(entries)
		if got := weightOf(o.seen.recent); got != o.seen.kept || got > recallMost {
			t.Fatalf("after %d batches: %d bytes are kept and %d counted, want the same and at most %d", n+1, got, o.seen.kept, recallMost)
		}
	}
	newest := o.seen.recent[len(o.seen.recent)-1].entries[0].ID
	if want := EntryID(string(rune('a' + (batches-1)%26))); len(o.seen.recent) != 3 || newest != want {
		t.Errorf("got %d batches, the newest %q, want 3 and %q", len(o.seen.recent), newest, want)
	}
	o.seen.since(time.Now().Add(recallAge + time.Second))
	if len(o.seen.recent) != 0 || o.seen.kept != 0 {
		t.Errorf("got %d batches and %d bytes of what is too old", len(o.seen.recent), o.seen.kept)
	}
}

func weightOf(recent []confirmed) (n int) {
	for _, c := range recent {
		n += weight(c.entries)
	}
	return n
}
