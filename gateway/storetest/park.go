package storetest

import (
	"sort"
	"time"

	"postern/gateway"
)

var parkCases = []testCase{
	{"park/keeps order behind what is parked", (*kit).parkOrder},
	{"park/survives a new owner", (*kit).parkOwner},
	{"park/keeps the attempts of its entries", (*kit).parkAttempts},
	{"park/directions and lanes are apart", (*kit).parkApart},
	{"park/unpark clears the mark of an empty lane only", (*kit).parkUnpark},
	{"park/its end is told by the store's clock", (*kit).parkClock},
	{"park/lane limit counts queued and parked", (*kit).parkCounts},
	{"park/parked lanes take no more than their limit", (*kit).parkMax},
	{"park/the limit of what is parked is of each queue", (*kit).parkMaxApart},
	{"park/every way out of a park makes room", (*kit).parkMaxFrees},
}

const wait = 3 * time.Hour

func (k *kit) park(l gateway.Lease, lane string, ids ...gateway.EntryID) {
	k.Helper()
	k.check("park", k.Park(k.Context(), l, in, lane, ids, wait, gateway.ParkWindow))
}

func (k *kit) parkOrder() {
	l := k.acquire("r1", long)
	a := k.put(in, "l", "a b")
	k.put(in, "other", "x")
	b := k.put(in, "l", "c d")
	k.park(l, "l", a...)
	k.park(l, "l", b...)
	k.park(l, "l", a[0], "1-1") // gone from the queue already
	k.wantQueue(in, "x")
	k.wantQueue(gateway.ParkQueue(in, "l"), "a b c d")
	k.want("parked", k.parked(), []parked{{"l", in, wait, gateway.ParkWindow}})
	k.check("park", k.Park(k.Context(), l, in, "l", nil, wait+time.Hour, gateway.ParkRetry))
	k.want("a park without entries moves the mark", k.parked(), []parked{{"l", in, wait + time.Hour, gateway.ParkRetry}})
}

func (k *kit) parkOwner() {
	l := k.acquire("r1", k.o.Short)
	ids := k.put(in, "l", "a b")
	k.park(l, "l", ids...)
	k.o.Advance(2 * k.o.Short)
	l = k.acquire("r2", long)
	k.put(in, "l", "c")
	k.want("parked", len(k.parked()), 1)
	k.wantQueue(gateway.ParkQueue(in, "l"), "a b")

	es, err := k.Read(k.Context(), shard, gateway.ParkQueue(in, "l"), "", 10)
	k.check("read", err)
	k.want("lane of a parked entry", es[0].Lane, "l")
	k.begin(l, gateway.ParkQueue(in, "l"), es[0].ID)
	k.finish(l, gateway.ParkQueue(in, "l"), es[0].ID)
	k.wantQueue(gateway.ParkQueue(in, "l"), "b")
	k.wantQueue(in, "c")
}

func (k *kit) parkAttempts() {
	l := k.acquire("r1", long)
	ids := k.put(in, "l", "a b c")
	k.begin(l, in, ids[0])
	k.check("fail", k.Fail(k.Context(), l, in, ids[0]))
	k.begin(l, in, ids[1])
	k.park(l, "l", ids...)
	q := gateway.ParkQueue(in, "l")
	es, err := k.Read(k.Context(), shard, q, "", 10)
	k.check("read", err)
	k.want("failed before", k.begin(l, q, es[0].ID), gateway.Attempt{Number: 2})
	k.want("unfinished before", k.begin(l, q, es[1].ID), gateway.Attempt{Number: 2, Unfinished: true})
	k.want("never tried", k.begin(l, q, es[2].ID), gateway.Attempt{Number: 1})
}

func (k *kit) parkApart() {
	l := k.acquire("r1", long)
	k.park(l, "l", k.put(in, "l", "a")...)
	k.check("park", k.Park(k.Context(), l, out, "l", k.put(out, "l", "b"), wait, gateway.ParkRetry))
	k.park(l, "l2", k.put(in, "l2", "c")...)
	k.wantQueue(gateway.ParkQueue(in, "l"), "a")
	k.wantQueue(gateway.ParkQueue(out, "l"), "b")
	k.wantQueue(gateway.ParkQueue(in, "l2"), "c")
	got := k.parked()
	sort.Slice(got, func(i, j int) bool { return string(got[i].From)+got[i].Lane < string(got[j].From)+got[j].Lane })
	k.want("parked", got, []parked{
		{"l", in, wait, gateway.ParkWindow},
		{"l2", in, wait, gateway.ParkWindow},
		{"l", out, wait, gateway.ParkRetry},
	})
	other, err := k.Parked(k.Context(), "s08")
	k.check("parked", err)
	k.want("parked lanes of another partition", len(other), 0)
}

func (k *kit) parkUnpark() {
	l := k.acquire("r1", long)
	k.park(l, "l", k.put(in, "l", "a")...)
	done, err := k.Unpark(k.Context(), l, in, "l")
	k.check("unpark", err)
	k.want("done while an entry is parked", done, false)
	k.want("parked", len(k.parked()), 1)
	q := gateway.ParkQueue(in, "l")
	es, err := k.Read(k.Context(), shard, q, "", 10)
	k.check("read", err)
	k.finish(l, q, es[0].ID)
	k.want("parked after the last entry", len(k.parked()), 1)
	done, err = k.Unpark(k.Context(), l, in, "l")
	k.check("unpark", err)
	k.want("done", done, true)
	k.want("parked", len(k.parked()), 0)
	done, err = k.Unpark(k.Context(), l, in, "l")
	k.check("unpark of a lane that is not parked", err)
	k.want("done", done, true)

	k.park(l, "l", k.put(in, "l", "b")...)
	k.wantQueue(q, "b")
}

