package sandbox

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// dice are the seeded random numbers; the owner's lock guards them.
type dice struct{ rng *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0x706f737465726e))} }

// hit is true with probability p. A rate of zero draws nothing, so that switching one fault on does not move another.
func (d dice) hit(p float64) bool { return p > 0 && d.rng.Float64() < p }

// requestFate is what the dice decided about one API request.
type requestFate struct {
	delay  time.Duration
	refuse Refusal
	hold   time.Duration // answer kept back for so long; zero: not
}

// draw decides about one request.
func (d dice) draw(f Faults) requestFate {
	fate := requestFate{delay: time.Duration(f.LatencyMS) * time.Millisecond}
	if f.JitterMS > 0 {
		fate.delay += time.Duration(d.rng.Int64N(int64(f.JitterMS)+1)) * time.Millisecond
	}
	switch {
	case d.hit(f.ErrorRate):
		fate.refuse = Refusal{Kind: Unavailable}
	case d.hit(f.LimitRate):
		fate.refuse = Refusal{Kind: Limited, RetryAfter: time.Duration(f.LimitRetryAfterS) * time.Second}
	case d.hit(f.TimeoutRate):
		fate.hold = 30 * time.Second
		if f.TimeoutHoldMS > 0 {
			fate.hold = time.Duration(f.TimeoutHoldMS) * time.Millisecond
		}
	}
	return fate
}

// Pause sleeps, and reports false when the context ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// faulty lets each request of the platform's API meet the faults.
func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.met(r)
		if s.spec.Exempt != nil && s.spec.Exempt(r) {
			next.ServeHTTP(w, r)
			return
		}
		var fate requestFate
		s.Do(func(st *State) { fate = st.dice.draw(st.faults) })
		if !Pause(r.Context(), fate.delay) {
			return
		}
		switch {
		case fate.refuse.Kind != 0:
			s.Refuse(w, r, fate.refuse)
		case fate.hold > 0:
			next.ServeHTTP(&deaf{header: http.Header{}}, r)
			if Pause(r.Context(), fate.hold) {
				s.Refuse(w, r, Refusal{Kind: TimedOut})
			}
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// deaf takes an answer that nobody gets.
type deaf struct{ header http.Header }

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) WriteHeader(int)             {}
func (d *deaf) Write(b []byte) (int, error) { return len(b), nil }
