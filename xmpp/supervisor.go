package xmpp

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"postern/gateway"
)

const (
	backoffBase = 100 * time.Millisecond
	backoffMax  = 30 * time.Second
	refusedBase = 30 * time.Second // after not-authorized or host-unknown: only an operator can help
	refusedMax  = 5 * time.Minute
	steadyAfter = 30 * time.Second // a session this long starts the backoff anew
	awayAfter   = 10 * time.Second // a server not reached for this long is left to other replicas
	awayProbe   = 10 * time.Second // how often it is looked whether it can be reached again
)

// lease is the right to be this component. Two connections of one name lose or
// split stanzas on every server, so the lease comes before the dial.
type lease interface {
	// Acquire blocks until the lease is held. lost is closed when it no longer is.
	Acquire(ctx context.Context) (lost <-chan struct{}, err error)
	// Release ends the holding; it is called once per successful Acquire. Others can have the lease at once where it is free,
	// else when its time is up.
	Release(free bool)
	// Decline says whether the server is out of reach from here, so that another
	// holder would do better.
	Decline(on bool)
}

// linkState is where a supervisor stands; a closed set of metric labels.
type linkState string

const (
	linkStandby    linkState = "standby"    // another replica holds the lease
	linkConnecting linkState = "connecting" // dialling or shaking hands
	linkUp         linkState = "up"
	linkDown       linkState = "down"    // between attempts
	linkRefused    linkState = "refused" // secret or name rejected
	linkStopped    linkState = "stopped"
)

// supervisor keeps one component connected for as long as Run runs.
type supervisor struct {
	stream   streamConfig
	lease    lease
	leaseTTL time.Duration // how long after a conflict another holder may live on

	// handle receives stanzas on the reader's goroutine, in order.
	handle func(context.Context, *Element)
	// settle waits until all that was handed to handle is dealt with, and tells whether it is. nil: handle leaves nothing open.
	settle func(context.Context) bool
	// session works on a live stream until its context ends, which it does when
	// the stream does. Returning an error gives the stream up.
	session func(context.Context, *stream) error
	// state is told of every change; err says why for down and refused.
	state func(linkState, error)
	log   *slog.Logger

	reached time.Time // when there last was a stream, or it was first tried under this lease
	away    bool      // declined
}

// Run acquires the lease, connects, runs the session, closes, and starts again
// with backoff, until ctx ends. It then closes the stream in order, releases
// the lease and returns when everything it started has stopped.
func (v *supervisor) Run(ctx context.Context) {
	defer v.state(linkStopped, nil)
	attempt := 0
	for ctx.Err() == nil {
		v.state(linkStandby, nil)
		lost, err := v.acquire(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			attempt++
			v.log.Warn("component lease not acquired", "component", v.stream.domain, "error", err.Error())
			v.pause(ctx, nil, jitter(attempt))
			continue
		}
		attempt = v.hold(ctx, lost, attempt)
	}
}

// acquire waits for the lease. One who has declined it looks meanwhile whether the server can be reached again.
func (v *supervisor) acquire(ctx context.Context) (lost <-chan struct{}, err error) {
	var wg sync.WaitGroup
	defer wg.Wait()
	looking, stop := context.WithCancel(ctx)
	defer stop()
	if v.away {
		wg.Go(func() { v.look(looking) })
	}
	return v.lease.Acquire(ctx)
}

// look tries to reach the server until it does or ctx ends. It says nothing to it: the name may be connected from elsewhere.
func (v *supervisor) look(ctx context.Context) {
	for {
		v.pause(ctx, nil, awayProbe)
		if ctx.Err() != nil {
			return
		}
		call, cancel := context.WithTimeout(ctx, handshakeTimeout)
		conn, err := v.stream.dial(call)
		cancel()
		if err == nil {
			_ = conn.Close() // nothing was written
			v.reach(true)
			return
		}
	}
}

// reach notes whether the server can be reached from here.
func (v *supervisor) reach(on bool) {
	if v.away != on {
		return
	}
	v.away = !on
	v.lease.Decline(!on)
	v.log.Info("xmpp server", "component", v.stream.domain, "reached", on)
}

// hold connects again and again under one lease. It returns when the lease is
// lost, after a conflict, or when ctx ends, with the lease released.
func (v *supervisor) hold(ctx context.Context, lost <-chan struct{}, attempt int) int {
	var wait time.Duration
	conflict := false
	attempt = max(attempt, 1)
	refusals := 0 // without anything else between them
	v.reached = time.Now()
	for ctx.Err() == nil && !isClosed(lost) {
		began := time.Now()
		err := v.once(ctx, lost)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) >= steadyAfter {
			attempt = 1
		}
		if isRefusal(err) {
			refusals++
		} else {
			refusals = 0
		}
		if time.Since(v.reached) >= awayAfter && refusals == 0 { // who is refused has reached it
			v.reach(false)
		}
		wait, conflict = v.react(err, attempt, refusals)
		if conflict {
			break
		}
		attempt++
		v.pause(ctx, lost, wait)
	}
	v.lease.Release(v.settled(ctx))
	if !conflict {
		wait = jitter(attempt) // a lease that is lost as soon as it is held must not spin
	}
	v.pause(ctx, nil, wait)
	return attempt
}

