package storetest

import (
	"fmt"
	"time"

	"postern/gateway"
)

var workerCases = []testCase{
	{"worker/begin counts and remembers what did not end", (*kit).workerAttempts},
	{"worker/starts are counted until the entry moves on", (*kit).workerStarts},
	{"worker/finish removes and tolerates", (*kit).workerFinish},
	{"worker/maps are written by begin and finish", (*kit).workerMaps},
	{"worker/maps of a busy lane", (*kit).workerMapMany},
	{"worker/maps are found across buckets until they expire", (*kit).workerMapBuckets},
	{"worker/a lost lease changes nothing", (*kit).workerFenced},
}

func (k *kit) workerAttempts() {
	l := k.acquire("r1", long)
	ids := k.put(in, "l", "a b")
	id := ids[0]
	k.want("first try", k.begin(l, in, id), gateway.Attempt{Number: 1})
	k.check("fail", k.Fail(k.Context(), l, in, id))
	k.want("try after a failure", k.begin(l, in, id), gateway.Attempt{Number: 2})
	k.want("try after one without an end", k.begin(l, in, id), gateway.Attempt{Number: 3, Unfinished: true})
	k.want("another entry", k.begin(l, in, ids[1]), gateway.Attempt{Number: 1})

	l = k.acquire("r1", long)
	k.want("try by the next owner", k.begin(l, in, id), gateway.Attempt{Number: 4, Unfinished: true})
	k.check("fail", k.Fail(k.Context(), l, in, id))
	k.check("second fail", k.Fail(k.Context(), l, in, id))
	k.want("try after the failure", k.begin(l, in, id), gateway.Attempt{Number: 5})

	k.check("fail before any try", k.Fail(k.Context(), l, out, k.put(out, "l", "c")[0]))
	k.wantQueue(in, "a b")
}

func (k *kit) workerStarts() {
	l := k.acquire("r1", long)
	starts := func(q gateway.Queue, id gateway.EntryID, most int) int {
		k.Helper()
		n, err := k.Start(k.Context(), l, q, id, most)
		k.check("start", err)
		return n
	}
	ids := k.put(in, "l", "a b")
	k.want("before the first start", starts(in, ids[0], 1), 0)
	l = k.acquire("r1", long)
	k.want("before one too many", starts(in, ids[0], 1), 1)
	k.want("which was not counted", starts(in, ids[0], 3), 1)
	k.want("while another was", starts(in, ids[0], 3), 2)
	k.want("tries", k.begin(l, in, ids[0]), gateway.Attempt{Number: 1})
	k.want("of another entry", starts(in, ids[1], 3), 0)
	k.check("survived", k.Survived(k.Context(), l, in, ids[0]))
	k.want("after it was survived", starts(in, ids[0], 3), 0)
	k.want("tries", k.begin(l, in, ids[0]), gateway.Attempt{Number: 2, Unfinished: true})

	k.check("park", k.Park(k.Context(), l, in, "l", ids[:1], long, gateway.ParkRetry))
	parked, err := k.Read(k.Context(), shard, gateway.ParkQueue(in, "l"), "", 10)
	k.check("read", err)
	k.want("after it was parked", starts(gateway.ParkQueue(in, "l"), parked[0].ID, 3), 0)
	k.check("dead", k.Dead(k.Context(), l, in, ids[1], gateway.DeadReason{Code: "x"}))
	again, err := k.Replay(k.Context(), shard, k.dead()[0].ID)
	k.check("replay", err)
	k.want("after it was dead", starts(in, again, 3), 0)
	k.finish(l, in, again)
	k.check("survived what is gone", k.Survived(k.Context(), l, in, again))

	last := k.put(in, "l", "c")[0]
	old := l
	l = k.acquire("r1", long)
	_, err = k.Start(k.Context(), old, in, last, 3)
	k.wantErr("start by a former owner", err, gateway.ErrFenced)
	k.wantErr("survived by a former owner", k.Survived(k.Context(), old, in, last), gateway.ErrFenced)
	k.want("starts", starts(in, last, 3), 0)
}

func (k *kit) workerFinish() {
	l := k.acquire("r1", long)
	ids := k.put(in, "l", "a b c d")
	k.begin(l, in, ids[1])
	k.finish(l, in, ids[2], ids[1])
	k.wantQueue(in, "a d")
	k.finish(l, in, ids[1], "1-1", ids[0])
	k.wantQueue(in, "d")
	k.want("room in a lane of 3 that holds 1", k.room(in, "l", 3), 2)
	k.finish(l, out, ids[3])
	k.want("queue", k.names(in), "d fill0 fill1")
}

