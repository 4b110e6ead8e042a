package storetest

import (
	"time"

	"postern/gateway"
)

var deadCases = []testCase{
	{"dead/moves an entry with its reason", (*kit).deadMoves},
	{"dead/bury needs no lease", (*kit).deadBury},
	{"dead/list pages", (*kit).deadPages},
	{"dead/replay goes to the end of its queue", (*kit).deadReplay},
	{"dead/a parked entry is replayed into the lane's queue", (*kit).deadParked},
	{"dead/drop", (*kit).deadDrop},
	{"dead/expire", (*kit).deadExpire},
}

var why = gateway.DeadReason{Class: gateway.Permanent, Code: "131026", Text: "refused"}

func (k *kit) deadMoves() {
	l := k.acquire("r1", long)
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	e := gateway.Entry{Lane: "l", Kind: gateway.EntryOp, Account: "01J0ACCOUNT", Payload: []byte("a\x00"), At: at}
	id, _, err := k.Ingest(k.Context(), shard, out, e, gateway.IngestOptions{})
	k.check("ingest", err)
	k.put(out, "l", "b")
	k.begin(l, out, id)
	k.check("dead", k.Dead(k.Context(), l, out, id, why))
	k.check("second dead", k.Dead(k.Context(), l, out, id, why))
	k.wantQueue(out, "b")
	got := k.dead()
	k.want("dead letters", len(got), 1)
	if d := time.Since(got[0].Died); d < -time.Second || d > time.Minute {
		k.Errorf("died: got %v, want now", got[0].Died)
	}
	e.ID = got[0].ID
	k.want("dead letter", got[0], gateway.DeadLetter{Entry: e, From: out, Why: why, Died: got[0].Died})
	k.want("room in a lane of 2 that holds 1", k.room(out, "l", 2), 1)
}

func (k *kit) deadBury() {
	e := gateway.Entry{Kind: gateway.EntryRaw, Payload: []byte("not-json"), At: time.UnixMilli(5000).UTC()}
	k.check("bury", k.Bury(k.Context(), shard, in, e, why))
	got := k.dead()
	k.want("dead letters", len(got), 1)
	e.ID = got[0].ID
	k.want("dead letter", got[0], gateway.DeadLetter{Entry: e, From: in, Why: why, Died: got[0].Died})
	k.wantQueue(in, "")
	_, err := k.Replay(k.Context(), shard, got[0].ID)
	k.check("replay", err)
	k.wantQueue(in, "not-json")
}

func (k *kit) deadPages() {
	for _, name := range []string{"a", "b", "c"} {
		k.check("bury", k.Bury(k.Context(), shard, in, entry("l", name), why))
	}
	page, err := k.ListDead(k.Context(), shard, "", 2)
	k.check("list dead", err)
	k.want("first page", lettersOf(page), "a b")
	page, err = k.ListDead(k.Context(), shard, page[1].ID, 2)
	k.check("list dead", err)
	k.want("second page", lettersOf(page), "c")
	page, err = k.ListDead(k.Context(), "s08", "", 2)
	k.check("list dead", err)
	k.want("another partition", len(page), 0)
}

func lettersOf(ds []gateway.DeadLetter) string {
	var es []gateway.Entry
	for _, d := range ds {
		es = append(es, d.Entry)
	}
	return payloads(es)
}

func (k *kit) deadReplay() {
	l := k.acquire("r1", long)
	ids := k.put(in, "l", "a b")
	at := k.entries(in)[0].At
	k.begin(l, in, ids[0])
	k.check("dead", k.Dead(k.Context(), l, in, ids[0], why))
	id, err := k.Replay(k.Context(), shard, k.dead()[0].ID)
	k.check("replay", err)
	k.wantQueue(in, "b a")
	got := k.entries(in)[1]
	k.want("replayed entry", got, gateway.Entry{ID: id, Lane: "l", Kind: gateway.EntryEvent, Account: "01J0ACCOUNT", Payload: []byte("a"), At: at})
	k.want("dead letters", len(k.dead()), 0)
	k.want("its attempts start again", k.begin(l, in, id), gateway.Attempt{Number: 1})
	k.want("room in a lane of 3 that holds 2", k.room(in, "l", 3), 1)
	_, err = k.Replay(k.Context(), shard, id)
	k.wantErr("replay of what is no dead letter", err, gateway.ErrNotFound)
}

func (k *kit) entries(q gateway.Queue) []gateway.Entry {
	k.Helper()
	es, err := k.Read(k.Context(), shard, q, "", 100)
	k.check("read", err)
	return es
}

func (k *kit) deadParked() {
	l := k.acquire("r1", long)
	q := gateway.ParkQueue(in, "l")
	k.park(l, "l", k.put(in, "l", "a b")...)
	k.check("dead", k.Dead(k.Context(), l, q, k.entries(q)[0].ID, why))
	k.wantQueue(q, "b")
	k.want("from", k.dead()[0].From, in)
	_, err := k.Replay(k.Context(), shard, k.dead()[0].ID)
	k.check("replay", err)
	k.wantQueue(in, "a")
	k.wantQueue(q, "b")
	k.want("room in a lane of 3 that holds 1 and has parked 1", k.room(in, "l", 3), 1)
}

func (k *kit) deadDrop() {
	for _, name := range []string{"a", "b"} {
		k.check("bury", k.Bury(k.Context(), shard, in, entry("l", name), why))
	}
	id := k.dead()[0].ID
	k.check("drop", k.DropDead(k.Context(), shard, id))
	k.wantErr("second drop", k.DropDead(k.Context(), shard, id), gateway.ErrNotFound)
	_, err := k.Replay(k.Context(), shard, id)
	k.wantErr("replay of what was dropped", err, gateway.ErrNotFound)
	k.want("what is left", lettersOf(k.dead()), "b")
}

func (k *kit) deadExpire() {
	k.check("bury", k.Bury(k.Context(), shard, in, entry("l", "a"), why))
	k.o.Advance(gateway.DeadTTL - time.Hour)
	k.want("dead letters before the end", len(k.dead()), 1)
	id := k.dead()[0].ID
	k.o.Advance(2 * time.Hour)
	k.want("dead letters after the end", len(k.dead()), 0)
	_, err := k.Replay(k.Context(), shard, id)
	k.wantErr("replay of what has expired", err, gateway.ErrNotFound)
}
