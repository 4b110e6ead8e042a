package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// slots is the number of hash slots of every Redis Cluster (Redis Cluster specification).
const slots = 16384

// RedisCluster is a running Redis Cluster of masters without replicas.
type RedisCluster struct {
	Nodes []*Redis // in the order of their slot ranges
}

// URL returns the address in the form of Postern's configuration.
func (c *RedisCluster) URL() string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Told()
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// Flush deletes all data of all nodes.
func (c *RedisCluster) Flush(ctx context.Context) error {
	for _, n := range c.Nodes {
		if err := n.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// StartRedisCluster starts n masters, shares the slots out and waits until all nodes agree.
func (l *Lab) StartRedisCluster(ctx context.Context, n int, cfg RedisConfig) (*RedisCluster, error) {
	if n < 3 {
		return nil, errors.New("lab: a Redis Cluster needs three nodes to agree on failures")
	}
	ports, err := l.ports(ctx, n, true)
	if err != nil {
		return nil, err
	}
	c := &RedisCluster{}
	for _, port := range ports {
		told, err := cfg.told(ctx, port)
		if err != nil {
			return nil, err
		}
		// Nodes tell clients of each other by the announced port; among themselves they use the bus port.
		more := fmt.Sprintf("cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 5000\ncluster-announce-ip 127.0.0.1\n"+
			"cluster-announce-port %d\ncluster-announce-bus-port %d\n", told, port+busOffset)
		r, err := l.redis(l.name("redis-cluster"), port, told, cfg, more)
		if err != nil {
			return nil, err
		}
		if err := l.start(ctx, r.Server); err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, r)
	}
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	if err := c.Ready(ctx); err != nil {
		return nil, err
	}
	l.printf("Redis Cluster is ready at %s", c.URL())
	return c, nil
}

// join gives each node its share of the slots and makes the nodes meet, by commands that Redis 6.2 has.
func (c *RedisCluster) join(ctx context.Context) error {
	for i, r := range c.Nodes {
		// Different epochs from the start: equal ones would have to be sorted out by the nodes.
		if _, err := r.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		args := []string{"CLUSTER", "ADDSLOTS"}
		for s := i * slots / len(c.Nodes); s < (i+1)*slots/len(c.Nodes); s++ {
			args = append(args, strconv.Itoa(s))
		}
		if _, err := r.Do(ctx, args...); err != nil {
			return err
		}
	}
	for _, r := range c.Nodes[1:] {
		if _, err := c.Nodes[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(r.port)); err != nil {
			return err
		}
	}
	return nil
}

// agrees reports whether node r sees every slot served and every node as a master.
func (c *RedisCluster) agrees(ctx context.Context, r *Redis) error {
	v, err := r.Do(ctx, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	info, _ := v.(string)
	for _, want := range []string{
		"cluster_state:ok", "cluster_slots_ok:" + strconv.Itoa(slots),
		"cluster_known_nodes:" + strconv.Itoa(len(c.Nodes)), "cluster_size:" + strconv.Itoa(len(c.Nodes)),
	} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("want %s, got %q", want, info)
		}
	}
	return nil
}

// Ready waits until every running node again sees the whole cluster served, as after the restart of one.
func (c *RedisCluster) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, r := range c.Nodes {
		if err := poll(ctx, nil, func(ctx context.Context) error { return c.agrees(ctx, r) }); err != nil {
			return fmt.Errorf("lab: Redis Cluster: %s: %w", r.name, err)
		}
	}
	return nil
}

// Move hands the slots that have keys on node from over to node to, one after the other and key by key, while clients use them (Redis Cluster
// specification, Live reconfiguration), most of them at most. It returns how many keys went.
func (c *RedisCluster) Move(ctx context.Context, from, to *Redis, most int) (int, error) {
	keys, err := from.Do(ctx, "KEYS", "*")
	if err != nil {
		return 0, err
	}
	list, _ := keys.([]any)
	var of []int64
	asked := map[string]bool{}
	for _, key := range list {
		name := fmt.Sprint(key)
		if _, after, found := strings.Cut(name, "{"); found { // keys with one tag are in one slot (Hash tags)
			name, _, _ = strings.Cut(after, "}")
		}
		if asked[name] {
			continue
		}
		asked[name] = true
		slot, err := from.Do(ctx, "CLUSTER", "KEYSLOT", name)
		if err != nil {
			return 0, err
		}
		if n, ok := slot.(int64); ok && !slices.Contains(of, n) {
			of = append(of, n)
		}
	}
	moved := 0
	for _, slot := range of[:min(most, len(of))] {
		n, err := c.MoveSlot(ctx, from, to, slot)
		moved += n
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// migrateKeys is how many keys go in one step: clients come in between.
const migrateKeys = 25

// MoveSlot hands one slot over and returns how many keys went with it.
func (c *RedisCluster) MoveSlot(ctx context.Context, from, to *Redis, slot int64) (int, error) {
	ids := map[*Redis]string{}
	for _, n := range []*Redis{from, to} {
		id, err := n.Do(ctx, "CLUSTER", "MYID")
		if err != nil {
			return 0, err
		}
		ids[n] = fmt.Sprint(id)
	}
	number := strconv.FormatInt(slot, 10)
	if _, err := to.Do(ctx, "CLUSTER", "SETSLOT", number, "IMPORTING", ids[from]); err != nil {
		return 0, err
	}
	if _, err := from.Do(ctx, "CLUSTER", "SETSLOT", number, "MIGRATING", ids[to]); err != nil {
		return 0, err
	}
	moved := 0
	for {
		keys, err := from.Do(ctx, "CLUSTER", "GETKEYSINSLOT", number, strconv.Itoa(migrateKeys))
		if err != nil {
			return moved, err
		}
		list, _ := keys.([]any)
		if len(list) == 0 {
			break
		}
		args := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.port), "", "0", "5000", "KEYS"}
		for _, key := range list {
			args = append(args, fmt.Sprint(key))
		}
		if _, err := from.Do(ctx, args...); err != nil {
			return moved, err
		}
		moved += len(list)
	}
	for _, n := range append([]*Redis{to, from}, c.Nodes...) { // who gets the slot first: nobody has it in between otherwise
		if _, err := n.Do(ctx, "CLUSTER", "SETSLOT", number, "NODE", ids[to]); err != nil {
			return moved, err
		}
	}
	return moved, nil
}
