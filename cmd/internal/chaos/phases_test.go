//go:build servers && chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"postern/cmd/internal/chaos"
	"postern/cmd/internal/chaos/stand"
)

// Kinds of faults that are no point of the path.
const (
	serverRestart = "server-restart"
	redisRestart  = "redis-restart"
	ownerStopped  = "owner-stopped"
)

// kill is a point of the path at which Postern kills itself.
type kill struct {
	point string
	// still: the XMPP server stands still, so that what is on its way to users gathers.
	still bool
	// moves: the server goes on before the point, which is not reached otherwise.
	moves bool
}

// kills are all points, those on the way to users first. The webhook's and the stanza's ingest are one point with two directions.
func kills() []kill {
	return []kill{
		{point: "after-ingest-in", still: true},
		{point: "after-render", still: true},
		{point: "after-outbox", still: true},
		{point: "after-write", still: true, moves: true},
		{point: "after-barrier", still: true, moves: true},
		{point: "after-publish"}, // of a file, before it is recorded; so is the next
		{point: "after-upload"},
		{point: "after-ingest-out"},
		{point: "after-send"},
		{point: "before-finish"},
	}
}

const (
	// backlog is what waits before a fault; more than the minimum of pending entries, since it shrinks until the fault.
	backlog    = 90
	minPending = 50
)

// armed is the environment of a process that kills itself at a point, the third time it passes it after SIGUSR1.
func (k kill) armed() string { return "POSTERN_CHAOS_KILL=" + k.point + ":3@usr1" }

// strike kills p at the point while messages flow, and starts it again with env.
func (r *rig) strike(ctx context.Context, p *stand.Process, k kill, env ...string) error {
	defer r.talk(ctx)()
	if err := errors.Join(r.waitCount(ctx, chaos.Out, r.count(chaos.Out)+perFault), r.waitBacklog(ctx, backlog)); err != nil {
		return err
	}
	if k.still {
		defer r.quiet()()
		if err := r.XMPP.Pause(); err != nil { //nolint:contextcheck // it waits a moment at most
			return err
		}
		if err := r.waitSaid(ctx, backlog); err != nil {
			return err
		}
	}
	from := time.Now()
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	if k.moves {
		if err := r.XMPP.Resume(); err != nil {
			return err
		}
	}
	select {
	case <-p.Done():
	case <-time.After(upTimeout):
		return fmt.Errorf("the point was not reached in %s", upTimeout)
	}
	r.hold()
	pending, err := r.pending(ctx)
	if err != nil {
		return err
	}
	if k.still && !k.moves {
		if err := r.XMPP.Resume(); err != nil {
			return err
		}
	}
	if err := p.Start(ctx, env...); err != nil {
		return err
	}
	return r.whole(ctx, chaos.Fault{Kind: k.point, From: from, Pending: pending})
}

// restartXMPP stops the XMPP server while stanzas lie in its socket, and starts it again.
func (r *rig) restartXMPP(ctx context.Context) error {
	defer r.talk(ctx)()
	if err := errors.Join(r.waitCount(ctx, chaos.Out, r.count(chaos.Out)+perFault), r.waitBacklog(ctx, backlog)); err != nil {
		return err
	}
	defer r.quiet()() // what a client without XEP-0198 writes to a server that stops is the client's loss
	from := time.Now()
	if err := r.XMPP.Pause(); err != nil { //nolint:contextcheck // it waits a moment at most
		return err
	}
	if err := r.waitSaid(ctx, 2*backlog); err != nil {
		return err
	}
	pending, err := r.pending(ctx)
	if err != nil {
		return err
	}
	if err := r.XMPP.Restart(ctx); err != nil {
		return err
	}
	return r.whole(ctx, chaos.Fault{Kind: serverRestart, From: from, Pending: pending})
}

// restartRedis restarts Redis in order while messages flow; users see errors meanwhile.
func (r *rig) restartRedis(ctx context.Context) error {
	defer r.talk(ctx)()
	if err := r.waitBacklog(ctx, backlog); err != nil {
		return err
	}
	pending, err := r.pending(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	if err := r.Redis.Restart(ctx); err != nil {
		return err
	}
	return r.whole(ctx, chaos.Fault{Kind: redisRestart, From: from, Pending: pending})
}

// leaseTime is how long a lease lives and how long the next owner may take to look, with room to spare.
const leaseTime = 15*time.Second + 8*time.Second

// stopOwner freezes the owner of everything until its leases have run out and second has taken over, wakes it up while users write to
// the other, lets things settle, and then sends messages that must each take the path once.
func (r *rig) stopOwner(ctx context.Context, owner, second *stand.Process, env ...string) error {
	if err := second.Start(ctx, env...); err != nil {
		return err
	}
	stop := r.talk(ctx)
	defer func() { stop() }()
	if err := r.waitBacklog(ctx, backlog); err != nil {
		return err
	}
	from := time.Now()
	if err := owner.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	r.Hook(second)
	if err := r.waitSaid(ctx, backlog); err != nil { // users do not know yet: they write on
		return err
	}
	r.hold()
	stop()
	stop = func() {}
	pending, err := r.pending(ctx)
	if err != nil {
		return err
	}
	if err := r.pass(ctx, leaseTime-time.Since(from)); err != nil {
		return err
	}
	r.release()
	stop = r.talk(ctx)
	if err := r.waitCount(ctx, chaos.Out, r.count(chaos.Out)+perFault); err != nil {
		return err
	}
	// What users wrote before lies in its socket yet, and its lanes are where they were.
	if err := owner.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	if err := r.waitCount(ctx, chaos.Out, r.count(chaos.Out)+perFault); err != nil {
		return err
	}
	if err := r.whole(ctx, chaos.Fault{Kind: ownerStopped, From: from, Pending: pending}); err != nil {
		return err
	}
	stop()
	stop = func() {}
	r.slow(ctx, 0)
	_ = r.settle(ctx, resendAfter+20*time.Second) // what is left open then is for the judge
	return r.afterwards(ctx)
}

// ready starts a Postern, connects users and people, and opens the conversation.
func (r *rig) ready(ctx context.Context, env ...string) (*stand.Process, error) {
	r.t.Helper()
	p := r.process(ctx, "postern")
	if err := p.Start(ctx, env...); err != nil {
		return nil, err
	}
	r.Hook(p)
	if err := r.login(ctx); err != nil {
		return nil, err
	}
	r.slow(ctx, latencyMS)
	r.release()
	keeping, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.keep(keeping) })
	r.t.Cleanup(func() { cancel(); wg.Wait() })
	return p, nil
}
