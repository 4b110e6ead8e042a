package console

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
)

const (
	// sampleEvery is how often the metrics are looked at, kept how many looks are remembered: an hour.
	sampleEvery = 15 * time.Second
	kept        = 240
	span        = kept * sampleEvery
	// fresh is how long what was read stands for the present, whoever asks.
	fresh = 2 * time.Second
)

// point is what happened with one adapter, or the store, between two looks. Numbers that nothing was measured for are NaN.
type point struct {
	in, out, failed, refused float32
	slowIn, slowOut          float32 // seconds that 95 of 100 took at most
}

// sample is one look.
type sample struct {
	at       time.Time
	took     time.Duration // since the look before
	adapters []point       // in the order of the instances
	store    point         // failed and slowOut alone
}

// history remembers the last hour of this process, in a ring.
type history struct {
	from  prometheus.Gatherer
	order []gateway.AdapterID
	log   *slog.Logger

	mu   sync.Mutex
	now  *reading // at most fresh old, or the last one
	last *reading // that the newest sample ends with
	ring [kept]sample
	n    int // samples so far
}

// run looks again and again until ctx ends.
func (h *history) run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if err := h.look(); err != nil {
			h.log.Warn("metrics not read for the console", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look takes one sample.
func (h *history) look() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, err := read(h.from)
	if err != nil {
		return err
	}
	was := h.last
	h.now, h.last = now, now
	if was == nil {
		return nil
	}
	s := sample{at: now.at, took: now.at.Sub(was.at), adapters: make([]point, len(h.order))}
	for i, id := range h.order {
		a, b := was.adapters[id], now.adapters[id]
		if a == nil || b == nil {
			continue
		}
		s.adapters[i] = point{
			in: float32(b.in - a.in), out: float32(b.out - a.out), failed: float32(b.failed - a.failed), refused: float32(b.refused - a.refused),
			slowIn: float32(b.slowIn.since(a.slowIn).quantile(.95)), slowOut: float32(b.slowOut.since(a.slowOut).quantile(.95)),
		}
	}
	s.store = point{failed: float32(now.store.errors - was.store.errors), slowIn: float32(math.NaN()), slowOut: float32(now.store.slow.since(was.store.slow).quantile(.95))}
	h.ring[h.n%kept] = s
	h.n++
	return nil
}

// present is what the metrics say now, or said a moment ago.
func (h *history) present() (*reading, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != nil && time.Since(h.now.at) < fresh {
		return h.now, nil
	}
	now, err := read(h.from)
	if err != nil {
		return nil, err
	}
	h.now = now
	return now, nil
}

// samples are those of the last hour, oldest first.
func (h *history) samples() []sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]sample, 0, min(h.n, kept))
	for i := max(0, h.n-kept); i < h.n; i++ {
		if s := h.ring[i%kept]; time.Since(s.at) < span {
			out = append(out, s)
		}
	}
	return out
}
