package gatewaytest

import (
	"testing/synctest"
	"time"
)

// Advance lets d pass inside a synctest bubble, where sleeping costs no time, and waits until everybody there is idle.
func Advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
