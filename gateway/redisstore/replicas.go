package redisstore

import (
	"context"
	"time"
)

// Announce implements gateway.Replicas. Redis' clock counts the life of an announcement: those of the replicas may differ.
func (s *Store) Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (map[string][]byte, error) {
	got, err := s.eval(ctx, "announce", again, []string{s.live()}, replica, ttl.Milliseconds(), note)
	if err != nil {
		return nil, failed("announce", err)
	}
	list, _ := got.([]any)
	all := make(map[string][]byte, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		note, _ := list[i+1].(string)
		all[name] = []byte(note)
	}
	return all, nil
}

// Withdraw implements gateway.Replicas.
func (s *Store) Withdraw(ctx context.Context, replica string) error {
	_, err := s.do(ctx, s.live(), again, []any{"hdel", s.live(), replica})
	return failed("withdraw", err)
}
