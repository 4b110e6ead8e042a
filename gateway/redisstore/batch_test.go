//go:build servers

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"postern/deploy/lab"
	"postern/gateway"
)

// TestBatch holds Redis still while calls come: a lone call leaves at once, a second beside it, and all that come
// meanwhile leave together, without those that nobody waits for any more.
func TestBatch(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "b:", Options{})
	rec := &recorder{}
	s.client.AddHook(rec)
	b := s.batches[r.Addr()]
	state := func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return fmt.Sprintf("%d flying, %d waiting", b.flying, len(b.pending))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	call := func(ctx context.Context, want error) {
		wg.Go(func() {
			if _, err := s.Load(ctx, gateway.RecordKey{Owner: "a:1", Kind: gateway.RecordAccount, Name: "x"}); !errors.Is(err, want) {
				t.Errorf("load: got error %v, want %v", err, want)
			}
		})
	}
	call(t.Context(), nil)
	wg.Wait()
	if got, want := rec.sizes(), "[1]"; got != want {
		t.Fatalf("pipelines of a lone call: got %s commands, want %s", got, want)
	}

	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 flying, 0 waiting", "2 flying, 0 waiting", "2 flying, 1 waiting"} {
		call(t.Context(), nil)
		eventually(t, want, func() bool { return state() == want })
	}
	for range 40 {
		call(t.Context(), nil)
		call(ctx, context.Canceled)
	}
	eventually(t, "waiting calls", func() bool { return state() == "2 flying, 81 waiting" })
	cancel()
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got, want := rec.sizes(), "[1 1 1 41]"; got != want {
		t.Errorf("pipelines: got %s commands, want %s", got, want)
	}
}
