package sandbox

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// Dice are the seeded random numbers; the owner's lock guards them.
type Dice struct {
	Rand *rand.Rand
	// Drawn counts the faults that API requests met, by control.Counts' names.
	Drawn map[string]int64
}

// NewDice makes dice that a seed repeats.
func NewDice(seed uint64) Dice {
	return Dice{rand.New(rand.NewPCG(seed, 0x706f737465726e)), map[string]int64{}}
}

// Hit is true with probability p. A rate of zero draws nothing, so that switching one fault on does not move another.
func (d Dice) Hit(p float64) bool { return p > 0 && d.Rand.Float64() < p }

// Fate is what the dice decided about one API request.
type Fate struct {
	Delay  time.Duration
	Refuse Refusal
	Hold   time.Duration // answer kept back for so long; zero: not
}

// Draw decides about one request.
func (d Dice) Draw(f Faults) Fate {
	fate := Fate{Delay: time.Duration(f.LatencyMS) * time.Millisecond}
	if f.JitterMS > 0 {
		fate.Delay += time.Duration(d.Rand.Int64N(int64(f.JitterMS)+1)) * time.Millisecond
	}
	switch {
	case d.Hit(f.ErrorRate):
		d.Drawn["error"]++
		fate.Refuse = Refusal{Kind: Unavailable}
	case d.Hit(f.LimitRate):
		if f.LimitRetryAfterS > 0 {
			d.Drawn["limit"]++
		} else {
			d.Drawn["limit_untimed"]++
		}
		fate.Refuse = Refusal{Kind: Limited, RetryAfter: time.Duration(f.LimitRetryAfterS) * time.Second}
	case d.Hit(f.TimeoutRate):
		d.Drawn["timeout"]++
		fate.Hold = 30 * time.Second
		if f.TimeoutHoldMS > 0 {
			fate.Hold = time.Duration(f.TimeoutHoldMS) * time.Millisecond
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
		var fate Fate
		s.Do(func(st *State) { fate = st.dice.Draw(st.faults) })
		if !Pause(r.Context(), fate.Delay) {
			return
		}
		switch {
		case fate.Refuse.Kind != 0:
			s.Refuse(w, r, fate.Refuse)
		case fate.Hold > 0:
			next.ServeHTTP(&deaf{header: http.Header{}}, r)
			if Pause(r.Context(), fate.Hold) {
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
