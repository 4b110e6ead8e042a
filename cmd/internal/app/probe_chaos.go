//go:build chaos

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"postern/gateway"
	"postern/xmpp"
)

// injected reads the faults from the environment:
//
//	POSTERN_CHAOS_KILL=after-send:20       SIGKILL to this process the 20th time that it passes the point
//	POSTERN_CHAOS_KILL=after-send:3@usr1   the same, counted from SIGUSR1 on
//	POSTERN_CHAOS_OFF=fence,clock          switches these safeguards off, so that a test can show that it needs them: barrier,
//	                                       dedupe, fence (in the scripts of the store), clock (an owner's own, for its leases)
//	POSTERN_CHAOS_CLOCK=file               the wall clock is ahead by the seconds in the file, now and after each change
func injected() (faults, error) {
	var f faults
	if file := os.Getenv("POSTERN_CHAOS_CLOCK"); file != "" {
		if err := bendClock(file); err != nil {
			return f, err
		}
	}
	if v := os.Getenv("POSTERN_CHAOS_KILL"); v != "" {
		point, count, _ := strings.Cut(v, ":")
		count, armed := strings.CutSuffix(count, "@usr1")
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 1 || point == "" {
			return f, fmt.Errorf("app: POSTERN_CHAOS_KILL: got %q, want point:n or point:n@usr1", v)
		}
		f.probe = killAt(point, n, armed)
	}
	for off := range strings.SplitSeq(os.Getenv("POSTERN_CHAOS_OFF"), ",") {
		before := f.onStore
		switch off {
		case "":
		case "barrier":
			f.outbox = func(o xmpp.Outbox) xmpp.Outbox { return hasty{o} }
		case "dedupe":
			f.store = func(s gateway.Store) gateway.Store { return forgetful{before(s)} }
		case "fence":
			f.store = func(s gateway.Store) gateway.Store { return unfence(s, before(s)) }
		case "clock":
			f.store = func(s gateway.Store) gateway.Store { return timeless{before(s)} }
		default:
			return f, fmt.Errorf("app: POSTERN_CHAOS_OFF: got %q, want barrier, dedupe, fence or clock", off)
		}
	}
	return f, nil
}

// killAt counts passes of a point, from the start or from SIGUSR1 on.
func killAt(point string, n int64, armed bool) func(string) {
	var passed atomic.Int64
	var live atomic.Bool
	live.Store(!armed)
	if armed {
		arm := make(chan os.Signal, 1)
		signal.Notify(arm, syscall.SIGUSR1)
		go func() { // until the process ends, which is what it is for
			<-arm
			live.Store(true)
		}()
	}
	return func(at string) {
		if at == point && live.Load() && passed.Add(1) == n {
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // nothing happens after the point
		}
	}
}

// hasty takes every batch for confirmed as soon as it is written.
type hasty struct{ xmpp.Outbox }

func (h hasty) Pump(ctx context.Context, w gateway.Wire) error {
	return h.Outbox.Pump(ctx, hastyWire{w})
}

type hastyWire struct{ gateway.Wire }

func (hastyWire) Barrier(context.Context) error { return nil }

// Broke hides the end of a stream: what it makes the outbox write again would be a safeguard in the place of the other.
func (hastyWire) Broke() time.Time { return time.Time{} }

// forgetful stores everything as if it had never been seen.
type forgetful struct{ gateway.Store }

func (f forgetful) Ingest(ctx context.Context, p gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (gateway.EntryID, bool, error) {
	o.Dedupe = ""
	return f.Store.Ingest(ctx, p, q, e, o)
}

// unfenced lets whoever has lost a lease go on: no script refuses what they change, and they do not hear of the loss when they renew.
// A lease is given to one replica at a time all the same.
type unfenced struct{ gateway.Store }

// unfence takes the fence out of a store, on which another may stand.
func unfence(s, upon gateway.Store) gateway.Store {
	redis, ok := s.(interface{ Unfence() error })
	if !ok {
		panic("app: POSTERN_CHAOS_OFF: the store in memory keeps its fence")
	}
	if err := redis.Unfence(); err != nil {
		panic(err)
	}
	return unfenced{upon}
}

func (u unfenced) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	now, err := u.Store.Renew(ctx, l, ttl)
	if errors.Is(err, gateway.ErrFenced) {
		l.Until = time.Now().Add(ttl)
		return l, nil
	}
	return now, err
}

// timeless hides when a lease ends from who holds it, so that no clock says it: neither to who has stood still, nor to who does not
// reach the store.
type timeless struct{ gateway.Store }

// evermore is longer than any run.
const evermore = 1000 * time.Hour

func (t timeless) Acquire(ctx context.Context, p gateway.Partition, replica string, ttl time.Duration) (gateway.Lease, error) {
	l, err := t.Store.Acquire(ctx, p, replica, ttl)
	l.Until = time.Now().Add(evermore)
	return l, err
}

func (t timeless) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	l, err := t.Store.Renew(ctx, l, ttl)
	l.Until = time.Now().Add(evermore)
	return l, err
}
