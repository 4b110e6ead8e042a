package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config bounds what a Gateway does. The zero value works.
type Config struct {
	// Replica names this process among others; its leases are its own again after a restart.
	Replica string
	// Parallel is how many lanes work at once in each direction. A slow platform needs more, memory wants fewer.
	Parallel int
	// LaneMax and ShardMax bound what one chat and one shard may hold before senders hear of it.
	LaneMax, ShardMax int
	// ParkedMax bounds what chats that stand still may hold in one shard, in each direction, before senders to them hear of it.
	ParkedMax int
	// OutboxMax is how many stanzas may wait for the XMPP server in one outbox. A full one makes lanes wait, and full shards make
	// platforms wait in turn.
	OutboxMax int
	// GiveUp is the age at which an op that never got through becomes an error.
	GiveUp time.Duration
	// AskAfter is the age at which a user is asked before what they wrote still goes out; below 0 never.
	AskAfter time.Duration
	// CatchUp is the pace of what is late.
	CatchUp CatchUp
	// SendTimeout bounds one call to a platform. It stays below the lease's life, so that a replica that lost its lease
	// has no call in flight for long.
	SendTimeout time.Duration
	// MediaParallel is how many files move at once in each direction, MediaTimeout how long one may take, MediaMax how many
	// bytes it may have.
	MediaParallel int
	MediaTimeout  time.Duration
	MediaMax      int64
	// MediaTries and MediaPatience are how often and how long a file that cannot be had for the moment is tried: it holds up
	// its lane until it was tried that often and is that old.
	MediaTries    int
	MediaPatience time.Duration
}

// withDefaults fills what is unset.
func (c Config) withDefaults() Config {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&c.Parallel, 256)
	set(&c.LaneMax, 200)
	set(&c.ShardMax, 20_000)
	set(&c.ParkedMax, 100_000)
	set(&c.OutboxMax, 200_000)
	set(&c.MediaParallel, 8)
	set(&c.MediaTries, 5)
	if c.GiveUp <= 0 {
		c.GiveUp = 24 * time.Hour
	}
	if c.AskAfter == 0 {
		c.AskAfter = AskAfter
	}
	c.CatchUp = c.CatchUp.withDefaults()
	if c.SendTimeout <= 0 {
		c.SendTimeout = 8 * time.Second
	}
	if c.MediaTimeout <= 0 {
		c.MediaTimeout = 10 * time.Minute
	}
	if c.MediaPatience <= 0 {
		c.MediaPatience = 10 * time.Minute
	}
	if c.MediaMax <= 0 {
		c.MediaMax = 100 << 20
	}
	if c.Replica == "" {
		c.Replica = newULID()
	}
	return c
}

// Deps is what a Gateway works with.
type Deps struct {
	Store     Store
	Keyring   *Keyring
	Identity  *Identity
	Instances []Instance
	Renderer  Renderer
	// Policy says who may do how much; nil allows everything within the limits of the adapters.
	Policy Policy
	// Orders are the operator's; nil are those of the store, known to this Gateway alone.
	Orders *Orders
	// Files moves media. Without it files are named in words.
	Files   Files
	Texts   *Texts
	Log     *slog.Logger
	Metrics *Metrics
	// Tracer is told of the way of messages; nil of none.
	Tracer Tracer
	// Ledger notes what platforms do with what they are asked; nil notes nothing.
	Ledger *Ledger
	// Probe is called at named points of the walks. Fault tests use it to end the process there; nil otherwise.
	Probe func(point string)
}

// Gateway carries messages between users and platforms. Make one with New, then Run it.
type Gateway struct {
	cfg       Config
	store     Store
	keys      *Keyring
	identity  *Identity
	instances map[AdapterID]Instance
	renderer  Renderer
	files     Files
	policy    Policy
	orders    *Orders
	limits    atomic.Pointer[map[AdapterID][]Limit] // instead of the instances' own; nil until they change
	texts     *Texts
	log       *slog.Logger
	metrics   *Metrics
	tracer    Tracer
	ledger    *Ledger
	probe     func(string)

	crew      *crew                         // what lanes work on, while Run runs
	slotsIn   chan struct{}                 // one per `in` lane at work
	suspects  chan struct{}                 // held by the one entry at work of which a process may have died
	slotsOut  chan struct{}                 // one per `out` lane at work: platforms that do not answer hold up nothing that comes in
	sharesIn  *shares                       // of slotsIn that one account may hold
	sharesOut *shares                       // of slotsOut
	filesIn   *transfers                    // files on their way to users
	filesOut  *transfers                    // files on their way to platforms
	fleeting  []chan fleeting               // typing on its way out, by contact
	held      *cache[AdapterID, time.Time]  // until when platforms want to be left alone, in part at least
	reviewed  *cache[AdapterID, time.Time]  // when the store was asked whether they do
	spent     *cache[string, emptyUntil]    // users' limits that have no token to give
	looks     []chan look                   // contacts to look at, by contact
	looking   *cache[string, bool]          // contacts that are in looks
	present   *cache[string, Presence]      // what platforms last told of contacts
	healing   *cache[string, bool]          // users who have not heard of their contacts since this process started
	told      *cache[string, bool]          // notices given in the last hour
	without   *cache[contactKey, []Feature] // what a platform refused in a chat
	echoes    *cache[string, time.Time]     // since when ops of uncertain effect wait for their echo
	readings  *cache[string, *reading]      // how far chats were shown and read
	excerpts  *cache[string, string]        // how messages begin
	owned     sync.Map                      // partition -> *possession
	polled    []*polls                      // one per platform that is asked for its events
	failed    atomic.Pointer[time.Time]     // when the store did not take an op, by the monotonic clock
	late      backlogs                      // how many chats wait for their turn after an outage
	balance   *balance                      // what this replica should own
	replugged sync.Map                      // partition -> func(): wakes the lanes that wait for an account
	pulse     *pulse                        // when accounts last did something
	canaries  map[AdapterID]*canary         // messages of our own, by adapters that have them
	owners    sync.Map                      // partition -> *ownership, for the survey
	takers    sync.Map                      // partition -> func(Queue, *item) bool: takes an entry from hand to hand (hand.go)
}

