//go:build bench

package app

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
)

// profiled lets the benchmark take profiles: with POSTERN_PROFILE=prefix, one SIGUSR1 begins a CPU profile, prefix.1, and the next
// ends it, and so on, with what was allocated until then in prefix.1.allocs; SIGUSR2 writes what is live on the heap, prefix.heap.1, and every stack, prefix.stacks.1.
// POSTERN_PROFILE_HEAP notes allocations more closely, which takes a tenth of the processor for itself.
func profiled() {
	prefix := os.Getenv("POSTERN_PROFILE")
	if prefix == "" {
		return
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() { // until the process ends
		for n := 1; ; n++ {
			<-signals
			f, err := os.Create(fmt.Sprintf("%s.%d", prefix, n))
			if err != nil {
				continue
			}
			if err := pprof.StartCPUProfile(f); err == nil {
				<-signals
				pprof.StopCPUProfile()
			}
			_ = f.Close() // a profile that is cut short shows itself
			if f, err = os.Create(fmt.Sprintf("%s.%d.allocs", prefix, n)); err == nil {
				_ = pprof.Lookup("allocs").WriteTo(f, 0)
				_ = f.Close()
			}
		}
	}()
	live := make(chan os.Signal, 4)
	signal.Notify(live, syscall.SIGUSR2)
	if os.Getenv("POSTERN_PROFILE_HEAP") != "" {
		runtime.MemProfileRate = 16 << 10 // of a process of a few megabytes
	}
	go func() { // until the process ends
		for n := 1; ; n++ {
			<-live
			runtime.GC() // twice: the profile is of the one before the last
			runtime.GC()
			for kind, name := range map[string]string{"heap": "heap", "goroutine": "stacks"} {
				f, err := os.Create(fmt.Sprintf("%s.%s.%d", prefix, name, n))
				if err != nil {
					continue
				}
				_ = pprof.Lookup(kind).WriteTo(f, 0) // as above
				_ = f.Close()
			}
		}
	}()
}
