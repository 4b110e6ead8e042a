package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"postern/gateway"
)

// workers is how many goroutines share a benchmark: about as many lanes as a busy replica has in hand.
const workers = 64

// share runs b.N rounds of f on 64 goroutines.
func share(b *testing.B, f func(worker, i int) error) {
	b.Helper()
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := f(w, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// sealed is the size of a short text message with its metadata, sealed.
const sealed = 600

// BenchmarkIngest measures appends with a dedupe key and limits, spread over all shards.
func BenchmarkIngest(b *testing.B, s gateway.Store) {
	b.Helper()
	payload := make([]byte, sealed)
	share(b, func(w, i int) error {
		e := gateway.Entry{Lane: fmt.Sprintf("lane%d", w), Kind: gateway.EntryEvent, Account: "01J0ACCOUNT", Payload: payload}
		o := gateway.IngestOptions{Dedupe: fmt.Sprintf("d%d", i), DedupeFor: gateway.OutboxDedupe, LaneMax: b.N + 1, QueueMax: b.N + 1}
		_, _, err := s.Ingest(b.Context(), gateway.ShardPartition(w%gateway.Shards), gateway.QueueIn, e, o)
		return err
	})
}

// BenchmarkLoop measures an entry's whole life: ingest, read, begin, finish with two id maps.
func BenchmarkLoop(b *testing.B, s gateway.Store) {
	b.Helper()
	payload := make([]byte, sealed)
	leases := make([]gateway.Lease, workers)
	for w := range leases {
		l, err := s.Acquire(b.Context(), gateway.ShardPartition(w), "bench", long)
		if err != nil {
			b.Fatal(err)
		}
		leases[w] = l
	}
	share(b, func(w, i int) error {
		ctx, l, lane := b.Context(), leases[w], fmt.Sprintf("lane%d", w)
		o := gateway.IngestOptions{Dedupe: fmt.Sprintf("d%d", i), DedupeFor: gateway.OutboxDedupe, LaneMax: 200, QueueMax: 10000}
		if _, _, err := s.Ingest(ctx, l.Partition, gateway.QueueIn, gateway.Entry{Lane: lane, Kind: gateway.EntryEvent, Payload: payload}, o); err != nil {
			return err
		}
		es, err := s.Read(ctx, l.Partition, gateway.QueueIn, "", 1)
		if err != nil || len(es) != 1 {
			return fmt.Errorf("read: got %d entries and error %w, want 1", len(es), err)
		}
		if _, err := s.Begin(ctx, l, gateway.QueueIn, es[0].ID, nil); err != nil {
			return err
		}
		field := fmt.Sprintf("%08d", i)
		maps := []gateway.MapEntry{{Lane: lane, Field: "s" + field[1:], Value: payload[:64]}, {Lane: lane, Field: "n" + field[1:], Value: payload[:64]}}
		return s.Finish(ctx, l, gateway.QueueIn, es[:1], maps)
	})
}
