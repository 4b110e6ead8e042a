package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"postern/gateway"
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
	// Contacts are addresses of who runs the gateway (gateway.Instance.Contacts).
	Contacts map[string][]string
	Texts    *gateway.Texts
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
	server   JID
	users    atomic.Pointer[map[string]bool]
	gw       Gateway
	desk     Desk
	outbox   Outbox
	render   Renderer
	profile  *profile
	errands  *errands
	lookers  *errands // ask clients what they want to hear of
	healers  *errands // look after rosters
	clients  clients
	pace     *rate.Limiter
	typists  typists
	shares   shares
	uploads  uploads
	gateway  map[iqKind]iqRoute
	contacts map[iqKind]iqRoute
	log      *slog.Logger
	since    time.Time // when the component was made

	live atomic.Pointer[session]
	// privileges is what the servers have granted on the newest stream; nil between streams.
	privileges atomic.Pointer[privileges]
	rosters    atomic.Pointer[rosters]
	// gate is closed once the session of the newest stream can be answered on.
	gate atomic.Pointer[chan struct{}]
}

const (
	errandWorkers = 16
	errandDepth   = 16 // questions waiting per worker
	lookWorkers   = 8
	lookDepth     = 256
	healWorkers   = 4
	healDepth     = 512
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
		cfg: cfg, self: self, since: time.Now(), gw: gw, desk: desk, outbox: outbox,
		profile: newProfile(self.Domain(), cfg.Name, cfg.Descriptor, cfg.Contacts),
		errands: newErrands(errandWorkers, errandDepth), lookers: newErrands(lookWorkers, lookDepth),
		healers: newErrands(healWorkers, healDepth), pace: newPace(),
		log: cfg.Log.With("component", self.Domain()),
	}
	server, err := ParseJID(cfg.Server)
	if err != nil {
		return nil, fmt.Errorf("xmpp: component: server: %w", err)
	}
	c.server = server
	if err := c.SetUsers(cfg.Users); err != nil {
		return nil, err
	}
	c.rosters.Store(newRosters())
	c.render = Renderer{texts: cfg.Texts, profiles: map[string]*profile{self.Domain(): c.profile}}
	c.gateway, c.contacts = c.gatewayRoutes(), c.contactRoutes()
	return c, nil
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
func (c *Component) serves(j JID) bool { return (*c.users.Load())[j.Domain()] }

// SetUsers changes the domains whose users are served from now on; none is the server's host alone.
func (c *Component) SetUsers(domains []string) error {
	users := map[string]bool{}
	for _, d := range domains {
		j, err := ParseJID(d)
		if err != nil || j.Domain() != j.String() {
			return fmt.Errorf("xmpp: component: not a domain of users: %q", d)
		}
		users[j.Domain()] = true
	}
	if len(users) == 0 {
		users[c.server.Domain()] = true
	}
	c.users.Store(&users)
	return nil
}

// SetContacts changes the operator's addresses in service discovery (XEP-0157) from now on.
func (c *Component) SetContacts(contacts map[string][]string) { c.profile.setContacts(contacts) }

// visitor is who sent a stanza.
func (c *Component) visitor(el *Element) gateway.Visitor {
	return gateway.Visitor{
		Adapter: c.cfg.Adapter, User: gateway.UserID(el.From().Bare().String()), Resource: el.From().Resource(), Lang: el.Lang(),
	}
}

func (c *Component) say(v gateway.Visitor, key gateway.TextKey, args ...any) string {
	return c.cfg.Texts.Say(v.Lang, key, args...)
}

// spoken is the xml:lang of what the gateway says to a visitor (RFC 6120 §8.1.5): a server puts the language of its stream on what
// has none. It is empty for a client that names none: what it is told may be in the language of its user's account.
func (c *Component) spoken(v gateway.Visitor) string {
	if v.Lang == "" {
		return ""
	}
	return c.cfg.Texts.Spoken(v.Lang)
}

// errorReply is ErrorReply with the language of its words.
func (c *Component) errorReply(el *Element, v gateway.Visitor, e *StanzaError) *Element {
	said := *e
	said.Lang = c.spoken(v)
	return ErrorReply(el, &said)
}

// send queues a stanza on the live stream.
func (c *Component) send(ctx context.Context, el *Element) error {
	live := c.live.Load()
	if live == nil {
		return errLocalClose
	}
	return live.stream.send(ctx, el)
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
