//go:build bench

package app

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// profiled lets the benchmark take CPU profiles: with POSTERN_PROFILE=prefix, one SIGUSR1 begins prefix.1 and the next ends it,
// and so on. What was allocated until then goes to prefix.1.allocs.
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
}
