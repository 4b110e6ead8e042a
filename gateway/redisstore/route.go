package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// errReplicas: the write is in Redis, but on too few replicas to count as durable.
var errReplicas = errors.New("not enough replicas")

// safety says whether a second run of a call has a second effect.
type safety bool

const (
	once  safety = false
	again safety = true
)

const (
	// maxTries bounds how often a call is sent. With pause it is about two seconds of patience with a cluster that moves a
	// slot: meanwhile it refuses calls of several keys (TRYAGAIN, Redis Cluster specification).
	maxTries = 40
	// pause is how long to wait before asking a node that said "not now".
	pause = 50 * time.Millisecond
)

// do sends commands whose keys share the slot of key, in one round trip, and returns their results. It sends them again
// when Redis says that it did not run them, and once after a network error when that is safe.
func (s *Store) do(ctx context.Context, key string, twice safety, args ...[]any) ([]any, error) {
	return s.await(ctx, key, twice, s.start(ctx, key, 0, args), args)
}

// start sends commands without waiting for the answer.
func (s *Store) start(ctx context.Context, key string, replicas int, args [][]any) *call {
	c := &call{args: args, gone: ctx.Done(), replicas: replicas, done: make(chan struct{})}
	err := ctx.Err()
	if err == nil {
		err = s.submit(ctx, key, c)
	}
	if err != nil {
		c.err = err
		close(c.done)
	}
	return c
}

func (s *Store) submit(ctx context.Context, key string, c *call) error {
	node, ok := s.client.(*redis.Client)
	if !ok {
		var err error
		if node, err = s.cluster.MasterForKey(ctx, key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return redis.ErrClosed
	}
	addr := node.Options().Addr
	b := s.batches[addr]
	if b == nil {
		b = newBatcher()
		s.batches[addr] = b
	}
	s.mu.Unlock()
	return b.submit(node, c)
}

// await waits for a call and repeats it where that is right.
func (s *Store) await(ctx context.Context, key string, twice safety, c *call, args [][]any) ([]any, error) {
	for try := 1; ; try++ {
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		out, err := results(c)
		what, ask := judge(err)
		if err == nil || what == final || what == lost && (twice == once || try > 1) || try == maxTries {
			return out, err
		}
		if s.cluster != nil {
			s.cluster.ReloadState(ctx)
		}
		if ask != "" {
			if out, err = s.ask(ctx, ask, args); err == nil {
				return out, nil
			}
			if what, _ = judge(err); what != later {
				return nil, err
			}
		}
		if what == later || try > 2 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		c = s.start(ctx, key, c.replicas, args)
	}
}

// results reads what a call brought; a nil reply is a nil result.
func results(c *call) ([]any, error) {
	if c.err != nil {
		return nil, c.err
	}
	out := c.outs[:0]
	for _, cmd := range c.results {
		v, err := cmd.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// verdict is what an error says about the command.
type verdict int

const (
	final verdict = iota // it ran, or never will
	moved                // it did not run: another node has its slot
	later                // it did not run: the node or its slot is not ready
	lost                 // it may have run
)

// judge reads an error; ask is the node to ask this once (ASK redirection, Redis Cluster specification).
func judge(err error) (v verdict, ask string) {
	if err == nil {
		return final, ""
	}
	if _, ok := errors.AsType[redis.Error](err); ok {
		word, rest, _ := strings.Cut(err.Error(), " ")
		switch word {
		case "MOVED":
			return moved, ""
		case "ASK":
			return moved, rest[strings.LastIndexByte(rest, ' ')+1:]
		case "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY":
			return later, ""
		}
		return final, ""
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return lost, ""
	}
	return final, ""
}

// ask sends commands to the node that is taking over their slot.
func (s *Store) ask(ctx context.Context, addr string, args [][]any) ([]any, error) {
	var out []any
	err := s.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if node.Options().Addr != addr {
			return nil
		}
		c := &call{done: make(chan struct{})}
		for _, a := range args {
			c.args = append(c.args, []any{"asking"}, a)
		}
		send(node, []*call{c}) //nolint:contextcheck // send ends by its connection's timeouts
		all, err := results(c)
		for i := 1; i < len(all); i += 2 {
			out = append(out, all[i])
		}
		return err
	})
	if err == nil && len(out) != len(args) {
		err = errors.New("redirected to an unknown node")
	}
	return out, err
}
