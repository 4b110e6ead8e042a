package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// Ladder says when an attempt that failed is repeated. All durations are shortened by Config.Speed.
type Ladder struct {
	// Steps are the waits after the first, second ... failure; the last one repeats.
	Steps []time.Duration
	// Jitter adds up to that part of a step.
	Jitter float64
	// Keep is how long an update is repeated before it is given up. Zero: for ever.
	Keep time.Duration
	// RetryAfter obeys that header of an answer up to so long. Zero: not at all.
	RetryAfter time.Duration
	// Gone disables the hook after 410 was answered for so long without a break. Zero: never.
	Gone time.Duration
	// FailFor unsubscribes the account after so long without one success. Zero: never.
	FailFor time.Duration
	// Hold keeps updates while there is nowhere to send them (until Keep is over). Else they are lost.
	Hold bool
	// Taken says which statuses are success. Nil: 2xx.
	Taken func(status int) bool
}

func (l Ladder) taken(status int) bool {
	if l.Taken != nil {
		return l.Taken(status)
	}
	return status/100 == 2
}

// step is the wait after the n-th failure, n from 1.
func (l Ladder) step(n int, a Answer, dice Dice) time.Duration {
	if l.RetryAfter > 0 && a.Header != nil {
		if s, err := strconv.Atoi(a.Header.Get("Retry-After")); err == nil && s >= 0 {
			return min(time.Duration(s)*time.Second, l.RetryAfter)
		}
	}
	if len(l.Steps) == 0 {
		return time.Second
	}
	d := l.Steps[min(n, len(l.Steps))-1]
	if l.Jitter > 0 && d > 0 {
		d += time.Duration(dice.Rand.Float64() * l.Jitter * float64(d))
	}
	return d
}

// fails books a failure on the account and says whether the platform lost its patience.
func (l Ladder) fails(st *State, acc *Account, a Answer) {
	now := st.Now()
	if acc.failing.IsZero() {
		acc.failing = now
	}
	if a.Status != http.StatusGone {
		acc.gone = time.Time{}
	} else if acc.gone.IsZero() {
		acc.gone = now
	}
	if l.Gone > 0 && !acc.gone.IsZero() && now.Sub(acc.gone) >= st.Scale(l.Gone) {
		acc.Hook.Disabled = true
	}
	if l.FailFor > 0 && now.Sub(acc.failing) >= st.Scale(l.FailFor) {
		acc.Subscribed = false
	}
}

func (l Ladder) succeeds(acc *Account) { acc.failing, acc.gone = time.Time{}, time.Time{} }
