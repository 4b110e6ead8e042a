//go:build servers

package redisstore

import (
	"fmt"
	"testing"

	"postern/deploy/lab"
	"postern/gateway"
)

// clusterMoveLoaded migrates the slots of shards from node to node, key by key as redis-cli does, while entries are ingested and
// worked off there.
func clusterMoveLoaded(t *testing.T, c *lab.RedisCluster) {
	s := open(t, c.URL(), "load:", Options{})
	var loads []*workload
	for _, p := range []gateway.Partition{"s11", "s12", "c:loaded"} {
		w := newWorkload(t, s, p)
		w.reach(50)
		loads = append(loads, w)
	}
	for round := range 4 {
		for _, w := range loads {
			migrate(t, c, s.stream(w.part, gateway.QueueIn), round)
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

// migrate moves the slot of a key to another node than the one that has it.
func migrate(t *testing.T, c *lab.RedisCluster, key string, round int) {
	t.Helper()
	slot, err := c.Nodes[0].Do(t.Context(), "CLUSTER", "KEYSLOT", key)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range c.Nodes { // the owner counts the keys of its slot, who is not it has none
		have, err := n.Do(t.Context(), "CLUSTER", "COUNTKEYSINSLOT", fmt.Sprint(slot))
		if err != nil {
			t.Fatal(err)
		}
		if have.(int64) == 0 {
			continue
		}
		moved, err := c.MoveSlot(t.Context(), n, c.Nodes[(i+1+round%2)%len(c.Nodes)], slot.(int64))
		if err != nil || moved == 0 {
			t.Fatalf("slot %d: %d keys moved, %v", slot, moved, err)
		}
		return
	}
	t.Fatalf("slot %d: nobody has keys of it", slot)
}
