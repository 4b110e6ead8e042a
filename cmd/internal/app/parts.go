package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"postern/gateway"
	"postern/gateway/redisstore"
)

// Parts are what a configuration names, opened one by one without a gateway, for who looks at it from outside. What cannot be
// opened is missing; CheckFiles says why.
type Parts struct {
	// Instances are the adapters, in the order of their names, and Secrets what their components share with the XMPP server.
	Instances []gateway.Instance
	Secrets   []string
	// TLS is how components talk with the server; nil for plain text.
	TLS  *tls.Config
	keks [][]byte
	cfg  *Config
}

// OpenParts reads the files that a configuration names. It calls nobody.
func OpenParts(cfg *Config, client *http.Client) Parts {
	b := &builder{cfg: cfg, o: Options{Log: slog.New(slog.DiscardHandler), HTTP: client}}
	_ = b.instances() // CheckFiles says what is wrong
	p := Parts{Instances: b.made, Secrets: b.secrets, cfg: cfg}
	p.keks, _ = b.keks()
	if host, _, err := net.SplitHostPort(cfg.Server.Component); err == nil {
		p.TLS, _ = cfg.Server.TLS.clientTLS(host)
	}
	return p
}

// Client is what adapters call platforms with.
func Client() *http.Client { return newClient() }

// HasKey reports whether the store's key could be read.
func (p Parts) HasKey() bool { return p.keks != nil }

// Open opens the store at once or not at all.
func (p Parts) Open(ctx context.Context) (gateway.Store, error) {
	return redisstore.Open(ctx, string(p.cfg.Store.Redis), redisstore.Options{Prefix: p.cfg.Store.Prefix})
}

// OpenKeys returns nil when the store's key opens this store, and gateway.ErrNoSchema when there is nothing to open yet.
func (p Parts) OpenKeys(ctx context.Context, s gateway.Store) error {
	_, err := gateway.Wrapped(ctx, s, p.keks...)
	return err
}

// componentTimeout bounds the way to the XMPP server, for who only looks.
const componentTimeout = 5 * time.Second

// Dial connects to where the XMPP server accepts components.
func (p Parts) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, componentTimeout)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "tcp", p.cfg.Server.Component)
}
