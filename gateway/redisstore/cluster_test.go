//go:build servers

package redisstore

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestCluster needs three nodes for all its parts, and starts them once.
func TestCluster(t *testing.T) {
	c, err := lab.ForTest(t).StartRedisCluster(t.Context(), 3, lab.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("kit", func(t *testing.T) { kit(t, c.URL(), nil) })
	t.Run("shards lie on all nodes", func(t *testing.T) { clusterSpread(t, c) })
	t.Run("a slot moves", func(t *testing.T) { clusterMove(t, c) })
	t.Run("slots move under load", func(t *testing.T) { clusterMoveLoaded(t, c) })
}

func clusterSpread(t *testing.T, c *lab.RedisCluster) {
	s := open(t, c.URL(), "spread:", Options{})
	for _, p := range append(gateway.AllShards(), gateway.OutboxPartition("telegram")) {
		for _, q := range []gateway.Queue{gateway.QueueIn, gateway.QueueOut} {
			o := gateway.IngestOptions{Dedupe: "d", DedupeFor: time.Minute}
			if _, _, err := s.Ingest(t.Context(), p, q, gateway.Entry{Lane: "l", Payload: []byte("x")}, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	var mu sync.Mutex
	perNode, slots, total := map[string]int{}, map[string]map[int64]bool{}, 0
	err := s.cluster.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
		scan := node.Scan(ctx, 0, s.prefix+"*", 1000).Iterator()
		for scan.Next(ctx) {
			key := strings.TrimPrefix(scan.Val(), s.prefix)
			slot, err := node.ClusterKeySlot(ctx, scan.Val()).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			tag, _, _ := strings.Cut(key, "}")
			if slots[tag] == nil {
				slots[tag] = map[int64]bool{}
			}
			slots[tag][slot] = true
			if strings.HasPrefix(key, "{s") && strings.HasSuffix(key, "}:q:in") {
				perNode[node.Options().Addr]++
				total++
			}
			mu.Unlock()
		}
		return scan.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if total != gateway.Shards || len(perNode) != 3 {
		t.Errorf("shard streams: got %d on %d nodes (%v), want %d on 3", total, len(perNode), perNode, gateway.Shards)
	}
	for tag, of := range slots {
		if len(of) != 1 {
			t.Errorf("keys of %s}: got %d slots, want 1", tag, len(of))
		}
	}
}

// clusterMove migrates the slot of a shard while it is used: ASK while it moves, MOVED after.
func clusterMove(t *testing.T, c *lab.RedisCluster) {
	s := open(t, c.URL(), "move:", Options{})
	ctx, p := t.Context(), gateway.OutboxPartition("moving") // a slot that no other part uses
	put := func(name string) {
		t.Helper()
		if _, _, err := s.Ingest(ctx, p, gateway.QueueIn, gateway.Entry{Lane: "l", Payload: []byte(name)}, gateway.IngestOptions{}); err != nil {
			t.Errorf("ingest %s: got %v, want none", name, err)
		}
	}
	key := s.stream(p, gateway.QueueIn)
	from, err := s.cluster.MasterForKey(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	slot := from.ClusterKeySlot(ctx, key).Val()
	var to *redis.Client
	ids := map[string]string{}
	var all []*redis.Client
	for _, n := range c.Nodes {
		node := redis.NewClient(&redis.Options{Addr: n.Addr(), Protocol: 2})
		defer func() { _ = node.Close() }()
		all = append(all, node)
		ids[n.Addr()] = node.Do(ctx, "cluster", "myid").Val().(string)
		if n.Addr() != from.Options().Addr {
			to = node
		}
	}
	setslot := func(node *redis.Client, args ...any) {
		t.Helper()
		if err := node.Do(ctx, append([]any{"cluster", "setslot", slot}, args...)...).Err(); err != nil {
			t.Fatalf("setslot %v: %v", args, err)
		}
	}
	setslot(to, "importing", ids[from.Options().Addr])
	setslot(from, "migrating", ids[to.Options().Addr])
	names := func() string {
		t.Helper()
		got, err := s.Read(ctx, p, gateway.QueueIn, "", 10)
		if err != nil {
			t.Fatalf("read: got %v, want none", err)
		}
		var all []string
		for _, e := range got {
			all = append(all, string(e.Payload))
		}
		return strings.Join(all, " ")
	}
	_, err = to.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Do(ctx, "asking")
		pipe.Do(ctx, "xadd", key, "*", "l", "l", "k", "event", "a", "", "t", "1", "p", "a")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(); got != "a" { // the old node has no such key any more: ASK
		t.Errorf("entries while the slot moves: got %q, want %q", got, "a")
	}
	var wg sync.WaitGroup
	wg.Go(func() { put("b") }) // several keys, of which some are nowhere: TRYAGAIN until the slot has moved
	<-time.After(200 * time.Millisecond)
	for _, node := range append([]*redis.Client{to, from}, all...) {
		setslot(node, "node", ids[to.Options().Addr])
	}
	wg.Wait()
	put("c")
	if got := names(); got != "a b c" {
		t.Errorf("entries: got %q, want %q", got, "a b c")
	}
}
