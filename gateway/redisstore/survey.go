package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Node is how one Redis server that takes writes stands, by its own account (INFO, TIME).
type Node struct {
	Addr, Version string
	// Persists: there is an append-only file. WritesFail says which of its writes to the disk failed last, "" for none.
	Persists   bool
	WritesFail string
	// Policy is maxmemory-policy.
	Policy string
	// Replicas are connected to it.
	Replicas int
	// Ahead is how far its clock is ahead of ours; it is known to within half of Trip, the time that the question took.
	Ahead, Trip time.Duration
}

// Survey asks every master how it stands. Unlike Open it writes nothing, and works where Redis refuses writes.
func Survey(ctx context.Context, url string) ([]Node, error) {
	client, err := dial(url)
	if err != nil {
		return nil, fmt.Errorf("redisstore: survey: %w", err)
	}
	s := &Store{client: client}
	var mu sync.Mutex
	var nodes []Node
	err = s.masters(ctx, func(ctx context.Context, c *redis.Client) error {
		n, err := survey(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, n)
		return err
	})
	if err = errors.Join(err, client.Close()); err != nil {
		return nil, fmt.Errorf("redisstore: survey: %w", err)
	}
	return nodes, nil
}

func survey(ctx context.Context, c *redis.Client) (Node, error) {
	raw, err := c.Info(ctx).Result()
	if err != nil {
		return Node{}, err
	}
	began := time.Now()
	theirs, err := c.Time(ctx).Result()
	if err != nil {
		return Node{}, err
	}
	trip := time.Since(began)
	info := map[string]string{}
	for line := range strings.Lines(raw) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[k] = v
		}
	}
	replicas, err := strconv.Atoi(info["connected_slaves"])
	if err != nil {
		return Node{}, errors.New("INFO does not answer as Redis does")
	}
	n := Node{
		Addr: c.Options().Addr, Version: info["redis_version"], Persists: info["aof_enabled"] == "1", Policy: info["maxmemory_policy"],
		Replicas: replicas,
		Ahead:    theirs.Sub(began.Add(trip / 2)), Trip: trip,
	}
	for _, w := range []struct{ key, what string }{
		{"aof_last_write_status", "appending to the append-only file"},
		{"aof_last_bgrewrite_status", "rewriting the append-only file"},
		{"rdb_last_bgsave_status", "saving a snapshot"},
	} {
		if v := info[w.key]; v != "" && v != "ok" {
			n.WritesFail = w.what
			break
		}
	}
	return n, nil
}
