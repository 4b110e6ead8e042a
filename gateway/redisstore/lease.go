package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/gateway"
)

// Acquire implements gateway.Leaser. Until is counted from before the call, so that it never promises more than Redis keeps. A new owner
// counts what is parked: from then on only its own steps change that, each of which changes the number as well. One that cannot count
// gives the lease back, so that nobody waits for an owner that there is not.
func (s *Store) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	before := time.Now()
	keys := []string{s.own(p), s.part(p, "epoch"), s.parked(p), s.held(p, gateway.QueueIn), s.held(p, gateway.QueueOut)}
	got, err := s.eval(ctx, "acquire", again, keys, replica, ttl.Milliseconds())
	if err != nil {
		return gateway.Lease{}, failed("acquire", err)
	}
	said, _ := got.([]any)
	if len(said) != 2 {
		return gateway.Lease{}, failed("acquire", fmt.Errorf("got %d answers, want two", len(said)))
	}
	epoch, _ := said[0].(int64)
	lanes, _ := said[1].([]any)
	l := gateway.Lease{Partition: p, Replica: replica, Epoch: epoch, Until: before.Add(ttl)}
	if err := s.recount(ctx, l, lanes); err != nil {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return gateway.Lease{}, failed("acquire", errors.Join(err, s.Release(free, l)))
	}
	return l, nil
}

// recount counts the parked entries of a partition anew, by its parked lanes. A gateway from before they were counted may have owned it
// meanwhile; and one that owns it now does not park before this has ended.
func (s *Store) recount(ctx context.Context, l gateway.Lease, lanes []any) error {
	const page = 1000
	p, held := l.Partition, map[gateway.Queue]int64{}
	for part := range slices.Chunk(lanes, page) {
		cmds, of := make([][]any, len(part)), make([]gateway.Queue, len(part))
		for i := range part {
			field, _ := part[i].(string)
			from, lane, _ := strings.Cut(field, ":")
			of[i] = gateway.Queue(from)
			cmds[i] = []any{"xlen", s.stream(p, gateway.ParkQueue(of[i], lane))}
		}
		counts, err := s.do(ctx, s.own(p), again, cmds...)
		if err != nil {
			return err
		}
		for i, n := range counts {
			n, _ := n.(int64)
			held[of[i]] += n
		}
	}
	if len(lanes) == 0 {
		return nil
	}
	keys := []string{s.own(p), s.held(p, gateway.QueueIn), s.held(p, gateway.QueueOut)}
	_, err := s.eval(ctx, "recount", again, keys, token(l), held[gateway.QueueIn], held[gateway.QueueOut])
	return err
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
