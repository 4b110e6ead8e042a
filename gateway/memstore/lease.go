package memstore

import (
	"context"
	"time"

	"postern/gateway"
)

// Acquire implements gateway.Leaser.
func (s *Store) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	if err := ctx.Err(); err != nil {
		return gateway.Lease{}, failed("acquire", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pt := s.part(p)
	if time.Now().Before(pt.lease.Until) && pt.lease.Replica != replica {
		return gateway.Lease{}, failed("acquire", gateway.ErrHeld)
	}
	pt.epoch++
	pt.lease = gateway.Lease{Partition: p, Replica: replica, Epoch: pt.epoch, Until: time.Now().Add(ttl)}
	return pt.lease, nil
}

// Renew implements gateway.Leaser.
func (s *Store) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	err := s.fenced(ctx, "renew", l, func(pt *partition) error {
		pt.lease.Until = time.Now().Add(ttl)
		l = pt.lease
		return nil
	})
	return l, err
}

// Release implements gateway.Leaser.
func (s *Store) Release(ctx context.Context, l gateway.Lease) error {
	if err := ctx.Err(); err != nil {
		return failed("release", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pt := s.part(l.Partition); pt.holds(l) {
		pt.lease = gateway.Lease{}
	}
	return nil
}

// holds reports whether a lease is the current one and has not run out.
func (pt *partition) holds(l gateway.Lease) bool {
	return pt.lease.Epoch == l.Epoch && pt.lease.Replica == l.Replica && time.Now().Before(pt.lease.Until)
}

// fenced runs a change of a partition for the holder of its lease, and for nobody else.
func (s *Store) fenced(ctx context.Context, verb string, l gateway.Lease, change func(*partition) error) error {
	if err := ctx.Err(); err != nil {
		return failed(verb, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pt := s.part(l.Partition)
	if !pt.holds(l) {
		return failed(verb, gateway.ErrFenced)
	}
	return failed(verb, change(pt))
}
