package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/adapters"
	"postern/api"
	"postern/api/console"
	"postern/cmd/internal/tracing"
	"postern/gateway"
	"postern/gateway/memstore"
	"postern/gateway/redisstore"
	"postern/media"
	"postern/xmpp"
)

// Options is what the surroundings decide. Log is required.
type Options struct {
	Log *slog.Logger
	// Dial connects to the XMPP server; nil dials server.component over TCP.
	Dial func(context.Context) (net.Conn, error)
	// Level is Log's, if the configuration decides about it.
	Level *slog.LevelVar
	// Reload asks for the configuration to be read again, by Load; both nil: it never is.
	Reload <-chan os.Signal
	Load   func() (*Config, error)
	// HTTP is what adapters call platforms with; nil is a client that follows no redirects.
	HTTP *http.Client
	// Roots are the certificate authorities that files are fetched and uploaded under; nil is those of the system.
	Roots *x509.CertPool
}

// App is a gateway with all its parts, not running yet. Make one with Build, then call Run once, or Close.
type App struct {
	cfg     Config
	o       Options
	inForce Config // cfg with what was read again since and took effect
	log     *slog.Logger
	replica *replica
	store   gateway.Store
	gateway *gateway.Gateway
	desk    *gateway.Desk
	files   *media.Files
	slots   *gateway.SlotDesk
	links   []link
	signals sync.WaitGroup // what carries fleeting stanzas to the components
	public  *listener
	admin   *listener
	console *console.Console
	policy  *rulebook
	orders  *gateway.Orders
	ledger  *gateway.Ledger
	proxies atomic.Pointer[[]netip.Prefix]

	renderer xmpp.Renderer
	asked    *prometheus.CounterVec
	ready    atomic.Bool
	tracing  *tracing.Tracer // nil where nobody is told

	storeStats *storeMetrics
	storeUsage func(context.Context) (used, limit int64, err error) // nil for a store in memory
}

// link is one adapter instance with its component.
type link struct {
	gateway.Instance
	component *xmpp.Component
}

// Build makes the object graph: it reads the files that the configuration names and connects to the store. Nothing serves
// and nobody is called before Run.
func Build(ctx context.Context, cfg *Config, o Options) (app *App, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &builder{cfg: cfg, o: o, registry: newRegistry()}
	if b.faults, err = injected(); err != nil {
		return nil, err
	}
	a := &App{cfg: *cfg, o: o, inForce: *cfg, log: o.Log}
	setLevel(o.Level, cfg.Log.Level)
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.replica, err = openReplica(cfg.StateDir); err != nil {
		return nil, err
	}
	if err := b.instances(); err != nil {
		return nil, err
	}
	keks, err := b.keks()
	if err != nil {
		return nil, err
	}
	if err := b.open(ctx, a); err != nil {
		return nil, err
	}
	if err := b.graph(ctx, a, keks); err != nil {
		return nil, err
	}
	return a, b.listeners(a)
}

type builder struct {
	cfg       *Config
	o         Options
	faults    faults
	registry  *prometheus.Registry
	made      []gateway.Instance
	secrets   []string
	documents []gateway.Publisher
	metrics   *gateway.Metrics
	control   *api.Control
	texts     *gateway.Texts
}

// instances opens every adapter, in the order of their names.
func (b *builder) instances() error {
	client := b.o.HTTP
	if client == nil {
		client = newClient()
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Adapters)) {
		a := b.cfg.Adapters[name]
		adapter, err := open(a, adapters.Deps{Log: b.o.Log.With("adapter", name), HTTP: client})
		if err != nil {
			errs = append(errs, b.cfg.at.problem("adapters."+name, "%s", strings.TrimPrefix(err.Error(), a.Type+": ")))
			continue
		}
		secret, err := a.secret()
		if err != nil {
			errs = append(errs, b.cfg.at.problem("adapters."+name+".secret_file", "%v", err))
			continue
		}
		b.secrets = append(b.secrets, secret)
		b.made = append(b.made, gateway.Instance{
			ID: gateway.AdapterID(name), Component: a.JID, Name: cmp.Or(a.Name, adapter.Descriptor().Platform), Adapter: adapter,
			Readable: a.ContactJIDs == "readable", Window: gateway.WindowPolicy(cmp.Or(a.ClosedWindow, string(gateway.WindowHold))),
			Strangers: gateway.UserID(a.Strangers), Canary: a.Canary.canary(), Limits: a.Limits.all(), Contacts: b.cfg.Operator.contacts(),
		})
	}
	errs = append(errs, b.publish())
	return errors.Join(errs...)
}

func open(a Adapter, d adapters.Deps) (gateway.Adapter, error) {
	for _, t := range adapters.All() {
		if t.Name == a.Type {
			return t.New(a.Own, d)
		}
	}
	return nil, fmt.Errorf("unknown type %q", a.Type)
}

