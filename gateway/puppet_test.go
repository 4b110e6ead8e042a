package gateway_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"postern/gateway"
)

// puppet is the store as one process sees it: it may stand still, as under SIGSTOP, or die.
type puppet struct {
	gateway.Store
	dead  atomic.Bool
	woken atomic.Pointer[chan struct{}]
}

var errDead = errors.New("dead")

func (p *puppet) pause() {
	c := make(chan struct{})
	p.woken.Store(&c)
}

func (p *puppet) wake() { close(*p.woken.Swap(nil)) }

// die ends the process without a word.
func (m *member) die() {
	m.dead.Store(true)
	m.stop()
}

func (p *puppet) gate() error {
	if c := p.woken.Load(); c != nil {
		<-*c
	}
	if p.dead.Load() {
		return errDead
	}
	return nil
}

func (p *puppet) Ingest(ctx context.Context, part gateway.Partition, q gateway.Queue, e gateway.Entry, o gateway.IngestOptions) (id gateway.EntryID, dup bool, err error) {
	if err := p.gate(); err != nil {
		return id, dup, err
	}
	return p.Store.Ingest(ctx, part, q, e, o)
}

func (p *puppet) Read(ctx context.Context, part gateway.Partition, q gateway.Queue, after gateway.EntryID, n int) (all []gateway.Entry, err error) {
	if err := p.gate(); err != nil {
		return all, err
	}
	return p.Store.Read(ctx, part, q, after, n)
}

func (p *puppet) Acquire(ctx context.Context, part gateway.Partition, replica string, ttl time.Duration) (l gateway.Lease, err error) {
	if err := p.gate(); err != nil {
		return l, err
	}
	return p.Store.Acquire(ctx, part, replica, ttl)
}

func (p *puppet) Renew(ctx context.Context, l gateway.Lease, ttl time.Duration) (next gateway.Lease, err error) {
	if err := p.gate(); err != nil {
		return next, err
	}
	return p.Store.Renew(ctx, l, ttl)
}

func (p *puppet) Release(ctx context.Context, l gateway.Lease) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Release(ctx, l)
}

func (p *puppet) Begin(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, maps []gateway.MapEntry) (a gateway.Attempt, err error) {
	if err := p.gate(); err != nil {
		return a, err
	}
	return p.Store.Begin(ctx, l, q, id, maps)
}

func (p *puppet) Start(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, most int) (n int, err error) {
	if err := p.gate(); err != nil {
		return n, err
	}
	return p.Store.Start(ctx, l, q, id, most)
}

func (p *puppet) Survived(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) error {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Survived(ctx, l, q, id)
}

func (p *puppet) Fail(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Fail(ctx, l, q, id)
}

func (p *puppet) Finish(ctx context.Context, l gateway.Lease, q gateway.Queue, done []gateway.Entry, maps []gateway.MapEntry) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Finish(ctx, l, q, done, maps)
}

func (p *puppet) Park(ctx context.Context, l gateway.Lease, q gateway.Queue, lane string, ids []gateway.EntryID, wait time.Duration, why gateway.ParkReason) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Park(ctx, l, q, lane, ids, wait, why)
}

func (p *puppet) Dead(ctx context.Context, l gateway.Lease, q gateway.Queue, id gateway.EntryID, why gateway.DeadReason) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Dead(ctx, l, q, id, why)
}

func (p *puppet) Load(ctx context.Context, keys ...gateway.RecordKey) (all [][]byte, err error) {
	if err := p.gate(); err != nil {
		return all, err
	}
	return p.Store.Load(ctx, keys...)
}

func (p *puppet) Publish(ctx context.Context, topic string, payload []byte) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Publish(ctx, topic, payload)
}

func (p *puppet) Announce(ctx context.Context, replica string, note []byte, ttl time.Duration) (all map[string][]byte, err error) {
	if err := p.gate(); err != nil {
		return all, err
	}
	return p.Store.Announce(ctx, replica, note, ttl)
}

func (p *puppet) Withdraw(ctx context.Context, replica string) (err error) {
	if err := p.gate(); err != nil {
		return err
	}
	return p.Store.Withdraw(ctx, replica)
}
