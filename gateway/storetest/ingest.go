package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"postern/gateway"
)

var ingestCases = []testCase{
	{"ingest/keeps what it was given", (*kit).ingestKeeps},
	{"ingest/copies the payload", (*kit).ingestCopies},
	{"ingest/order and paging", (*kit).ingestOrder},
	{"ingest/reads several queues at once", (*kit).readQueues},
	{"ingest/dedupe stores once and returns the first id", (*kit).ingestDedupe},
	{"ingest/dedupe ends after its time", (*kit).ingestDedupeEnds},
	{"ingest/dedupe is per queue and outlives the entry", (*kit).ingestDedupeScope},
	{"ingest/concurrent duplicates store one", (*kit).ingestConcurrent},
	{"ingest/lane limit", (*kit).ingestLaneMax},
	{"ingest/queue limit", (*kit).ingestQueueMax},
	{"ingest/a duplicate is no overflow", (*kit).ingestDuplicateWhenFull},
	{"ingest/each limit holds for who keeps to it", (*kit).ingestBeyond},
	{"ingest/depth and oldest", (*kit).ingestDepth},
	{"ingest/partitions and queues are apart", (*kit).ingestApart},
	{"ingest/watch hints", (*kit).ingestWatch},
	{"ingest/hands over what is alone in its lane", (*kit).ingestHand},
	{"ingest/a cancelled call stores nothing", (*kit).ingestCancelled},
	{"ingest/nothing is stored after its time", (*kit).ingestDeadline},
}

func (k *kit) ingestKeeps() {
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	want := []gateway.Entry{
		{Lane: "lane-1", Kind: gateway.EntryOp, Account: "01J0ACCOUNT", Payload: []byte("a\x00\r\n\xff"), At: at},
		{Lane: "", Kind: gateway.EntryRaw, Payload: []byte{}, At: at},
	}
	for i, e := range want {
		e.At = e.At.Add(123 * time.Microsecond) // kept to the millisecond
		id, _, err := k.Ingest(k.Context(), shard, in, e, gateway.IngestOptions{})
		k.check("ingest", err)
		want[i].ID = id
	}
	got, err := k.Read(k.Context(), shard, in, "", 10)
	k.check("read", err)
	k.want("entries", got, want)

	before := time.Now().Add(-time.Second)
	_, _, err = k.Ingest(k.Context(), shard, out, entry("l", "x"), gateway.IngestOptions{})
	k.check("ingest", err)
	got, err = k.Read(k.Context(), shard, out, "", 10)
	k.check("read", err)
	if at := got[0].At; at.Before(before) || at.After(time.Now().Add(time.Second)) {
		k.Errorf("time of an entry without one: got %v, want now", at)
	}
}

func (k *kit) ingestCopies() {
	e := entry("l", "whole")
	_, _, err := k.Ingest(k.Context(), shard, in, e, gateway.IngestOptions{})
	k.check("ingest", err)
	copy(e.Payload, "XXXXX")
	got, err := k.Read(k.Context(), shard, in, "", 1)
	k.check("read", err)
	copy(got[0].Payload, "YYYYY")
	k.wantQueue(in, "whole")
}

// readQueues reads two queues at once, each from its own place.
func (k *kit) readQueues() {
	ids := k.put(in, "l", "a b c")
	k.put(out, "l", "x y")
	got, err := k.ReadQueues(k.Context(), shard, gateway.Cursor{Queue: out, N: 1}, gateway.Cursor{Queue: in, After: ids[0], N: 5}, gateway.Cursor{Queue: in})
	k.check("read queues", err)
	var text []string
	for _, entries := range got {
		var names []byte
		for _, e := range entries {
			names = append(names, e.Payload...)
		}
		text = append(text, string(names))
	}
	if got, want := strings.Join(text, ","), "x,bc,"; got != want {
		k.Errorf("read queues: got %q, want %q", got, want)
	}
	if got, err := k.ReadQueues(k.Context(), shard); err != nil || len(got) != 0 {
		k.Errorf("read no queue: got %v, %v; want nothing", got, err)
	}
}

