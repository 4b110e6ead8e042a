package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// ErrStopped: the operator has stopped the adapter. The platform shall try again (503).
var ErrStopped = errors.New("adapter stopped by the operator")

// stoppedReview is how often a chat looks by itself whether its adapter still is stopped: an order that ends that wakes it.
const stoppedReview = 10 * time.Minute

// stopped waits in its place while the adapter is stopped; given is what was ordered then.
func (g *Gateway) stopped(a AdapterID) *verdict {
	given := g.orders.now.Load()
	if _, ok := given.stops[a]; !ok {
		return nil
	}
	return &verdict{end: again, after: stoppedReview + rand.N(stoppedReview/8), why: ParkStopped, given: given}
}

func (w *outWalk) stopped(context.Context) *verdict { return w.o.g.stopped(w.out.Adapter) }

func (w *inWalk) stopped(context.Context) *verdict { return w.o.g.stopped(w.in.Adapter) }

// halted refuses what a user asks for while the adapter is stopped; nil where it is not.
func (g *Gateway) halted(inst Instance, lang string) *Refusal {
	s, ok := g.orders.Stopped(inst.ID)
	if !ok {
		return nil
	}
	g.metrics.barred.WithLabelValues(string(inst.ID), "stopped").Inc()
	return g.refuse(inst.ID, lang, ServiceUnavailable, TextStopped, inst.Adapter.Descriptor().Platform, s.Reason)
}

// heed does what orders ask of this replica, until ctx ends: who polls begins or ends, and chats of adapters that go on are woken.
func (g *Gateway) heed(ctx context.Context) {
	for ctx.Err() == nil {
		given := g.orders.now.Load()
		for id := range g.instances {
			v := 0.0
			if _, ok := given.stops[id]; ok {
				v = 1
			}
			g.metrics.stopped.WithLabelValues(string(id)).Set(v)
		}
		g.ownsOther()
		g.owners.Range(func(_, o any) bool {
			if o, ok := o.(*ownership); ok {
				o.due(ParkStopped)
			}
			return true
		})
		select {
		case <-given.over:
		case <-ctx.Done():
		}
	}
}

// News says to every registered user that the gateway is there or not, each time when an order changes that, until ctx ends.
func (g *Gateway) News(ctx context.Context, a AdapterID, yield func(Rendering) error) error {
	for {
		given := g.orders.now.Load()
		was := given.stops[a]
		select {
		case <-given.over:
		case <-ctx.Done():
			return ctx.Err()
		}
		if g.orders.now.Load().stops[a] == was {
			continue
		}
		if err := g.greet(ctx, a, false, yield); err != nil {
			return err
		}
	}
}
