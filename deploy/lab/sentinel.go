package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Times of a Sentinel of the lab (sentinel.conf): a master that is silent for so long is replaced.
const (
	sentinelDownAfter = 2 * time.Second
	sentinelFailover  = 3 * time.Second
	sentinelMaster    = "mymaster"
)

// RedisSentinel is a master with its replicas, and a Sentinel that puts a replica in a lost master's place. One Sentinel decides
// alone, which is enough where nothing happens to the Sentinel itself.
type RedisSentinel struct {
	Nodes    []*Redis // the first is the master at the start
	Sentinel *Redis
}

// URL returns the address in the form of Postern's configuration.
func (s *RedisSentinel) URL() string {
	return "redis+sentinel://" + s.Sentinel.Addr() + "/" + sentinelMaster + "/0"
}

// Master returns the node that is the master now, as the Sentinel sees it.
func (s *RedisSentinel) Master(ctx context.Context) (*Redis, error) {
	v, err := s.Sentinel.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinelMaster)
	if err != nil {
		return nil, err
	}
	addr, _ := v.([]any)
	for _, n := range s.Nodes {
		if len(addr) == 2 && fmt.Sprintf("%v:%v", addr[0], addr[1]) == n.Told() {
			return n, nil
		}
	}
	return nil, fmt.Errorf("lab: sentinel: the master is %v, which is none of its nodes", addr)
}

// Moved waits until another node than from is the master.
func (s *RedisSentinel) Moved(ctx context.Context, from *Redis) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return poll(ctx, nil, func(ctx context.Context) error {
		m, err := s.Master(ctx)
		if err == nil && m == from {
			err = fmt.Errorf("lab: sentinel: %s is still the master", m.name)
		}
		return err
	})
}

// Handover makes the Sentinel put a replica in the place of a master that lives. It is asked again while no replica would do.
func (s *RedisSentinel) Handover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return poll(ctx, nil, func(ctx context.Context) error {
		_, err := s.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", sentinelMaster)
		return err
	})
}

// Ready waits until the master has all other nodes as replicas that are up to date, and the Sentinel knows them and hears the master: one
// that it has not heard for a while it may yet replace.
func (s *RedisSentinel) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return poll(ctx, nil, func(ctx context.Context) error {
		m, err := s.Master(ctx)
		if err != nil {
			return err
		}
		v, err := m.Do(ctx, "INFO", "replication")
		if err != nil {
			return err
		}
		info, _ := v.(string)
		// A replica is called online before it asks for what comes after the first copy: only then its offset counts.
		n := strings.Count(info, "state=online") - strings.Count(info, "state=online,offset=0,")
		if !strings.Contains(info, "role:master") || n < len(s.Nodes)-1 {
			return fmt.Errorf("lab: sentinel: %s has %d replicas, want %d", m.name, n, len(s.Nodes)-1)
		}
		if err := s.hears(ctx); err != nil {
			return err
		}
		known, err := s.Sentinel.Do(ctx, "SENTINEL", "REPLICAS", sentinelMaster)
		if err != nil {
			return err
		}
		if list, _ := known.([]any); len(list) < len(s.Nodes)-1 {
			return fmt.Errorf("lab: sentinel: it knows %d replicas, want %d", len(list), len(s.Nodes)-1)
		}
		return nil
	})
}

// sentinelFresh is how old the master's last answer may be: the Sentinel asks every second.
const sentinelFresh = 1200 * time.Millisecond

// hears checks that the Sentinel thinks the master well, on an answer that is not older than sentinelFresh.
func (s *RedisSentinel) hears(ctx context.Context) error {
	v, err := s.Sentinel.Do(ctx, "SENTINEL", "MASTER", sentinelMaster)
	if err != nil {
		return err
	}
	list, _ := v.([]any)
	of := map[string]string{}
	for n := 0; n+1 < len(list); n += 2 {
		of[fmt.Sprint(list[n])] = fmt.Sprint(list[n+1])
	}
	age, err := strconv.Atoi(of["last-ok-ping-reply"]) // milliseconds
	if err != nil {
		return fmt.Errorf("lab: sentinel: last-ok-ping-reply: %w", err)
	}
	if since := time.Duration(age) * time.Millisecond; of["flags"] != "master" || since > sentinelFresh {
		return fmt.Errorf("lab: sentinel: the master is %q and answered %s ago", of["flags"], since)
	}
	return nil
}

// StartRedisSentinel starts n nodes and the Sentinel, and waits until a failover would work. cfg.Via is between all of them too,
// so that a master that a proxy hides is lost to everybody.
func (l *Lab) StartRedisSentinel(ctx context.Context, n int, cfg RedisConfig) (*RedisSentinel, error) {
	if n < 2 {
		return nil, errors.New("lab: a failover needs a replica")
	}
	ports, err := l.ports(ctx, n+1, false)
	if err != nil {
		return nil, err
	}
	s := &RedisSentinel{}
	for i, port := range ports[:n] {
		told, err := cfg.told(ctx, port)
		if err != nil {
			return nil, err
		}
		more := fmt.Sprintf("replica-announce-ip 127.0.0.1\nreplica-announce-port %d\nrepl-diskless-sync-delay 0\n", told)
		if i > 0 {
			more += fmt.Sprintf("replicaof 127.0.0.1 %d\n", s.Nodes[0].told)
		}
		r, err := l.redis(l.name("redis-node"), port, told, cfg, more)
		if err != nil {
			return nil, err
		}
		if err := l.start(ctx, r.Server); err != nil {
			return nil, err
		}
		s.Nodes = append(s.Nodes, r)
	}
	if s.Sentinel, err = l.sentinel(ports[n], s.Nodes[0].told); err != nil {
		return nil, err
	}
	if err := l.start(ctx, s.Sentinel.Server); err != nil {
		return nil, err
	}
	return s, s.Ready(ctx)
}

// sentinel prepares the Sentinel on port without starting it. It writes to its configuration what it learns.
func (l *Lab) sentinel(port, master int) (*Redis, error) {
	bin, err := program("redis-server", redisPackages)
	if err != nil {
		return nil, err
	}
	name := l.name("redis-sentinel")
	dir, err := l.home(name, account{})
	if err != nil {
		return nil, err
	}
	log, conf := filepath.Join(dir, "sentinel.log"), filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %q\nlogfile %q\nsentinel monitor %s 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds %[4]s %[6]d\nsentinel failover-timeout %[4]s %[7]d\n",
		port, dir, log, sentinelMaster, master, sentinelDownAfter.Milliseconds(), sentinelFailover.Milliseconds())
	if err := writeFile(conf, text, account{}); err != nil {
		return nil, err
	}
	r := &Redis{port: port, told: port}
	r.Server = &Server{
		name: name, dir: dir, log: log, command: command{path: bin, args: []string{conf, "--sentinel"}},
		probe: func(ctx context.Context) error {
			_, err := redisDo(ctx, loopback(port), "PING")
			return err
		},
	}
	return r, nil
}
