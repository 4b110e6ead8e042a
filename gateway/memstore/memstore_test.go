package memstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/memstore"
	"postern/gateway/storetest"
)

func open(t testing.TB) *memstore.Store {
	s := memstore.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: got %v, want none", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) gateway.Store { return open(t) }, storetest.Options{
		Around:  synctest.Test,
		Advance: func(d time.Duration) { <-time.After(d) }, // virtual: Around runs each case in a bubble
		Ahead: func(s gateway.Store, d time.Duration) {
			if own, ok := s.(*memstore.Store); ok {
				own.Ahead(d)
			}
		},
		Short: 15 * time.Second,
	})
}

func BenchmarkIngest(b *testing.B) { storetest.BenchmarkIngest(b, open(b)) }

func BenchmarkLoop(b *testing.B) { storetest.BenchmarkLoop(b, open(b)) }
