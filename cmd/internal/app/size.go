package app

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Size is a number of bytes, written as 4096, 64KiB, 100MiB or 10GiB.
type Size int64

var (
	sizeForm = regexp.MustCompile(`^([0-9]{1,15}) ?(B|KiB|MiB|GiB|TiB)?$`)
	sizeUnit = map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
)

// parseSize reads a size; ok is false for anything else.
func parseSize(s string) (Size, bool) {
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > math.MaxInt64/sizeUnit[m[2]] {
		return 0, false
	}
	return Size(n * sizeUnit[m[2]]), true
}

// String writes the size in the largest unit that divides it.
func (s Size) String() string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if n := sizeUnit[unit]; s != 0 && int64(s)%n == 0 {
			return fmt.Sprint(int64(s)/n, unit)
		}
	}
	return fmt.Sprint(int64(s), "B")
}
