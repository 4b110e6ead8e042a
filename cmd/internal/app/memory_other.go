//go:build !linux

package app

// dropProgram does nothing here.
func dropProgram() {}
