//go:build servers

package redisstore

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/deploy/lab"
	"postern/gateway"
)

const shard = gateway.Partition("s01")

func entry(name string) gateway.Entry {
	return gateway.Entry{Lane: "l", Kind: gateway.EntryEvent, Payload: []byte(name)}
}

// eventually tries until it succeeds.
func eventually(t *testing.T, what string, try func() bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !try() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: got nothing in 15 s", what)
		}
	}
}

// TestRestart stops Redis in order and starts it again: with an append-only file nothing is gone, and the store goes on.
func TestRestart(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{AppendOnly: true})
	s := open(t, r.URL(), "r:", Options{})
	ctx := t.Context()
	l, err := s.Acquire(ctx, shard, "r1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var ids []gateway.EntryID
	for _, n := range []string{"a", "b", "c", "d"} {
		id, _, err := s.Ingest(ctx, shard, gateway.QueueIn, entry(n), gateway.IngestOptions{Dedupe: n, DedupeFor: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	_, berr := s.Begin(ctx, l, gateway.QueueIn, ids[3], []gateway.MapEntry{{Lane: "l", Field: "f", Value: []byte("v")}})
	err = errors.Join(berr,
		s.Park(ctx, l, gateway.QueueIn, "l", ids[1:2], 0, gateway.ParkReauth),
		s.Dead(ctx, l, gateway.QueueIn, ids[2], gateway.DeadReason{Code: "x"}),
		s.Save(ctx, "a:1", gateway.Change{Kind: gateway.RecordAccount, Name: "n", Value: []byte("v")}))
	if err != nil {
		t.Fatal(err)
	}
	before := look(t, s)
	if len(before) != 9 {
		t.Fatalf("before the restart: got %d things, want 9: %v", len(before), before)
	}
	hints := s.Watch(ctx, shard)
	if err := r.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, look(t, s)); d != "" {
		t.Errorf("after the restart: got other than before (-before +after):\n%s", d)
	}
	if a, err := s.Begin(ctx, l, gateway.QueueIn, ids[3], nil); err != nil || a != (gateway.Attempt{Number: 2, Unfinished: true}) {
		t.Errorf("begin: got %v and error %v, want the second try after an unfinished one", a, err)
	}
	if _, dup, err := s.Ingest(ctx, shard, gateway.QueueIn, entry("a"), gateway.IngestOptions{Dedupe: "a", DedupeFor: time.Hour}); err != nil || !dup {
		t.Errorf("ingest of a known key: got duplicate %v and error %v, want true", dup, err)
	}
	other := open(t, r.URL(), "r:", Options{})
	other.prefix = s.prefix
	eventually(t, "hint from another process after the restart", func() bool {
		if _, _, err := other.Ingest(ctx, shard, gateway.QueueOut, entry("x"), gateway.IngestOptions{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-hints:
			return true
		default:
			return false
		}
	})
}

// look lists everything that TestRestart stored.
func look(t *testing.T, s *Store) []string {
	t.Helper()
	ctx := t.Context()
	var all []string
	for _, q := range []gateway.Queue{gateway.QueueIn, gateway.ParkQueue(gateway.QueueIn, "l")} {
		es, err := s.Read(ctx, shard, q, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			all = append(all, string(q)+" "+string(e.ID), string(e.Payload))
		}
	}
	dead, err := s.ListDead(ctx, shard, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dead {
		all = append(all, "dead "+string(d.Payload)+d.Why.Code)
	}
	maps, err := s.Lookup(ctx, shard, "l", []string{"f"})
	if err != nil {
		t.Fatal(err)
	}
	values, err := s.Load(ctx, gateway.RecordKey{Owner: "a:1", Kind: gateway.RecordAccount, Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	return append(all, string(maps["f"]), string(values[0]))
}

// proxy stands before Redis and can lose an answer: the command ran, the caller never hears of it.
type proxy struct {
	net.Listener
	target string
	lose   atomic.Int32 // how many answers to lose, each with its connection
	wg     sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: ln, target: target}
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(t.Context(), c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }()
	up, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	var losing atomic.Bool
	p.wg.Go(func() {
		defer func() { _ = up.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			// Only a call's own connection loses its answer: handshakes and subscriptions come and go beside it.
			if bytes.Contains(bytes.ToLower(buf[:n]), []byte("evalsha")) && p.lose.Load() > 0 && p.lose.Add(-1) >= 0 {
				losing.Store(true)
			}
			if _, werr := up.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		if err != nil || losing.Load() {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestLostAnswer loses answers of calls: what is safe to send twice succeeds, all else fails and happened once.
func TestLostAnswer(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	p := newProxy(t, r.Addr())
	s := open(t, "redis://"+p.Addr().String(), "f:", Options{})
	ctx := t.Context()
	warm := func() gateway.Lease { // scripts are known, a connection is open
		t.Helper()
		l, err := s.Acquire(ctx, shard, "r1", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	names := func() string {
		t.Helper()
		es, err := s.Read(ctx, shard, gateway.QueueIn, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range es {
			all = append(all, string(e.Payload))
		}
		return strings.Join(all, " ")
	}
	dedupe := gateway.IngestOptions{Dedupe: "d", DedupeFor: time.Minute}
	if _, _, err := s.Ingest(ctx, shard, gateway.QueueIn, entry("a"), gateway.IngestOptions{}); err != nil {
		t.Fatal(err)
	}
	p.lose.Store(1)
	if _, _, err := s.Ingest(ctx, shard, gateway.QueueIn, entry("b"), gateway.IngestOptions{}); err == nil {
		t.Error("ingest without dedupe: got no error, want one")
	}
	if got := names(); got != "a b" {
		t.Errorf("queue: got %q, want %q", got, "a b")
	}
	p.lose.Store(1)
	id, _, err := s.Ingest(ctx, shard, gateway.QueueIn, entry("c"), dedupe)
	if err != nil || id == "" {
		t.Errorf("ingest with dedupe: got id %q and error %v, want success", id, err)
	}
	if got := names(); got != "a b c" {
		t.Errorf("queue: got %q, want %q", got, "a b c")
	}

	l := warm()
	if _, err := s.Begin(ctx, l, gateway.QueueOut, "1-1", nil); err != nil {
		t.Fatal(err)
	}
	p.lose.Store(1)
	if _, err := s.Begin(ctx, l, gateway.QueueIn, id, nil); err == nil {
		t.Error("begin: got no error, want one")
	}
	if a, err := s.Begin(ctx, l, gateway.QueueIn, id, nil); err != nil || a != (gateway.Attempt{Number: 2, Unfinished: true}) {
		t.Errorf("begin: got %v and error %v, want the second try", a, err)
	}
	if err := s.Finish(ctx, l, gateway.QueueOut, nil, nil); err != nil {
		t.Fatal(err)
	}
	p.lose.Store(1)
	if err := s.Finish(ctx, l, gateway.QueueIn, []gateway.Entry{{ID: id, Lane: entry("").Lane}}, nil); err != nil {
		t.Errorf("finish: got %v, want success", err)
	}
	p.lose.Store(1000)
	if err := s.Finish(ctx, l, gateway.QueueIn, nil, nil); err == nil {
		t.Error("finish with all answers lost: got no error, want one")
	}
	p.lose.Store(0)
	if got := names(); got != "a b" {
		t.Errorf("queue: got %q, want %q", got, "a b")
	}
}

// TestUnanswering pauses Redis: every call ends with its context, and the store works when Redis does again.
func TestUnanswering(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "u:", Options{})
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			var err error
			if i%2 == 0 {
				_, _, err = s.Ingest(ctx, shard, gateway.QueueIn, entry("a"), gateway.IngestOptions{})
			} else {
				err = s.Ready(ctx)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("call: got error %v, want %v", err, context.DeadlineExceeded)
			}
		})
	}
	wg.Wait()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("calls of 300 ms: got %v, want less than 2 s", d)
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", func() bool { return s.Ready(t.Context()) == nil })
}

// TestWaitReplicas: with no replica an ingest is an error, with one it is not.
func TestWaitReplicas(t *testing.T) {
	first := startRedis(t, lab.RedisConfig{AppendOnly: true})
	s := open(t, first.URL(), "w:", Options{WaitReplicas: 1})
	ingest := func() error {
		_, _, err := s.Ingest(t.Context(), shard, gateway.QueueIn, entry("a"), gateway.IngestOptions{Dedupe: "d", DedupeFor: time.Minute})
		return err
	}
	if err := ingest(); !errors.Is(err, errReplicas) {
		t.Errorf("ingest: got error %v, want %v", err, errReplicas)
	}
	second := startRedis(t, lab.RedisConfig{})
	host, port, err := net.SplitHostPort(first.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Do(t.Context(), "REPLICAOF", host, port); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ingest that a replica has", func() bool { return ingest() == nil })
	n, _, err := s.Depth(t.Context(), shard, gateway.QueueIn)
	if err != nil || n != 1 {
		t.Errorf("depth: got %d and error %v, want 1", n, err)
	}
}

func TestWarnings(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{AppendOnly: true})
	s := open(t, r.URL(), "w:", Options{})
	if got := s.Warnings(t.Context()); len(got) != 0 {
		t.Errorf("warnings: got %q, want none", got)
	}
	for _, c := range [][]string{{"maxmemory-policy", "allkeys-lru"}, {"appendonly", "no"}} {
		if _, err := r.Do(t.Context(), "CONFIG", "SET", c[0], c[1]); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.Join(s.Warnings(t.Context()), "\n")
	for _, want := range []string{"maxmemory-policy is allkeys-lru", "appendonly is no"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings: got %q, want one with %q", got, want)
		}
	}
}
