package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"postern/gateway"
)

const (
	// unlinkEvery is how often platforms are told again of withdrawals that they have not confirmed.
	unlinkEvery = time.Minute
	// announceTimeout bounds one try to tell a platform where its webhooks go.
	announceTimeout              = 20 * time.Second
	announceFirst, announceLimit = time.Second, 5 * time.Minute
	drainPoll                    = 50 * time.Millisecond
	// keepEvery is how often adapters look after their accounts.
	keepEvery = 6 * time.Hour
)

// listener is one HTTP server with its address.
type listener struct {
	name, addr string
	server     *http.Server
	socket     net.Listener
}

// Run serves until ctx ends, then stops in order and returns when everything that it started has stopped. It returns an
// error when it cannot listen, or a listener breaks. The goroutines of the process start here and in the Run of each part:
//
//	Run ── two listeners
//	    ├─ gateway.Run
//	    ├─ upload slots asked between replicas, and old files
//	    ├─ how the store does, for metrics
//	    ├─ what the console's plots show
//	    ├─ one per component: Component.Run
//	    ├─ one per platform that is told our webhook's address
//	    ├─ one per platform whose accounts are looked after
//	    ├─ withdrawals that platforms have not confirmed
//	    ├─ who reads the configuration again
//	    ├─ who gives memory back after a rush
//	    └─ how much garbage may lie
//
// The order of the stop follows the mail: first no more stanzas (the components say goodbye, end their streams and take
// what was on its way), then no more webhooks, then the lanes finish what they can, then the store, then the admin side.
// Where other replicas go on, they take over at once instead: the shards as soon as what is begun has ended, each component
// as soon as its stream has.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	profiled()
	if err := a.Listen(ctx); err != nil {
		return err
	}
	broken := make(chan error, 2)
	rest := context.WithoutCancel(ctx) // what stops in order does not stop by itself
	admin, public := a.serve(a.admin, broken), a.serve(a.public, broken)
	work := a.start(rest)
	a.ready.Store(true)
	a.log.Info("serving", "public", a.PublicAddr(), "admin", a.AdminAddr(), "replica", a.replica.id, "adapters", len(a.links))
	var err error
	select {
	case <-ctx.Done():
	case err = <-broken:
	}
	a.ready.Store(false)
	a.log.Info("stopping")
	began := time.Now()
	others := a.gateway.Retire(rest)
	work.components.stop()
	a.signals.Wait()
	public(rest, a.cfg.Delivery.Drain)
	work.errands.stop()
	if !others {
		a.drain(rest)
	}
	work.gateway.stop()
	a.closeLedger(rest)
	a.closeStore()
	admin(rest, time.Second)
	a.log.Info("stopped", "took", time.Since(began).Round(time.Millisecond))
	return err
}

// Listen opens both sockets; Run does it too. It tells early when an address is taken.
func (a *App) Listen(ctx context.Context) error {
	for _, l := range []*listener{a.admin, a.public} {
		if l.socket != nil {
			continue
		}
		s, err := new(net.ListenConfig).Listen(ctx, "tcp", l.addr)
		if err != nil {
			return fmt.Errorf("app: http.%s: %w", l.name, err)
		}
		l.socket = s
	}
	return nil
}

// PublicAddr and AdminAddr are where the listeners are, once Listen has returned.
func (a *App) PublicAddr() string { return a.public.socket.Addr().String() }

// AdminAddr is the address of health and metrics.
func (a *App) AdminAddr() string { return a.admin.socket.Addr().String() }

// serve starts a listener; what it returns stops it, letting requests under way finish within a budget.
func (a *App) serve(l *listener, broken chan<- error) (stop func(context.Context, time.Duration)) {
	var wg sync.WaitGroup
	wg.Go(func() {
		var err error
		if l.server.TLSConfig != nil {
			err = l.server.ServeTLS(l.socket, "", "")
		} else {
			err = l.server.Serve(l.socket)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			broken <- fmt.Errorf("app: http.%s: %w", l.name, err)
		}
	})
	return func(ctx context.Context, budget time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, budget)
		defer cancel()
		if err := l.server.Shutdown(ctx); err != nil {
			a.log.Warn("requests cut off", "listener", l.name, "err", err)
			_ = l.server.Close() // what it says is that connections were open
		}
		wg.Wait()
	}
}

