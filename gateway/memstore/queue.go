package memstore

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"time"

	"postern/gateway"
)

// queue holds entries in the order of their ids.
type queue struct {
	items       []*item
	lastMS, seq int64
}

// item is an entry with what is known about it; why and died are of dead letters only.
type item struct {
	gateway.Entry
	attempts   int
	unfinished bool
	starts     int
	from       gateway.Queue
	why        gateway.DeadReason
	died       time.Time
}

// append gives an item the next id, as Redis streams count: the clock, or the last id's when the clock stands or goes back.
func (q *queue) append(it *item) gateway.EntryID {
	if ms := time.Now().UnixMilli(); ms > q.lastMS {
		q.lastMS, q.seq = ms, 0
	} else {
		q.seq++
	}
	it.ID = gateway.EntryID(fmt.Sprintf("%d-%d", q.lastMS, q.seq))
	q.items = append(q.items, it)
	return it.ID
}

// after returns the index of the first item whose id is greater.
func (q *queue) after(id gateway.EntryID) int {
	return sort.Search(len(q.items), func(i int) bool { return id.Before(q.items[i].ID) })
}

// find returns an item, or nil.
func (q *queue) find(id gateway.EntryID) *item {
	if i := q.after(id) - 1; i >= 0 && q.items[i].ID == id {
		return q.items[i]
	}
	return nil
}

// take removes and returns an item, or nil.
func (q *queue) take(id gateway.EntryID) *item {
	i := q.after(id) - 1
	if i < 0 || q.items[i].ID != id {
		return nil
	}
	it := q.items[i]
	if i == 0 { // the common case costs nothing
		q.items[0] = nil
		q.items = q.items[1:]
		return it
	}
	q.items = slices.Delete(q.items, i, i+1)
	return it
}

// page returns up to n items after an id.
func (q *queue) page(after gateway.EntryID, n int) []*item {
	rest := q.items[q.after(after):]
	return rest[:min(max(n, 0), len(rest))]
}

// entry returns a copy that the caller may keep.
func (it *item) entry() gateway.Entry {
	e := it.Entry
	e.Payload = bytes.Clone(e.Payload)
	return e
}