func (k *kit) ingestOrder() {
	ids := k.put(in, "l", "a b c d e")
	for i := 1; i < len(ids); i++ {
		if !ids[i-1].Before(ids[i]) {
			k.Errorf("ids: got %s not before %s, want ids that grow", ids[i-1], ids[i])
		}
	}
	page, err := k.Read(k.Context(), shard, in, "", 2)
	k.check("read", err)
	k.want("first page", payloads(page), "a b")
	page, err = k.Read(k.Context(), shard, in, page[1].ID, 2)
	k.check("read", err)
	k.want("second page", payloads(page), "c d")
	page, err = k.Read(k.Context(), shard, in, ids[4], 2)
	k.check("read", err)
	k.want("page after the last", page, []gateway.Entry(nil))
}

func (k *kit) ingestDedupe() {
	o := gateway.IngestOptions{Dedupe: "d1", DedupeFor: time.Minute}
	first, dup, err := k.Ingest(k.Context(), shard, in, entry("l", "a"), o)
	k.check("ingest", err)
	k.want("first is duplicate", dup, false)
	again, dup, err := k.Ingest(k.Context(), shard, in, entry("l", "a2"), o)
	k.check("ingest", err)
	k.want("second is duplicate", dup, true)
	k.want("id of the second", again, first)
	o.Dedupe = "d2"
	_, dup, err = k.Ingest(k.Context(), shard, in, entry("l", "b"), o)
	k.check("ingest", err)
	k.want("another key is duplicate", dup, false)
	k.wantQueue(in, "a b")
}

func (k *kit) ingestDedupeEnds() {
	o := gateway.IngestOptions{Dedupe: "d1", DedupeFor: k.o.Short}
	for _, name := range []string{"a", "b"} {
		_, dup, err := k.Ingest(k.Context(), shard, in, entry("l", name), o)
		k.check("ingest", err)
		k.want("duplicate", dup, false)
		k.o.Advance(2 * k.o.Short)
	}
	k.wantQueue(in, "a b")
}

func (k *kit) ingestDedupeScope() {
	o := gateway.IngestOptions{Dedupe: "d1", DedupeFor: time.Minute}
	l := k.acquire("r1", long)
	id, _, err := k.Ingest(k.Context(), shard, in, entry("l", "a"), o)
	k.check("ingest", err)
	_, dup, err := k.Ingest(k.Context(), shard, out, entry("l", "b"), o)
	k.check("ingest", err)
	k.want("duplicate in another queue", dup, false)
	k.finish(l, in, id)
	_, dup, err = k.Ingest(k.Context(), shard, in, entry("l", "a"), o)
	k.check("ingest", err)
	k.want("duplicate after finish", dup, true)
	k.wantQueue(in, "")
}

func (k *kit) ingestConcurrent() {
	const writers = 32
	var wg sync.WaitGroup
	ids, dups, errs := make([]gateway.EntryID, writers), make([]bool, writers), make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			ids[i], dups[i], errs[i] = k.Ingest(k.Context(), shard, in, entry("l", "a"), gateway.IngestOptions{Dedupe: "d", DedupeFor: time.Minute})
		})
	}
	wg.Wait()
	fresh := 0
	for i := range writers {
		k.check("ingest", errs[i])
		k.want("id", ids[i], ids[0])
		if !dups[i] {
			fresh++
		}
	}
	k.want("ingests that stored", fresh, 1)
	k.wantQueue(in, "a")
}

func (k *kit) ingestLaneMax() {
	k.put(in, "a", "a1 a2")
	o := gateway.IngestOptions{LaneMax: 2, Dedupe: "full", DedupeFor: time.Minute}
	_, _, err := k.Ingest(k.Context(), shard, in, entry("a", "a3"), o)
	k.wantErr("ingest", err, gateway.ErrFull)
	k.put(in, "b", "b1")
	k.put(out, "a", "o1")
	k.wantQueue(in, "a1 a2 b1")

	l := k.acquire("r1", long)
	es, err := k.Read(k.Context(), shard, in, "", 1)
	k.check("read", err)
	k.check("finish", k.Finish(k.Context(), l, in, es, nil))
	_, dup, err := k.Ingest(k.Context(), shard, in, entry("a", "a3"), o)
	k.check("ingest into the freed place", err)
	k.want("duplicate: a refused ingest leaves no dedupe key", dup, false)
	k.wantQueue(in, "a2 b1 a3")
}

