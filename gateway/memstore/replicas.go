package memstore

import (
	"bytes"
	"context"
	"time"
)

// announcement is what a replica says of itself.
type announcement struct {
	note  []byte
	until time.Time
}

// Announce implements gateway.Replicas.
func (s *Store) Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("announce", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.live[replica] = announcement{bytes.Clone(note), now.Add(ttl)}
	all := make(map[string][]byte, len(s.live))
	for r, a := range s.live {
		if !now.Before(a.until) {
			delete(s.live, r)
			continue
		}
		all[r] = bytes.Clone(a.note)
	}
	return all, nil
}

// Withdraw implements gateway.Replicas.
func (s *Store) Withdraw(ctx context.Context, replica string) error {
	if err := ctx.Err(); err != nil {
		return failed("withdraw", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, replica)
	return nil
}
