//go:build servers

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
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

// TestCallersWhoGiveUp holds Redis still while callers come, give up and come again, as webhooks and stanzas do: what they asked for does
// not pile up behind it, and whoever waits is not left out. Without a bound the ten thousand of them hold 160 MiB.
func TestCallersWhoGiveUp(t *testing.T) {
	r := startRedis(t, lab.RedisConfig{})
	s := open(t, r.URL(), "b:", Options{})
	b := s.batches[r.Addr()]
	state := func() (flying, waiting int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.flying, len(b.pending)
	}
	ask := func(ctx context.Context) *call {
		return s.start(ctx, "b:x", 0, [][]any{{"set", "b:x", strings.Repeat("x", 16<<10)}})
	}
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	var stay []*call
	for n := range maxFlights {
		stay = append(stay, ask(t.Context()))
		eventually(t, "a call on its way", func() bool { flying, waiting := state(); return flying == n+1 && waiting == 0 })
	}
	for range 300 {
		stay = append(stay, ask(t.Context()))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := 0
	for range 10_000 {
		ctx, cancel := context.WithCancel(t.Context())
		ask(ctx)
		cancel()
		_, waiting := state()
		most = max(most, waiting)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if most > 2*len(stay) {
		t.Errorf("got %d calls pending, want no more than twice the %d that somebody waits for", most, len(stay))
	}
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if grown > 16<<20 {
		t.Errorf("%d KiB are held for callers who are gone", grown>>10)
	}
	t.Logf("%d calls pending at most, %d KiB for callers who are gone", most, grown>>10)
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, c := range stay {
		<-c.done // with an error, where Redis stood still for too long
	}
}
