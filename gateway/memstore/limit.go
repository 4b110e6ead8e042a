package memstore

import (
	"context"
	"time"

	"postern/gateway"
)

// bucketName names a bucket of an adapter instance; taker is empty for the bucket itself.
type bucketName struct {
	adapter       gateway.AdapterID
	bucket, taker string
}

// level is when a bucket would be full again, or what a taker of a shared bucket has to come.
type level struct {
	full time.Time
	// turn is when the taker's last token counts, back when the next of those who wait on its behalf should ask again.
	turn, back time.Time
}

// Take implements gateway.Limiter.
func (s *Store) Take(ctx context.Context, a gateway.AdapterID, most time.Duration, buckets ...gateway.Bucket) (gateway.Taken, error) {
	if err := ctx.Err(); err != nil {
		return gateway.Taken{}, failed("take", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, got := time.Now(), gateway.Taken{OK: true}
	for i, b := range buckets {
		l, _ := s.levels.load(bucketName{a, b.Name, ""})
		if w := latest(l.full, now).Sub(now) - time.Duration(b.Burst-b.Price())*b.Every; w > got.Wait {
			got.Wait, got.By = w, i
		}
	}
	if got.Wait > most {
		got.OK = false
		return got, nil
	}
	for i, b := range buckets {
		t, _ := s.levels.load(bucketName{a, b.Name, b.Taker})
		if b.Taker == "" || !t.turn.After(now) {
			continue
		}
		// One place in the queue for each taker; who waits behind it comes back one after another.
		back := latest(t.back, t.turn)
		if w := back.Sub(now); got.OK || w > got.Wait {
			got = gateway.Taken{Wait: w, By: i}
		}
		t.back = back.Add(b.Every)
		s.levels.store(bucketName{a, b.Name, b.Taker}, t, t.back.Sub(now))
	}
	if !got.OK {
		return got, nil
	}
	for _, b := range buckets {
		if b.Every == 0 {
			continue
		}
		l, _ := s.levels.load(bucketName{a, b.Name, ""})
		l.full = latest(l.full, now).Add(time.Duration(b.Price()) * b.Every)
		s.levels.store(bucketName{a, b.Name, ""}, l, l.full.Sub(now))
		if b.Taker != "" && got.Wait > 0 {
			t, _ := s.levels.load(bucketName{a, b.Name, b.Taker})
			t.turn = now.Add(got.Wait)
			s.levels.store(bucketName{a, b.Name, b.Taker}, t, latest(t.turn, t.back).Sub(now))
		}
	}
	return got, nil
}

// Filling implements gateway.Limiter.
func (s *Store) Filling(ctx context.Context, a gateway.AdapterID, names ...string) ([]time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("filling", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]time.Duration, len(names))
	for i, name := range names {
		l, _ := s.levels.load(bucketName{a, name, ""})
		out[i] = max(0, time.Until(l.full))
	}
	return out, nil
}

// Hold implements gateway.Limiter.
func (s *Store) Hold(ctx context.Context, a gateway.AdapterID, name string, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return failed("hold", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until := time.Now().Add(d)
	if l, _ := s.levels.load(bucketName{a, name, ""}); until.After(l.full) {
		s.levels.store(bucketName{a, name, ""}, level{full: until}, d)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
