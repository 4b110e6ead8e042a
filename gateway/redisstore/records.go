package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"postern/gateway"
)

// Load implements gateway.Records: the keys of an owner travel together.
func (s *Store) Load(ctx context.Context, keys ...gateway.RecordKey) ([][]byte, error) {
	type group struct {
		key  string
		at   []int // places in the answer
		args [][]any
		call *call
	}
	groups := map[gateway.Owner]*group{}
	for i, k := range keys {
		g := groups[k.Owner]
		if g == nil {
			g = &group{key: s.owner(k.Owner, "")}
			groups[k.Owner] = g
		}
		g.at = append(g.at, i)
		if s.kinds[k.Kind] > 0 {
			g.args = append(g.args, []any{"get", s.expiring(k.Owner, k.Kind, k.Name)})
		} else {
			g.args = append(g.args, []any{"hget", s.records(k.Owner, k.Kind), k.Name})
		}
	}
	for _, g := range groups {
		g.call = s.start(ctx, g.key, 0, g.args)
	}
	values := make([][]byte, len(keys))
	for _, g := range groups {
		out, err := s.await(ctx, g.key, again, g.call, g.args)
		if err != nil {
			return nil, failed("load", err)
		}
		for i, v := range out {
			if text, ok := v.(string); ok {
				values[g.at[i]] = []byte(text)
			}
		}
	}
	return values, failed("load", ctx.Err())
}

// Save implements gateway.Records. With an IfAbsent it is sent once only: a second run would find its own record. A Was
// allows for that.
func (s *Store) Save(ctx context.Context, owner gateway.Owner, changes ...gateway.Change) error {
	if len(changes) == 0 {
		return failed("save", ctx.Err())
	}
	keys, args, twice := []string{s.owner(owner, "xi")}, []any{}, again
	for _, c := range changes {
		ttl, ok := s.kinds[c.Kind]
		if !ok {
			return failed("save", fmt.Errorf("kind %q is not in the retention table", c.Kind))
		}
		if c.Value != nil && (ttl > 0) != (c.TTL > 0) {
			return failed("save", fmt.Errorf("kind %q has ttl %v in the retention table, the change has %v", c.Kind, ttl, c.TTL))
		}
		verb, key := "hset", s.records(owner, c.Kind)
		if ttl > 0 {
			verb, key = "set", s.expiring(owner, c.Kind, c.Name)
		}
		if c.Value == nil {
			verb = map[string]string{"hset": "hdel", "set": "del"}[verb]
		}
		when, was := "", []byte{}
		switch {
		case c.IfAbsent:
			when, twice = "absent", once
		case c.Was != nil:
			when, was = "was", c.Was
		}
		keys = append(keys, key)
		args = append(args, verb, c.Name, when, max(1, c.TTL.Milliseconds()), c.Value, was)
	}
	_, err := s.eval(ctx, "save", twice, keys, args...)
	return failed("save", err)
}

// List implements gateway.Records; the cursor is HSCAN's.
func (s *Store) List(ctx context.Context, owner gateway.Owner, kind gateway.RecordKind, cursor string, n int) (map[string][]byte, string, error) {
	if cursor == "" {
		cursor = "0"
	}
	if _, err := strconv.ParseUint(cursor, 10, 64); err != nil {
		return nil, "", failed("list", gateway.ErrCursor)
	}
	key := s.records(owner, kind)
	out, err := s.do(ctx, key, again, []any{"hscan", key, cursor, "count", max(n, 1)})
	if err != nil {
		return nil, "", failed("list", err)
	}
	reply, _ := out[0].([]any)
	if len(reply) != 2 {
		return nil, "", failed("list", fmt.Errorf("scan of %d parts", len(reply)))
	}
	page := map[string][]byte{}
	flat, _ := reply[1].([]any)
	for i := 0; i+1 < len(flat); i += 2 {
		name, _ := flat[i].(string)
		value, _ := flat[i+1].(string)
		page[name] = []byte(value)
	}
	next, _ := reply[0].(string)
	if next == "0" {
		next = ""
	}
	return page, next, nil
}

// Erase implements gateway.Records. What expires is found by the index; a record that comes between the question and
// the script is seen by the script, and the question is asked again.
func (s *Store) Erase(ctx context.Context, owner gateway.Owner) error {
	const tries = 10
	index := s.owner(owner, "xi")
	for range tries {
		out, err := s.do(ctx, index, again, []any{"zrange", index, 0, -1})
		if err != nil {
			return failed("erase", err)
		}
		keys := []string{index}
		names, _ := out[0].([]any)
		for _, n := range names {
			name, _ := n.(string)
			keys = append(keys, name)
		}
		for kind, ttl := range s.kinds {
			if ttl == 0 {
				keys = append(keys, s.records(owner, kind))
			}
		}
		done, err := s.eval(ctx, "erase", again, keys)
		if err != nil || done == int64(1) {
			return failed("erase", err)
		}
	}
	return failed("erase", errors.New("records keep coming"))
}
