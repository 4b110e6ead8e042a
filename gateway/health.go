package gateway

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// Health is how an account does, for whoever is asked why somebody's messages do not come.
type Health struct {
	Standing AccountStanding
	// Why and Code are what made it stand so, and since when that is known; of an account that is older than this is kept, nothing.
	Why   StandingCause
	Code  string
	Since time.Time
	// LastEvent is when the platform last sent something for it, LastSend when it last took something of it: a minute late at most,
	// zero for never.
	LastEvent, LastSend time.Time
}

// StandingCause is why an account stands as it does.
type StandingCause string

// Causes of a standing.
const (
	CauseLinked   StandingCause = "linked"      // its user linked it, or once more
	CausePlatform StandingCause = "platform"    // the platform says so
	CauseRefused  StandingCause = "credentials" // the platform did not take its credentials
	CauseTerms    StandingCause = "terms"       // the terms are others than its user agreed to
)

// cause is a StandingCause with the platform's code, which never is free text.
type cause struct {
	why  StandingCause
	code string
}

// refusal is why a platform did not take an account's credentials.
func refusal(err error) cause {
	c := cause{why: CauseRefused}
	if se, ok := errors.AsType[*SendError](err); ok {
		c.code = se.Code
	}
	return c
}

// Names of an account's records of RecordHealth.
const (
	beatEvent = "event"
	beatSend  = "send"
)

const (
	// pulseEvery is how often what an account last did is written down, however much it does.
	pulseEvery = time.Minute
	// pulseMost is of how many accounts this is noted between two times; what is more is not.
	pulseMost = 100_000
	// pulseLast is how long that may take when the process stops.
	pulseLast = 2 * time.Second
)

// pulse notes when accounts heard from their platform and reached it. Messages only write into memory; a record is written once a
// minute.
type pulse struct {
	mu    sync.Mutex
	beats map[AccountID]beats
}

// beats are when an account last did something that is not written down yet, zero for nothing.
type beats struct {
	account     *Account
	event, send time.Time
}

func newPulse() *pulse { return &pulse{beats: map[AccountID]beats{}} }

func (p *pulse) event(a *Account) { p.note(a, func(b *beats) { b.event = time.Now() }) }
func (p *pulse) sent(a *Account)  { p.note(a, func(b *beats) { b.send = time.Now() }) }

func (p *pulse) note(a *Account, set func(*beats)) {
	if a.isLine() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.beats[a.ID]
	if !ok && len(p.beats) >= pulseMost {
		return
	}
	b.account = a
	set(&b)
	p.beats[a.ID] = b
}

// keepPulse writes down what was noted, again and again until ctx ends.
func (g *Gateway) keepPulse(ctx context.Context) {
	for sleep(ctx, pulseEvery) {
		g.writePulse(ctx)
	}
}

// lastPulse writes down what is left when the process stops.
func (g *Gateway) lastPulse(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pulseLast)
	defer cancel()
	g.writePulse(ctx)
}

func (g *Gateway) writePulse(ctx context.Context) {
	g.pulse.mu.Lock()
	noted := g.pulse.beats
	g.pulse.beats = map[AccountID]beats{}
	g.pulse.mu.Unlock()
	for _, b := range noted {
		if err := g.identity.keepBeats(ctx, b); err != nil { // the next event says the same
			g.log.Warn("not written down when accounts last did something", "err", err)
			return
		}
	}
}

// keepBeats writes down what an account did, where that is newer than what another replica wrote. It is written together with the account as
// it stands, so that nothing comes back of one that was erased meanwhile.
func (i *Identity) keepBeats(ctx context.Context, b beats) error {
	owner := accountOwner(b.account.ID)
	return settled(func() error {
		got, err := i.store.Load(ctx, append(beatKeys(owner), RecordKey{owner, RecordAccount, "account"})...)
		if err != nil || got[2] == nil {
			return err
		}
		changes := []Change{{Kind: RecordAccount, Name: "account", Value: got[2], Was: got[2]}}
		for n, t := range []time.Time{b.event, b.send} {
			if k := beatKeys(owner)[n]; t.After(openBeat(b.account, k.Name, got[n])) {
				changes = append(changes, Change{Kind: k.Kind, Name: k.Name, Value: b.account.Keys.Data.Seal(beatPlace(owner, k.Name), strconv.AppendInt(nil, t.Unix(), 10))})
			}
		}
		if len(changes) == 1 {
			return nil
		}
		return i.store.Save(ctx, owner, changes...)
	})
}

func beatKeys(o Owner) []RecordKey {
	return []RecordKey{{o, RecordHealth, beatEvent}, {o, RecordHealth, beatSend}}
}

func beatPlace(o Owner, name string) string { return string(o) + "/health/" + name }

// openBeat reads one; what cannot be read was never.
func openBeat(a *Account, name string, sealed []byte) time.Time {
	if sealed == nil {
		return time.Time{}
	}
	plain, err := a.Keys.Data.Open(beatPlace(accountOwner(a.ID), name), sealed)
	if err != nil {
		return time.Time{}
	}
	unix, _ := strconv.ParseInt(string(plain), 10, 64) // written above
	return seconds(unix)
}

// Holding is an account with how it does.
type Holding struct {
	*Account
	Health Health
}

// healths returns how accounts do under the terms of their adapters.
func (d *Desk) healths(ctx context.Context, accounts []*Account) ([]Holding, error) {
	var keys []RecordKey
	for _, a := range accounts {
		keys = append(keys, beatKeys(accountOwner(a.ID))...)
	}
	got, err := d.cfg.Store.Load(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make([]Holding, 0, len(accounts))
	for n, a := range accounts {
		h := Health{Standing: a.Standing, Why: a.Why, Code: a.Code, Since: a.Since, LastEvent: openBeat(a, beatEvent, got[2*n]), LastSend: openBeat(a, beatSend, got[2*n+1])}
		if inst, ok := d.instances[a.Adapter]; ok {
			if h.Standing = a.StandingUnder(inst.Adapter.Descriptor()); h.Standing != a.Standing { // nobody has come by it yet
				h.Why, h.Code, h.Since = CauseTerms, "", time.Time{}
			}
		}
		out = append(out, Holding{a, h})
	}
	return out, nil
}