func (k *kit) ingestQueueMax() {
	o := gateway.IngestOptions{QueueMax: 3}
	k.put(in, "a", "a1 a2")
	k.put(in, "b", "b1")
	_, _, err := k.Ingest(k.Context(), shard, in, entry("c", "c1"), o)
	k.wantErr("ingest", err, gateway.ErrFull)
	_, _, err = k.Ingest(k.Context(), shard, out, entry("c", "c1"), o)
	k.check("ingest into another queue", err)
	k.wantQueue(in, "a1 a2 b1")
}

func (k *kit) ingestDuplicateWhenFull() {
	o := gateway.IngestOptions{LaneMax: 1, QueueMax: 1, Dedupe: "d", DedupeFor: time.Minute}
	first, _, err := k.Ingest(k.Context(), shard, in, entry("l", "a"), o)
	k.check("ingest", err)
	again, dup, err := k.Ingest(k.Context(), shard, in, entry("l", "a"), o)
	k.check("ingest", err)
	k.want("duplicate", dup, true)
	k.want("id", again, first)
}

// ingestBeyond leaves out one limit after another: what goes beyond it counts, and keeps others and its own duplicate out.
func (k *kit) ingestBeyond() {
	l := k.acquire("r1", long)
	k.park(l, "l", k.put(in, "l", "a b")...)
	k.put(in, "m", "c")
	all := gateway.IngestOptions{LaneMax: 2, QueueMax: 1, ParkMax: 2}
	k.want("takes within the limits", k.takes(in, "l", all), false)
	for _, o := range []gateway.IngestOptions{{QueueMax: 1, ParkMax: 2}, {LaneMax: 2, ParkMax: 2}, {LaneMax: 2, QueueMax: 1}} {
		k.want("takes without one of them", k.takes(in, "l", o), false)
	}
	beyond := gateway.IngestOptions{Dedupe: "d", DedupeFor: time.Minute}
	id, dup, err := k.Ingest(k.Context(), shard, in, entry("l", "d"), beyond)
	k.check("ingest without limits", err)
	k.want("duplicate", dup, false)
	all.Dedupe, all.DedupeFor = "d", time.Minute
	again, dup, err := k.Ingest(k.Context(), shard, in, entry("l", "d"), all)
	k.check("ingest again within the limits", err)
	k.want("duplicate", dup, true)
	k.want("id", again, id)
	k.wantQueue(in, "c d")
	k.want("room in a lane of 4 that holds 1 and has parked 2", k.room(in, "l", 4), 1)
	k.want("room in the queue", k.takes(in, "n", gateway.IngestOptions{QueueMax: 3}), false)
}

func (k *kit) ingestDepth() {
	n, oldest, err := k.Depth(k.Context(), shard, in)
	k.check("depth", err)
	k.want("depth", n, 0)
	k.want("oldest of an empty queue", oldest.IsZero(), true)
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	for _, name := range []string{"a", "b"} {
		e := entry("l", name)
		e.At = at
		at = at.Add(time.Second)
		_, _, err := k.Ingest(k.Context(), shard, in, e, gateway.IngestOptions{})
		k.check("ingest", err)
	}
	n, oldest, err = k.Depth(k.Context(), shard, in)
	k.check("depth", err)
	k.want("depth", n, 2)
	k.want("oldest", oldest, at.Add(-2*time.Second))
}

func (k *kit) ingestApart() {
	k.put(in, "l", "a")
	_, _, err := k.Ingest(k.Context(), "c:telegram", gateway.QueueXMPP, entry("l", "x"), gateway.IngestOptions{LaneMax: 1})
	k.check("ingest", err)
	k.wantQueue(in, "a")
	k.wantQueue(out, "")
	k.wantQueue(gateway.QueueXMPP, "")
}