// settled waits until what was read from the stream that ended is in the store, or its sender was told that it is not: what the
// next one who is this component reads is newer, and must not be stored before. The lease is renewed meanwhile. What takes
// longer than a lease lives keeps it from being given back: it runs out by itself then, and nothing is taken under one that
// has (see message).
func (v *supervisor) settled(ctx context.Context) bool {
	if v.settle == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.leaseTTL)
	defer cancel()
	if v.settle(ctx) {
		return true
	}
	v.log.Warn("stanzas not stored in time; the component lease runs out by itself", "component", v.stream.domain)
	return false
}

// react reports why a connection ended and says how long to wait, and whether
// the lease must go because another connection of this name lives.
func (v *supervisor) react(err error, attempt, refusals int) (wait time.Duration, conflict bool) {
	var refused *StreamError
	errors.As(err, &refused)
	switch {
	case errors.Is(err, gateway.ErrHandOver):
		v.state(linkDown, nil)
		v.log.Info("xmpp stream down: another replica takes over", "component", v.stream.domain)
		return 0, true // the lease goes without a pause: nobody is the component meanwhile
	case refused == nil:
	case refused.Condition == "conflict":
		v.state(linkDown, err)
		wait = v.leaseTTL + jitter(attempt)
		v.log.Warn("another connection uses this component's name; lease dropped",
			"component", v.stream.domain, "retry_in", wait.Round(time.Second))
		return wait, true
	case refused.Condition == "not-authorized":
		wait = refusedPause(refusals)
		v.state(linkRefused, err)
		v.log.Error("the server refused the component secret for "+v.stream.domain+ //nolint:sloglint // the advice names the component
			": check server.secret_file and the component section of the Prosody or ejabberd configuration"+
			" (ejabberd answers the same when it does not know the name)",
			"component", v.stream.domain, "retry_in", wait.Round(time.Second))
		return wait, false
	case refused.Condition == "host-unknown":
		wait = refusedPause(refusals)
		v.state(linkRefused, err)
		v.log.Error("the server does not know the component "+v.stream.domain+ //nolint:sloglint // the advice names the component
			": add it to the Prosody or ejabberd configuration, or correct the adapter's jid",
			"component", v.stream.domain, "retry_in", wait.Round(time.Second))
		return wait, false
	}
	v.state(linkDown, err)
	wait = jitter(attempt)
	v.log.Warn("xmpp stream down", "component", v.stream.domain, "reason", endLabel(err),
		"error", errorText(err), "retry_in", wait)
	return wait, false
}

// once runs one connection from dial to close. The socket is closed when it returns.
func (v *supervisor) once(ctx context.Context, lost <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-lost:
			v.log.Info("component lease lost or wanted elsewhere", "component", v.stream.domain)
			cancel()
		case <-ctx.Done():
		}
	})
	v.state(linkConnecting, nil)
	s, err := connect(ctx, v.stream)
	if err != nil {
		return err
	}
	v.state(linkUp, nil)
	v.log.Info("xmpp stream up", "component", v.stream.domain)
	v.reach(true)
	defer func() { v.reached = time.Now() }()
	sessionCtx, endSession := context.WithCancel(ctx)
	defer endSession()
	var sessionErr error
	wg.Go(func() {
		if err := v.session(sessionCtx, s); err != nil && sessionCtx.Err() == nil {
			sessionErr = err
			cancel()
		}
	})
	wg.Go(func() {
		<-s.ended
		endSession()
	})
	err = s.run(ctx, v.handle)
	cancel()
	wg.Wait()
	if sessionErr != nil && errors.Is(err, errLocalClose) {
		return sessionErr
	}
	return err
}

// pause waits, less if ctx ends or the lease is lost.
func (v *supervisor) pause(ctx context.Context, lost <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-lost:
	case <-ctx.Done():
	}
}

// jitter is full jitter over an exponential ceiling: between nothing and
// 0.1 s, 0.2 s, ... 30 s, so that replicas do not return in step.
func jitter(attempt int) time.Duration {
	ceiling := backoffMax
	if attempt < 10 {
		ceiling = min(backoffMax, backoffBase<<max(0, attempt-1))
	}
	return rand.N(ceiling) + time.Millisecond
}

// isRefusal tells that the server does not take this secret or this name.
func isRefusal(err error) bool {
	refused, ok := errors.AsType[*StreamError](err)
	return ok && (refused.Condition == "not-authorized" || refused.Condition == "host-unknown")
}

// refusedPause is how long to wait after so many refusals in a row: 30 s, 1 min,
// 2 min, 4 min, then 5 min, each less up to a fifth.
func refusedPause(refusals int) time.Duration {
	ceiling := refusedMax
	if refusals < 5 {
		ceiling = min(refusedMax, refusedBase<<max(0, refusals-1))
	}
	return ceiling - rand.N(ceiling/5)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
