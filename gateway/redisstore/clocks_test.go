//go:build servers

package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/deploy/lab"
	"postern/gateway"
)

// A Redis that stands still takes what it was sent once it goes on. Whoever was told meanwhile that it failed has gone on too: what they
// sent then must not come behind what they send now.
func TestNothingLandsAfterItsTime(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "late:", Options{})
	put := func(ctx context.Context, name string) error {
		_, _, err := s.Ingest(ctx, shard, gateway.QueueOut, entry(name), gateway.IngestOptions{Dedupe: name, DedupeFor: time.Hour})
		return err
	}
	if err := put(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context(), "CLIENT", "PAUSE", "1500", "ALL"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := put(short, "refused"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want that its time is over", err)
	}
	if err := put(t.Context(), "after"); err != nil {
		t.Fatal(err)
	}
	all, err := s.Read(t.Context(), shard, gateway.QueueOut, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, string(e.Payload))
	}
	if d := cmp.Diff([]string{"before", "after"}, got); d != "" {
		t.Errorf("what is stored (-want +got):\n%s", d)
	}
}

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