func (k *kit) ingestHand() {
	l := k.acquire("r1", long)
	// offered ingests an entry and reports whether it was handed over.
	offered := func(q gateway.Queue, lane, dedupe string) (gateway.EntryID, bool) {
		k.Helper()
		var hand gateway.EntryID
		id, _, err := k.Ingest(k.Context(), shard, q, entry(lane, "e"), gateway.IngestOptions{
			Dedupe: dedupe, DedupeFor: time.Minute, Hand: func(id gateway.EntryID) bool { hand = id; return true },
		})
		k.check("ingest", err)
		if hand != "" {
			k.want("the id that was handed over", hand, id)
		}
		return id, hand != ""
	}
	first, ok := offered(in, "l", "d")
	k.want("the first of a lane is handed over", ok, true)
	_, ok = offered(in, "l", "d")
	k.want("a duplicate is handed over", ok, false)
	second, ok := offered(in, "l", "")
	k.want("the second of a lane is handed over", ok, false)
	_, ok = offered(out, "l", "")
	k.want("the first of the other queue is handed over", ok, true)
	_, ok = offered(in, "m", "")
	k.want("the first of another lane is handed over", ok, true)
	k.finish(l, in, first)
	k.check("park", k.Park(k.Context(), l, in, "l", []gateway.EntryID{second}, 0, gateway.ParkRetry))
	third, ok := offered(in, "l", "")
	k.want("what comes behind a parked entry is handed over", ok, false)
	es, err := k.Read(k.Context(), shard, gateway.ParkQueue(in, "l"), "", 1)
	k.check("read", err)
	k.check("finish", k.Finish(k.Context(), l, gateway.ParkQueue(in, "l"), es, nil))
	k.finish(l, in, third)
	_, ok = offered(in, "l", "")
	k.want("the first of an empty lane is handed over", ok, true)
	_, ok = offered(gateway.QueueXMPP, "l", "")
	k.want("what an outbox takes is handed over", ok, false)
}

func (k *kit) ingestWatch() {
	ctx, cancel := context.WithCancel(k.Context())
	hints := k.Watch(ctx, shard)
	for range 3 { // a spurious hint serves the first round at most
		k.eventually("hint after an ingest", func() bool {
			k.put(in, "l", "a")
			select {
			case <-hints:
				return true
			default:
				return false
			}
		})
	}
	cancel()
	k.eventually("end of hints after the context", func() bool {
		select {
		case _, ok := <-hints:
			return !ok
		default:
			return false
		}
	})
	if !strings.HasPrefix(k.names(in), "a") {
		k.Error("queue: got nothing, want what was ingested")
	}
}

func (k *kit) ingestCancelled() {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	_, _, err := k.Ingest(ctx, shard, in, entry("l", "a"), gateway.IngestOptions{})
	if !errors.Is(err, context.Canceled) {
		k.Errorf("ingest: got error %v, want %v", err, context.Canceled)
	}
	if _, err := k.Load(ctx, gateway.RecordKey{Owner: "g", Kind: gateway.RecordSchema, Name: "x"}); !errors.Is(err, context.Canceled) {
		k.Errorf("load: got error %v, want %v", err, context.Canceled)
	}
	k.wantQueue(in, "")
}

// A store that stands still takes what it was sent once it goes on. Whoever was told meanwhile that it failed has gone on too: what they sent
// then must not come behind what they send now.
func (k *kit) ingestDeadline() {
	within := func(d time.Duration, name string) error {
		ctx, cancel := context.WithTimeout(k.Context(), d)
		defer cancel()
		_, _, err := k.Ingest(ctx, shard, in, entry("l", name), gateway.IngestOptions{Dedupe: name, DedupeFor: time.Minute})
		return err
	}
	k.check("ingest in time", within(time.Minute, "before"))
	k.wantErr("ingest when its time is over", within(-time.Second, "over"), context.DeadlineExceeded)
	if k.o.Stall != nil {
		k.o.Stall(k.Store, 3*k.o.Short)
		k.wantErr("ingest that hangs on its way", within(k.o.Short, "hangs"), context.DeadlineExceeded)
	}
	k.check("ingest in time", within(time.Minute, "after"))
	k.wantQueue(in, "before after")
	for _, name := range []string{"over", "hangs"} { // nor has it left a dedupe key
		k.check("ingest again", within(time.Minute, name))
	}
	k.wantQueue(in, "before after over hangs")
}
