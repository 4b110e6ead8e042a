// Package storetest holds a gateway.Store to its contract: every sentence of the contract is a case here, and every store
// passes all of them.
package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postern/gateway"
)

// Options fits the kit to a store.
type Options struct {
	// Around runs one case; synctest.Test for a store whose timers follow time.Now. Nil runs it directly.
	Around func(*testing.T, func(*testing.T))
	// Advance lets a time pass, really or virtually. The kit asks for multiples of Short, and for days.
	Advance func(time.Duration)
	// Ahead puts the store's clock ahead of ours; nil where a test cannot.
	Ahead func(gateway.Store, time.Duration)
	// Stall lets the store answer nothing for a time, so that what it is asked hangs on its way; nil where nothing is on a way.
	Stall func(gateway.Store, time.Duration)
	// Short is the life that the kit gives to leases, dedupe keys and expiring records: long enough that a few calls in a
	// row end within it.
	Short time.Duration
}

// Run runs every case on a store of its own, which open returns empty and closes by t.Cleanup.
func Run(t *testing.T, open func(*testing.T) gateway.Store, o Options) {
	t.Helper()
	if o.Around == nil {
		o.Around = func(t *testing.T, f func(*testing.T)) { f(t) }
	}
	for _, group := range [][]testCase{ingestCases, leaseCases, workerCases, parkCases, deadCases, recordCases, limitCases, signalCases, replicaCases, raceCases} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				o.Around(t, func(t *testing.T) {
					c.run(&kit{T: t, Store: open(t), o: o})
				})
			})
		}
	}
}

type testCase struct {
	name string
	run  func(*kit)
}

const (
	shard = gateway.Partition("s07")
	in    = gateway.QueueIn
	out   = gateway.QueueOut
	long  = time.Hour // a lease that no case outlives
)

// kit is a store under test with the questions that the cases ask of it.
type kit struct {
	*testing.T
	gateway.Store
	o Options
}

func (k *kit) check(what string, err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%s: got error %v, want none", what, err)
	}
}

// want compares, taking nil and empty for equal.
func (k *kit) want(what string, got, want any) {
	k.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		k.Fatalf("%s: got other than wanted (-want +got):\n%s", what, d)
	}
}

func (k *kit) wantErr(what string, got, want error) {
	k.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateErrors()); d != "" {
		k.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

// entry returns an entry whose payload is its name.
func entry(lane, name string) gateway.Entry {
	return gateway.Entry{Lane: lane, Kind: gateway.EntryEvent, Account: "01J0ACCOUNT", Payload: []byte(name)}
}

// put ingests entries named by the words of names and returns their ids.
func (k *kit) put(q gateway.Queue, lane, names string) []gateway.EntryID {
	k.Helper()
	var ids []gateway.EntryID
	for n := range strings.FieldsSeq(names) {
		id, dup, err := k.Ingest(k.Context(), shard, q, entry(lane, n), gateway.IngestOptions{})
		k.check("ingest", err)
		k.want("duplicate", dup, false)
		ids = append(ids, id)
	}
	return ids
}

// names reads a queue from its start and returns the payloads in order.
func (k *kit) names(q gateway.Queue) string {
	k.Helper()
	es, err := k.Read(k.Context(), shard, q, "", 1000)
	k.check("read", err)
	return payloads(es)
}

func payloads(es []gateway.Entry) string {
	var names []string
	for _, e := range es {
		names = append(names, string(e.Payload))
	}
	return strings.Join(names, " ")
}

// wantQueue compares the payloads of a queue, and its depth.
func (k *kit) wantQueue(q gateway.Queue, want string) {
	k.Helper()
	k.want("queue "+string(q), k.names(q), want)
	n, _, err := k.Depth(k.Context(), shard, q)
	k.check("depth", err)
	k.want("depth of "+string(q), n, len(strings.Fields(want)))
}

// room reports how many more entries a lane takes before it holds limit.
func (k *kit) room(q gateway.Queue, lane string, limit int) int {
	k.Helper()
	for n := range limit + 1 {
		_, _, err := k.Ingest(k.Context(), shard, q, entry(lane, fmt.Sprintf("fill%d", n)), gateway.IngestOptions{LaneMax: limit})
		if err != nil {
			k.wantErr("ingest into a full lane", err, gateway.ErrFull)
			return n
		}
	}
	k.Fatalf("lane %s: got more than %d entries, want no more", lane, limit)
	return 0
}

func (k *kit) acquire(replica string, ttl time.Duration) gateway.Lease {
	k.Helper()
	l, err := k.Acquire(k.Context(), shard, replica, ttl)
	k.check("acquire", err)
	return l
}

func (k *kit) begin(l gateway.Lease, q gateway.Queue, id gateway.EntryID) gateway.Attempt {
	k.Helper()
	a, err := k.Begin(k.Context(), l, q, id, nil)
	k.check("begin", err)
	return a
}

func (k *kit) finish(l gateway.Lease, q gateway.Queue, ids ...gateway.EntryID) {
	k.Helper()
	k.check("finish", k.Finish(k.Context(), l, q, entries("l", ids...), nil))
}

// entries is what Finish wants of them.
func entries(lane string, ids ...gateway.EntryID) []gateway.Entry {
	done := make([]gateway.Entry, len(ids))
	for i, id := range ids {
		done[i] = gateway.Entry{ID: id, Lane: lane}
	}
	return done
}

func (k *kit) lookup(lane string, fields ...string) map[string]string {
	k.Helper()
	m, err := k.Lookup(k.Context(), shard, lane, fields)
	k.check("lookup", err)
	got := map[string]string{}
	for f, v := range m {
		got[f] = string(v)
	}
	return got
}

func (k *kit) dead() []gateway.DeadLetter {
	k.Helper()
	d, err := k.ListDead(k.Context(), shard, "", 1000)
	k.check("list dead", err)
	return d
}

// parked is a parked lane with the time that it waits yet, to the minute.
type parked struct {
	Lane   string
	From   gateway.Queue
	Wait   time.Duration
	Reason gateway.ParkReason
}

func (k *kit) parked() []parked {
	k.Helper()
	lanes, err := k.Parked(k.Context(), shard)
	k.check("parked", err)
	var all []parked
	for _, p := range lanes {
		all = append(all, parked{p.Lane, p.From, time.Until(p.Until).Round(time.Minute), p.Reason})
	}
	return all
}

// eventually tries until it succeeds, for what a store may do a moment later.
func (k *kit) eventually(what string, try func() bool) {
	k.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !try() {
		select {
		case <-tick.C:
		case <-deadline:
			k.Fatalf("%s: got nothing in 10 s", what)
		}
	}
}
