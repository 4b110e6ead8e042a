// Package redisstore is the gateway.Store in Redis, from version 6.2: one server, a master under Sentinels, or a Redis Cluster.
//
// Every change is one Lua script whose keys share one hash tag, so that it is atomic and works in a cluster: a partition's
// keys are tagged with the partition, an owner's records with the owner. Work streams are never trimmed: what was taken
// leaves them by finish, park or dead only. There are no consumer groups: the holder of a partition's lease reads its
// streams from the last id it saw, and a new holder from the start. keys.go lists every key with its owner and life.
//
// Calls that meet are sent together (batch.go). A call is sent again after a network error only when a second run of it
// has no second effect.
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

	"postern/gateway"
)

var _ gateway.Store = (*Store)(nil)

// Options tunes a store. The zero value works.
type Options struct {
	// Prefix begins every key and channel; empty means "p:". Two gateways may share a Redis under two prefixes.
	Prefix string
	// WaitReplicas is how many replicas must hold an ingest before it counts as durable, within half a second (WAIT).
	WaitReplicas int
}

// Store implements gateway.Store.
type Store struct {
	prefix  string
	waits   int
	kinds   map[gateway.RecordKind]time.Duration // from gateway.RetentionTable
	scripts map[string]script
	now     func() time.Time // the clock of what lives for days: id maps and dead letters

	namesMu sync.RWMutex
	known   map[gateway.Partition]*names

	clocks  *clocks
	client  redis.UniversalClient
	cluster *redis.ClusterClient // nil for one server
	ears    *ears

	mu      sync.Mutex
	closed  bool
	batches map[string]*batcher // by node address
}

// Open connects to url and returns an error when no server answers:
//
//	redis://[user:password@]host:port[/db]
//	redis+cluster://[user:password@]host:port,host:port           some nodes of a cluster
//	redis+sentinel://[user:password@]host:port,host:port/name?db=0 Sentinels, and the name of the master they watch
//
// and rediss in place of redis for TLS. Sentinels that want a user and password of their own get those of sentinel_username
// and sentinel_password in the query.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	client, err := dial(url)
	if err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	if o.Prefix == "" {
		o.Prefix = "p:"
	}
	s := &Store{
		prefix: o.Prefix, waits: o.WaitReplicas, kinds: map[gateway.RecordKind]time.Duration{}, now: time.Now,
		clocks: newClocks(), client: client, batches: map[string]*batcher{},
	}
	s.cluster, _ = client.(*redis.ClusterClient)
	for _, r := range gateway.RetentionTable() {
		s.kinds[r.Kind] = r.TTL
	}
	if s.scripts, err = loadScripts(); err == nil {
		err = s.Ready(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s.ears = listen(client) //nolint:contextcheck // it hears until Close, not until ctx ends
	return s, nil
}

// Ready returns nil when Redis takes writes, on every master of a cluster.
func (s *Store) Ready(ctx context.Context) error {
	if _, err := s.do(ctx, s.readyKey(), again, []any{"set", s.readyKey(), "1", "ex", 60}); err != nil {
		return fmt.Errorf("redisstore: ready: %w", err)
	}
	err := s.masters(ctx, func(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() })
	if err != nil {
		return fmt.Errorf("redisstore: ready: %w", err)
	}
	return nil
}

// Warnings says in what way Redis is set up to lose data, one sentence each. It says nothing where Redis does not allow
// to ask (CONFIG GET).
func (s *Store) Warnings(ctx context.Context) []string {
	var mu sync.Mutex
	seen := map[string]bool{}
	var out []string
	warn := func(w string) {
		mu.Lock()
		defer mu.Unlock()
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	_ = s.masters(ctx, func(ctx context.Context, c *redis.Client) error { // an error is one of Ready's
		policy := c.ConfigGet(ctx, "maxmemory-policy").Val()["maxmemory-policy"]
		if policy != "" && policy != "noeviction" {
			warn("maxmemory-policy is " + policy + ": Redis may drop messages when memory runs out; set it to noeviction")
		}
		if c.ConfigGet(ctx, "appendonly").Val()["appendonly"] == "no" {
			warn("appendonly is no: a restart of Redis loses messages in transit; set it to yes")
		}
		return nil
	})
	return out
}

// Memory returns how much memory Redis uses, and how much it may (maxmemory; 0 for no limit): of the master that is fullest.
func (s *Store) Memory(ctx context.Context) (used, limit int64, err error) {
	var mu sync.Mutex
	err = s.masters(ctx, func(ctx context.Context, c *redis.Client) error {
		text, err := c.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		u, m := infoNumber(text, "used_memory"), infoNumber(text, "maxmemory")
		mu.Lock()
		defer mu.Unlock()
		if share := func(u, m int64) float64 { return float64(u) / float64(max(m, 1)) }; share(u, m) >= share(used, limit) {
			used, limit = u, m
		}
		return nil
	})
	return used, limit, failed("memory", err)
}

// infoNumber returns a field of what INFO answers, 0 when it is not there.
func infoNumber(text, field string) int64 {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}

// masters runs f on the server, or on every master of the cluster, concurrently.
func (s *Store) masters(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, f)
	case *redis.Client:
		return f(ctx, c)
	}
	return nil
}

// Close waits for calls that are on their way, then ends every Watch and Subscribe and closes all connections.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, b := range s.batches { // nobody adds one any more
		b.close()
	}
	return errors.Join(s.ears.close(), s.client.Close())
}

// failed names the verb that an error stopped, and turns the scripts' errors into the contract's.
func failed(verb string, err error) error {
	if err == nil {
		return nil
	}
	for code, known := range map[string]error{
		"FENCED ": gateway.ErrFenced, "HELD ": gateway.ErrHeld, "FULL ": gateway.ErrFull, "EXISTS ": gateway.ErrExists, "CHANGED ": gateway.ErrChanged, "GONE ": gateway.ErrNotFound,
	} {
		if strings.HasPrefix(err.Error(), code) {
			err = known
		}
	}
	return fmt.Errorf("redisstore: %s: %w", verb, err)
}
