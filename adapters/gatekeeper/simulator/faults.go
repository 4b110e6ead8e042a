package simulator

import (
	"net/http"
	"time"

	"postern/adapters/control"
	"postern/adapters/internal/sandbox"
)

// Faults is what goes wrong on purpose. What is dropped stays in the backlog of GET /v1/events.
type Faults = control.Faults

// requestFate is what the dice decided about one API request.
type requestFate struct {
	delay  time.Duration
	refuse *problem
	hold   time.Duration // answer kept back for so long; zero: not
}

func (s *Server) drawRequestFate() requestFate {
	s.mu.Lock()
	drawn := s.dice.Draw(s.faults)
	s.mu.Unlock()
	fate := requestFate{delay: drawn.Delay, hold: drawn.Hold}
	switch after := int(drawn.Refuse.RetryAfter / time.Second); {
	case drawn.Refuse.Kind == sandbox.Unavailable:
		fate.refuse = fail("upstream_down", "a fault was injected").withRetry("backoff", 0)
	case drawn.Refuse.Kind == sandbox.Limited && after > 0:
		fate.refuse = fail("rate_limited", "a fault was injected").withRetry("after", after)
	case drawn.Refuse.Kind == sandbox.Limited:
		fate.refuse = fail("rate_limited", "a fault was injected").withRetry("backoff", 0)
	}
	return fate
}

// timedOut is the answer after a held-back one: the client cannot know whether its request was done.
func timedOut() *problem {
	p := fail("upstream_down", "the answer was held back by an injected fault")
	p.Status, p.Title = http.StatusGatewayTimeout, http.StatusText(http.StatusGatewayTimeout)
	return p
}
