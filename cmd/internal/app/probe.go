//go:build !chaos

package app

// injected returns the faults of this build: none.
func injected() (faults, error) { return faults{}, nil }
