//go:build servers

package redisstore

import (
	"testing"

	"postern/deploy/lab"
)

// How full Redis is is told beside how full it may be.
func TestMemoryUse(t *testing.T) {
	r, err := lab.ForTest(t).StartRedis(t.Context(), lab.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, r.URL(), "memory:", Options{})
	used, limit, err := s.Memory(t.Context())
	if err != nil || used < 100_000 || limit != 0 {
		t.Errorf("got %d of %d, %v, want some of no limit", used, limit, err)
	}
	if _, err := r.Do(t.Context(), "CONFIG", "SET", "maxmemory", "64mb"); err != nil {
		t.Fatal(err)
	}
	if _, limit, err = s.Memory(t.Context()); err != nil || limit != 64<<20 {
		t.Errorf("got a limit of %d, %v, want %d", limit, err, 64<<20)
	}
}
