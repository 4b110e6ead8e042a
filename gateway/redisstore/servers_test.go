//go:build servers

package redisstore

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"postern/deploy/lab"
	"postern/gateway"
	"postern/gateway/storetest"
)

// clock runs with the real one, and leaps.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// advance waits for short times and leaps over long ones: Redis counts the life of leases, dedupe keys and expiring
// records, the store's own clock that of id maps and dead letters.
func (c *clock) advance(d time.Duration) {
	if d > time.Minute {
		c.ahead.Add(int64(d))
		return
	}
	<-time.After(d)
}

// open opens a store under a prefix of its own.
func open(t testing.TB, url, prefix string, o Options) *Store {
	t.Helper()
	o.Prefix = prefix + rand.Text()[:8] + ":"
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := Open(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: got %v, want none", err)
		}
	})
	return s
}

// kit runs the conformance kit; every case has a prefix of its own behind "kit:". rec, if any, hears every command.
func kit(t *testing.T, url string, rec *recorder) {
	t.Helper()
	var c clock
	storetest.Run(t, func(t *testing.T) gateway.Store {
		c.ahead.Store(0)
		s := open(t, url, "kit:", Options{})
		s.now = c.now
		if rec != nil {
			s.client.AddHook(rec)
		}
		return s
	}, storetest.Options{Advance: c.advance, Stall: stall(t), Short: 400 * time.Millisecond})
}

// stall lets Redis stand still for a time.
func stall(t *testing.T) func(gateway.Store, time.Duration) {
	return func(s gateway.Store, d time.Duration) {
		t.Helper()
		rs, ok := s.(*Store)
		if !ok {
			t.Fatalf("store: got %T", s)
		}
		if err := rs.masters(t.Context(), func(ctx context.Context, c *redis.Client) error { return c.ClientPause(ctx, d).Err() }); err != nil {
			t.Fatal(err)
		}
	}
}

func startRedis(t testing.TB, cfg lab.RedisConfig) *lab.Redis {
	t.Helper()
	r, err := lab.ForTest(t).StartRedis(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func BenchmarkIngest(b *testing.B) {
	storetest.BenchmarkIngest(b, open(b, startRedis(b, lab.RedisConfig{AppendOnly: true}).URL(), "b:", Options{}))
}

func BenchmarkLoop(b *testing.B) {
	storetest.BenchmarkLoop(b, open(b, startRedis(b, lab.RedisConfig{AppendOnly: true}).URL(), "b:", Options{}))
}
