package memstore

import (
	"bytes"
	"context"
	"time"

	"postern/gateway"
)

// mapBucket is where the id maps of a lane live that were written in the same stretch of gateway.MapBucket.
type mapBucket struct {
	lane   string
	bucket int64
}

// bucketOf numbers the stretches of gateway.MapBucket since the epoch.
func bucketOf(t time.Time) int64 { return t.UnixMilli() / gateway.MapBucket.Milliseconds() }

// oldBuckets is how many buckets before the current one may hold a map that is not older than gateway.MapTTL.
const oldBuckets = int64(gateway.MapTTL / gateway.MapBucket)

// Begin implements gateway.Worker.
func (s *Store) Begin(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, maps []gateway.MapEntry) (a gateway.Attempt, err error) {
	err = s.fenced(ctx, "begin", l, func(pt *partition) error {
		pt.writeMaps(maps)
		a.Number = 1
		if it := pt.queue(q).find(id); it != nil {
			a = gateway.Attempt{Number: it.attempts + 1, Unfinished: it.unfinished}
			it.attempts, it.unfinished = a.Number, true
		}
		return nil
	})
	return a, err
}

// Start implements gateway.Worker.
func (s *Store) Start(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, most int) (before int, err error) {
	err = s.fenced(ctx, "start", l, func(pt *partition) error {
		if it := pt.queue(q).find(id); it != nil {
			before = it.starts
			it.starts = max(before, min(before+1, most))
		}
		return nil
	})
	return before, err
}

// Survived implements gateway.Worker.
func (s *Store) Survived(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	return s.fenced(ctx, "survived", l, func(pt *partition) error {
		if it := pt.queue(q).find(id); it != nil {
			it.starts = 0
		}
		return nil
	})
}

// Fail implements gateway.Worker.
func (s *Store) Fail(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	return s.fenced(ctx, "fail", l, func(pt *partition) error {
		if it := pt.queue(q).find(id); it != nil {
			it.unfinished = false
		}
		return nil
	})
}

// Finish implements gateway.Worker.
func (s *Store) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	return s.fenced(ctx, "finish", l, func(pt *partition) error {
		pt.writeMaps(maps)
		for _, e := range done {
			if it := pt.queue(q).take(e.ID); it != nil {
				pt.count(q, it.Lane, -1)
			}
		}
		return nil
	})
}

// Park implements gateway.Worker.
func (s *Store) Park(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, reason gateway.ParkReason) error {
	return s.fenced(ctx, "park", l, func(pt *partition) error {
		to := pt.queue(gateway.ParkQueue(from, lane))
		for _, id := range ids {
			if it := pt.queue(from).take(id); it != nil {
				it.starts = 0
				to.append(it)
				pt.held[from]++
			}
		}
		until := time.Now().Add(s.ahead + max(wait, 0))
		pt.parked[laneName{from, lane}] = gateway.ParkedLane{Lane: lane, From: from, Until: until, Reason: reason}
		return nil
	})
}

// Parked implements gateway.Worker.
func (s *Store) Parked(ctx context.Context, p gateway.Partition) ([]gateway.ParkedLane, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("parked", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []gateway.ParkedLane
	for _, pl := range s.part(p).parked {
		pl.Until = pl.Until.Add(-s.ahead) // what is left, from now
		out = append(out, pl)
	}
	return out, nil
}

// Unpark implements gateway.Worker.
func (s *Store) Unpark(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string) (done bool, err error) {
	err = s.fenced(ctx, "unpark", l, func(pt *partition) error {
		park := gateway.ParkQueue(from, lane)
		if done = len(pt.queue(park).items) == 0; done {
			delete(pt.queues, park)
			delete(pt.parked, laneName{from, lane})
		}
		return nil
	})
	return done, err
}

// writeMaps writes id maps into the current bucket and forgets buckets that are too old to be looked at.
func (pt *partition) writeMaps(maps []gateway.MapEntry) {
	now := bucketOf(time.Now())
	for _, m := range maps {
		at := mapBucket{m.Lane, now}
		if pt.maps[at] == nil {
			pt.maps[at] = map[string][]byte{}
			for old := range pt.maps {
				if old.bucket < now-oldBuckets {
					delete(pt.maps, old)
				}
			}
		}
		pt.maps[at][m.Field] = bytes.Clone(m.Value)
	}
}

// Lookup implements gateway.Worker.
func (s *Store) Lookup(ctx context.Context, p gateway.Partition, lane string, fields []string) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("lookup", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pt, now := s.part(p), bucketOf(time.Now())
	found := map[string][]byte{}
	for b := now - oldBuckets; b <= now; b++ { // oldest first: the newest overwrites
		for _, f := range fields {
			if v, ok := pt.maps[mapBucket{lane, b}][f]; ok {
				found[f] = bytes.Clone(v)
			}
		}
	}
	return found, nil
}
