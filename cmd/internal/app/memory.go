package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How memory is kept small.
//
// What the process holds has ceilings everywhere (gateway.TestCeilings), so that there is nothing for a limit of the runtime to do. How
// much garbage may lie beside it is pace.go's: little at rest, more under load. An operator may set GOGC and GOMEMLIMIT in the
// environment all the same.
//
// The runtime keeps what a rush needed for minutes, and the kernel keeps every page of the program that was ever run. Once a rush is
// over both are given back: a gateway that has carried thousands of messages a second is as small afterwards as one that has not.
const (
	memoryLook = 5 * time.Second // how often it is looked whether there is a rush
	// rushBytes is what is allocated in that time at least in a rush: about a hundred messages a second. restBytes is what is allocated
	// at most where there is none: presence at its pace is less.
	rushBytes = 16 << 20
	restBytes = 8 << 20
)

// rush knows whether memory has to be given back.
type rush struct {
	last uint64 // bytes allocated so far, when it was looked
	on   bool
}

// over takes what the process has allocated so far, and reports whether a rush has ended.
func (r *rush) over(allocated uint64) bool {
	since := allocated - r.last
	r.last = allocated
	switch {
	case since >= rushBytes:
		r.on = true
	case since <= restBytes && r.on:
		r.on = false
		return true
	}
	return false
}

// keepSmall gives memory back after each rush, the start among them, until ctx ends.
func keepSmall(ctx context.Context) {
	r := rush{last: allocated(), on: true}
	giveBack()
	for sleep(ctx, memoryLook) {
		if r.over(allocated()) {
			giveBack()
		}
	}
}

// giveBack returns to the kernel what the heap does not use, and the pages of the program that are not needed all the time.
func giveBack() {
	debug.FreeOSMemory()
	dropProgram()
}

// allocated is how many bytes the process has allocated on the heap so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
