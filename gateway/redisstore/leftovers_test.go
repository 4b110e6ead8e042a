//go:build servers

package redisstore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestLeftovers takes entries through every way out: the keys of their lanes, attempts and parks go with them.
func TestLeftovers(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "l:", Options{})
	ctx, park := t.Context(), gateway.ParkQueue(gateway.QueueIn, "l")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := func() []string {
		t.Helper()
		all, err := s.client.Keys(ctx, s.prefix+"*").Result()
		check(err)
		for i := range all {
			all[i] = strings.TrimPrefix(all[i], s.prefix)
		}
		slices.Sort(all)
		return all
	}
	l, err := s.Acquire(ctx, shard, "r1", time.Hour)
	check(err)
	var ids []gateway.EntryID
	for _, name := range []string{"finished", "dead", "parked"} {
		id, _, err := s.Ingest(ctx, shard, gateway.QueueIn, entry(name), gateway.IngestOptions{})
		check(err)
		_, err = s.Begin(ctx, l, gateway.QueueIn, id, nil)
		check(err)
		ids = append(ids, id)
	}
	check(s.Finish(ctx, l, gateway.QueueIn, []gateway.Entry{{ID: ids[0], Lane: entry("").Lane}}, nil))
	check(s.Dead(ctx, l, gateway.QueueIn, ids[1], gateway.DeadReason{}))
	check(s.Park(ctx, l, gateway.QueueIn, "l", ids[2:], 0, gateway.ParkRetry))
	want := []string{
		"ready", "{s01}:dead", "{s01}:epoch", "{s01}:held:in", "{s01}:n:in", "{s01}:own", "{s01}:parked", "{s01}:q:in", "{s01}:q:park:in:l", "{s01}:try:park:in:l",
	}
	if d := cmp.Diff(want, keys()); d != "" {
		t.Errorf("keys while an entry is parked (-want +got):\n%s", d)
	}
	if ttl := s.client.TTL(ctx, s.tries(shard, park)).Val(); ttl <= 0 || ttl > gateway.AttemptTTL {
		t.Errorf("life of a parked entry's attempts: got %v, want up to %v", ttl, gateway.AttemptTTL)
	}

	es, err := s.Read(ctx, shard, park, "", 1)
	check(err)
	check(s.Finish(ctx, l, park, es, nil))
	if done, err := s.Unpark(ctx, l, gateway.QueueIn, "l"); err != nil || !done {
		t.Errorf("unpark: got %v and error %v, want done", done, err)
	}
	dead, err := s.ListDead(ctx, shard, "", 1)
	check(err)
	check(s.DropDead(ctx, shard, dead[0].ID))
	check(s.Release(ctx, l))
	want = []string{"ready", "{s01}:dead", "{s01}:epoch", "{s01}:q:in"} // empty streams, which remember their last id
	if d := cmp.Diff(want, keys()); d != "" {
		t.Errorf("keys after all entries (-want +got):\n%s", d)
	}
}

// TestEraseRace runs the script of Erase with the keys as they were before another record came: it removes nothing and
// says so, and Erase takes both.
func TestEraseRace(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "e:", Options{})
	owner := gateway.Owner("u:1")
	save := func(name string) {
		t.Helper()
		c := gateway.Change{Kind: gateway.RecordSession, Name: name, Value: []byte("v"), TTL: time.Hour}
		if err := s.Save(t.Context(), owner, c); err != nil {
			t.Fatal(err)
		}
	}
	left := func() int64 {
		t.Helper()
		return s.client.Exists(t.Context(), s.expiring(owner, gateway.RecordSession, "a"), s.expiring(owner, gateway.RecordSession, "b")).Val()
	}
	save("a")
	keys := []string{s.owner(owner, "xi"), s.expiring(owner, gateway.RecordSession, "a")}
	save("b")
	done, err := s.eval(t.Context(), "erase", again, keys)
	if err != nil || done != int64(0) || left() != 2 {
		t.Errorf("erase with a record unseen: got %v, error %v and %d records, want 0, none and 2", done, err, left())
	}
	if err := s.Erase(t.Context(), owner); err != nil || left() != 0 {
		t.Errorf("erase: got error %v and %d records, want none and 0", err, left())
	}
}

// TestOutboxIsNotCounted: nobody bounds the lanes of an outbox, so that its entries leave no counters, and take those with them that an
// earlier build made.
func TestOutboxIsNotCounted(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "o:", Options{})
	ctx, part := t.Context(), gateway.OutboxPartition("a")
	counters := func() int64 { return s.client.HLen(ctx, s.counts(part, gateway.QueueXMPP)).Val() }
	l, err := s.Acquire(ctx, part, "r1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, _, err := s.Ingest(ctx, part, gateway.QueueXMPP, entry(name), gateway.IngestOptions{QueueMax: 9}); err != nil {
			t.Fatal(err)
		}
	}
	if got := counters(); got != 0 {
		t.Errorf("counters of what came: got %d, want none", got)
	}
	s.client.HSet(ctx, s.counts(part, gateway.QueueXMPP), entry("").Lane, 2)
	es, err := s.Read(ctx, part, gateway.QueueXMPP, "", 9)
	if err == nil {
		err = s.Finish(ctx, l, gateway.QueueXMPP, es, nil)
	}
	if err != nil || len(es) != 2 || counters() != 0 {
		t.Errorf("the end of both: got %d entries, error %v and %d counters, want 2, none and none", len(es), err, counters())
	}
}
