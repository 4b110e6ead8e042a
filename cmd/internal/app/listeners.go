package app

import (
	"context"
	"errors"
	"net/http"

	"postern/api"
	"postern/api/console"
	"postern/gateway"
)

// listeners makes both HTTP servers.
func (b *builder) listeners(a *App) error {
	h := b.cfg.HTTP
	proxies, _ := h.proxies()
	a.proxies.Store(&proxies)
	a.public = &listener{name: "public", addr: h.Public, server: api.NewServer(b.publicHandler(a), b.o.Log)}
	checks := []api.Check{{Name: "store", Probe: a.store.Ready}, {Name: "running", Probe: a.running}}
	a.console = console.New(console.Config{
		Control: b.control, Checks: checks, Metrics: b.registry, Texts: b.texts, Replica: a.replica.id, Version: Version().Version, Log: b.o.Log,
	})
	a.admin = &listener{name: "admin", addr: h.Admin, server: api.NewServer(api.Admin(api.AdminConfig{
		Checks: checks, Metrics: b.registry, Control: b.control, Console: a.console, Log: b.o.Log,
	}), b.o.Log)}
	if h.TLS.CertFile == "" {
		return nil
	}
	cert, err := newCertificate(h.TLS)
	if err != nil {
		return b.cfg.at.problem("http.tls", "%v", err)
	}
	a.public.server.TLSConfig = cert.config()
	return nil
}

func (b *builder) publicHandler(a *App) http.Handler {
	var hooks []gateway.AdapterID
	for _, i := range b.made {
		if _, ok := i.Adapter.(gateway.Webhook); ok {
			hooks = append(hooks, i.ID)
		}
	}
	return api.Public(api.PublicConfig{
		Receiver: a.gateway, Hooks: hooks, Publishers: b.documents, Media: a.files, Linking: linking{a.desk, a}, TrustedProxies: a.trusted, Log: b.o.Log,
		TooLarge: func(id gateway.AdapterID) { b.metrics.Webhook(id, "too_large") },
		Busy:     func(id gateway.AdapterID) { b.metrics.Webhook(id, "busy") },
	})
}

var errNotRunning = errors.New("starting or stopping")

func (a *App) running(context.Context) error {
	if !a.ready.Load() {
		return errNotRunning
	}
	return nil
}
