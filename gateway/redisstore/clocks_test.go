//go:build servers

package redisstore

import (
	"context"
	"testing"
	"time"

	"postern/deploy/lab"
	"postern/gateway"
)

// A clock of Redis' that was set forward costs a second question, not the message; one that was set back is believed after a while.
func TestRedisClockIsSet(t *testing.T) {
	s := open(t, startRedis(t, lab.RedisConfig{}).URL(), "set:", Options{})
	put := func(name string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, dup, err := s.Ingest(ctx, shard, gateway.QueueOut, entry(name), gateway.IngestOptions{}); err != nil || dup {
			t.Fatalf("%s: got duplicate %v and error %v, want neither", name, dup, err)
		}
	}
	put("first")
	real := s.clocks.readings[shard].ahead
	near := func(what string) {
		t.Helper()
		if got := s.clocks.readings[shard].ahead; got < real-1000 || got > real+1000 {
			t.Errorf("%s: got a clock that is %d ms off", what, got-real)
		}
	}
	s.clocks.readings[shard] = reading{real - 90_000, time.Now()} // as if it had been set forward since
	put("forward")
	near("set forward")
	s.clocks.readings[shard] = reading{real + 90_000, time.Now()}
	put("back")
	if got := s.clocks.readings[shard].ahead; got < real+80_000 {
		t.Errorf("got a reading that says less %d ms later, want the one that says most", got-real)
	}
	s.clocks.readings[shard] = reading{real + 90_000, time.Now().Add(-readFor - time.Second)}
	put("later")
	near("set back")
}
