package xmpp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway"
)

// Conversations takes what users say to contacts.
type Conversations interface {
	// Ask takes one op; nil means that it is stored (typing is passed on at once, or dropped). A *gateway.Refusal goes to
	// the sender. digest tells resends of one stanza from two stanzas with one id.
	Ask(ctx context.Context, out gateway.Outbound, digest []byte) error
	// Bounced reports that the server returned a stanza of ours.
	Bounced(ctx context.Context, adapter gateway.AdapterID, alias gateway.Alias, user gateway.UserID, id gateway.StanzaID, condition string) error
	// Show stores renderings for the outbox.
	Show(ctx context.Context, adapter gateway.AdapterID, r ...gateway.Rendering) error
}

// Presences decides about presence and knows what a contact can do.
type Presences interface {
	// Presence returns what to show at once; the alias is empty for the gateway itself.
	Presence(ctx context.Context, v gateway.Visitor, alias gateway.Alias, kind gateway.PresenceKind) ([]gateway.Rendering, error)
	// Greet yields what every registered user is shown when the component connects, Farewell when it stops.
	Greet(ctx context.Context, adapter gateway.AdapterID, yield func(gateway.Rendering) error) error
	Farewell(ctx context.Context, adapter gateway.AdapterID, yield func(gateway.Rendering) error) error
	// Caps returns what a visitor's chat with a contact supports. gateway.ErrNoContact when it is not theirs.
	Caps(ctx context.Context, v gateway.Visitor, alias gateway.Alias) (gateway.Caps, *gateway.Contact, error)
}

// Gateway is the domain as a component needs it; *gateway.Gateway implements it.
type Gateway interface {
	Conversations
	Presences
}

// Dialogues runs what users ask of the gateway itself, step by step.
type Dialogues interface {
	Start(ctx context.Context, v gateway.Visitor, node string) (gateway.Reply, error)
	Continue(ctx context.Context, v gateway.Visitor, session string, act gateway.Action, answers map[string]string) (gateway.Reply, error)
	Say(ctx context.Context, v gateway.Visitor, text string) (gateway.Reply, error)
	Remove(ctx context.Context, v gateway.Visitor) (gateway.Reply, error)
}

// Desk is the front desk; *gateway.Desk implements it.
type Desk interface {
	Dialogues
	Commands(ctx context.Context, v gateway.Visitor) ([]gateway.Command, error)
	Registered(ctx context.Context, v gateway.Visitor) (shown string, ok bool, err error)
	Resolve(ctx context.Context, v gateway.Visitor, query string) (gateway.Alias, error)
	Prompt(v gateway.Visitor) (desc, prompt string)
}

// Outbox holds the component's lease and the stanzas that wait; *gateway.Outbox
// implements it.
type Outbox interface {
	Acquire(ctx context.Context) (lost <-chan struct{}, release func(), err error)
	// Pump writes what waits until ctx ends or the wire fails.
	Pump(ctx context.Context, w gateway.Wire) error
}

var (
	_ Gateway = (*gateway.Gateway)(nil)
	_ Desk    = (*gateway.Desk)(nil)
	_ Outbox  = (*gateway.Outbox)(nil)
)

// Config says which component to be and how to reach the server. Adapter,
// Domain, Server, Secret and Descriptor are required.
type Config struct {
	Adapter gateway.AdapterID
	Domain  string // the component's own, such as telegram.example.org
	Server  string // the server's host; pinged
	Secret  string // shared with the server (XEP-0114 §3)
	Dial    func(context.Context) (net.Conn, error)
	TLS     *tls.Config // nil for plaintext
	// Users lists the domains whose users are served; empty is the server's host alone.
	Users      []string
	Name       string // in service discovery; empty is the platform's
	Version    string // of the software (XEP-0092)
	Descriptor gateway.Descriptor
	Texts      *gateway.Texts
	// Ephemeral returns rendered stanzas worth nothing a moment later, until ctx ends. It may be nil.
	Ephemeral func(ctx context.Context) <-chan []byte
	// State is told of every change of the connection: standby, connecting, up, down, refused, stopped. It may be nil.
	State func(state string, err error)
	// Count is told of each stanza that came to nothing, by a closed set of names. It may be nil.
	Count func(event string)
	Log   *slog.Logger
	// LeaseTTL is how long another holder of the lease may live on after a conflict; 0 is 15 s.
	LeaseTTL time.Duration
	// Drain bounds the orderly stop; 0 is 15 s.
	Drain time.Duration
	// MaxStanza is the longest stanza taken, in bytes; 0 is 1 MiB.
	MaxStanza int
}