// publish collects what adapters publish. Two may share a path only with the same document: one would not be found.
func (b *builder) publish() error {
	owner := map[string]gateway.Instance{}
	for _, i := range b.made {
		p, ok := i.Adapter.(gateway.Publisher)
		if !ok {
			continue
		}
		b.documents = append(b.documents, p)
		for path, doc := range p.WellKnown() {
			if first, taken := owner[path]; taken {
				if !slices.Equal(first.Adapter.(gateway.Publisher).WellKnown()[path], doc) {
					return b.cfg.at.problem("adapters."+string(i.ID), "publishes another %s than adapters.%s does: both need the same keys", path, first.ID)
				}
				continue
			}
			owner[path] = i
		}
	}
	return nil
}

// newClient is what adapters call platforms with. A redirect would carry credentials elsewhere and is an answer like any other.
// How long a whole call may take is its context's business: a file takes longer than a message.
func newClient() *http.Client {
	// As many as chats are worked on at once (delivery.parallel): with fewer, a platform that takes 20 ms for an answer would see most
	// connections closed after one message.
	const idle = 256
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: idle, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// open connects to the store.
func (b *builder) open(ctx context.Context, a *App) error {
	a.storeStats = newStoreMetrics(b.registry)
	if b.cfg.Store.Memory {
		a.store = a.storeStats.watch(b.faults.onStore(memstore.New()))
		a.log.Warn("the store is in memory: a restart loses every registration and every message in transit")
		return nil
	}
	s, err := b.redis(ctx)
	if err != nil {
		return fmt.Errorf("app: store.redis: %w", err)
	}
	a.store, a.storeUsage = a.storeStats.watch(b.faults.onStore(s)), s.Memory
	for _, w := range s.Warnings(ctx) {
		a.log.Warn("redis may lose data", "warning", w)
	}
	return nil
}

// Redis may start beside us, and reads its file before it answers.
const (
	redisPatience = 30 * time.Second
	redisRetry    = time.Second
)

func (b *builder) redis(ctx context.Context) (*redisstore.Store, error) {
	for began := time.Now(); ; {
		s, err := redisstore.Open(ctx, string(b.cfg.Store.Redis), redisstore.Options{Prefix: b.cfg.Store.Prefix, WaitReplicas: b.cfg.Store.WaitReplicas})
		if err == nil || time.Since(began) > redisPatience {
			return s, err
		}
		b.o.Log.Warn("store not reached, trying again", "err", err, "retry_in", redisRetry)
		if !sleep(ctx, redisRetry) {
			return nil, err
		}
	}
}

// keks returns the keys of which one wraps the store's. A store in memory dies with the process, and so does its key.
func (b *builder) keks() ([][]byte, error) {
	if b.cfg.Store.Memory {
		return [][]byte{freshKey()}, nil
	}
	keys, err := readKeys(b.cfg.Store.KeyFile)
	if err != nil {
		return nil, b.cfg.at.problem("store.key_file", "%v", err)
	}
	return keys, nil
}

// graph makes what works between the store and the listeners.
func (b *builder) graph(ctx context.Context, a *App, keks [][]byte) error {
	if err := (gateway.Migration{Store: a.store, Replica: a.replica.id, Log: b.o.Log}).Run(ctx, keks...); err != nil {
		return err
	}
	keys, err := gateway.OpenKeyring(ctx, a.store, keks...)
	if err != nil {
		return err
	}
	var ids []gateway.AdapterID
	for _, i := range b.made {
		ids = append(ids, i.ID)
	}
	b.metrics = gateway.NewMetrics(b.registry, ids)
	breakers(b.registry, b.made, b.hostOf)
	a.orders = gateway.NewOrders(a.store, keys, b.o.Log)
	if err := a.orders.Review(ctx); err != nil { // before anything is taken
		return err
	}
	if err := b.policy(a); err != nil {
		return err
	}
	if err := b.media(a, keys); err != nil {
		return err
	}
	identity, texts, d := gateway.NewIdentity(a.store, keys), gateway.NewTexts(), b.cfg.Delivery
	b.texts = texts
	a.renderer = xmpp.NewRenderer(texts, b.made...)
	tracer, err := b.tracer(ctx, a)
	if err != nil {
		return err
	}
	a.ledger = gateway.NewLedger(a.store, keys, b.o.Log)
	a.gateway = gateway.New(
		gateway.Config{
			Replica: a.replica.id, Parallel: d.Parallel, LaneMax: d.LaneMax, ShardMax: d.ShardMax, ParkedMax: d.ParkedMax, GiveUp: d.GiveUp, AskAfter: d.askAfter(), CatchUp: d.CatchUp.pace(), SendTimeout: d.SendTimeout,
			MediaParallel: b.cfg.Media.Parallel, MediaTimeout: b.cfg.Media.Timeout, MediaMax: int64(b.cfg.Media.Max),
			MediaTries: b.cfg.Media.Tries, MediaPatience: b.cfg.Media.Patience,
		},
		gateway.Deps{
			Store: a.store, Keyring: keys, Identity: identity, Instances: b.made, Renderer: a.renderer, Texts: texts,
			Policy: a.orders.Before(a.policy), Orders: a.orders, Files: a.files, Log: b.o.Log, Metrics: b.metrics, Tracer: tracer, Ledger: a.ledger, Probe: b.faults.probe,
		})
	a.desk = gateway.NewDesk(gateway.DeskConfig{
		Identity: identity, Store: a.store, Keyring: keys, Instances: b.made, Texts: texts, Log: b.o.Log, Policy: a.orders.Before(a.policy), Orders: a.orders,
		Operator: b.cfg.Operator.String(), Unpark: a.gateway.Unpark, Show: a.gateway.Show, Rostered: a.rostered, Files: a.files, PublicURL: strings.TrimSuffix(b.cfg.HTTP.PublicURL, "/"),
	})
	b.control = &api.Control{
		Guard: api.NewGuard(gateway.NewTokens(a.store, keys), a.trusted, b.o.Log), Operations: a.gateway, Users: users{a.desk, a}, Cases: users{a.desk, a}, Audit: gateway.NewAudit(a.store, keys),
		Orders: a.orders, Instances: b.made, ParseUser: parseUser, ParseDomain: parseDomain,
	}
	a.desk.Operate(steering{b.control})
	a.desk.SetAdmins(b.cfg.Access.admins())
	return b.components(a, texts)
}

// media makes what moves files. Only an own store under https is of use: clients open nothing else.
func (b *builder) media(a *App, keys *gateway.Keyring) error {
	m := b.cfg.Media
	public := b.cfg.HTTP.PublicURL
	if !strings.HasPrefix(public, "https://") {
		if public != "" {
			b.o.Log.Warn("files that no upload service takes cannot be shown: clients open https addresses only", "key", "http.public_url")
		}
		public = ""
	}
	a.slots = gateway.NewSlotDesk(a.store, keys, a.replica.id, b.o.Log)
	var err error
	a.files, err = media.New(media.Config{
		Dir: cmp.Or(m.Dir, filepath.Join(b.cfg.StateDir, "media")), Max: int64(m.Max), Keep: m.Keep, MaxStore: int64(m.MaxStore),
		PublicURL: public, Internal: m.InternalHosts, Roots: b.o.Roots, Stall: m.Stall,
	}, a.slots, b.o.Log)
	if err != nil {
		return b.cfg.at.problem("media", "%v", err)
	}
	return nil
}

// components makes one component per adapter: each is a connection of its own to the XMPP server.
func (b *builder) components(a *App, texts *gateway.Texts) error {
	s := b.cfg.Server
	host, _, err := net.SplitHostPort(s.Component)
	if err != nil {
		return fmt.Errorf("app: server.component: %w", err)
	}
	tls, err := s.TLS.clientTLS(host)
	if err != nil {
		return b.cfg.at.problem("server.tls.ca_file", "%v", err)
	}
	dial := b.o.Dial
	if dial == nil {
		dial = func(ctx context.Context) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Component)
			if err != nil {
				return nil, err
			}
			return quick(conn), nil
		}
	}
	watch := newComponentMetrics(b.registry, b.made)
	for n, i := range b.made {
		c, err := xmpp.New(xmpp.Config{
			Adapter: i.ID, Domain: i.Component, Server: s.Domain, Secret: b.secrets[n], Dial: dial, TLS: tls,
			Users: b.cfg.Access.Domains, Name: i.Name, Version: Version().Version, Descriptor: i.Adapter.Descriptor(), Contacts: i.Contacts, Texts: texts,
			Ephemeral: a.fleeting(i.ID), State: watch.state(i.ID), Count: watch.count(i.ID), Log: b.o.Log, Drain: b.cfg.Delivery.Drain,
		}, a.gateway, a.desk, b.faults.onOutbox(a.gateway.Outbox(i.ID)))
		if err != nil {
			return b.cfg.at.problem("adapters."+string(i.ID), "%v", err)
		}
		a.slots.Serve(i.ID, c)
		a.links = append(a.links, link{i, c})
	}
	return nil
}

// rostered reports whether the contacts of a visitor are in their roster without their doing.
func (a *App) rostered(_ context.Context, v gateway.Visitor) bool {
	for _, l := range a.links {
		if l.ID == v.Adapter {
			return l.component.Rosters(v.User)
		}
	}
	return false
}

// fleeting carries what is shown at once to a component for as long as its stream lives.
func (a *App) fleeting(id gateway.AdapterID) func(context.Context) <-chan []byte {
	return func(ctx context.Context) <-chan []byte {
		out := make(chan []byte)
		a.signals.Go(func() {
			a.gateway.Fleeting(ctx, id, func(stanza []byte) {
				select {
				case out <- stanza:
				case <-ctx.Done():
				}
			})
		})
		return out
	}
}

// String is how the disclosure names the operator.
func (o Operator) String() string {
	if o.Name != "" && o.Abuse != "" {
		return o.Name + ", " + o.Abuse
	}
	return o.Name + o.Abuse
}
