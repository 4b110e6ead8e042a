package gateway

import (
	"context"
	"time"
)

// A server may answer for a stanza and forget it all the same. ejabberd hands it to the process of its user, answers the ping, and
// drops at its end, also an orderly one, what those processes have not come to: hundreds of messages that were neither shown nor
// archived, when the machine is busy. Nothing on the wire tells (XEP-0114 has no acknowledgements). So what was confirmed just
// before a stream broke off is written again on the next one, in order, before anything else, under the ids that it had.

const (
	// recallAge is how long before a stream's end a server may not have come to what it has answered for.
	recallAge = 2 * time.Second
	// recallMost bounds what is kept for that of a component, in bytes of its entries; the newest are kept.
	recallMost = 4 << 20
	// entryRoom is about what an entry takes beside its payload, in bytes.
	entryRoom = 200
	// recallTries is how many streams may break off while they carry what is written again: it may be what breaks them.
	recallTries = 3
)

// confirmed is what one barrier has confirmed.
type confirmed struct {
	at      time.Time
	entries []Entry // sealed, so that an erasure holds here too
}

// recollection is what is known of the streams of one holding of the lease, and of those right after it.
type recollection struct {
	epoch  int64
	last   Wire // the stream before
	recent []confirmed
	kept   int     // bytes of recent
	owed   []Entry // to be written again before anything else
	tries  int     // of that
}

// under begins another holding. Where somebody else has held the lease in between, they may have carried more since, and what is older
// must not come behind that.
func (r *recollection) under(epoch int64) {
	if epoch != r.epoch+1 {
		*r = recollection{}
	}
	r.epoch = epoch
}

// remember keeps what was confirmed just now.
func (o *Outbox) remember(entries []Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.seen.recent, o.seen.kept = append(o.seen.recent, confirmed{now, entries}), o.seen.kept+weight(entries)
	o.seen.since(now)
}

// weight is about what entries take in memory.
func weight(entries []Entry) int {
	n := 0
	for i := range entries {
		n += entryRoom + len(entries[i].Payload)
	}
	return n
}

// since forgets what is too old to be written again after a stream that ended then, and what is too much.
func (r *recollection) since(end time.Time) {
	for len(r.recent) > 0 && (end.Sub(r.recent[0].at) > recallAge || r.kept > recallMost) {
		r.kept -= weight(r.recent[0].entries)
		r.recent[0] = confirmed{} // the rest of the slice lives on
		r.recent = r.recent[1:]
	}
}

// parted notes that nothing more is written to a stream; it may live on for a moment.
func (o *Outbox) parted(w Wire) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen.last = w
}

// recall writes again on a new stream what the server may have forgotten at the end of the one before; each entry is written again once.
func (o *Outbox) recall(ctx context.Context, w Wire, held *holding) error {
	o.mu.Lock()
	if last := o.seen.last; last != nil {
		if end := last.Broke(); !end.IsZero() {
			o.seen.since(end)
			for _, c := range o.seen.recent {
				o.seen.owed = append(o.seen.owed, c.entries...)
			}
		}
	}
	o.seen.last, o.seen.recent, o.seen.kept = nil, nil, 0
	owed := o.seen.owed
	o.mu.Unlock()
	if len(owed) == 0 {
		return nil
	}
	var stanzas []Waiting
	err := o.insist(ctx, func() (err error) {
		stanzas, _, err = o.open(ctx, held.Lease, owed)
		return err
	})
	if err != nil {
		return err
	}
	if held.expired() { // as with every batch
		return ErrFenced
	}
	o.log.Info("the server stopped, or the stream broke off: what it had just taken is written again", "partition", o.part, "stanzas", len(stanzas))
	_, err = o.confirm(ctx, w, stanzas)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen.tries++; err == nil || o.seen.tries >= recallTries {
		o.seen.owed, o.seen.tries = nil, 0
	}
	return err
}