// Component serves one adapter instance on one component domain.
type Component struct {
	cfg      Config
	self     JID
	users    map[string]bool
	gw       Gateway
	desk     Desk
	outbox   Outbox
	render   Renderer
	profile  *profile
	errands  *errands
	gateway  map[iqKind]iqRoute
	contacts map[iqKind]iqRoute
	log      *slog.Logger

	live atomic.Pointer[session]
	// gate is closed once the session of the newest stream can be answered on.
	gate atomic.Pointer[chan struct{}]
}

// session is what lives as long as one stream.
type session struct {
	stream *stream
	wire   *wire
}

const (
	errandWorkers = 16
	errandDepth   = 16 // questions waiting per worker
)

// New returns a component that Run connects. It does no I/O.
func New(cfg Config, gw Gateway, desk Desk, outbox Outbox) (*Component, error) {
	registerPayloads()
	self, err := ParseJID(cfg.Domain)
	if err != nil {
		return nil, fmt.Errorf("xmpp: component: domain: %w", err)
	}
	if cfg.Dial == nil {
		return nil, errors.New("xmpp: component: no dial function")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Texts == nil {
		cfg.Texts = gateway.NewTexts()
	}
	c := &Component{
		cfg: cfg, self: self, gw: gw, desk: desk, outbox: outbox, users: make(map[string]bool),
		profile: newProfile(self.Domain(), cfg.Name, cfg.Descriptor),
		errands: newErrands(errandWorkers, errandDepth),
		log:     cfg.Log.With("component", self.Domain()),
	}
	for _, d := range append([]string{}, cfg.Users...) {
		j, err := ParseJID(d)
		if err != nil || j.Domain() != j.String() {
			return nil, fmt.Errorf("xmpp: component: not a domain of users: %q", d)
		}
		c.users[j.Domain()] = true
	}
	server, err := ParseJID(cfg.Server)
	if err != nil {
		return nil, fmt.Errorf("xmpp: component: server: %w", err)
	}
	if len(c.users) == 0 {
		c.users[server.Domain()] = true
	}
	c.render = Renderer{texts: cfg.Texts, profiles: map[string]*profile{self.Domain(): c.profile}}
	c.gateway, c.contacts = c.gatewayRoutes(), c.contactRoutes()
	return c, nil
}

// Run keeps the component connected until ctx ends. It then says goodbye, ends
// the stream in order, takes everything that was still under way, and returns
// when all that it started has stopped.
func (c *Component) Run(ctx context.Context) {
	drain := cmp.Or(c.cfg.Drain, 15*time.Second)
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	streamCtx, endStream := context.WithCancel(context.WithoutCancel(ctx))
	defer endStream()
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-stopped:
			return
		}
		timer := time.AfterFunc(drain, abandon)
		defer timer.Stop()
		c.farewell(work, drain/3)
		endStream()
		<-stopped
	})
	c.errands.run(work, func() {
		d := dispatcher{handle: c.handle, log: c.log, count: c.count}
		d.run(work, func(take func(context.Context, *Element)) {
			v := supervisor{
				stream: streamConfig{
					domain: c.self.Domain(), server: c.cfg.Server, secret: c.cfg.Secret, dial: c.cfg.Dial, tls: c.cfg.TLS,
					maxBytes: c.cfg.MaxStanza, log: c.cfg.Log, count: c.count,
				},
				lease: &heldLease{outbox: c.outbox}, leaseTTL: cmp.Or(c.cfg.LeaseTTL, 15*time.Second),
				handle: c.opened(take), session: c.session(ctx), state: c.state, log: c.cfg.Log,
			}
			v.Run(streamCtx)
		})
	})
	close(stopped)
	wg.Wait()
}

