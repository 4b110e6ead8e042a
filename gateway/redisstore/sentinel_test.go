//go:build servers

package redisstore

import (
	"context"
	"testing"
	"time"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestSentinel kills the master: what a replica confirmed (WAIT) is there after the failover, and the store goes on.
func TestSentinel(t *testing.T) {
	redis, err := lab.ForTest(t).StartRedisSentinel(t.Context(), 2, lab.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, redis.URL(), "s:", Options{WaitReplicas: 1})
	ingest := func(name string) (bool, error) {
		o := gateway.IngestOptions{Dedupe: name, DedupeFor: time.Hour}
		_, dup, err := s.Ingest(t.Context(), shard, gateway.QueueIn, entry(name), o)
		return dup, err
	}
	eventually(t, "ingest that the replica has", func() bool { _, err := ingest("a"); return err == nil })
	hints := s.Watch(t.Context(), shard)
	if err := redis.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	s.waits = 0 // the replica that is left is the master now
	eventually(t, "ingest after the failover", func() bool { _, err := ingest("b"); return err == nil })
	if dup, err := ingest("a"); err != nil || !dup {
		t.Errorf("ingest of what was confirmed before: got duplicate %v and error %v, want true", dup, err)
	}
	n, _, err := s.Depth(t.Context(), shard, gateway.QueueIn)
	if err != nil || n != 2 {
		t.Errorf("depth: got %d and error %v, want 2", n, err)
	}
	eventually(t, "hint after the failover", func() bool {
		select {
		case <-hints:
			return true
		default:
			return false
		}
	})
}

// TestSlowReplica: a replica that confirms late has confirmed. Bytes to and from it are under way for a while.
func TestSlowReplica(t *testing.T) {
	l := lab.ForTest(t)
	var between []*lab.Proxy
	redis, err := l.StartRedisSentinel(t.Context(), 2, lab.RedisConfig{
		Via: func(ctx context.Context, addr string) (string, error) {
			p, err := l.StartProxy(ctx, addr)
			if err != nil {
				return "", err
			}
			between = append(between, p)
			return p.Addr(), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, "redis://"+redis.Nodes[0].Addr(), "slow:", Options{WaitReplicas: 1})
	between[0].Set(lab.Weather{Delay: 150 * time.Millisecond}) // the way between replica and master alone
	o := gateway.IngestOptions{Dedupe: "a", DedupeFor: time.Hour}
	if _, _, err := s.Ingest(t.Context(), shard, gateway.QueueIn, entry("a"), o); err != nil {
		t.Errorf("ingest: got %v, want none", err)
	}
}
