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
	"sync"
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
//	POSTERN_CHAOS_OFF=barrier,dedupe,fence switches these safeguards off, so that a test can show that it needs them
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
			f.store = func(s gateway.Store) gateway.Store {
				return &unfenced{Store: before(s), leases: map[gateway.Partition]gateway.Lease{}}
			}
		default:
			return f, fmt.Errorf("app: POSTERN_CHAOS_OFF: got %q, want barrier, dedupe or fence", off)
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

// unfenced lets every process own every partition at once: all call themselves the same, and whoever is fenced off takes
// the lease back and goes on.
type unfenced struct {
	gateway.Store
	mu     sync.Mutex
	leases map[gateway.Partition]gateway.Lease
}

const (
	everybody = "chaos"
	chaosTTL  = 15 * time.Second
)

func (u *unfenced) Acquire(ctx context.Context, p gateway.Partition, _ string, ttl time.Duration) (gateway.Lease, error) {
	l, err := u.Store.Acquire(ctx, p, everybody, ttl)
	if err == nil {
		u.mu.Lock()
		u.leases[p] = l
		u.mu.Unlock()
	}
	return l, err
}

// Announce lets every process think that it is alone.
func (u *unfenced) Announce(_ context.Context, replica string, note []byte, _ time.Duration) (map[string][]byte, error) {
	return map[string][]byte{replica: note}, nil
}

func (u *unfenced) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (gateway.Lease, error) {
	return u.Acquire(ctx, l.Partition, everybody, ttl)
}

// Release keeps the lease: another process may be working under it.
func (u *unfenced) Release(context.Context, gateway.Lease) error { return nil }

// forge runs f under whatever lease is valid now.
func (u *unfenced) forge(ctx context.Context, l gateway.Lease, f func(gateway.Lease) error) error {
	u.mu.Lock()
	if now, ok := u.leases[l.Partition]; ok {
		l = now
	}
	u.mu.Unlock()
	for {
		err := f(l)
		if !errors.Is(err, gateway.ErrFenced) || ctx.Err() != nil {
			return err
		}
		if l, err = u.Acquire(ctx, l.Partition, everybody, chaosTTL); err != nil {
			return err
		}
	}
}

func (u *unfenced) Begin(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, maps []gateway.MapEntry) (a gateway.Attempt, err error) {
	err = u.forge(ctx, l, func(l gateway.Lease) (err error) { a, err = u.Store.Begin(ctx, l, q, id, maps); return err })
	return a, err
}

func (u *unfenced) Start(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, most int) (n int, err error) {
	err = u.forge(ctx, l, func(l gateway.Lease) (err error) { n, err = u.Store.Start(ctx, l, q, id, most); return err })
	return n, err
}

func (u *unfenced) Survived(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	return u.forge(ctx, l, func(l gateway.Lease) error { return u.Store.Survived(ctx, l, q, id) })
}

func (u *unfenced) Fail(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	return u.forge(ctx, l, func(l gateway.Lease) error { return u.Store.Fail(ctx, l, q, id) })
}

func (u *unfenced) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) error {
	return u.forge(ctx, l, func(l gateway.Lease) error { return u.Store.Finish(ctx, l, q, done, maps) })
}

func (u *unfenced) Park(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, reason gateway.ParkReason) error {
	return u.forge(ctx, l, func(l gateway.Lease) error { return u.Store.Park(ctx, l, from, lane, ids, wait, reason) })
}

func (u *unfenced) Unpark(ctx context.Context, l gateway.Lease, from gateway.Queue, lane string) (done bool, err error) {
	err = u.forge(ctx, l, func(l gateway.Lease) (err error) { done, err = u.Store.Unpark(ctx, l, from, lane); return err })
	return done, err
}

func (u *unfenced) Dead(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, why gateway.DeadReason) error {
	return u.forge(ctx, l, func(l gateway.Lease) error { return u.Store.Dead(ctx, l, q, id, why) })
}
