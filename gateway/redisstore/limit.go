package redisstore

import (
	"context"
	"fmt"
	"time"

	"postern/gateway"
)

// Take implements gateway.Limiter, by the clock of Redis: replicas may differ. It is sent once only: a second run would spend
// again.
func (s *Store) Take(ctx context.Context, a gateway.AdapterID, most time.Duration, buckets ...gateway.Bucket) (gateway.Taken, error) {
	if len(buckets) == 0 {
		return gateway.Taken{OK: true}, failed("take", ctx.Err())
	}
	keys, args := make([]string, 0, 2*len(buckets)), make([]any, 1, 1+4*len(buckets))
	args[0] = most.Microseconds()
	for _, b := range buckets {
		shared := 0
		taker := "b:" + b.Name
		if b.Taker != "" {
			shared, taker = 1, "t:"+b.Name+":"+b.Taker
		}
		keys = append(keys, s.limit(a, "b:"+b.Name), s.limit(a, taker))
		args = append(args, b.Every.Microseconds(), b.Burst, b.Price(), shared)
	}
	reply, err := s.eval(ctx, "take", once, keys, args...)
	if err != nil {
		return gateway.Taken{}, failed("take", err)
	}
	n, _ := reply.([]any)
	if len(n) != 3 {
		return gateway.Taken{}, failed("take", fmt.Errorf("answer of %d parts", len(n)))
	}
	ok, _ := n[0].(int64)
	wait, _ := n[1].(int64)
	by, _ := n[2].(int64)
	return gateway.Taken{OK: ok == 1, Wait: time.Duration(wait) * time.Microsecond, By: int(by) - 1}, nil
}

// Filling implements gateway.Limiter.
func (s *Store) Filling(ctx context.Context, a gateway.AdapterID, names ...string) ([]time.Duration, error) {
	if len(names) == 0 {
		return nil, failed("filling", ctx.Err())
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.limit(a, "b:"+name)
	}
	reply, err := s.eval(ctx, "filling", again, keys)
	if err != nil {
		return nil, failed("filling", err)
	}
	parts, _ := reply.([]any)
	if len(parts) != len(names) {
		return nil, failed("filling", fmt.Errorf("answer of %d parts", len(parts)))
	}
	out := make([]time.Duration, len(names))
	for i, part := range parts {
		n, _ := part.(int64)
		out[i] = time.Duration(n) * time.Microsecond
	}
	return out, nil
}

// Hold implements gateway.Limiter.
func (s *Store) Hold(ctx context.Context, a gateway.AdapterID, name string, d time.Duration) error {
	_, err := s.eval(ctx, "hold", again, []string{s.limit(a, "b:"+name)}, d.Microseconds())
	return failed("hold", err)
}
