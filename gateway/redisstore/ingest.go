package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"postern/gateway"
)

// uncounted is the lane max of an outbox: it is full as a whole or not at all, and nobody asks how much of a lane is in it.
const uncounted = -1

// Ingest implements gateway.Ingester. Without a dedupe key it is sent once only: after a lost connection the caller cannot
// know whether the entry is there. It is not stored after ctx's deadline, also when it hangs on its way for longer: who was told that it
// failed goes on, and it would come behind what is newer.
func (s *Store) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	n := s.queue(p, q)
	keys := make([]string, 4, 5)
	keys[0], keys[1], keys[2], keys[3] = n.stream, n.counts, n.held, s.parked(p)
	twice := once
	if o.Dedupe != "" {
		keys, twice = append(keys, s.dedupe(p, q, o.Dedupe)), again
	}
	if q == gateway.QueueXMPP && o.LaneMax == 0 {
		o.LaneMax = uncounted
	}
	wake := s.wake(p)
	local := s.ears.has(wake)
	if local {
		wake = ""
	}
	for {
		got, err := s.evalOn(ctx, "ingest", s.waits, twice, keys, o.LaneMax, o.QueueMax, o.ParkMax, max(1, o.DedupeFor.Milliseconds()), wake,
			s.clocks.deadline(ctx, p), &e.Lane, (*string)(&e.Kind), (*string)(&e.Account), s.millis(e.At), e.Payload)
		if err != nil {
			return "", false, failed("ingest", err)
		}
		said, _ := got.(string)
		if said == "" {
			return "", false, failed("ingest", errors.New("no id"))
		}
		id := gateway.EntryID(said[1:])
		switch said[0] {
		case '-': // too late, or Redis' clock was set: then there is still time by the new one
			if err := s.clocks.set(p, said[1:]); err != nil {
				return "", false, failed("ingest", err)
			}
			if err := ctx.Err(); err != nil {
				return "", false, failed("ingest", err)
			}
			continue
		case '=':
			return id, true, nil
		}
		s.clocks.heard(p, id)
		if said[0] == '!' && o.Hand != nil && o.Hand(id) {
			return id, false, nil
		}
		if local {
			s.ears.hear(s.wake(p), nil)
		}
		return id, false, nil
	}
}

// millis returns a time as streams keep it; the zero time is now.
func (s *Store) millis(t time.Time) int64 {
	if t.IsZero() {
		t = s.now()
	}
	return t.UnixMilli()
}

// Read implements gateway.Ingester.
func (s *Store) Read(ctx context.Context, p gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) ([]gateway.Entry, error) {
	if n <= 0 {
		return nil, failed("read", ctx.Err())
	}
	got, err := s.ReadQueues(ctx, p, gateway.Cursor{Queue: q, After: after, N: n})
	if err != nil {
		return nil, err
	}
	return got[0], nil
}

// ReadQueues implements gateway.Ingester, in one round trip.
func (s *Store) ReadQueues(ctx context.Context, p gateway.Partition, from ...gateway.Cursor) ([][]gateway.Entry, error) {
	cmds, texts := make([][]any, len(from)), make([]string, 2*len(from))
	for i, c := range from {
		texts[2*i], texts[2*i+1] = s.stream(p, c.Queue), behind(c.After)
		cmds[i] = []any{"xrange", &texts[2*i], &texts[2*i+1], "+", "count", max(c.N, 0)}
	}
	all := make([][]gateway.Entry, len(from))
	if len(from) == 0 {
		return all, failed("read", ctx.Err())
	}
	out, err := s.do(ctx, s.stream(p, from[0].Queue), again, cmds...)
	for i := 0; i < len(out) && err == nil; i++ {
		err = eachEntry(out[i], func(id string, f fields) error {
			e, err := entryOf(id, f)
			all[i] = append(all[i], e)
			return err
		})
	}
	return all, failed("read", err)
}

// behind is the start of a range after an id.
func behind(after gateway.EntryID) string {
	if after == "" {
		return "-"
	}
	return "(" + string(after)
}

// eachEntry walks the answer of XRANGE: [[id, [field, value, ...]], ...].
func eachEntry(reply any, f func(id string, fields fields) error) error {
	list, _ := reply.([]any)
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			return fmt.Errorf("stream entry of %d parts", len(pair))
		}
		id, _ := pair[0].(string)
		flat, _ := pair[1].([]any)
		if err := f(id, flat); err != nil {
			return err
		}
	}
	return nil
}

// fields are a stream entry's: name, value, name, value. There are ten at most.
type fields []any

func (f fields) text(name string) string {
	for i := 0; i+1 < len(f); i += 2 {
		if f[i] == name {
			s, _ := f[i+1].(string)
			return s
		}
	}
	return ""
}

// entryOf reads a stream entry as ingest.lua wrote it.
func entryOf(id string, f fields) (gateway.Entry, error) {
	at, err := strconv.ParseInt(f.text("t"), 10, 64)
	if err != nil {
		return gateway.Entry{}, fmt.Errorf("stream entry %s: time: %w", id, err)
	}
	return gateway.Entry{
		ID: gateway.EntryID(id), Lane: f.text("l"), Kind: gateway.EntryKind(f.text("k")), Account: gateway.AccountID(f.text("a")),
		Payload: []byte(f.text("p")), At: time.UnixMilli(at).UTC(),
	}, nil
}

// Watch implements gateway.Ingester.
func (s *Store) Watch(ctx context.Context, p gateway.Partition) <-chan struct{} {
	ch := make(chan struct{}, 1) // one hint says as much as two
	s.ears.add(ctx, s.wake(p), &ear{
		hint: true,
		hear: func([]byte) {
			select {
			case ch <- struct{}{}:
			default:
			}
		},
		end: func() { close(ch) },
	})
	return ch
}

// Depth implements gateway.Ingester.
func (s *Store) Depth(ctx context.Context, p gateway.Partition, q gateway.Queue) (int, time.Time, error) {
	key := s.stream(p, q)
	out, err := s.do(ctx, key, again, []any{"xlen", key}, []any{"xrange", key, "-", "+", "count", 1})
	if err != nil {
		return 0, time.Time{}, failed("depth", err)
	}
	var oldest time.Time
	err = eachEntry(out[1], func(id string, f fields) error {
		e, err := entryOf(id, f)
		oldest = e.At
		return err
	})
	n, _ := out[0].(int64)
	return int(n), oldest, failed("depth", err)
}
