package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout is shorter than the probe of any orchestrator.
const readyTimeout = 2 * time.Second

// Check is one condition of readiness. Probe returns nil when it holds.
type Check struct {
	Name  string
	Probe func(context.Context) error
}

// AdminConfig is what the operator's side works with. All fields but Control and Console are required.
type AdminConfig struct {
	// Checks decide /readyz. Who leads is not among them: a standby replica is ready too.
	Checks  []Check
	Metrics prometheus.Gatherer
	// Control is served below /v1; nil: nothing is.
	Control *Control
	// Console is served as /console and all below it; nil: nothing is.
	Console http.Handler
	Log     *slog.Logger
}

// Admin returns the handler for the operator's tools. Health and metrics have no authentication, so that it belongs on a loopback
// address; what is below /v1 and /console wants a token.
func Admin(cfg AdminConfig) http.Handler {
	r := chi.NewRouter()
	r.Use(harden, contain(cfg.Log))
	r.NotFound(notFound)
	r.MethodNotAllowed(wrongMethod)
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	r.Get("/readyz", ready(cfg))
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}))
	if cfg.Control != nil {
		r.Route("/v1", v1{*cfg.Control, cfg.Log}.routes)
	}
	if cfg.Console != nil {
		r.Handle("/console", cfg.Console)
		r.Handle("/console/*", cfg.Console)
		r.Get("/", http.RedirectHandler("/console", http.StatusSeeOther).ServeHTTP)
	}
	return r
}

// ready answers 200 when every check holds and 503 otherwise, with one line per check.
func ready(cfg AdminConfig) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		status, text := http.StatusOK, ""
		for _, c := range cfg.Checks {
			if err := c.Probe(ctx); err != nil {
				status = http.StatusServiceUnavailable
				text += fmt.Sprintf("%s: %v\n", c.Name, err)
				continue
			}
			text += c.Name + ": ok\n"
		}
		say(w, status, text)
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a caller that is gone hears nothing
}