func (k *kit) parkCounts() {
	l := k.acquire("r1", long)
	ids := k.put(in, "l", "a b c")
	k.park(l, "l", ids[:2]...)
	k.want("room in a lane of 4 that holds 1 and has parked 2", k.room(in, "l", 4), 1)
	q := gateway.ParkQueue(in, "l")
	es, err := k.Read(k.Context(), shard, q, "", 10)
	k.check("read", err)
	k.finish(l, q, es[0].ID, es[1].ID)
	k.want("room after the parked are done", k.room(in, "l", 4), 2)
}

// takes reports whether a lane takes an entry under the limits, and leaves it there.
func (k *kit) takes(q gateway.Queue, lane string, o gateway.IngestOptions) bool {
	k.Helper()
	_, _, err := k.Ingest(k.Context(), shard, q, entry(lane, "more"), o)
	if err != nil {
		k.wantErr("ingest beyond a limit", err, gateway.ErrFull)
	}
	return err == nil
}

func (k *kit) parkMax() {
	o := gateway.IngestOptions{QueueMax: 2, ParkMax: 3}
	l := k.acquire("r1", long)
	k.park(l, "l", k.put(in, "l", "a b")...)
	k.want("a parked lane takes more below the limit", k.takes(in, "l", o), true)
	k.park(l, "l", k.entries(in)[0].ID)
	k.wantQueue(gateway.ParkQueue(in, "l"), "a b more")
	o.Dedupe, o.DedupeFor = "refused", time.Minute
	k.want("a parked lane takes more at the limit", k.takes(in, "l", o), false)
	k.wantQueue(in, "")
	none := gateway.IngestOptions{QueueMax: 2, Dedupe: "refused", DedupeFor: time.Minute}
	k.want("it takes more where there is no limit, and the refused left no dedupe key", k.takes(in, "l", none), true)
	k.park(l, "l", k.entries(in)[0].ID) // four: what was in the queue parks all the same
	o.Dedupe = ""
	k.want("a lane that is not parked takes more", k.takes(in, "m", o), true)
	k.park(l, "m", k.entries(in)[0].ID) // five: as many as both may hold together
	k.want("a lane that is not parked takes more when there are as many as may be", k.takes(in, "n", o), false)
	k.want("it takes more where the queue has no limit", k.takes(in, "n", gateway.IngestOptions{ParkMax: 3}), true)
}

func (k *kit) parkMaxApart() {
	o := gateway.IngestOptions{QueueMax: 1, ParkMax: 1}
	l := k.acquire("r1", long)
	k.park(l, "l", k.put(in, "l", "a b")...)
	k.want("the direction that has parked", k.takes(in, "l", o), false)
	k.want("the other direction", k.takes(out, "l", o), true)
	_, _, err := k.Ingest(k.Context(), "s08", in, entry("l", "a"), o)
	k.check("ingest into another partition", err)
}

func (k *kit) parkMaxFrees() {
	const most = 3
	o := gateway.IngestOptions{ParkMax: most}
	l := k.acquire("r1", long)
	q := gateway.ParkQueue(in, "l")
	fill := func() {
		k.Helper()
		for n := 0; k.takes(in, "l", o) && n <= most; n++ {
			k.park(l, "l", k.entries(in)[0].ID)
		}
		k.want("entries that are parked", len(k.entries(q)), most)
	}
	fill()
	first := k.entries(q)[0]
	k.finish(l, q, first.ID, "1-1")
	k.finish(l, q, first.ID) // a second time
	fill()
	id := k.entries(q)[1].ID
	k.check("dead", k.Dead(k.Context(), l, q, id, why))
	k.check("second dead", k.Dead(k.Context(), l, q, id, why))
	fill()
	k.check("release", k.Release(k.Context(), l))
	l = k.acquire("r2", long) // who counts what it finds
	k.want("with another owner", k.takes(in, "l", o), false)
	_, err := k.Replay(k.Context(), shard, k.dead()[0].ID)
	k.check("replay", err)
	k.wantQueue(in, "more") // in the queue, where it counts as all do
	k.finish(l, in, k.entries(in)[0].ID)
	for _, e := range k.entries(q) {
		k.finish(l, q, e.ID)
	}
	done, err := k.Unpark(k.Context(), l, in, "l")
	k.check("unpark", err)
	k.want("done", done, true)
	fill()
}

func (k *kit) parkClock() {
	l := k.acquire("r1", long)
	for _, ahead := range []time.Duration{0, 40 * time.Minute, -40 * time.Minute} {
		if k.o.Ahead != nil {
			k.o.Ahead(k.Store, ahead)
		}
		k.check("park", k.Park(k.Context(), l, in, "l", nil, time.Hour, gateway.ParkRetry))
		k.want("left of an hour", k.parked(), []parked{{"l", in, time.Hour, gateway.ParkRetry}})
		began := time.Now()
		k.o.Advance(k.o.Short)
		lanes, err := k.Parked(k.Context(), shard)
		k.check("parked", err)
		if left := time.Until(lanes[0].Until); (left + time.Since(began) - time.Hour).Abs() > k.o.Short/2 {
			k.Errorf("left of an hour, %v later: got %v", time.Since(began), left)
		}
		for _, none := range []time.Duration{0, -time.Hour} {
			k.check("park", k.Park(k.Context(), l, in, "l", nil, none, gateway.ParkRetry))
			lanes, err = k.Parked(k.Context(), shard)
			k.check("parked", err)
			if left := time.Until(lanes[0].Until); left > 0 || left < -k.o.Short {
				k.Errorf("left of %v: got %v, want it over at once", none, left)
			}
		}
	}
}
