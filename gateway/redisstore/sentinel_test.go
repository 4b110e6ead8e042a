//go:build servers

package redisstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

// TestSentinelUnderLoad kills the master while entries are ingested and worked off: what counted as taken, since a replica had
// it, is worked off in order.
func TestSentinelUnderLoad(t *testing.T) {
	master := startRedis(t, lab.RedisConfig{})
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // one is left when the other becomes the master
		replica := startRedis(t, lab.RedisConfig{})
		if _, err := replica.Do(t.Context(), "REPLICAOF", host, port); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "master with two replicas", func() bool {
		out, err := master.Do(t.Context(), "INFO", "replication")
		return err == nil && strings.Count(fmt.Sprint(out), "state=online") == 2
	})
	addr := startSentinel(t, host, port, "s3ntinel")
	if s, err := Open(t.Context(), "redis+sentinel://"+addr+"/mymaster", Options{}); err == nil {
		_ = s.Close()
		t.Error("without the password of the Sentinel: got a store, want an error")
	}
	s := open(t, "redis+sentinel://"+addr+"/mymaster?sentinel_password=s3ntinel", "load:", Options{WaitReplicas: 1})
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr, Password: "s3ntinel", Protocol: 2})
	defer func() { _ = sentinel.Close() }()
	eventually(t, "Sentinel that knows both replicas", func() bool {
		known, err := sentinel.Replicas(t.Context(), "mymaster").Result()
		return err == nil && len(known) == 2
	})
	w := newWorkload(t, s, shard)
	w.reach(200)
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	before := w.done()
	eventually(t, "work after the failover", func() bool { return w.done() > before+200 })
	w.finish()
}

// startSentinel starts one Sentinel that fails over within seconds, and returns its address. It wants a password unless that is empty.
func startSentinel(t *testing.T, host, port, password string) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_, own, _ := net.SplitHostPort(addr)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor mymaster %s %s 1\nsentinel down-after-milliseconds mymaster 500\n"+
		"sentinel failover-timeout mymaster 3000\n", own, host, port)
	if password != "" {
		text += "requirepass " + password + "\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "Sentinel", func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return addr
}