func (k *kit) workerMaps() {
	l := k.acquire("r1", long)
	ids := k.put(in, "l", "a")
	_, err := k.Begin(k.Context(), l, in, ids[0], []gateway.MapEntry{{Lane: "l", Field: "f1", Value: []byte("v1\x00\xff")}})
	k.check("begin", err)
	k.want("after begin", k.lookup("l", "f1", "f2"), map[string]string{"f1": "v1\x00\xff"})
	k.check("finish", k.Finish(k.Context(), l, in, entries("l", ids...), []gateway.MapEntry{
		{Lane: "l", Field: "f1", Value: []byte("new")}, {Lane: "l", Field: "\x00\x01\xfe", Value: []byte("v2")}, {Lane: "l2", Field: "f1", Value: []byte("other")},
	}))
	k.want("after finish", k.lookup("l", "f1", "\x00\x01\xfe", "nope"), map[string]string{"f1": "new", "\x00\x01\xfe": "v2"})
	k.want("another lane", k.lookup("l2", "f1", "f2"), map[string]string{"f1": "other"})
	k.want("a lane without maps", k.lookup("l3", "f1"), nil2map)
	k.want("no fields", k.lookup("l"), nil2map)
	other, err := k.Lookup(k.Context(), "s08", "l", []string{"f1"})
	k.check("lookup", err)
	k.want("another partition", len(other), 0)
}

var nil2map = map[string]string{}

func (k *kit) workerMapMany() {
	l := k.acquire("r1", long)
	want := map[string]string{}
	var fields []string
	write := func(value string) {
		for i := range 400 {
			f := fmt.Sprintf("field%03d", i)
			want[f] = value + f
			k.check("finish", k.Finish(k.Context(), l, in, nil, []gateway.MapEntry{{Lane: "l", Field: f, Value: []byte(want[f])}}))
		}
	}
	write("old")
	for f := range want {
		fields = append(fields, f)
	}
	k.want("maps", k.lookup("l", fields...), want)
	write("new")
	k.want("maps written again", k.lookup("l", fields...), want)
}

func (k *kit) workerMapBuckets() {
	write := func(field, value string) {
		l := k.acquire("r1", k.o.Short)
		k.check("finish", k.Finish(k.Context(), l, in, nil, []gateway.MapEntry{{Lane: "l", Field: field, Value: []byte(value)}}))
	}
	write("f1", "old")
	write("f2", "old")
	k.o.Advance(gateway.MapBucket)
	write("f1", "new")
	k.want("both buckets, newest first", k.lookup("l", "f1", "f2"), map[string]string{"f1": "new", "f2": "old"})
	k.o.Advance(gateway.MapTTL - gateway.MapBucket - time.Hour)
	k.want("shortly before the end", k.lookup("l", "f1", "f2"), map[string]string{"f1": "new", "f2": "old"})
	k.o.Advance(gateway.MapBucket + 2*time.Hour)
	k.want("after the end of the first", k.lookup("l", "f1", "f2"), map[string]string{"f1": "new"})
	k.o.Advance(gateway.MapBucket)
	k.want("after the end of both", k.lookup("l", "f1", "f2"), nil2map)
}

// fencedSteps is every method of Worker, and Renew, under one lease.
func (k *kit) fencedSteps(l gateway.Lease, id gateway.EntryID, parkedLane string) map[string]error {
	maps := []gateway.MapEntry{{Lane: "l", Field: "fenced", Value: []byte("x")}}
	got := map[string]error{}
	_, got["renew"] = k.Renew(k.Context(), l, long)
	_, got["begin"] = k.Begin(k.Context(), l, in, id, maps)
	got["fail"] = k.Fail(k.Context(), l, in, id)
	got["finish"] = k.Finish(k.Context(), l, in, entries("l", id), maps)
	got["park"] = k.Park(k.Context(), l, in, "l", []gateway.EntryID{id}, 0, gateway.ParkRetry)
	_, got["unpark"] = k.Unpark(k.Context(), l, in, parkedLane)
	got["dead"] = k.Dead(k.Context(), l, in, id, gateway.DeadReason{})
	return got
}

func (k *kit) workerFenced() {
	a := k.acquire("r1", k.o.Short)
	id := k.put(in, "l", "a")[0]
	k.begin(a, in, id)
	k.check("park", k.Park(k.Context(), a, in, "p", nil, long, gateway.ParkReauth))
	k.o.Advance(2 * k.o.Short)
	b := k.acquire("r2", long)

	forged := b
	forged.Replica = "r1"
	elsewhere := b
	elsewhere.Partition = "s08"
	for what, l := range map[string]gateway.Lease{"lost": a, "forged": forged, "elsewhere": elsewhere, "zero": {Partition: shard}} {
		for verb, err := range k.fencedSteps(l, id, "p") {
			k.wantErr(verb+" under a lease that is "+what, err, gateway.ErrFenced)
		}
	}
	k.wantQueue(in, "a")
	k.wantQueue(gateway.ParkQueue(in, "l"), "")
	k.want("parked", k.parked(), []parked{{"p", in, long, gateway.ParkReauth}})
	k.want("maps", k.lookup("l", "fenced"), nil2map)
	k.want("dead letters", len(k.dead()), 0)
	k.want("attempt of the new owner", k.begin(b, in, id), gateway.Attempt{Number: 2, Unfinished: true})
	k.want("room in a lane of 2 that holds 1", k.room(in, "l", 2), 1)
}
