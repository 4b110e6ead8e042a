package gateway

import (
	"context"
	"errors"
	"slices"
	"strconv"
)

const seqField = "seq"

// order returns which of an `in` lane's entries comes next: what stands first, or, where the platform numbers its events, what comes
// before that by its number. Where a number is missing it waits, and looks for it (gap.go). It reports false when the lane ended meanwhile.
func (o *ownership) order(ctx context.Context, l *lane) (*item, bool) {
	for {
		o.mu.Lock()
		items := slices.Concat(l.parked, l.waiting)
		o.mu.Unlock()
		if len(items) == 0 {
			return nil, true
		}
		first, last, err := o.lowest(ctx, l, items)
		if err != nil {
			if !o.later(ctx, err) {
				return nil, false
			}
			continue
		}
		if first == nil {
			return items[0], true
		}
		if first.in.Event.Seq <= last+1 {
			return first, true
		}
		if over, working := o.search(ctx, l, first, last); over || !working {
			return first, working
		}
	}
}

// lowest returns which of a lane's entries has the lowest number, and the last one that the lane finished. It is none where the first of
// them has no number: that one keeps its place.
func (o *ownership) lowest(ctx context.Context, l *lane, items []*item) (first *item, last int64, err error) {
	if numbered, err := o.numbered(ctx, items[0]); err != nil || !numbered {
		return nil, 0, err
	}
	if last, err = o.lastSeq(ctx, l.id.name); err != nil {
		return nil, 0, err
	}
	first = items[0]
	for _, it := range items[1:] {
		seq, err := o.seq(ctx, it)
		if err != nil {
			return nil, 0, err
		}
		if seq != 0 && seq < first.in.Event.Seq {
			first = it
		}
	}
	return first, last, nil
}

// numbered reports whether an item carries a number of a platform that numbers without gaps.
func (o *ownership) numbered(ctx context.Context, it *item) (bool, error) {
	n, err := o.seq(ctx, it)
	if n == 0 || err != nil {
		return false, err
	}
	inst, ok := o.g.instance(it.in.Adapter)
	return ok && inst.Adapter.Descriptor().Sequenced, nil
}

// seq returns an item's number, 0 for none, and for what nobody can read: the walk says what is wrong with that.
func (o *ownership) seq(ctx context.Context, it *item) (int64, error) {
	if it.in == nil {
		in, err := openEntry[Inbound](ctx, o.g.identity, it.Entry)
		switch {
		case errors.Is(err, ErrNoAccount) || errors.Is(err, errUnreadable):
			return 0, nil
		case err != nil:
			return 0, err
		}
		it.in = &in
	}
	return it.in.Event.Seq, nil
}

// lastSeq returns the number of the last event that the lane finished, 0 for none.
func (o *ownership) lastSeq(ctx context.Context, lane string) (int64, error) {
	if n, ok := o.seqs.load(lane); ok {
		return n, nil
	}
	got, err := o.g.store.Lookup(ctx, o.part, lane, []string{seqField})
	if err != nil {
		return 0, err
	}
	n, _ := strconv.ParseInt(string(got[seqField]), 10, 64)
	o.seqs.store(lane, n)
	return n, nil
}

// seqEntry returns the map entry that remembers an event's number, or none when a later one is remembered.
func (o *ownership) seqEntry(lane string, seq int64) []MapEntry {
	if last, ok := o.seqs.load(lane); seq == 0 || ok && seq <= last {
		return nil
	}
	return []MapEntry{{Lane: lane, Field: seqField, Value: strconv.AppendInt(nil, seq, 10)}}
}
