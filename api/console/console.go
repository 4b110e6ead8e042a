package console

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"postern/api"
	"postern/api/internal/page"
	"postern/gateway"
)

// Config is what the console works with. All fields are required.
type Config struct {
	// Control is what /v1 works with.
	Control *api.Control
	Checks  []api.Check
	Metrics prometheus.Gatherer
	// Texts say in words what adapters declare.
	Texts *gateway.Texts
	// Replica and Version are shown at the foot of each page.
	Replica, Version string
	Log              *slog.Logger
}

// Console serves the pages. Make one with New; Run collects what its plots show.
type Console struct {
	Config
	sessions sessions
	history  *history

	countMu sync.Mutex
	countAt time.Time
	lately  counts

	routes http.Handler
	pages  func() map[string]*template.Template // read when the first is asked for
}

// New returns a console with nobody signed in.
func New(cfg Config) *Console {
	c := &Console{Config: cfg, history: &history{from: cfg.Metrics, log: cfg.Log}, pages: sync.OnceValue(parsePages)}
	for _, i := range cfg.Control.Instances {
		c.history.order = append(c.history.order, i.ID)
	}
	c.routes = c.router()
	return c
}

// Run looks at the metrics every few seconds until ctx ends.
func (c *Console) Run(ctx context.Context) { c.history.run(ctx) }

// ServeHTTP implements http.Handler for /console and all below it.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.routes.ServeHTTP(w, r) }

// maxForm bounds what a browser may send.
const maxForm = 32 << 10 // a statement of reasons has 2000 characters of any script, percent-encoded

func (c *Console) router() http.Handler {
	r := chi.NewRouter()
	r.Use(page.Guard, c.contain, c.sameOrigin, bounded)
	r.NotFound(c.lost)
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, http.StatusMethodNotAllowed, "This address does not take that method.", "Go back to the page that you came from, and use its buttons.")
	})
	r.Get("/console/style.css", c.file)
	r.Get("/console/live.js", c.file)
	r.Get("/console/icon.svg", c.file)
	r.Get("/console/sign-in", c.signInPage)
	r.Post("/console/sign-in", c.signIn)
	viewer := r.With(c.needs(gateway.RoleViewer))
	viewer.Post("/console/sign-out", c.signOut)
	viewer.Get("/console", c.overview)
	viewer.Get("/console/adapters/{adapter}", c.adapter)
	viewer.Get("/console/queues", c.queues)
	viewer.Get("/console/dead-letters", c.letters)
	viewer.Get("/console/cases", c.cases)
	viewer.Get("/console/cases/{id}", c.oneCase)
	viewer.Get("/console/fidelity", c.fidelity)
	operator := r.With(c.needs(gateway.RoleOperator))
	operator.Get("/console/dead-letters/confirm", c.confirmLetters)
	operator.Post("/console/dead-letters", c.changeLetters)
	operator.Post("/console/cases/{id}/confirm", c.confirmCase)
	operator.Post("/console/cases/{id}", c.decideCase)
	operator.Get("/console/users", c.users)
	operator.Post("/console/users/revoke", c.revoke)
	admin := r.With(c.needs(gateway.RoleAdmin))
	admin.Post("/console/users/export", c.export)
	admin.Post("/console/users/erase", c.erase)
	admin.Get("/console/audit", c.audit)
	admin.Get("/console/audit/verify", c.verify)
	return r
}

// contain keeps a handler's panic to its request, and says so on a page. The value may hold what somebody wrote: its type is logged.
func (c *Console) contain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares by identity
				panic(p)
			}
			c.Log.Error("panic contained", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			c.fail(w, r, http.StatusInternalServerError, "This page met a fault of the gateway.", "Its log says which. Nothing else is touched by it.")
		}()
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses forms of other sites by what the browser says of where they come from (Sec-Fetch-Site, Origin).
func (c *Console) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, http.StatusForbidden, "The browser does not say that this form comes from here.",
			"Nothing was done. Open the console by https, or on this machine as http://127.0.0.1, with a current browser, and try again from its own pages.")
	}))
	return guard.Handler(next)
}

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

func (c *Console) file(w http.ResponseWriter, r *http.Request) {
	if !page.File(w, r) {
		c.lost(w, r)
	}
}

func (c *Console) lost(w http.ResponseWriter, r *http.Request) {
	c.fail(w, r, http.StatusNotFound, "There is nothing at this address.", "What it named may be gone by now. The overview has what is there.")
}

// counts is what is dear to count. It is remembered for a moment, for all who look.
type counts struct {
	queues  []gateway.QueueState
	parked  []gateway.ParkedLanes
	letters int
	newest  []gateway.Letter
	more    bool // there are more letters than were counted
	cases   int  // that wait for a decision
}

const (
	countFor   = 5 * time.Second
	maxCounted = 1000
)

// counted is what waits, and how many dead letters there are.
func (c *Console) counted(ctx context.Context) (counts, error) {
	c.countMu.Lock()
	defer c.countMu.Unlock()
	if time.Since(c.countAt) >= countFor {
		queues, parked, err := c.Control.Operations.Queues(ctx)
		if err != nil {
			return counts{}, err
		}
		letters, more, err := c.gather(ctx, gateway.LetterFilter{}, "", maxCounted)
		if err != nil {
			return counts{}, err
		}
		cases, err := c.Control.Cases.CasesWaiting(ctx)
		if err != nil {
			return counts{}, err
		}
		c.lately, c.countAt = counts{queues, parked, len(letters), latest(letters, 5), more != "", cases}, time.Now()
	}
	return c.lately, nil
}

// forget makes the next page count anew, after something was changed.
func (c *Console) forget() {
	c.countMu.Lock()
	defer c.countMu.Unlock()
	c.countAt = time.Time{}
}
