package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-chi/chi/v5"
	"golang.org/x/time/rate"

	"postern/gateway"
)

// Receiver takes webhook calls; *gateway.Gateway is one.
type Receiver interface {
	// Receive returns nil when everything in the request is durable; its errors decide the status.
	Receive(ctx context.Context, adapter gateway.AdapterID, r gateway.Request) error
	// Challenge answers a GET by which a platform checks the address.
	Challenge(adapter gateway.AdapterID, r gateway.Request) (answer []byte, ok bool)
}

// PublicConfig is what the platforms' side works with. Receiver and Log are required.
type PublicConfig struct {
	Receiver Receiver
	// Hooks are the instances that take webhooks; any other is 404 before its body is read.
	Hooks []gateway.AdapterID
	// Publishers offer documents below /.well-known/. Of two that offer the same path the first one counts.
	Publishers []gateway.Publisher
	// Linking carries registrations through a browser; nil: none go there.
	Linking Linking
	// Media are files for users' clients; nil: none are served.
	Media MediaStore
	// Working is how many webhooks are verified and stored at once, 0 for 256; Reading how many bodies may be on their way
	// in, 0 for 4096. Bodies in slow trickles therefore hold up nobody else's.
	Working, Reading int
	// TrustedProxies may name the caller's address in X-Forwarded-For. The address is logged with a forged webhook, and nobody
	// fetches all files at once.
	TrustedProxies func() []netip.Prefix
	// TooLarge is told of a body over the limit; nil is allowed.
	TooLarge func(gateway.AdapterID)
	// Busy is told of a webhook that was refused because there are too many at once; nil is allowed.
	Busy func(gateway.AdapterID)
	Log  *slog.Logger
}

// Public returns the handler for what platforms call, and users' clients where they fetch files from here.
func Public(cfg PublicConfig) http.Handler {
	h := &hooks{cfg: cfg, known: map[gateway.AdapterID]bool{}, loud: &rate.Sometimes{First: 10, Interval: quietFor}}
	for _, a := range cfg.Hooks {
		h.known[a] = true
	}
	h.working, h.reading = make(chan struct{}, or(cfg.Working, 256)), make(chan struct{}, or(cfg.Reading, 4096))
	r := chi.NewRouter()
	r.Use(harden, contain(cfg.Log))
	r.NotFound(notFound)
	r.MethodNotAllowed(wrongMethod)
	for _, pattern := range []string{"/hooks/{instance}", "/hooks/{instance}/{token}"} {
		r.Get(pattern, h.challenge)
		r.Post(pattern, h.receive)
	}
	r.Get("/.well-known/*", wellKnown(cfg.Publishers))
	if cfg.Linking != nil {
		l := &links{from: cfg.Linking, known: h.known, busy: make(chan struct{}, linksAtOnce), log: cfg.Log}
		r.Get("/link/{instance}", l.bounded(l.comeBack))
		r.Get("/link/{instance}/{token}", l.bounded(l.setOut))
	}
	if cfg.Media != nil {
		h := served(cfg.Media, cfg.TrustedProxies)
		r.Get("/m/{token}/{name}", h)
		r.Head("/m/{token}/{name}", h)
	}
	return r
}

func or(n, def int) int {
	if n > 0 {
		return n
	}
	return def
}

// wellKnown serves what adapters publish at this moment: keys rotate.
func wellKnown(from []gateway.Publisher) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, p := range from {
			doc, ok := p.WellKnown()[r.URL.Path]
			if !ok || !strings.HasPrefix(r.URL.Path, "/.well-known/") {
				continue
			}
			w.Header().Set("Content-Type", "application/json")
			// Long enough to spare us, short enough for a new key to be found.
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(doc)
			return
		}
		notFound(w, r)
	}
}

// callerBehind is caller where the trusted proxies may change.
func callerBehind(r *http.Request, trusted func() []netip.Prefix) string {
	if trusted == nil {
		return caller(r, nil)
	}
	return caller(r, trusted())
}

// caller is the address that a request came from, as far as trusted proxies tell: the rightmost address in
// X-Forwarded-For that is not a proxy of ours.
func caller(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap()
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(chain) - 1; i >= 0 && within(addr, trusted); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr.String()
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
