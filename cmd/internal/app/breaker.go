package app

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"

	"postern/gateway"
)

const (
	// breakerFailures is after how many calls in a row that failed a platform is left alone, breakerPause for how long before one
	// call tries it again.
	breakerFailures = 10
	breakerPause    = 30 * time.Second
	// breakerProbe is when to look again while that one call is under way.
	breakerProbe = time.Second
)

var (
	errCallFailed = errors.New("call failed")
	errNoCall     = errors.New("no call was made")
)

// breaker leaves the host of one adapter instance alone while it fails.
type breaker struct {
	circuit *gobreaker.TwoStepCircuitBreaker[any]
	until   atomic.Int64 // when the next call may try the host, Unix nanoseconds
}

var _ gateway.Breaker = (*breaker)(nil)

// breakers makes one for each adapter instance, and tells of them in metrics.
func breakers(r prometheus.Registerer, instances []gateway.Instance) {
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "postern_breaker_open", Help: "1 while a platform that fails is left alone, or tried by one call.",
	}, []string{"adapter"})
	opened := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_breaker_opened_total", Help: "Times that a platform was left alone because it failed.",
	}, []string{"adapter"})
	r.MustRegister(open, opened)
	for n := range instances {
		id := string(instances[n].ID)
		gauge, count := open.WithLabelValues(id), opened.WithLabelValues(id)
		instances[n].Breaker = newBreaker(func(s gobreaker.State) {
			switch s {
			case gobreaker.StateOpen:
				gauge.Set(1)
				count.Inc()
			case gobreaker.StateClosed:
				gauge.Set(0)
			case gobreaker.StateHalfOpen:
			}
		})
	}
}

// newBreaker calls changed with each state that follows the first, closed one.
func newBreaker(changed func(gobreaker.State)) *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		MaxRequests: 1, Timeout: breakerPause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNoCall) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.until.Store(time.Now().Add(breakerPause).UnixNano())
			}
			changed(to)
		},
	})
	return b
}

// Wait implements gateway.Breaker.
func (b *breaker) Wait() time.Duration {
	if b.circuit.State() != gobreaker.StateOpen {
		return 0
	}
	return max(time.Until(time.Unix(0, b.until.Load())), time.Millisecond)
}

// Enter implements gateway.Breaker.
func (b *breaker) Enter() (end func(gateway.CallEnd), wait time.Duration) {
	done, err := b.circuit.Allow()
	if err != nil {
		return nil, max(b.Wait(), breakerProbe)
	}
	return func(e gateway.CallEnd) {
		switch e {
		case gateway.CallAnswered:
			done(nil)
		case gateway.CallFailed:
			done(errCallFailed)
		case gateway.CallNone:
			done(errNoCall)
		}
	}, 0
}
