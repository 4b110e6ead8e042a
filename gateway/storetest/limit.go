package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway"
)

var limitCases = []testCase{
	{"limit/a burst is free, then tokens come one by one", (*kit).limitBurst},
	{"limit/nothing is spent where the wait is too long", (*kit).limitMost},
	{"limit/all buckets or none", (*kit).limitAll},
	{"limit/adapters and names are apart", (*kit).limitApart},
	{"limit/takers of a shared bucket take turns", (*kit).limitTurns},
	{"limit/a hold lets nothing through until its end", (*kit).limitHold},
	{"limit/many at once spend what there is", (*kit).limitRace},
	{"limit/what costs more spends more", (*kit).limitCost},
	{"limit/filling tells without spending", (*kit).limitFilling},
	{"limit/no buckets, no wait", (*kit).limitNone},
}

const wall = gateway.AdapterID("wall")

// take asks for a token of every bucket.
func (k *kit) take(most time.Duration, buckets ...gateway.Bucket) gateway.Taken {
	k.Helper()
	got, err := k.Take(k.Context(), wall, most, buckets...)
	k.check("take", err)
	return got
}

// wantTaken compares an answer; the wait is what it says, or up to Short/4 less: a real clock goes on.
func (k *kit) wantTaken(what string, got gateway.Taken, ok bool, wait time.Duration) {
	k.Helper()
	if got.OK != ok || got.Wait > wait || got.Wait < wait-k.o.Short/4 {
		k.Fatalf("%s: got ok=%v after %v, want ok=%v after %v", what, got.OK, got.Wait, ok, wait)
	}
}

func (k *kit) limitBurst() {
	b := gateway.Bucket{Name: "b", Every: k.o.Short, Burst: 2}
	k.wantTaken("first of a burst of two", k.take(long, b), true, 0)
	k.wantTaken("second", k.take(long, b), true, 0)
	k.wantTaken("third", k.take(long, b), true, k.o.Short)
	k.wantTaken("fourth", k.take(long, b), true, 2*k.o.Short)
	k.o.Advance(6 * k.o.Short)
	k.wantTaken("when it is full again", k.take(0, b), true, 0)
	k.wantTaken("and the one after it", k.take(0, b), true, 0)
	k.wantTaken("but no third", k.take(0, b), false, k.o.Short)
}

func (k *kit) limitMost() {
	b := gateway.Bucket{Name: "b", Every: k.o.Short, Burst: 1}
	k.wantTaken("first", k.take(0, b), true, 0)
	for range 3 {
		k.wantTaken("one that cannot wait", k.take(k.o.Short/8, b), false, k.o.Short)
	}
	k.wantTaken("one that can, after three that could not", k.take(k.o.Short, b), true, k.o.Short)
}

func (k *kit) limitAll() {
	wide, narrow := gateway.Bucket{Name: "wide", Every: k.o.Short, Burst: 2}, gateway.Bucket{Name: "narrow", Every: 2 * k.o.Short, Burst: 1}
	k.wantTaken("both", k.take(0, wide, narrow), true, 0)
	got := k.take(0, wide, narrow)
	k.wantTaken("where one is empty", got, false, 2*k.o.Short)
	k.want("the bucket that is waited for", got.By, 1)
	k.wantTaken("the other one was not spent", k.take(0, wide), true, 0)
	k.wantTaken("until now", k.take(0, wide), false, k.o.Short)
}

func (k *kit) limitApart() {
	b := gateway.Bucket{Name: "b", Every: long, Burst: 1}
	k.wantTaken("first", k.take(0, b), true, 0)
	other := b
	other.Name = "c"
	k.wantTaken("another name", k.take(0, other), true, 0)
	got, err := k.Take(k.Context(), "other", 0, b)
	k.check("take", err)
	k.wantTaken("another adapter", got, true, 0)
	k.wantTaken("the same", k.take(0, b), false, long)
}

