//go:build servers

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"postern/deploy/lab"
	"postern/gateway"
)

// ending ends a context when parked entries are counted.
type ending struct{ end context.CancelFunc }

func (ending) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (ending) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (e ending) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, c := range cmds {
			if c.Name() == "xlen" {
				e.end()
			}
		}
		return next(ctx, cmds)
	}
}

// TestAcquireGivesBack: who takes a lease and cannot count what is parked is no owner, and nobody waits until its time is over.
func TestAcquireGivesBack(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "back:", Options{})
	park := func(l gateway.Lease) {
		t.Helper()
		id, _, err := s.Ingest(t.Context(), shard, gateway.QueueIn, entry("x"), gateway.IngestOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Park(t.Context(), l, gateway.QueueIn, "l", []gateway.EntryID{id}, time.Hour, gateway.ParkRetry); err != nil {
			t.Fatal(err)
		}
	}
	l, err := s.Acquire(t.Context(), shard, "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	park(l)
	if err := s.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}

	stream := s.stream(shard, gateway.ParkQueue(gateway.QueueIn, "l"))
	if err := s.client.Rename(t.Context(), stream, stream+"x").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Set(t.Context(), stream, "no stream", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Acquire(t.Context(), shard, "second", time.Hour); err == nil || l != (gateway.Lease{}) {
		t.Errorf("what is parked cannot be counted: got %+v, %v, want an error", l, err)
	}
	if err := s.client.Rename(t.Context(), stream+"x", stream).Err(); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	s.client.AddHook(ending{cancel})
	if _, err := s.Acquire(ctx, shard, "third", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("the context ends meanwhile: got %v, want that it was canceled", err)
	}
	if _, err := s.Acquire(t.Context(), shard, "fourth", time.Hour); err != nil {
		t.Errorf("after two who could not count: got %v, want the lease", err)
	}
}

// TestAcquireOfMany: a new owner counts however many chats stand still, and prints how long that takes: a small part of a lease.
func TestAcquireOfMany(t *testing.T) {
	const lanes = 20_000
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "many:", Options{})
	ctx := t.Context()
	l, err := s.Acquire(ctx, shard, "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < lanes; at += 1000 {
		pipe := s.client.Pipeline()
		for n := at; n < at+1000; n++ {
			for _, q := range []gateway.Queue{gateway.QueueIn, gateway.QueueOut} {
				lane := fmt.Sprintf("%064d", n) // as long as the name of one
				pipe.XAdd(ctx, &redis.XAddArgs{Stream: s.stream(shard, gateway.ParkQueue(q, lane)), Values: []string{"p", "x"}})
				pipe.HSet(ctx, s.parked(shard), string(q)+":"+lane, "1:retry")
			}
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Release(ctx, l); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err = s.Acquire(ctx, shard, "second", time.Hour); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d parked lanes counted in %s", 2*lanes, time.Since(began).Round(time.Millisecond))
	for _, q := range []gateway.Queue{gateway.QueueIn, gateway.QueueOut} {
		if n, err := s.client.Get(ctx, s.held(shard, q)).Int(); err != nil || n != lanes {
			t.Errorf("%s: got %d parked entries, %v, want %d", q, n, err, lanes)
		}
	}
}
