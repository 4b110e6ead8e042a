package gateway

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	pollReview = time.Minute     // how often it is looked which accounts are polled here
	pollPause  = 2 * time.Second // before asking again after a failure, at first
	pollMost   = 5 * time.Minute
)

// polls is who asks one platform for its events: a runner for each account whose shard is ours. The shard decides, so that of
// several replicas one asks for each account.
type polls struct {
	g      *Gateway
	inst   Instance
	poller Poller

	hint    chan struct{} // that a shard was won or lost
	runners map[AccountID]runner
	wg      sync.WaitGroup
}

// runner asks for one account's events for as long as its shard is ours without a break.
type runner struct {
	cancel context.CancelFunc
	owned  *possession
}

// possession is a shard for as long as it is ours. A platform that is asked by two at once refuses both (Bot API, getUpdates:
// 409): the lease is given back once everybody who asks has ended.
type possession struct {
	lost <-chan struct{}

	mu    sync.Mutex
	over  bool
	users sync.WaitGroup
}

// enter counts a runner; false when the shard is not ours any more.
func (p *possession) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.users.Add(1)
	}
	return !p.over
}

// end lets nobody enter any more and waits for those who have.
func (p *possession) end() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.users.Wait()
}

func newPolls(g *Gateway, inst Instance, p Poller) *polls {
	return &polls{g: g, inst: inst, poller: p, hint: make(chan struct{}, 1), runners: map[AccountID]runner{}}
}

// own notes that a shard is ours until lost is closed. disown notes that it is not any more, and waits for who asks.
func (g *Gateway) own(p Partition, lost <-chan struct{}) (disown func()) {
	owned := &possession{lost: lost}
	g.owned.Store(p, owned)
	g.ownsOther()
	return func() {
		g.owned.Delete(p)
		g.ownsOther()
		owned.end()
	}
}

func (g *Gateway) ownedPart(p Partition) (*possession, bool) {
	v, _ := g.owned.Load(p)
	owned, ok := v.(*possession)
	return owned, ok
}

func (g *Gateway) ownsOther() {
	for _, s := range g.polled {
		tell(s.hint)
	}
}

// poller returns the Poller of an instance that is to be asked.
func (i Instance) poller() (Poller, bool) {
	p, ok := i.Adapter.(Poller)
	return p, ok && p.Polls()
}

// carry keeps the runners until ctx ends.
func (s *polls) carry(ctx context.Context) {
	defer s.wg.Wait()
	changed := s.g.store.Subscribe(ctx, SignalAccounts)
	tick := time.NewTicker(pollReview)
	defer tick.Stop()
	for ctx.Err() == nil {
		s.review(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.hint:
		case id := <-changed:
			if r, ok := s.runners[AccountID(id)]; ok { // it may have another secret now
				r.cancel()
				delete(s.runners, AccountID(id))
			}
		}
	}
}

// review starts the runners that are missing and ends those of accounts and shards that are gone.
func (s *polls) review(ctx context.Context) {
	wanted, err := s.wanted(ctx)
	if err != nil {
		s.g.log.Warn("polled accounts not listed", "adapter", string(s.inst.ID), "err", err)
		return
	}
	for id, r := range s.runners {
		if wanted[id] != r.owned {
			r.cancel()
			delete(s.runners, id)
		}
	}
	for id, owned := range wanted {
		if _, runs := s.runners[id]; runs || !owned.enter() {
			continue
		}
		run, cancel := context.WithCancel(ctx)
		s.runners[id] = runner{cancel, owned}
		s.wg.Go(func() {
			select {
			case <-owned.lost:
			case <-run.Done():
			}
			cancel()
		})
		s.wg.Go(func() {
			defer owned.users.Done()
			s.run(run, id)
		})
	}
}

