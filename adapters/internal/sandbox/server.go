package sandbox

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

// Server plays a platform.
type Server struct {
	cfg      Config
	spec     Spec
	platform Platform
	handler  http.Handler
	api      http.Handler
	control  http.Handler
	wake     chan struct{} // tells Run that something may be due
	stopped  chan struct{} // closed when Run ends
	stop     sync.Once

	mu    sync.Mutex // guards state and base
	state *State
	base  string // origin of the latest request
}

// New makes a sandbox. Requests are served at once; webhooks and personas need Run.
func New(cfg Config, p Platform) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	spec := p.Spec()
	or(&spec.Parallel, 8)
	or(&spec.Batch, 1)
	or(&spec.FirstUpdate, 1)
	or(&spec.AccountWord, "account")
	s := &Server{cfg: cfg.withDefaults(spec), spec: spec, platform: p, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	s.state = &State{s: s, changed: make(chan struct{})}
	if err := s.state.reset(); err != nil {
		return nil, err
	}
	api := chi.NewRouter()
	api.Use(s.faulty)
	p.Routes(s, api)
	s.api = api
	var err error
	if s.control, err = s.controlRoutes(); err != nil {
		return nil, err
	}
	s.handler = OneAddress(s.api, s.control)
	return s, nil
}

// OneAddress serves an API, and the control API and the page, which have paths of their own.
func OneAddress(api, control http.Handler) http.Handler {
	all := chi.NewRouter()
	all.Handle("/sandbox/v1/*", control)
	all.Handle("/", control)
	all.Handle("/page/*", control)
	all.NotFound(api.ServeHTTP)
	all.MethodNotAllowed(api.ServeHTTP)
	return all
}

// Handler serves the API, the control API and the page on one address.
func (s *Server) Handler() http.Handler { return s.handler }

// API serves the platform's API alone.
func (s *Server) API() http.Handler { return s.api }

// Control serves the control API and the page alone.
func (s *Server) Control() http.Handler { return s.control }

// ServeHTTP is Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Do runs with the lock held. It must not block.
func (s *Server) Do(f func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.state)
}

// Wait looks again at every change until the condition holds, and reports false when the time or the context ended first.
func (s *Server) Wait(ctx context.Context, timeout time.Duration, holds func(*State) bool) bool {
	deadline := time.NewTimer(max(timeout, 0))
	defer deadline.Stop()
	for {
		s.mu.Lock()
		ok, changed := holds(s.state), s.state.changed
		s.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return false
		case <-changed:
		}
		if !Pause(ctx, 5*time.Millisecond) { // under load many changes are looked at together
			return false
		}
	}
}

// Refuse words a refusal as the platform does.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, f Refusal) {
	if s.spec.Refuse != nil {
		s.spec.Refuse(w, r, f)
		return
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	http.Error(w, http.StatusText(f.Kind.Status()), f.Kind.Status())
}

// HTTP is the client for requests of the platform to the gateway, as a handshake. Not to be used with the lock held.
func (s *Server) HTTP() *http.Client { return s.cfg.Client }

// met learns the origin under which the sandbox is known.
func (s *Server) met(r *http.Request) {
	base := "http://" + r.Host
	if r.TLS != nil {
		base = "https://" + r.Host
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = base
}

func (s *Server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
