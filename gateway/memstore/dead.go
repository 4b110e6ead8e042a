package memstore

import (
	"context"
	"time"

	"postern/gateway"
)

// Dead implements gateway.Worker.
func (s *Store) Dead(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, why gateway.DeadReason) error {
	return s.fenced(ctx, "dead", l, func(pt *partition) error {
		if it := pt.queue(q).take(id); it != nil {
			pt.count(q, it.Lane, -1)
			pt.bury(it, q.Base(), why)
		}
		return nil
	})
}

// Bury implements gateway.DeadLetters.
func (s *Store) Bury(ctx context.Context, p gateway.Partition, from gateway.Queue, e gateway.Entry, why gateway.DeadReason) error {
	if err := ctx.Err(); err != nil {
		return failed("bury", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part(p).bury(newItem(e), from.Base(), why)
	return nil
}

// bury appends a dead letter.
func (pt *partition) bury(it *item, from gateway.Queue, why gateway.DeadReason) {
	pt.expireDead()
	it.from, it.why, it.died = from, why, time.Now().UTC().Truncate(time.Millisecond)
	pt.dead.append(it)
}

// expireDead forgets dead letters past their time.
func (pt *partition) expireDead() {
	for len(pt.dead.items) > 0 && time.Since(pt.dead.items[0].died) >= gateway.DeadTTL {
		pt.dead.take(pt.dead.items[0].ID)
	}
}

// ListDead implements gateway.DeadLetters.
func (s *Store) ListDead(ctx context.Context, p gateway.Partition, after gateway.EntryID, n int) ([]gateway.DeadLetter, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("list dead", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pt := s.part(p)
	pt.expireDead()
	var out []gateway.DeadLetter
	for _, it := range pt.dead.page(after, n) {
		out = append(out, gateway.DeadLetter{Entry: it.entry(), From: it.from, Why: it.why, Died: it.died})
	}
	return out, nil
}

// Replay implements gateway.DeadLetters.
func (s *Store) Replay(ctx context.Context, p gateway.Partition, id gateway.EntryID) (gateway.EntryID, error) {
	it, err := s.dig(ctx, "replay", p, id)
	if err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	pt := s.part(p)
	pt.count(it.from, it.Lane, 1)
	again := pt.queue(it.from).append(&item{Entry: it.Entry})
	s.hints.send(string(p), struct{}{})
	return again, nil
}

// DropDead implements gateway.DeadLetters.
func (s *Store) DropDead(ctx context.Context, p gateway.Partition, id gateway.EntryID) error {
	_, err := s.dig(ctx, "drop dead", p, id)
	if err == nil {
		s.mu.Unlock()
	}
	return err
}

// dig takes a dead letter out. Without an error it returns with s.mu held, so that what follows is one step with it.
func (s *Store) dig(ctx context.Context, verb string, p gateway.Partition, id gateway.EntryID) (*item, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed(verb, err)
	}
	s.mu.Lock()
	pt := s.part(p)
	pt.expireDead()
	it := pt.dead.take(id)
	if it == nil {
		s.mu.Unlock()
		return nil, failed(verb, gateway.ErrNotFound)
	}
	return it, nil
}
