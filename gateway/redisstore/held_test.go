//go:build servers

package redisstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestHeldOfOlderGateways: gateways from before parked entries were counted park and finish without a word to the number. A new owner
// counts, so that neither leaves anything: the number is never less than nothing, and nobody is refused for entries that are gone.
func TestHeldOfOlderGateways(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{AppendOnly: true})
	s := open(t, r.URL(), "held:", Options{})
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var l gateway.Lease
	owner := func(name string) {
		t.Helper()
		var err error
		check(s.Release(ctx, l))
		l, err = s.Acquire(ctx, shard, name, time.Hour)
		check(err)
	}
	held := func(q gateway.Queue) string { return s.client.Get(ctx, s.held(shard, q)).Val() } // "" for none
	want := func(what, in, out string) {
		t.Helper()
		if held(gateway.QueueIn) != in || held(gateway.QueueOut) != out {
			t.Errorf("%s: got %q and %q entries that count as parked, want %q and %q", what, held(gateway.QueueIn), held(gateway.QueueOut), in, out)
		}
	}
	park := func(q gateway.Queue, lane string, n int) {
		t.Helper()
		var ids []gateway.EntryID
		for range n {
			id, _, err := s.Ingest(ctx, shard, q, gateway.Entry{Lane: lane, Payload: []byte("x")}, gateway.IngestOptions{})
			check(err)
			ids = append(ids, id)
		}
		check(s.Park(ctx, l, q, lane, ids, time.Hour, gateway.ParkRetry))
	}
	finish := func(q gateway.Queue, lane string, n int) {
		t.Helper()
		es, err := s.Read(ctx, shard, gateway.ParkQueue(q, lane), "", n)
		check(err)
		check(s.Finish(ctx, l, gateway.ParkQueue(q, lane), es, nil))
	}
	full := func(lane string) bool {
		t.Helper()
		_, _, err := s.Ingest(ctx, shard, gateway.QueueIn, gateway.Entry{Lane: lane}, gateway.IngestOptions{ParkMax: 3})
		if err != nil && !errors.Is(err, gateway.ErrFull) {
			t.Fatal(err)
		}
		return err != nil
	}

	owner("older")
	park(gateway.QueueIn, "l", 4)
	check(s.client.Del(ctx, s.held(shard, gateway.QueueIn)).Err()) // it parked them, and did not count
	owner("new")
	want("parked by an older one", "4", "")
	if !full("l") {
		t.Error("got one more parked by an older one than may be")
	}
	finish(gateway.QueueIn, "l", 3)
	want("three finished", "1", "")
	finish(gateway.QueueIn, "l", 1)
	want("all finished", "", "")

	park(gateway.QueueIn, "l", 4)
	owner("older")
	finish(gateway.QueueIn, "l", 4)
	check(s.client.Set(ctx, s.held(shard, gateway.QueueIn), 4, 0).Err()) // it finished them, and did not count
	if !full("l") {
		t.Fatal("the number has no say")
	}
	owner("new")
	want("finished by an older one, the lane still marked", "", "")
	if full("l") {
		t.Error("got refused for entries that are gone")
	}
	check(s.client.Set(ctx, s.held(shard, gateway.QueueIn), 4, 0).Err())
	if done, err := s.Unpark(ctx, l, gateway.QueueIn, "l"); err != nil || !done {
		t.Fatal(done, err)
	}
	owner("new, and no lane is parked")
	want("finished by an older one", "", "")

	for n := range 1200 { // more than are counted at a time
		park(gateway.QueueIn, fmt.Sprint("in", n), 1)
		if n%3 == 0 {
			park(gateway.QueueOut, fmt.Sprint("out", n), 2)
		}
	}
	want("many", "1200", "800")
	check(s.client.Del(ctx, s.held(shard, gateway.QueueIn), s.held(shard, gateway.QueueOut)).Err())
	owner("new")
	want("many, counted", "1200", "800")
	check(r.Restart(ctx))
	owner("after a restart")
	want("after a restart", "1200", "800")
	if err := s.Finish(ctx, l, gateway.ParkQueue(gateway.QueueOut, "out0"), nil, nil); err != nil {
		t.Fatal(err)
	}
	want("nothing finished", "1200", "800")
}
