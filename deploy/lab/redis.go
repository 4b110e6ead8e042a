package lab

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

const redisPackages = "redis-server"

// Fsync says when Redis writes its append-only file through to the disk (redis.conf, appendfsync).
type Fsync string

// The modes of Redis. FsyncEverySecond is its default and the zero value's meaning.
const (
	FsyncEverySecond Fsync = "everysec"
	FsyncAlways      Fsync = "always"
	FsyncNever       Fsync = "no"
)

// RedisConfig describes a Redis server. The zero value keeps everything in memory.
type RedisConfig struct {
	AppendOnly bool // keep data across Restart and Kill
	Fsync      Fsync
	// Via returns where clients and other servers find the one that listens at addr, such as a proxy's address on loopback. It
	// is called once per server, before the start. Nil: the same address.
	Via func(ctx context.Context, addr string) (string, error)
}

// told is the port that a server on port is found at.
func (c RedisConfig) told(ctx context.Context, port int) (int, error) {
	if c.Via == nil {
		return port, nil
	}
	addr, err := c.Via(ctx, loopback(port))
	if err != nil {
		return 0, fmt.Errorf("lab: redis: via: %w", err)
	}
	_, told, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("lab: redis: via: %w", err)
	}
	return strconv.Atoi(told)
}

// Redis is a running Redis server.
type Redis struct {
	*Server
	port, told int
}

// Addr returns host:port of the server itself.
func (r *Redis) Addr() string { return loopback(r.port) }

// Told returns host:port where clients find it: Addr, or what RedisConfig.Via made of that.
func (r *Redis) Told() string { return loopback(r.told) }

// URL returns the address in the form of Postern's configuration.
func (r *Redis) URL() string { return "redis://" + r.Told() + "/0" }

// Do sends one command and returns its answer: string, int64, nil or []any.
func (r *Redis) Do(ctx context.Context, args ...string) (any, error) {
	v, err := redisDo(ctx, r.Addr(), args...)
	if err != nil {
		return nil, fmt.Errorf("lab: %s: %w", r.name, err)
	}
	return v, nil
}

// Flush deletes all data.
func (r *Redis) Flush(ctx context.Context) error {
	_, err := r.Do(ctx, "FLUSHALL")
	return err
}

// StartRedis starts a single Redis server.
func (l *Lab) StartRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	ports, err := l.ports(ctx, 1, false)
	if err != nil {
		return nil, err
	}
	told, err := cfg.told(ctx, ports[0])
	if err != nil {
		return nil, err
	}
	r, err := l.redis(l.name("redis"), ports[0], told, cfg, "")
	if err != nil {
		return nil, err
	}
	return r, l.start(ctx, r.Server)
}

// redis prepares a server without starting it, which clients find on the port told; more is added to its configuration.
func (l *Lab) redis(name string, port, told int, cfg RedisConfig, more string) (*Redis, error) {
	bin, err := program("redis-server", redisPackages)
	if err != nil {
		return nil, err
	}
	dir, err := l.home(name, account{})
	if err != nil {
		return nil, err
	}
	fsync := cfg.Fsync
	if fsync == "" {
		fsync = FsyncEverySecond
	}
	var b strings.Builder
	fmt.Fprintf(&b, "bind 127.0.0.1\nport %d\ndir %q\nlogfile %q\n", port, dir, filepath.Join(dir, "redis.log"))
	// No snapshots: what survives is the append-only file or nothing, so that tests know which.
	fmt.Fprintf(&b, "daemonize no\nsave \"\"\nappendonly %s\nappendfsync %s\n%s", yesNo(cfg.AppendOnly), fsync, more)
	conf := filepath.Join(dir, "redis.conf")
	if err := writeFile(conf, b.String(), account{}); err != nil {
		return nil, err
	}
	r := &Redis{port: port, told: told}
	r.Server = &Server{
		name: name, dir: dir, log: filepath.Join(dir, "redis.log"),
		command: command{path: bin, args: []string{conf}},
		probe: func(ctx context.Context) error {
			// While the append-only file loads, the answer is an error (LOADING).
			_, err := redisDo(ctx, loopback(port), "PING")
			return err
		},
	}
	return r, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