func (k *kit) limitTurns() {
	busy := gateway.Bucket{Name: "b", Every: k.o.Short, Burst: 3, Taker: "busy"}
	calm := busy
	calm.Taker = "calm"
	for range 3 { // a burst belongs to whoever comes
		k.wantTaken("of the burst", k.take(long, busy), true, 0)
	}
	k.wantTaken("the first that waits", k.take(long, busy), true, k.o.Short)
	k.wantTaken("behind it on the same behalf", k.take(long, busy), false, k.o.Short)
	k.wantTaken("and behind that, one after another", k.take(long, busy), false, 2*k.o.Short)
	k.wantTaken("somebody else comes next", k.take(long, calm), true, 2*k.o.Short)
	k.wantTaken("and has one turn at a time as well", k.take(long, calm), false, 2*k.o.Short)
	k.o.Advance(k.o.Short + k.o.Short/4)
	got := k.take(long, busy)
	k.want("when the turn is over, the next may wait", got.OK, true)
	slow := gateway.Bucket{Name: "slow", Every: long, Burst: 1, Taker: "busy"}
	k.wantTaken("of a slow one", k.take(2*long, slow), true, 0)
	k.wantTaken("waits long", k.take(2*long, slow), true, long)
}

func (k *kit) limitHold() {
	// A bucket without a rate only waits for the end of a hold.
	b := gateway.Bucket{Name: "pause", Burst: 1}
	for range 2 {
		k.wantTaken("before", k.take(0, b), true, 0)
	}
	k.check("hold", k.Hold(k.Context(), wall, "pause", 2*k.o.Short))
	k.check("a shorter hold", k.Hold(k.Context(), wall, "pause", k.o.Short))
	k.wantTaken("held", k.take(0, b), false, 2*k.o.Short)
	free := gateway.Bucket{Name: "free", Every: long, Burst: 1}
	k.wantTaken("held, with another", k.take(0, free, b), false, 2*k.o.Short)
	k.o.Advance(4 * k.o.Short)
	k.wantTaken("after, with the other still unspent", k.take(0, free, b), true, 0)
}

func (k *kit) limitRace() {
	b := gateway.Bucket{Name: "b", Every: long, Burst: 10}
	var ok atomic.Int32
	var wg sync.WaitGroup
	errs := make(chan error, 40)
	for range 40 {
		wg.Go(func() {
			got, err := k.Take(k.Context(), wall, 0, b)
			if got.OK {
				ok.Add(1)
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	k.check("take", errors.Join(all...))
	k.want("tokens spent of ten", ok.Load(), int32(10))
}

func (k *kit) limitNone() {
	k.wantTaken("no bucket", k.take(0), true, 0)
}

func (k *kit) limitCost() {
	b := gateway.Bucket{Name: "b", Every: k.o.Short, Burst: 5, Cost: 3}
	k.wantTaken("three of five", k.take(0, b), true, 0)
	k.wantTaken("three of two", k.take(0, b), false, k.o.Short)
	one := b
	one.Cost = 0
	for range 2 {
		k.wantTaken("one of what was left", k.take(0, one), true, 0)
	}
	k.wantTaken("one of nothing", k.take(0, one), false, k.o.Short)
	k.wantTaken("three of nothing", k.take(0, b), false, 3*k.o.Short)
	k.o.Advance(7 * k.o.Short)
	all, beyond := b, b
	all.Cost, beyond.Cost = 5, 6
	k.wantTaken("more than there can be", k.take(0, beyond), false, k.o.Short)
	k.wantTaken("all at once", k.take(0, all), true, 0)
}

func (k *kit) limitFilling() {
	b := gateway.Bucket{Name: "b", Every: k.o.Short, Burst: 4, Cost: 3}
	k.wantTaken("three of four", k.take(0, b), true, 0)
	for range 2 {
		got, err := k.Filling(k.Context(), wall, "b", "untouched")
		k.check("filling", err)
		k.want("answers", len(got), 2)
		k.wantTaken("until it is full", gateway.Taken{OK: true, Wait: got[0]}, true, 3*k.o.Short)
		k.want("of one that is full", got[1], time.Duration(0))
	}
	got, err := k.Filling(k.Context(), wall)
	k.check("filling of nothing", err)
	k.want("answers", len(got), 0)
}