// New returns a Gateway that does nothing yet.
func New(cfg Config, d Deps) *Gateway {
	cfg = cfg.withDefaults()
	g := &Gateway{
		cfg: cfg, store: d.Store, keys: d.Keyring, identity: d.Identity, renderer: d.Renderer, files: d.Files, policy: d.Policy, texts: d.Texts, log: d.Log,
		metrics: d.Metrics, tracer: d.Tracer, ledger: d.Ledger, probe: d.Probe, instances: make(map[AdapterID]Instance, len(d.Instances)),
		slotsIn: make(chan struct{}, cfg.Parallel), slotsOut: make(chan struct{}, cfg.Parallel), suspects: make(chan struct{}, 1), fleeting: newQueues[fleeting](fleetingWorkers, fleetingQueue),
		looks: newQueues[look](lookWorkers, lookQueue), looking: newCache[string, bool](10_000, 10*time.Minute), present: newCache[string, Presence](20_000, presenceLife),
		filesIn: newTransfers(cfg.MediaParallel), filesOut: newTransfers(cfg.MediaParallel),
		held: newCache[AdapterID, time.Time](1000, 24*time.Hour), reviewed: newCache[AdapterID, time.Time](1000, time.Hour), spent: newCache[string, emptyUntil](10_000, 24*time.Hour),
		healing: newCache[string, bool](100_000, healingLife),
	}
	if g.orders = d.Orders; g.orders == nil {
		g.orders = NewOrders(d.Store, d.Keyring, d.Log)
	}
	g.pulse, g.canaries = newPulse(), map[AdapterID]*canary{}
	g.sharesIn, g.sharesOut = newShares(cfg.Parallel), newShares(cfg.Parallel)
	g.echoes = newCache[string, time.Time](10_000, time.Hour)
	g.told, g.without = newCache[string, bool](10_000, time.Hour), newCache[contactKey, []Feature](10_000, downgradeTTL)
	g.readings, g.excerpts = newCache[string, *reading](4096, 6*time.Hour), newCache[string, string](excerptsKept, excerptsFor)
	for _, i := range d.Instances {
		g.instances[i.ID] = i
		if i.Canary.User != "" {
			g.canaries[i.ID] = newCanary(g, i)
		}
		if p, ok := i.poller(); ok {
			g.polled = append(g.polled, newPolls(g, i, p))
		}
	}
	g.balance = newBalance(g)
	g.identity.learnLines(d.Instances)
	if g.probe == nil {
		g.probe = func(string) {}
	}
	return g
}

// Outbox returns the outbox of an adapter instance's component.
func (g *Gateway) Outbox(a AdapterID) *Outbox {
	return &Outbox{
		store: g.store, identity: g.identity, adapter: a, part: OutboxPartition(a), balance: g.balance,
		log: g.log.With("adapter", string(a)), metrics: g.metrics, tracer: g.tracer, probe: g.probe,
	}
}

// Retire leaves everything that this replica owns to the others, if there are any: what is begun goes to its end, then the
// leases are given back. It returns at once; others says whether there are any. Run still has to be ended.
func (g *Gateway) Retire(ctx context.Context) (others bool) { return g.balance.retire(ctx) }

// SignalUnpark is the topic on which a renewed account wakes the lanes that waited for it; the payload is its id.
const SignalUnpark = "unpark"

// Unpark wakes every lane that waits for an account, on every replica.
func (g *Gateway) Unpark(ctx context.Context, id AccountID) {
	for _, topic := range []string{SignalAccounts, SignalUnpark} {
		if err := g.store.Publish(ctx, topic, []byte(id)); err != nil {
			// The lanes look again by themselves when their time is up.
			g.log.Warn("account change not signalled", "account", string(id), "err", err)
		}
	}
}

// instance returns a configured adapter; ok is false for a name that is not in the configuration any more.
func (g *Gateway) instance(a AdapterID) (Instance, bool) {
	i, ok := g.instances[a]
	if limits := g.limits.Load(); limits != nil && ok {
		i.Limits = (*limits)[a]
	}
	return i, ok
}

// SetLimits changes the operator's limits of all adapters from now on.
func (g *Gateway) SetLimits(limits map[AdapterID][]Limit) { g.limits.Store(&limits) }

// refuse counts and builds a refusal with a text of the catalogue.
func (g *Gateway) refuse(a AdapterID, lang string, c Condition, key TextKey, args ...any) *Refusal {
	g.metrics.refused.WithLabelValues(string(a), string(c)).Inc()
	return &Refusal{Condition: c, Text: g.texts.Say(lang, key, args...)}
}

// fatal reports whether work on a partition must stop: the lease is gone or the process is stopping.
func fatal(ctx context.Context, err error) bool {
	return errors.Is(err, ErrFenced) || ctx.Err() != nil
}
