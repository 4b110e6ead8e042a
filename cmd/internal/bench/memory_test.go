//go:build servers && bench

package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"postern/cmd/internal/chaos/stand"
)

// What is read of the metrics of the Go runtime.
const (
	mallocs    = "go_memstats_mallocs_total"
	allocBytes = "go_memstats_alloc_bytes_total"
)

// metricsOf reads a gateway's metrics without labels; nothing where there are none.
func metricsOf(ctx context.Context, g process) map[string]float64 {
	all := map[string]float64{}
	if g.Admin == "" {
		return all
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Admin+"/metrics", http.NoBody)
	if err != nil {
		return all
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return all
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && name != "#" {
			all[name] = n
		}
	}
	return all
}

// memoryOf reads proc(5) and, of a Postern, the metrics of the Go runtime.
func memoryOf(ctx context.Context, g process) (m Memory) {
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID())); err == nil {
		m.RSS, m.Anon = field(string(raw), "VmRSS:"), field(string(raw), "RssAnon:")
	}
	all := metricsOf(ctx, g)
	m.Live, m.Heap, m.Stacks = int64(all["go_gc_heap_live_bytes"]), int64(all["go_memstats_heap_inuse_bytes"]), int64(all["go_memstats_stack_inuse_bytes"])
	m.Goroutines = int(all["go_goroutines"])
	return m
}

// field is a number of kibibytes in /proc/<pid>/status, in bytes.
func field(status, name string) int64 {
	_, rest, _ := strings.Cut(status, name)
	line, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64) // the kernel writes numbers
	return n << 10
}

// heapProfile lets a gateway that takes profiles write what is on its heap.
func (r *rig) heapProfile(g process) {
	if *cpus == "" {
		return
	}
	_ = g.Signal(syscall.SIGUSR2) // without it there is no profile
	pause(r.t.Context(), 2*time.Second)
}

// pause waits; it reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// redisMemory is what Redis holds, in bytes: its memory (INFO memory) less what its connections and the append-only file have in hand.
func (r *rig) redisMemory(ctx context.Context) float64 {
	r.t.Helper()
	got, err := r.Redis.Do(ctx, "INFO", "memory")
	if err != nil {
		r.t.Fatal(err)
	}
	text, _ := got.(string)
	bytes := func(name string) float64 {
		_, rest, _ := strings.Cut(text, "\n"+name+":")
		number, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			r.t.Fatalf("redis: %s: got %q", name, number)
		}
		return n
	}
	return bytes("used_memory") - bytes("mem_clients_normal") - bytes("mem_aof_buffer")
}

// redisRest is the same once nothing is under way: no entry is left in a queue.
func (r *rig) redisRest(ctx context.Context) float64 {
	r.t.Helper()
	limited, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	err := stand.Poll(limited, func() error {
		queues, err := r.Redis.Do(limited, "KEYS", "p:{*}:q:*")
		if err != nil {
			return err
		}
		all, _ := queues.([]any)
		for _, queue := range all {
			name, _ := queue.(string)
			switch n, err := r.Redis.Do(limited, "XLEN", name); {
			case err != nil:
				return err
			case n != int64(0):
				return fmt.Errorf("%v entries in %s", n, name)
			}
		}
		return nil
	})
	if err != nil {
		r.t.Errorf("redis: %v", err)
	}
	return r.redisMemory(ctx)
}
