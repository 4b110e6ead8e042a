//go:build servers

package redisstore

import (
	"testing"
	"testing/synctest"
	"time"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestParksOfOtherClocks: how long a lane is parked is counted by Redis alone. One of two replicas has a clock that is decades behind,
// as a bubble of synctest has it, and stands still while it waits for Redis; each hears of the other's parks what is left of them.
func TestParksOfOtherClocks(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{AppendOnly: true})
	right := open(t, r.URL(), "clocks:", Options{})
	l, err := right.Acquire(t.Context(), shard, "r1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	park := func(s *Store, lane string) {
		t.Helper()
		if err := s.Park(t.Context(), l, gateway.QueueOut, lane, nil, 10*time.Minute, gateway.ParkBreaker); err != nil {
			t.Fatal(err)
		}
	}
	look := func(s *Store, who string) {
		t.Helper()
		lanes, err := s.Parked(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range lanes {
			if left := time.Until(p.Until); left > 10*time.Minute || left < 9*time.Minute {
				t.Errorf("%s: the lane parked by the %s replica waits %s yet, want ten minutes", who, p.Lane, left)
			}
		}
		if len(lanes) == 0 {
			t.Errorf("%s: got no parked lane", who)
		}
	}
	park(right, "right")
	synctest.Test(t, func(t *testing.T) {
		if time.Since(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)) > 0 {
			t.Fatal("the bubble's clock is not behind")
		}
		behind, err := Open(t.Context(), r.URL(), Options{Prefix: right.prefix})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := behind.Close(); err != nil {
				t.Error(err)
			}
		}()
		look(behind, "the replica that is behind")
		park(behind, "other")
	})
	look(right, "the replica whose clock is right")
}
