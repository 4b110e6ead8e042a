//go:build servers && bench

package bench

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"postern/cmd/internal/chaos/stand"
)

// profiles is the environment of a Postern that takes profiles.
func profiles(name string) []string {
	if *cpus == "" {
		return nil
	}
	env := []string{"POSTERN_PROFILE=" + filepath.Join(*cpus, strings.ReplaceAll(name, " ", "-"))}
	if *heaps {
		env = append(env, "POSTERN_PROFILE_HEAP=1")
	}
	return env
}

type loading = func(m *Meter, ctx context.Context, send func(chat int, text string) error) error

// profiled runs a load between two signals to a gateway that takes profiles.
func (r *rig) profiled(g process, run loading) loading {
	if *cpus == "" || !g.confirms {
		return run
	}
	return func(m *Meter, ctx context.Context, send func(int, string) error) error {
		defer func() { _ = g.Signal(syscall.SIGUSR1) }() // without it there is no profile
		_ = g.Signal(syscall.SIGUSR1)
		return run(m, ctx, send)
	}
}

// dripping sends at a rate.
func dripping(rate int) loading {
	return func(m *Meter, ctx context.Context, send func(int, string) error) error {
		return m.drip(ctx, rate, send)
	}
}

// load runs one load and takes its figures.
func (r *rig) load(g process, way Way, length time.Duration, run loading, send func(int, string) error) *Load {
	r.t.Helper()
	return r.loadOn(g, newMeter(way), length, run, send)
}

func (r *rig) loadOn(g process, m *Meter, length time.Duration, run loading, send func(int, string) error) *Load {
	r.t.Helper()
	r.meter.Store(m)
	heap, stored := metricsOf(r.t.Context(), g), r.redisMemory(r.t.Context())
	pids := map[string]int{gatewayCPU: g.PID(), serverCPU: r.XMPP.PID(), redisCPU: r.Redis.PID(), benchCPU: os.Getpid()}
	before := use(pids)
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.t.Context(), length)
	err := run(m, ctx, send)
	cancel()
	if err != nil {
		r.t.Errorf("%s: %v", m.way, err)
	}
	took, seen := time.Since(began), m.seen.Load()
	drain, cancel := context.WithTimeout(r.t.Context(), drainTime)
	missing := m.settle(drain)
	if g.settle != nil {
		if err := g.settle(drain); err != nil {
			r.t.Errorf("%s: platform: %v", m.way, err)
		}
	}
	cancel()
	after := use(pids)
	l := &Load{
		Messages: int(m.sent.Load()), Rate: float64(seen) / took.Seconds(), P50: milliseconds(m.percentile(0.5)), P99: milliseconds(m.percentile(0.99)),
		P999: milliseconds(m.percentile(0.999)), CPU: map[string]float64{}, Disorder: m.disorder, Missing: int(missing),
	}
	now, count := metricsOf(r.t.Context(), g), float64(max(l.Messages, 1))
	l.Allocs, l.AllocBytes = (now[mallocs]-heap[mallocs])/count, (now[allocBytes]-heap[allocBytes])/count
	l.RedisLeft = (r.redisRest(r.t.Context()) - stored) / count
	for name := range pids {
		l.CPU[name] = milliseconds(after[name]-before[name]) / float64(max(l.Messages, 1))
	}
	return l
}

func use(pids map[string]int) map[string]time.Duration {
	out := map[string]time.Duration{}
	for name, pid := range pids {
		if u, err := stand.UseOf(pid); err == nil {
			out[name] = u.CPU
		}
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