// wanted returns the accounts whose shard is ours, each with what tells when it is not any more: the line alone where there is one.
func (s *polls) wanted(ctx context.Context) (map[AccountID]*possession, error) {
	out := map[AccountID]*possession{}
	if _, stopped := s.g.orders.Stopped(s.inst.ID); stopped {
		return out, nil
	}
	add := func(id AccountID) {
		if owned, ok := s.g.ownedPart(LaneKey{s.inst.ID, accountAlias + Alias(id)}.Shard()); ok {
			out[id] = owned
		}
	}
	if _, ok := s.inst.line(); ok {
		line, err := s.g.identity.Line(ctx, s.inst.ID)
		if err != nil {
			return nil, err
		}
		add(line.ID)
		return out, nil
	}
	err := s.g.identity.Members(ctx, s.inst.ID, func(_ UserID, id AccountID) error {
		add(id)
		return nil
	})
	return out, err
}

// run asks for one account's events until ctx ends or the account cannot act any more.
func (s *polls) run(ctx context.Context, id AccountID) {
	for pause := pollPause; ctx.Err() == nil; pause = min(2*pause, pollMost) {
		a, err := s.g.identity.ByID(ctx, id)
		if errors.Is(err, ErrNoAccount) {
			return
		}
		if err == nil {
			if a.Standing == AccountReauthNeeded || a.Standing == AccountSuspended {
				// A renewal begins anew, by signal. So does this change: who made it was ended by its own signal, perhaps before its word.
				if s.g.toldStanding(ctx, a) == nil || !sleep(ctx, jitter(pause)) {
					return
				}
				continue
			}
			began := time.Now()
			err = s.ask(ctx, a)
			if time.Since(began) > pollMost {
				pause = pollPause
			}
		}
		if ctx.Err() != nil {
			return
		}
		se, _ := errors.AsType[*SendError](err)
		s.g.metrics.pollFails.WithLabelValues(string(s.inst.ID), ClassOf(err).String()).Inc()
		s.g.log.Warn("polling ended, trying again", "adapter", string(s.inst.ID), "account", string(id), "class", ClassOf(err).String(), "err", err)
		if se != nil && se.Class == ReauthNeeded && !a.isLine() {
			if err := s.g.standing(ctx, a, AccountReauthNeeded, refusal(err)); err == nil {
				return
			}
		}
		wait := jitter(pause)
		if se != nil {
			wait = max(wait, se.RetryAfter)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// ask runs the adapter's Poller, and keeps a panic to it.
func (s *polls) ask(ctx context.Context, a *Account) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.g.metrics.panics.Inc()
			err = &SendError{Class: Retryable, Code: "panic"}
		}
	}()
	return s.poller.Run(ctx, a.Credentials(), intake{s, a})
}

// intake takes what one account's Poller was given.
type intake struct {
	s *polls
	a *Account
}

// Take implements Intake.
func (in intake) Take(ctx context.Context, events []Event) error {
	if _, stopped := in.s.g.orders.Stopped(in.s.inst.ID); stopped {
		return ErrStopped // and asked for again when it goes on
	}
	ctx, s := in.s.g.span(ctx, SpanWebhook, "", time.Time{})
	err := in.take(ctx, events)
	s.End(in.s.inst.ID, taken(err))
	if err != nil {
		return err
	}
	in.s.g.metrics.Webhook(in.s.inst.ID, "polled")
	return nil
}

func (in intake) take(ctx context.Context, events []Event) error {
	for _, ev := range events {
		if ev.Endpoint == "" {
			ev.Endpoint = in.a.Endpoint
		}
		if err := in.s.g.take(ctx, in.s.inst, ev); err != nil {
			return err
		}
	}
	return nil
}

// Bury implements Intake.
func (in intake) Bury(ctx context.Context, raw []byte) error {
	in.s.g.metrics.Webhook(in.s.inst.ID, "malformed")
	return in.s.g.buryRaw(ctx, in.s.inst.ID, rawCall{Token: string(in.a.Endpoint), Body: raw})
}
