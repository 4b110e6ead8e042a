//go:build chaos && !amd64

package app

import "errors"

// bendClock is written for one kind of processor.
func bendClock(string) error { return errors.New("app: POSTERN_CHAOS_CLOCK: needs amd64") }
