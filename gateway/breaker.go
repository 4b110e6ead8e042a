package gateway

import (
	"context"
	"errors"
	"time"
)

// Breaker keeps calls from the host of a platform that fails, so that it is asked by one call now and then and no lane tries in
// vain. It is safe for concurrent use.
type Breaker interface {
	// Wait returns how long the host is left alone, 0 where it is not or one call may try it.
	Wait() time.Duration
	// Enter asks for leave to call. Where it is given, end is called once with what came of it; otherwise end is nil and wait is
	// when to ask again.
	Enter() (end func(CallEnd), wait time.Duration)
}

// CallEnd is what a Breaker learns from a call.
type CallEnd uint8

// Ends of a call.
const (
	// CallNone: none was made.
	CallNone CallEnd = iota
	// CallAnswered: the host answered, if only that it wants none of this.
	CallAnswered
	// CallFailed: the host did not answer, or not as one that works.
	CallFailed
)

// answer is an error by which the host may have said no itself.
type answer interface {
	error
	Answered() bool
}

// endOf is what an answer tells of the host: what the platform decided about a message, an account or a rate it was there to decide. An
// error may know better than its class (Answered): an account that the platform does not want just now says nothing about the host, which
// other accounts use as well.
func endOf(err error) CallEnd {
	if said, ok := errors.AsType[answer](err); err == nil || ok && said.Answered() {
		return CallAnswered
	}
	switch ClassOf(err) {
	case Retryable, Uncertain:
		return CallFailed
	case RateLimited, ReauthNeeded, WindowClosed, Unsupported, NotReachable, Permanent:
	}
	return CallAnswered
}

// rest waits while the platform's host is left alone: neither tokens nor tries are spent on it.
func (w *outWalk) rest(ctx context.Context) *verdict {
	if w.inst.Breaker == nil || len(w.planned.Ops) == 0 {
		return nil
	}
	if wait := w.inst.Breaker.Wait(); wait > 0 {
		return w.restFor(ctx, wait)
	}
	return nil
}

// enter takes leave for the call that follows. What the walk does with it is told to the breaker at its first answer, or at its end.
// A call that carries a file takes minutes: it asks for no leave, since everybody would wait for it when it is the one that tries.
func (w *outWalk) enter(ctx context.Context) *verdict {
	if w.inst.Breaker == nil || len(w.planned.Ops) == 0 || len(w.carried.files) > 0 {
		return nil
	}
	end, wait := w.inst.Breaker.Enter()
	if end == nil {
		return w.restFor(ctx, wait)
	}
	w.called = end
	return nil
}

// restFor waits as long as give-up by age allows: also an op that nobody ever tried to send ends in an error.
func (w *outWalk) restFor(ctx context.Context, wait time.Duration) *verdict {
	if time.Since(w.entry.At) > w.o.g.cfg.GiveUp {
		return w.giveUp(ctx, &SendError{Class: Retryable, Code: "breaker"})
	}
	v := askAgain(wait)
	v.why, v.mine = ParkBreaker, w.turn
	return v
}

// answered tells the breaker of a call, the first time in a walk.
func (w *outWalk) answered(e CallEnd) {
	if w.called != nil {
		w.called(e)
		w.called = nil
	}
}
