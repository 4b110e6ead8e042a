package redisstore

import (
	"context"
	"time"

	"postern/gateway"
)

// Acquire implements gateway.Leaser. Until is counted from before the call, so that it never promises more than Redis keeps.
func (s *Store) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	before := time.Now()
	got, err := s.eval(ctx, "acquire", again, []string{s.own(p), s.part(p, "epoch")}, replica, ttl.Milliseconds())
	if err != nil {
		return gateway.Lease{}, failed("acquire", err)
	}
	epoch, _ := got.(int64)
	return gateway.Lease{Partition: p, Replica: replica, Epoch: epoch, Until: before.Add(ttl)}, nil
}

// Renew implements gateway.Leaser.
func (s *Store) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	before := time.Now()
	if _, err := s.eval(ctx, "renew", again, []string{s.own(l.Partition)}, token(l), ttl.Milliseconds()); err != nil {
		return l, failed("renew", err)
	}
	l.Until = before.Add(ttl)
	return l, nil
}

// Release implements gateway.Leaser.
func (s *Store) Release(ctx context.Context, l gateway.Lease) error {
	_, err := s.eval(ctx, "release", again, []string{s.own(l.Partition)}, token(l))
	return failed("release", err)
}
