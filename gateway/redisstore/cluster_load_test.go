//go:build servers

package redisstore

import (
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"postern/deploy/lab"
	"postern/gateway"
)

// clusterMoveLoaded migrates the slots of shards from node to node, key by key as redis-cli does, while entries are ingested and
// worked off there.
func clusterMoveLoaded(t *testing.T, c *lab.RedisCluster) {
	s := open(t, c.URL(), "load:", Options{})
	var nodes []*redis.Client
	ids := map[string]string{}
	for _, n := range c.Nodes {
		node := redis.NewClient(&redis.Options{Addr: n.Addr(), Protocol: 2})
		defer func() { _ = node.Close() }()
		nodes = append(nodes, node)
		ids[n.Addr()] = node.Do(t.Context(), "cluster", "myid").Val().(string)
	}
	var loads []*workload
	for _, p := range []gateway.Partition{"s11", "s12", "c:loaded"} {
		w := newWorkload(t, s, p)
		w.reach(50)
		loads = append(loads, w)
	}
	for round := range 4 {
		for _, w := range loads {
			migrate(t, nodes, ids, s.stream(w.part, gateway.QueueIn), round)
			w.reach(w.done() + 20)
		}
	}
	for _, w := range loads {
		w.finish()
		if w.lost > 0 {
			t.Errorf("%s: got %d leases lost, want none: a slot that moves is no failure", w.part, w.lost)
		}
	}
}

// migrate moves the slot of a key to the next node, by the steps of the Redis Cluster specification (Live reconfiguration).
func migrate(t *testing.T, nodes []*redis.Client, ids map[string]string, key string, round int) {
	t.Helper()
	ctx := t.Context()
	slot := nodes[0].ClusterKeySlot(ctx, key).Val()
	var from, to *redis.Client
	for i, n := range nodes { // the owner counts the keys of its slot, who is not it has none
		if n.ClusterCountKeysInSlot(ctx, int(slot)).Val() > 0 {
			from, to = n, nodes[(i+1+round%2)%len(nodes)]
		}
	}
	if from == nil {
		t.Fatalf("slot %d: nobody has keys of it", slot)
	}
	do := func(n *redis.Client, args ...any) {
		t.Helper()
		if err := n.Do(ctx, args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	do(to, "cluster", "setslot", slot, "importing", ids[from.Options().Addr])
	do(from, "cluster", "setslot", slot, "migrating", ids[to.Options().Addr])
	host, port, err := net.SplitHostPort(to.Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for {
		keys := from.ClusterGetKeysInSlot(ctx, int(slot), 25).Val()
		if len(keys) == 0 {
			break
		}
		args := []any{"migrate", host, port, "", 0, 5000, "keys"}
		for _, k := range keys {
			args = append(args, k)
		}
		do(from, args...)
		moved += len(keys)
		<-time.After(2 * time.Millisecond) // calls come in between
	}
	for _, n := range append([]*redis.Client{to, from}, nodes...) {
		do(n, "cluster", "setslot", slot, "node", ids[to.Options().Addr])
	}
	if moved == 0 {
		t.Errorf("slot %d: no keys moved", slot)
	}
}
