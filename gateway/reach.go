package gateway

import (
	"cmp"
	"context"
	"slices"
)

// What comes next in a chat may stand further behind than an owner reads ahead, and while all chats wait for such events there would never
// be room to read on. So they are taken out from there. The queue may be long, and many chats may look at once, as after an outage: one
// reads it for all.

// reachMost is how many events are taken for one chat at once.
const reachMost = 32

// quest is what a chat looks for.
type quest struct {
	before int64   // what has a number less than that
	found  []*item // the first of it
	more   bool    // the lane has more now
	err    error
	done   bool
}

// reach takes what comes before a number out of what has not been read: of the lane's park queue behind its page, and of the shard's
// queue. It reports whether there was any.
func (o *ownership) reach(ctx context.Context, l *lane, before int64) (more bool, err error) {
	mine := &quest{before: before}
	if l.drain {
		if err := o.seek(ctx, ParkQueue(l.id.queue, l.id.name), l.paged, map[string]*quest{l.id.name: mine}); err != nil {
			return false, err
		}
		for _, it := range mine.found {
			if !slices.ContainsFunc(l.parked, func(p *item) bool { return p.ID == it.ID }) {
				l.parked, more = append(l.parked, it), true
			}
		}
		if more {
			return true, nil
		}
	}
	mine.found = nil
	o.mu.Lock()
	o.quests[l.id.name] = mine
	o.mu.Unlock()
	select {
	case o.seeking <- struct{}{}:
		defer func() { <-o.seeking }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if !mine.done { // nobody who was before has read for this chat as well
		o.seekAll(ctx)
	}
	return mine.more, mine.err
}

// seekAll reads the shard's queue for all chats that wait for that. The caller holds o.seeking.
func (o *ownership) seekAll(ctx context.Context) {
	o.mu.Lock()
	quests, after := o.quests, o.last[QueueIn]
	o.quests = map[string]*quest{}
	o.mu.Unlock()
	err := o.seek(ctx, QueueIn, after, quests)
	o.mu.Lock()
	defer o.mu.Unlock()
	for lane, q := range quests {
		q.done, q.err = true, err
		if err == nil {
			q.more = o.adopt(ctx, laneID{QueueIn, lane}, q.found)
		}
	}
}

// seek reads a queue to its end and leaves with each chat what it looks for.
func (o *ownership) seek(ctx context.Context, queue Queue, after EntryID, quests map[string]*quest) error {
	most := max(1, min(reachMost, readAhead/len(quests)))
	for {
		entries, err := o.g.store.Read(ctx, o.part, queue, after, readAhead)
		if err != nil {
			return err
		}
		for _, e := range entries {
			after = e.ID
			q, it := quests[e.Lane], &item{Entry: e, queue: queue}
			if q == nil {
				continue
			}
			numbered, err := o.numbered(ctx, it)
			if err != nil {
				return err
			}
			if numbered && it.in.Event.Seq < q.before {
				q.found = append(q.found, it)
			}
		}
		for _, q := range quests {
			slices.SortFunc(q.found, func(a, b *item) int { return cmp.Compare(a.in.Event.Seq, b.in.Event.Seq) })
			q.found = q.found[:min(len(q.found), most)]
		}
		if len(entries) < readAhead {
			return nil
		}
	}
}

// adopt gives a lane what was found further behind, unless it was read meanwhile, and of all that one event while much is in memory. The
// caller holds o.mu.
func (o *ownership) adopt(ctx context.Context, id laneID, found []*item) (more bool) {
	if o.byID[id] == nil {
		return false // it ended with the lease
	}
	for _, it := range found {
		switch {
		case more && o.pending[id.queue] >= 2*readAhead:
			return true
		case o.last[id.queue].Before(it.ID) && !o.passed(id.queue, it.ID):
			o.handed[id.queue][it.ID] = false
			o.enqueue(ctx, id, it)
			more = true
		}
	}
	return more
}
