package gateway

import (
	"context"
	"errors"
	"time"
)

// A server may answer for a stanza and forget it all the same. ejabberd hands it to the process of its user, answers the ping, and
// drops at its end, also an orderly one, what those processes have not come to: hundreds of messages that were neither shown nor
// archived, when the machine is busy. Nothing on the wire tells (XEP-0114 has no acknowledgements). So what was confirmed just
// before a stream broke off is written again on the next one, in order, before anything else, under the ids that it had.

const (
	// recallAge is how long before a stream's end a server may not have come to what it has answered for.
	recallAge = 2 * time.Second
	// recallMost bounds what is kept for that of a component, in bytes of its entries; the newest batches are kept.
	recallMost = 4 << 20
	// entryRoom is about what an entry takes beside its payload, in bytes.
	entryRoom = 200
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
	alone  int     // the first so many of owed go one by one: a stream ended with them
	blamed EntryID // was alone on a stream that ended
	tries  int     // streams that it ended
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
	for len(r.recent) > 0 && (end.Sub(r.recent[0].at) > recallAge || len(r.recent) > 1 && r.kept > recallMost) {
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

// forgetOld lets go of what is no longer needed, while nothing is carried.
func (o *Outbox) forgetOld() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen.since(time.Now())
}

// settle finds out what the stream before leaves to be written again. What it confirmed is older than what it did not come to.
func (r *recollection) settle() {
	if r.last == nil {
		return
	}
	if end := r.last.Broke(); !end.IsZero() {
		r.since(end)
		var again []Entry
		for _, c := range r.recent {
			again = append(again, c.entries...)
		}
		if r.alone > 0 {
			r.alone += len(again)
		}
		r.owed = append(again, r.owed...)
	}
	r.last, r.recent, r.kept = nil, nil, 0
}

// chunk is what of owed is written next, and whether it has ended streams often enough.
func (r *recollection) chunk() (next []Entry, poison bool) {
	n := min(len(r.owed), outboxBatch)
	if r.alone > 0 {
		n = min(n, 1)
	}
	return r.owed[:n], n == 1 && r.tries >= poisonTries && r.owed[0].ID == r.blamed
}

// written takes a chunk off what is owed.
func (r *recollection) written(n int) {
	r.owed, r.alone = r.owed[n:], max(r.alone-n, 0)
	if len(r.owed) == 0 {
		r.owed = nil
	}
}

// ended notes that a stream ended with a chunk on it: its entries go one by one then. Who was alone already is blamed, where that may be.
func (r *recollection) ended(chunk []Entry, blame bool) {
	alone := r.alone > 0
	r.alone = max(r.alone, len(chunk))
	if !alone || !blame {
		return
	}
	if r.blamed != chunk[0].ID {
		r.blamed, r.tries = chunk[0].ID, 0
	}
	r.tries++
}

// recall writes again on a new stream what the server may have forgotten at the end of the one before, as if it had never been confirmed:
// when that stream breaks off as well, it goes again. It does not leave off for a hand-over, since nobody else could go on with it; the
// process that stops does.
func (o *Outbox) recall(ctx context.Context, w Wire, held *holding) error {
	said := false
	for {
		o.mu.Lock()
		next, poison := o.seen.chunk()
		owed := len(o.seen.owed)
		o.mu.Unlock()
		if len(next) == 0 {
			return nil
		}
		if !said {
			said = true
			o.log.Info("the server stopped, or the stream broke off: what it had just taken is written again", "partition", o.part, "stanzas", owed)
		}
		if poison {
			if held.expired() {
				return ErrFenced
			}
			if err := o.insist(ctx, func() error { return o.setAside(ctx, next[0]) }); err != nil {
				return err
			}
		} else if err := o.rewrite(ctx, w, held, next); err != nil {
			return err
		}
		o.mu.Lock()
		o.seen.written(len(next))
		o.mu.Unlock()
	}
}

// rewrite writes a chunk and waits until the server has taken it. What no key opens any more belongs to an account that was erased.
func (o *Outbox) rewrite(ctx context.Context, w Wire, held *holding, next []Entry) error {
	var stanzas []Waiting
	for _, e := range next {
		var plain []byte
		err := o.insist(ctx, func() (err error) {
			if plain, err = o.identity.Open(ctx, e); errors.Is(err, ErrNoAccount) || errors.Is(err, ErrSealed) {
				plain, err = nil, nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if plain != nil {
			stanzas = append(stanzas, Waiting{Bytes: plain, At: e.At})
		}
	}
	if len(stanzas) == 0 {
		return nil
	}
	if held.expired() { // as with every batch
		return ErrFenced
	}
	if written, err := o.confirm(ctx, w, stanzas); err != nil {
		o.mu.Lock()
		o.seen.ended(next, written && !errors.Is(err, ErrBlameless))
		o.mu.Unlock()
		return err
	}
	o.remember(next)
	return nil
}

// setAside makes a dead letter of an entry that was confirmed once and has ended every stream since.
func (o *Outbox) setAside(ctx context.Context, e Entry) error {
	if err := o.store.Bury(ctx, o.part, QueueXMPP, e, DeadReason{Class: Permanent, Code: "stream-ended"}); err != nil {
		return err
	}
	o.metrics.deadLetter("outbox")
	o.log.Error("stanza set aside: the stream ended each time it was written again", "partition", o.part)
	return nil
}
