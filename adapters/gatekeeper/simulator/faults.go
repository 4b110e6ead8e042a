package simulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Faults is what goes wrong on purpose. Rates are probabilities from 0 to 1, drawn from the seeded dice; zero is no fault.
type Faults struct {
	// LatencyMS and JitterMS delay every API request: fixed, and up to that much more.
	LatencyMS int `json:"latency_ms"`
	JitterMS  int `json:"jitter_ms"`
	// ErrorRate answers 503 before anything was done.
	ErrorRate float64 `json:"error_rate"`
	// LimitRate answers 429 before anything was done, with Retry-After unless LimitRetryAfterS is zero.
	LimitRate        float64 `json:"limit_rate"`
	LimitRetryAfterS int     `json:"limit_retry_after_s"`
	// TimeoutRate does what was asked but keeps the answer back: until the client leaves, at most TimeoutHoldMS (zero: 30 s), then 504.
	TimeoutRate   float64 `json:"timeout_rate"`
	TimeoutHoldMS int     `json:"timeout_hold_ms"`
	// WebhookParallel sends up to that many events of one conversation at once (1 to 8), so that they may arrive out of order. Zero: 1.
	WebhookParallel int `json:"webhook_parallel"`
	// WebhookDropRate loses an event: it counts as sent. It stays in the backlog of GET /v1/events.
	WebhookDropRate float64 `json:"webhook_drop_rate"`
	// WebhookReplayRate sends a taken event once more.
	WebhookReplayRate float64 `json:"webhook_replay_rate"`
	// WebhookBadSignatureRate spoils the signature of an attempt, WebhookStaleRate dates it ten minutes back.
	WebhookBadSignatureRate float64 `json:"webhook_bad_signature_rate"`
	WebhookStaleRate        float64 `json:"webhook_stale_rate"`
}

func (f Faults) validate() error {
	var errs []error
	for name, rate := range map[string]float64{
		"error_rate": f.ErrorRate, "limit_rate": f.LimitRate, "timeout_rate": f.TimeoutRate, "webhook_drop_rate": f.WebhookDropRate,
		"webhook_replay_rate": f.WebhookReplayRate, "webhook_bad_signature_rate": f.WebhookBadSignatureRate, "webhook_stale_rate": f.WebhookStaleRate,
	} {
		if !(rate >= 0 && rate <= 1) {
			errs = append(errs, fmt.Errorf("faults: %s %v: want 0 to 1", name, rate))
		}
	}
	for name, n := range map[string]int{
		"latency_ms": f.LatencyMS, "jitter_ms": f.JitterMS, "limit_retry_after_s": f.LimitRetryAfterS, "timeout_hold_ms": f.TimeoutHoldMS,
	} {
		if n < 0 || n > 600_000 {
			errs = append(errs, fmt.Errorf("faults: %s %d: want 0 to 600000", name, n))
		}
	}
	if f.WebhookParallel < 0 || f.WebhookParallel > 8 {
		errs = append(errs, fmt.Errorf("faults: webhook_parallel %d: want 1 to 8", f.WebhookParallel))
	}
	return errors.Join(errs...)
}

// dice are the seeded random numbers; Server.mu guards them.
type dice struct{ rng *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0x706f737465726e))} }

// hit is true with probability p. A rate of zero draws nothing, so that switching one fault on does not move another.
func (d dice) hit(p float64) bool { return p > 0 && d.rng.Float64() < p }

// requestFate is what the dice decided about one API request.
type requestFate struct {
	delay  time.Duration
	refuse *problem
	hold   time.Duration // answer kept back for so long; zero: not
}

func (s *Server) drawRequestFate() requestFate {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, d := s.faults, s.dice
	fate := requestFate{delay: time.Duration(f.LatencyMS) * time.Millisecond}
	if f.JitterMS > 0 {
		fate.delay += time.Duration(d.rng.Int64N(int64(f.JitterMS)+1)) * time.Millisecond
	}
	switch {
	case d.hit(f.ErrorRate):
		fate.refuse = fail("upstream_down", "a fault was injected").withRetry("backoff", 0)
	case d.hit(f.LimitRate):
		fate.refuse = fail("rate_limited", "a fault was injected")
		if f.LimitRetryAfterS > 0 {
			fate.refuse.withRetry("after", f.LimitRetryAfterS)
		} else {
			fate.refuse.withRetry("backoff", 0)
		}
	case d.hit(f.TimeoutRate):
		fate.hold = 30 * time.Second
		if f.TimeoutHoldMS > 0 {
			fate.hold = time.Duration(f.TimeoutHoldMS) * time.Millisecond
		}
	}
	return fate
}

// wait sleeps, and reports false when the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
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

// timedOut is the answer after a held-back one: the client cannot know whether its request was done.
func timedOut() *problem {
	p := fail("upstream_down", "the answer was held back by an injected fault")
	p.Status, p.Title = http.StatusGatewayTimeout, http.StatusText(http.StatusGatewayTimeout)
	return p
}
