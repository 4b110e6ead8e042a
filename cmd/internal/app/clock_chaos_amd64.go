//go:build chaos

package app

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// vdsoClockgettimeSym is where the runtime calls the kernel's clock. The build needs -ldflags=-checklinkname=0.
//
//go:linkname vdsoClockgettimeSym runtime.vdsoClockgettimeSym
var vdsoClockgettimeSym uintptr

// What the assembly reads.
var (
	straight uintptr //nolint:unused // the kernel's own
	ahead    *int64  //nolint:unused // a page of the file
)

func bentAt() uintptr

// bendClock adds the seconds in a file, eight bytes as the machine writes numbers, to the wall clock of this process from now on.
// Whoever writes the file makes the clock jump; the monotonic clock goes on, as with a real jump.
func bendClock(file string) error {
	if vdsoClockgettimeSym == 0 {
		return errors.New("app: POSTERN_CHAOS_CLOCK: this kernel has no clock_gettime in its vDSO")
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("app: POSTERN_CHAOS_CLOCK: %w", err)
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("app: POSTERN_CHAOS_CLOCK: %w", err)
	}
	ahead, straight = (*int64)(unsafe.Pointer(&page[0])), vdsoClockgettimeSym
	vdsoClockgettimeSym = bentAt()
	return nil
}
