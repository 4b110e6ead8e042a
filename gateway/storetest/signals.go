package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"postern/gateway"
)

var signalCases = []testCase{
	{"signals/reach every subscriber of their topic", (*kit).signalsReach},
	{"signals/a slow reader delays nobody", (*kit).signalsSlow},
	{"store/ready", (*kit).storeReady},
}

var raceCases = []testCase{
	{"race/many writers, one owner, all in order", (*kit).raceOrder},
	{"race/many writers never exceed a limit", (*kit).raceLimit},
}

func (k *kit) signalsReach() {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	a, b, other := k.Subscribe(ctx, "t1"), k.Subscribe(k.Context(), "t1"), k.Subscribe(ctx, "t2")
	for _, ch := range []<-chan []byte{a, b} {
		k.eventually("signal", func() bool {
			k.check("publish", k.Publish(k.Context(), "t1", []byte("x\x00\xff")))
			select {
			case got := <-ch:
				k.want("payload", string(got), "x\x00\xff")
				return true
			default:
				return false
			}
		})
	}
	select {
	case got := <-other:
		k.Errorf("another topic: got %q, want nothing", got)
	default:
	}
	cancel()
	k.eventually("end of signals after the context", func() bool {
		select {
		case _, ok := <-a:
			return !ok
		default:
			return false
		}
	})
	k.eventually("signal to who stayed", func() bool {
		k.check("publish", k.Publish(k.Context(), "t1", []byte("y")))
		select {
		case got := <-b:
			return string(got) == "y"
		default:
			return false
		}
	})
}

func (k *kit) signalsSlow() {
	k.Subscribe(k.Context(), "t") // never read
	quick := k.Subscribe(k.Context(), "t")
	for i := range 2000 {
		k.check("publish", k.Publish(k.Context(), "t", []byte(fmt.Sprint(i))))
	}
	k.eventually("signal", func() bool {
		k.check("publish", k.Publish(k.Context(), "t", []byte("last")))
		select {
		case got := <-quick:
			return string(got) == "last"
		default:
			return false
		}
	})
}

func (k *kit) storeReady() { k.check("ready", k.Ready(k.Context())) }

func (k *kit) raceOrder() {
	const lanes, each = 8, 40
	l := k.acquire("r1", long)
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	hints := k.Watch(ctx, shard)
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for i := range each {
				o := gateway.IngestOptions{Dedupe: fmt.Sprintf("%d-%d", lane, i), DedupeFor: time.Minute}
				for range 2 { // each one twice
					if _, _, err := k.Ingest(k.Context(), shard, in, entry(fmt.Sprint(lane), fmt.Sprint(i)), o); err != nil {
						k.Errorf("ingest: got %v, want none", err)
					}
				}
			}
		})
	}
	next, after := map[string]int{}, gateway.EntryID("")
	for done := 0; done < lanes*each; {
		es, err := k.Read(k.Context(), shard, in, after, 16)
		k.check("read", err)
		for _, e := range es {
			k.want("order in lane "+e.Lane, string(e.Payload), fmt.Sprint(next[e.Lane]))
			next[e.Lane]++
			after = e.ID
			wg.Go(func() {
				_, err := k.Begin(k.Context(), l, in, e.ID, []gateway.MapEntry{{Lane: e.Lane, Field: string(e.Payload), Value: e.Payload}})
				if err == nil {
					err = k.Finish(k.Context(), l, in, []gateway.Entry{e}, nil)
				}
				if err != nil {
					k.Errorf("begin and finish: got %v, want none", err)
				}
			})
		}
		if done += len(es); len(es) == 0 {
			select {
			case <-hints:
			case <-time.After(20 * time.Millisecond): // hints may be lost
			}
		}
	}
	wg.Wait()
	k.wantQueue(in, "")
	k.want("maps of a lane", k.lookup("3", "0", "39"), map[string]string{"0": "0", "39": "39"})
	k.want("room in a lane of 3 that holds none", k.room(in, "3", 3), 3)
}

func (k *kit) raceLimit() {
	const limit = 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for i := range 4 * limit {
		wg.Go(func() {
			_, _, err := k.Ingest(k.Context(), shard, in, entry("l", fmt.Sprint(i)), gateway.IngestOptions{LaneMax: limit})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				stored++
			}
		})
	}
	wg.Wait()
	k.want("stored", stored, limit)
	n, _, err := k.Depth(k.Context(), shard, in)
	k.check("depth", err)
	k.want("depth", n, limit)
}
