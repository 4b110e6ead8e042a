package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/gateway"
)

// attemptSeconds is how long the attempts of a queue outlive its last try. They are one hash per queue, a field per entry
// that was tried and is not done: about 30 bytes each, where a key of its own would cost over 100.
const attemptSeconds = int(gateway.AttemptTTL / time.Second)

// Begin implements gateway.Worker. It is sent once only: a second run would count a try that never was.
func (s *Store) Begin(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, maps []gateway.MapEntry) (gateway.Attempt, error) {
	p := l.Partition
	keys, args := s.withMaps(p, []string{s.own(p), s.tries(p, q)}, []any{token(l), string(id), attemptSeconds, s.mapsEnd(), mapLines}, maps)
	got, err := s.eval(ctx, "begin", once, keys, args...)
	if err != nil {
		return gateway.Attempt{}, failed("begin", err)
	}
	said, _ := got.(string)
	n, unfinished := strings.CutSuffix(said, "?")
	number, err := strconv.Atoi(n)
	return gateway.Attempt{Number: number, Unfinished: unfinished}, failed("begin", err)
}

// Start implements gateway.Worker. Like Begin it is sent once only.
func (s *Store) Start(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, most int) (int, error) {
	p := l.Partition
	got, err := s.eval(ctx, "start", once, []string{s.own(p), s.tries(p, q)}, token(l), string(id), attemptSeconds, most)
	before, _ := got.(int64)
	return int(before), failed("start", err)
}

// Survived implements gateway.Worker.
func (s *Store) Survived(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	_, err := s.eval(ctx, "survived", again, []string{s.own(l.Partition), s.tries(l.Partition, q)}, token(l), string(id))
	return failed("survived", err)
}

// withMaps appends the keys and the text of each line, as begin.lua and finish.lua read them.
func (s *Store) withMaps(p gateway.Partition, keys []string, args []any, maps []gateway.MapEntry) ([]string, []any) {
	if len(maps) == 0 {
		return keys, args
	}
	keys, args = slices.Grow(keys, 2*len(maps)), slices.Grow(args, 2*len(maps))
	bucket, hash, lane := bucketOf(s.now()), "", ""
	for i := range maps {
		m := &maps[i]
		if hash == "" || m.Lane != lane {
			lane = m.Lane
			hash, _ = s.maps(p, lane, bucket, "")
		}
		keys = append(keys, hash, overflowOf(hash, m.Field))
		args = append(args, &m.Field, m.Value)
	}
	return keys, args
}

// Fail implements gateway.Worker.
func (s *Store) Fail(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	_, err := s.eval(ctx, "fail", again, []string{s.own(l.Partition), s.tries(l.Partition, q)}, token(l), string(id))
	return failed("fail", err)
}

// Finish implements gateway.Worker.
func (s *Store) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	p := l.Partition
	args := make([]any, 0, 4+2*len(done)+2*len(maps))
	args = append(args, token(l), s.mapsEnd(), mapLines, len(done))
	for i := range done {
		args = append(args, (*string)(&done[i].ID), &done[i].Lane)
	}
	keys, args := s.withMaps(p, []string{s.own(p), s.stream(p, q), s.tries(p, q), s.counts(p, q)}, args, maps)
	if q.IsPark() {
		keys = append(keys, s.held(p, q))
	}
	_, err := s.eval(ctx, "finish", again, keys, args...)
	return failed("finish", err)
}

// Park implements gateway.Worker.
func (s *Store) Park(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, reason gateway.ParkReason) error {
	p, park := l.Partition, gateway.ParkQueue(from, lane)
	args := []any{token(l), parkField(from, lane), max(wait, 0).Milliseconds(), string(reason), attemptSeconds}
	for _, id := range ids {
		args = append(args, string(id))
	}
	keys := []string{s.own(p), s.stream(p, from), s.tries(p, from), s.stream(p, park), s.tries(p, park), s.parked(p), s.held(p, from)}
	_, err := s.eval(ctx, "park", again, keys, args...)
	return failed("park", err)
}

// parkField names a lane and direction in the hash of parked lanes.
func parkField(from gateway.Queue, lane string) string { return string(from) + ":" + lane }

// Parked implements gateway.Worker. Both commands go to the same server in one pipeline, after which the rest counts from.
func (s *Store) Parked(ctx context.Context, p gateway.Partition) ([]gateway.ParkedLane, error) {
	key := s.parked(p)
	out, err := s.do(ctx, key, again, []any{"hgetall", key}, []any{"time"})
	if err != nil {
		return nil, failed("parked", err)
	}
	now := time.Now()
	theirs, err := clockOf(out[1])
	if err != nil {
		return nil, failed("parked", err)
	}
	flat, _ := out[0].([]any)
	lanes := make([]gateway.ParkedLane, 0, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		field, _ := flat[i].(string)
		mark, _ := flat[i+1].(string)
		from, lane, _ := strings.Cut(field, ":")
		ms, reason, _ := strings.Cut(mark, ":")
		until, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return nil, failed("parked", err)
		}
		lanes = append(lanes, gateway.ParkedLane{Lane: lane, From: gateway.Queue(from), Until: now.Add(time.UnixMilli(until).Sub(theirs)), Reason: gateway.ParkReason(reason)})
	}
	return lanes, nil
}

// clockOf reads the answer to TIME: seconds and microseconds.
func clockOf(answer any) (time.Time, error) {
	parts, _ := answer.([]any)
	if len(parts) != 2 {
		return time.Time{}, fmt.Errorf("clock of Redis: got %v, want two numbers", answer)
	}
	sec, err := strconv.ParseInt(fmt.Sprint(parts[0]), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("clock of Redis: %w", err)
	}
	micros, err := strconv.ParseInt(fmt.Sprint(parts[1]), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("clock of Redis: %w", err)
	}
	return time.UnixMicro(sec*1_000_000 + micros), nil
}

// Unpark implements gateway.Worker.
func (s *Store) Unpark(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string) (bool, error) {
	p, park := l.Partition, gateway.ParkQueue(from, lane)
	got, err := s.eval(ctx, "unpark", again, []string{s.own(p), s.stream(p, park), s.tries(p, park), s.parked(p)}, token(l), parkField(from, lane))
	return got == int64(1), failed("unpark", err)
}

// Lookup implements gateway.Worker.
func (s *Store) Lookup(ctx context.Context, p gateway.Partition, lane string, fields []string) (map[string][]byte, error) {
	found := map[string][]byte{}
	if len(fields) == 0 {
		return found, failed("lookup", ctx.Err())
	}
	var keys []string
	args := []any{mapLines}
	for b, left := bucketOf(s.now()), oldBuckets; left >= 0; b, left = b-1, left-1 {
		for i, f := range fields {
			hash, overflow := s.maps(p, lane, b, f)
			if i == 0 {
				keys = append(keys, hash)
			}
			keys = append(keys, overflow)
		}
	}
	for _, f := range fields {
		args = append(args, f)
	}
	got, err := s.eval(ctx, "lookup", again, keys, args...)
	if err != nil {
		return nil, failed("lookup", err)
	}
	values, _ := got.([]any)
	for i, v := range values {
		if text, ok := v.(string); ok {
			found[fields[i]] = []byte(text)
		}
	}
	return found, nil
}
