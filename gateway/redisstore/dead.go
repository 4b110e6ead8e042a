package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"postern/gateway"
)

const deadMillis = int64(gateway.DeadTTL / time.Millisecond)

// oldestDead is the smallest id of a dead letter that has not expired.
func (s *Store) oldestDead() gateway.EntryID {
	return gateway.EntryID(fmt.Sprintf("%d-0", s.now().UnixMilli()-deadMillis+1))
}

// Dead implements gateway.Worker.
func (s *Store) Dead(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, why gateway.DeadReason) error {
	reason, err := json.Marshal(why)
	if err != nil {
		return failed("dead", err)
	}
	p := l.Partition
	keys := []string{s.own(p), s.stream(p, q), s.tries(p, q), s.counts(p, q), s.dead(p)}
	if q.IsPark() {
		keys = append(keys, s.held(p, q))
	}
	_, err = s.eval(ctx, "dead", again, keys, token(l), string(id), string(q.Base()), reason, s.now().UnixMilli(), string(s.oldestDead()), deadMillis)
	return failed("dead", err)
}

// Bury implements gateway.DeadLetters. It is sent once only: a second run would store a second letter.
func (s *Store) Bury(ctx context.Context, p gateway.Partition, from gateway.Queue, e gateway.Entry, why gateway.DeadReason) error {
	reason, err := json.Marshal(why)
	if err != nil {
		return failed("bury", err)
	}
	_, err = s.eval(ctx, "bury", once, []string{s.dead(p)}, string(s.oldestDead()), deadMillis,
		e.Lane, string(e.Kind), string(e.Account), s.millis(e.At), e.Payload, string(from.Base()), reason, s.now().UnixMilli())
	return failed("bury", err)
}

// ListDead implements gateway.DeadLetters.
func (s *Store) ListDead(ctx context.Context, p gateway.Partition, after gateway.EntryID, n int) ([]gateway.DeadLetter, error) {
	if n <= 0 {
		return nil, failed("list dead", ctx.Err())
	}
	from := behind(after)
	if oldest := s.oldestDead(); after.Before(oldest) {
		from = string(oldest)
	}
	return s.deadRange(ctx, p, "list dead", from, "+", n)
}

func (s *Store) deadRange(ctx context.Context, p gateway.Partition, verb, from, to string, n int) ([]gateway.DeadLetter, error) {
	key := s.dead(p)
	out, err := s.do(ctx, key, again, []any{"xrange", key, from, to, "count", n})
	if err != nil {
		return nil, failed(verb, err)
	}
	var letters []gateway.DeadLetter
	err = eachEntry(out[0], func(id string, f fields) error {
		e, err := entryOf(id, f)
		if err != nil {
			return err
		}
		d := gateway.DeadLetter{Entry: e, From: gateway.Queue(f.text("f"))}
		if err := json.Unmarshal([]byte(f.text("w")), &d.Why); err != nil {
			return err
		}
		died, err := strconv.ParseInt(f.text("d"), 10, 64)
		d.Died = time.UnixMilli(died).UTC()
		letters = append(letters, d)
		return err
	})
	return letters, failed(verb, err)
}

// find returns a dead letter that has not expired.
func (s *Store) find(ctx context.Context, p gateway.Partition, verb string, id gateway.EntryID) (gateway.DeadLetter, error) {
	if id.Before(s.oldestDead()) {
		return gateway.DeadLetter{}, failed(verb, gateway.ErrNotFound)
	}
	got, err := s.deadRange(ctx, p, verb, string(id), string(id), 1)
	if err != nil {
		return gateway.DeadLetter{}, err
	}
	if len(got) == 0 {
		return gateway.DeadLetter{}, failed(verb, gateway.ErrNotFound)
	}
	return got[0], nil
}

// Replay implements gateway.DeadLetters. The letter is read first because its queue is a key of the script.
func (s *Store) Replay(ctx context.Context, p gateway.Partition, id gateway.EntryID) (gateway.EntryID, error) {
	d, err := s.find(ctx, p, "replay", id)
	if err != nil {
		return "", err
	}
	got, err := s.eval(ctx, "replay", once, []string{s.dead(p), s.stream(p, d.From), s.counts(p, d.From)}, string(id), s.wake(p))
	fresh, _ := got.(string)
	return gateway.EntryID(fresh), failed("replay", err)
}

// DropDead implements gateway.DeadLetters.
func (s *Store) DropDead(ctx context.Context, p gateway.Partition, id gateway.EntryID) error {
	if _, err := s.find(ctx, p, "drop dead", id); err != nil {
		return err
	}
	key := s.dead(p)
	out, err := s.do(ctx, key, once, []any{"xdel", key, string(id)})
	if err == nil && out[0] == int64(0) {
		err = gateway.ErrNotFound
	}
	return failed("drop dead", err)
}
