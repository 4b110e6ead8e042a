//go:build servers && chaos

package chaos_test

import (
	"os"
	"strconv"
	"testing"
)

// TestChaosRandom plays random schedules of faults in every cell: SEEDS of them with MESSAGES each, or SEED alone.
func TestChaosRandom(t *testing.T) {
	first, seeds := uint64(1), setting(t, "SEEDS", 50)
	if one := setting(t, "SEED", 0); one > 0 {
		first, seeds = uint64(one), 1
	}
	random(t, first, seeds, setting(t, "MESSAGES", 2000))
}

// setting reads a number from the environment, where make puts it.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv("POSTERN_" + name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s: got %q, want a number", name, text)
	}
	return n
}
