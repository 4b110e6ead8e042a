package sandbox

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"
)

const maxBody = 1 << 20 // bytes of a request to the control API, files aside

// controlRoutes are the control API and the page. doc.go describes them.
func (s *Server) controlRoutes() (http.Handler, error) {
	r := chi.NewRouter()
	// A page of another origin must not steer the sandbox of the person who visits it.
	r.Use(http.NewCrossOriginProtection().Handler)
	if err := MountPage(r, layers{}); err != nil {
		return nil, err
	}
	r.Route("/sandbox/v1", func(r chi.Router) {
		r.Get("/changes", s.serveChanges)
		r.Post("/wait", s.serveWait)
		r.Get("/state", s.do(func(c *controlCall) (any, error) { return c.view(), nil }))
		r.Post("/reset", s.do(func(c *controlCall) (any, error) { return empty{}, c.reset() }))
		r.Get("/faults", s.do(func(c *controlCall) (any, error) { return c.faults, nil }))
		r.Put("/faults", s.do(putFaults))
		r.Put("/batching", s.do(putBatching))
		r.Put("/limits", s.do(putLimits))
		r.Get("/ledger/messages", s.do(func(c *controlCall) (any, error) { return LedgerPage(c.r, &c.posts) }))
		r.Get("/ledger/webhooks", s.do(func(c *controlCall) (any, error) { return LedgerPage(c.r, &c.deliveries) }))
		r.Get("/chats/{chat}", s.do(getChat))
		r.Post("/media", s.serveMakeMedia)
		r.Get("/media/{media}", s.serveMediaBytes)
		s.userRoutes(r)
		s.peopleRoutes(r)
	})
	return r, nil
}

type empty struct{}

// controlCall is one request to the control API, with the lock held.
type controlCall struct {
	*State
	r    *http.Request
	body []byte
}

// do makes a handler that runs with the lock held and answers JSON.
func (s *Server) do(handle func(*controlCall) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.met(r)
		body, ok := ReadControl(w, r)
		if !ok {
			return
		}
		var raw []byte
		var err error
		s.Do(func(st *State) {
			var out any
			if out, err = handle(&controlCall{State: st, r: r, body: body}); err == nil {
				raw, err = json.Marshal(out)
			}
		})
		Reply(w, json.RawMessage(raw), err)
	}
}

func (c *controlCall) decode(into any) error { return DecodeControl(c.body, into) }

func (c *controlCall) param(name string) string { return Param(c.r, name) }

// userNamed finds an account.
func (c *controlCall) userNamed(name string) (*Account, error) {
	if a := c.AccountNamed(name); a != nil {
		return a, nil
	}
	return nil, Missing(c.s.spec.AccountWord, name)
}

func putFaults(c *controlCall) (any, error) {
	var f Faults
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	c.faults = f
	for _, a := range c.accounts {
		a.lanes.Each(f.WebhookParallel, func(*lane) {}) // the width of lanes may have changed
	}
	c.Touch()
	return c.faults, nil
}

func putBatching(c *controlCall) (any, error) {
	var b Batching
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := validateBatching(b); err != nil {
		return nil, err
	}
	c.batching = b
	c.Touch()
	return b, nil
}

// putLimits says whether limits are enforced, and begins to count anew.
func putLimits(c *controlCall) (any, error) {
	var in struct {
		Enforce bool `json:"enforce"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.limiter = newLimiter(c.s.spec.Rules, c.s.cfg.Limits.Buckets, in.Enforce)
	c.Touch()
	return c.limiter.view(), nil
}
