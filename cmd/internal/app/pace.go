package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	paceEvery = time.Second
	// paceBusy is how many collections within paceEvery are too many, paceQuiet how long a process that had none rests.
	paceBusy  = 3
	paceQuiet = 30 * time.Second
	// paceGarbage is how many bytes of garbage may lie under load, pacePercent what the runtime does by itself: as much as is alive.
	paceGarbage = 32 << 20
	pacePercent = 100
)

// pace lets garbage lie while there is much to do. Little is alive here, about 10 MB, so that a runtime which collects each time as
// much again has come up does so a dozen times in a second under load, for a tenth of the work, and makes the stacks of all who wait
// smaller each time. At rest it is as small as ever.
type pace struct {
	cycles  uint64
	quiet   time.Duration
	percent int
}

// next returns the percentage of what is alive that may come up before the next collection. rest is true when a busy time is over.
func (p *pace) next(cycles, live uint64) (percent int, rest bool) {
	ran := cycles - p.cycles
	p.cycles = cycles
	if p.quiet += paceEvery; ran > 0 {
		p.quiet = 0
	}
	room := max(pacePercent, int(100*paceGarbage/max(live, 1<<20)))
	switch {
	case ran >= paceBusy:
		p.percent = room
	case p.quiet >= paceQuiet && p.percent != pacePercent:
		p.percent = pacePercent
		return p.percent, true
	default:
		p.percent = min(p.percent, room)
	}
	return p.percent, false
}

// keepPace follows the load until ctx ends. Who sets GOGC has decided, and GOMEMLIMIT holds whatever is set here.
func keepPace(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	p := &pace{percent: pacePercent}
	read := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(read)
	p.cycles = read[0].Value.Uint64()
	t := time.NewTicker(paceEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			debug.SetGCPercent(pacePercent)
			return
		}
		metrics.Read(read)
		was := p.percent
		percent, rest := p.next(read[0].Value.Uint64(), read[1].Value.Uint64())
		if percent != was {
			debug.SetGCPercent(percent)
		}
		if rest {
			giveBack()
		}
	}
}