// session works on one live stream: presence for everybody, what is said in
// passing, and the outbox. stop is the end of the process rather than of the
// stream.
func (c *Component) session(stop context.Context) func(context.Context, *stream) error {
	return func(ctx context.Context, s *stream) error {
		live := &session{stream: s, wire: newWire(s, c.self)}
		c.live.Store(live)
		close(*c.gate.Load())
		defer c.live.CompareAndSwap(live, nil)
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() {
			err := c.gw.Greet(ctx, c.cfg.Adapter, func(g gateway.Rendering) error { return c.present(ctx, s, g) })
			if err != nil && ctx.Err() == nil {
				c.log.Warn("not everybody was greeted", "error", err.Error())
			}
		})
		wg.Go(func() { c.passing(ctx, s) })
		err := c.outbox.Pump(ctx, live.wire)
		if stop.Err() != nil {
			<-ctx.Done() // the stream goes on until farewell has been said
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
}

// opened holds the first stanzas of a stream back until there is somebody to
// write the answers.
func (c *Component) opened(take func(context.Context, *Element)) func(context.Context, *Element) {
	return func(ctx context.Context, el *Element) {
		select {
		case <-*c.gate.Load():
		case <-ctx.Done():
		}
		take(ctx, el)
	}
}

// present renders and writes what is told anew on every stream.
func (c *Component) present(ctx context.Context, s *stream, g gateway.Rendering) error {
	stanzas, err := c.render.Render(g)
	if err != nil {
		c.log.Error("not shown", "error", err.Error())
		return nil
	}
	for _, b := range stanzas {
		if err := s.write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// passing writes typing and the like as it comes.
func (c *Component) passing(ctx context.Context, s *stream) {
	if c.cfg.Ephemeral == nil {
		return
	}
	stanzas := c.cfg.Ephemeral(ctx)
	for {
		select {
		case b, ok := <-stanzas:
			if !ok || s.write(ctx, b) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// farewell lets the open batch of the outbox be confirmed and tells everybody
// that the gateway goes.
func (c *Component) farewell(ctx context.Context, budget time.Duration) {
	live := c.live.Load()
	if live == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	live.wire.stop(ctx)
	err := c.gw.Farewell(ctx, c.cfg.Adapter, func(g gateway.Rendering) error { return c.present(ctx, live.stream, g) })
	if err != nil {
		c.log.Warn("not everybody was told goodbye", "error", err.Error())
	}
}

// handle takes one stanza on a dispatch worker.
func (c *Component) handle(ctx context.Context, el *Element) {
	switch el.Name.Local {
	case "message":
		c.message(ctx, el)
	case "presence":
		c.presence(ctx, el)
	case "iq":
		c.iq(ctx, el)
	}
}

// panicked contains a handler's panic. Its value may quote the stanza; the stack
// holds only addresses.
func (c *Component) panicked(kind string) {
	stack := make([]byte, 4<<10)
	c.count(eventPanic)
	c.log.Error("handler panicked", "kind", kind, "stack", string(stack[:runtime.Stack(stack, false)]))
}

// serves tells whether an address belongs to a provider that this gateway serves.
// The server vouches for it (XEP-0114 §4).
func (c *Component) serves(j JID) bool { return c.users[j.Domain()] }

// visitor is who sent a stanza.
func (c *Component) visitor(el *Element) gateway.Visitor {
	return gateway.Visitor{
		Adapter: c.cfg.Adapter, User: gateway.UserID(el.From().Bare().String()), Resource: el.From().Resource(), Lang: el.Lang(),
	}
}

func (c *Component) say(v gateway.Visitor, key gateway.TextKey, args ...any) string {
	return c.cfg.Texts.Say(v.Lang, key, args...)
}

// send queues a stanza on the live stream.
func (c *Component) send(ctx context.Context, el *Element) error {
	live := c.live.Load()
	if live == nil {
		return errLocalClose
	}
	return live.stream.send(ctx, el)
}

func (c *Component) write(ctx context.Context, b []byte) error {
	live := c.live.Load()
	if live == nil {
		return errLocalClose
	}
	return live.stream.write(ctx, b)
}

// reply sends what nobody can be told of when it fails: the stream that the
// question came on is gone.
func (c *Component) reply(ctx context.Context, el *Element) {
	if el == nil {
		return
	}
	if err := c.send(ctx, el); err != nil {
		c.log.Debug("answer not sent", "kind", el.Name.Local, "error", err.Error())
	}
}

func (c *Component) state(s linkState, err error) {
	if s == linkUp {
		gate := make(chan struct{})
		c.gate.Store(&gate)
	}
	if c.cfg.State != nil {
		c.cfg.State(string(s), err)
	}
}

func (c *Component) count(e wireEvent) {
	if c.cfg.Count != nil {
		c.cfg.Count(string(e))
	}
}

// heldLease makes the outbox's lease the supervisor's.
type heldLease struct {
	outbox  Outbox
	release func()
}

func (h *heldLease) Acquire(ctx context.Context) (<-chan struct{}, error) {
	lost, release, err := h.outbox.Acquire(ctx)
	h.release = release
	return lost, err
}

func (h *heldLease) Release() { h.release() }
