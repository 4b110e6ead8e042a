//go:build !bench

package app

// profiled does nothing in this build.
func profiled() {}
