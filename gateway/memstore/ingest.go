package memstore

import (
	"bytes"
	"context"
	"time"

	"postern/gateway"
)

// Ingest implements gateway.Ingester.
func (s *Store) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, failed("ingest", err)
	}
	id, alone, dup, err := s.ingest(p, q, e, o)
	if err == nil && !dup && (!alone || o.Hand == nil || !o.Hand(id)) {
		s.hints.send(string(p), struct{}{})
	}
	return id, dup, err
}

// ingest also tells whether the entry is the only one of its lane.
func (s *Store) ingest(p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (id gateway.EntryID, alone, dup bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pt := s.part(p)
	seen := string(q) + ":" + o.Dedupe
	if o.Dedupe != "" {
		if id, ok := pt.seen.load(seen); ok {
			return id, false, true, nil
		}
	}
	qu := pt.queue(q)
	if o.LaneMax > 0 && pt.lanes[laneName{q.Base(), e.Lane}] >= o.LaneMax || o.QueueMax > 0 && len(qu.items) >= o.QueueMax || pt.standing(q, e.Lane, o) {
		return "", false, false, failed("ingest", gateway.ErrFull)
	}
	id = qu.append(newItem(e))
	pt.count(q, e.Lane, 1)
	if o.Dedupe != "" {
		pt.seen.store(seen, id, o.DedupeFor)
	}
	return id, q != gateway.QueueXMPP && pt.lanes[laneName{q.Base(), e.Lane}] == 1, false, nil
}

// standing reports whether as much is parked of a queue as may be, so that a lane takes no more.
func (pt *partition) standing(q gateway.Queue, lane string, o gateway.IngestOptions) bool {
	if o.ParkMax <= 0 || pt.held[q] < o.ParkMax {
		return false
	}
	_, parked := pt.parked[laneName{q, lane}]
	return parked || o.QueueMax > 0 && len(pt.queue(q).items)+pt.held[q] >= o.QueueMax+o.ParkMax
}

// newItem copies an entry that a caller handed in.
func newItem(e gateway.Entry) *item {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	e.Payload = bytes.Clone(e.Payload)
	return &item{Entry: e}
}

// Read implements gateway.Ingester.
func (s *Store) Read(ctx context.Context, p gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) ([]gateway.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("read", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []gateway.Entry
	for _, it := range s.part(p).queue(q).page(after, n) {
		out = append(out, it.entry())
	}
	return out, nil
}

// ReadQueues implements gateway.Ingester.
func (s *Store) ReadQueues(ctx context.Context, p gateway.Partition, from ...gateway.Cursor) ([][]gateway.Entry, error) {
	out := make([][]gateway.Entry, len(from))
	for i, c := range from {
		var err error
		if out[i], err = s.Read(ctx, p, c.Queue, c.After, c.N); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Watch implements gateway.Ingester.
func (s *Store) Watch(ctx context.Context, p gateway.Partition) <-chan struct{} {
	return s.hints.subscribe(ctx, string(p), 1) // one hint says as much as two
}

// Depth implements gateway.Ingester.
func (s *Store) Depth(ctx context.Context, p gateway.Partition, q gateway.Queue) (int, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return 0, time.Time{}, failed("depth", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	items := s.part(p).queue(q).items
	if len(items) == 0 {
		return 0, time.Time{}, nil
	}
	return len(items), items[0].At, nil
}
