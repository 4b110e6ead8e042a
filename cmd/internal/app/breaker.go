package app

import (
	"errors"
	"net/url"
	"strings"
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

// breaker leaves a host alone while it fails.
type breaker struct {
	circuit *gobreaker.TwoStepCircuitBreaker[any]
	until   atomic.Pointer[time.Time] // when the next call may try the host, by the monotonic clock: the other one may jump
}

var _ gateway.Breaker = (*breaker)(nil)

// breakers makes one for each host, which the instances of one type that call it share, and tells of them in metrics, by instance.
func breakers(r prometheus.Registerer, instances []gateway.Instance, host func(gateway.AdapterID) string) {
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "postern_breaker_open", Help: "1 while a platform that fails is left alone, or tried by one call.",
	}, []string{"adapter"})
	opened := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_breaker_opened_total", Help: "Times that a platform was left alone because it failed.",
	}, []string{"adapter"})
	r.MustRegister(open, opened)
	sharing := map[string][]string{}
	for _, i := range instances {
		sharing[host(i.ID)] = append(sharing[host(i.ID)], string(i.ID))
		open.WithLabelValues(string(i.ID))
		opened.WithLabelValues(string(i.ID))
	}
	made := map[string]*breaker{}
	for at, ids := range sharing {
		made[at] = newBreaker(func(s gobreaker.State) {
			for _, id := range ids {
				switch s {
				case gobreaker.StateOpen:
					open.WithLabelValues(id).Set(1)
					opened.WithLabelValues(id).Inc()
				case gobreaker.StateClosed:
					open.WithLabelValues(id).Set(0)
				case gobreaker.StateHalfOpen:
				}
			}
		})
	}
	for n := range instances {
		instances[n].Breaker = made[host(instances[n].ID)]
	}
}

// hostOf names what the adapter instances with one type and one host share.
func (b *builder) hostOf(id gateway.AdapterID) string {
	a := b.cfg.Adapters[string(id)]
	u, err := url.Parse(a.Own.Origin())
	if err != nil || u.Host == "" {
		return string(id) // Validate has said what is wrong
	}
	return a.Type + " " + strings.ToLower(u.Host)
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
				until := time.Now().Add(breakerPause)
				b.until.Store(&until)
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
	return max(time.Until(*b.until.Load()), time.Millisecond)
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