// group is goroutines that end together.
type group struct {
	wg      sync.WaitGroup
	cancels []context.CancelFunc
}

func (g *group) start(ctx context.Context, run func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	g.cancels = append(g.cancels, cancel)
	g.wg.Go(func() { run(ctx) })
}

func (g *group) stop() {
	for _, cancel := range g.cancels {
		cancel()
	}
	g.wg.Wait()
}

// working is what Run stops in order.
type working struct{ components, errands, gateway *group }

// start puts everything to work that is no listener.
func (a *App) start(ctx context.Context) working {
	w := working{&group{}, &group{}, &group{}}
	w.gateway.start(ctx, a.gateway.Run)
	w.gateway.start(ctx, a.slots.Run)
	w.gateway.start(ctx, a.ledger.Run)
	w.errands.start(ctx, a.sweep)
	w.errands.start(ctx, a.watchStore)
	w.errands.start(ctx, a.console.Run)
	for _, l := range a.links {
		w.components.start(ctx, l.component.Run)
		if r, ok := l.Adapter.(gateway.Registrar); ok {
			w.errands.start(ctx, func(ctx context.Context) { a.announce(ctx, l.ID, r) })
		}
		if _, ok := l.Adapter.(gateway.Keeper); ok {
			w.errands.start(ctx, func(ctx context.Context) { a.keep(ctx, l.ID) })
		}
	}
	w.errands.start(ctx, a.retryUnlinks)
	w.errands.start(ctx, a.reloads)
	w.errands.start(ctx, keepSmall)
	w.errands.start(ctx, keepPace)
	return w
}

// closeLedger writes what is noted since the last time; nothing is noted any more.
func (a *App) closeLedger(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	a.ledger.Flush(ctx)
}

// sweep removes files whose time is over.
func (a *App) sweep(ctx context.Context) {
	if err := a.files.Run(ctx); err != nil {
		a.log.Error("media store not swept any more", "err", err)
	}
}

// keep looks after the accounts of an adapter, at a time of its own.
func (a *App) keep(ctx context.Context, id gateway.AdapterID) {
	for sleep(ctx, keepEvery/2+rand.N(keepEvery)) {
		if err := a.gateway.Keep(ctx, id); err != nil && ctx.Err() == nil {
			a.log.Warn("accounts not looked after", "adapter", string(id), "err", err)
		}
	}
}

// retryUnlinks tells platforms again of withdrawals, and users when one went through.
func (a *App) retryUnlinks(ctx context.Context) {
	byComponent := map[string]gateway.AdapterID{}
	for _, l := range a.links {
		byComponent[l.Component] = l.ID
	}
	for sleep(ctx, unlinkEvery) {
		told, err := a.desk.RetryUnlinks(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("withdrawals not retried", "err", err)
		}
		for _, r := range told {
			if err := a.gateway.Show(ctx, byComponent[r.Component], r); err != nil {
				a.log.Warn("confirmation of a withdrawal not stored", "adapter", string(byComponent[r.Component]), "err", err)
			}
		}
	}
}

// drain lets the lanes work off what waits, within the budget. Whatever is left waits in the store for the next process.
func (a *App) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Delivery.Drain)
	defer cancel()
	for {
		waiting, err := a.waiting(ctx)
		if err != nil {
			a.log.Warn("not drained; the messages wait in the store", "err", err)
			return
		}
		if waiting == 0 {
			return
		}
		if !sleep(ctx, drainPoll) {
			a.log.Info("not all drained; the messages wait in the store", "waiting", waiting)
			return
		}
	}
}

// waiting counts the messages in the lanes of all shards.
func (a *App) waiting(ctx context.Context) (int, error) {
	sum := 0
	for _, p := range gateway.AllShards() {
		for _, q := range []gateway.Queue{gateway.QueueIn, gateway.QueueOut} {
			n, _, err := a.store.Depth(ctx, p, q)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// sleep waits for d; it reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
