package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"
)

const maxBody = 1 << 20 // bytes of a request to the control API, files aside

// controlRoutes are the control API and the page. doc.go describes them.
func (s *Server) controlRoutes() http.Handler {
	r := chi.NewRouter()
	// A page of another origin must not steer the sandbox of the person who visits it.
	r.Use(http.NewCrossOriginProtection().Handler)
	MountPage(r, layers{})
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
	return r
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
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			WriteControl(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "the body is too large"})
			return
		}
		var raw []byte
		s.Do(func(st *State) {
			var out any
			if out, err = handle(&controlCall{State: st, r: r, body: body}); err == nil {
				raw, err = json.Marshal(out)
			}
		})
		Reply(w, json.RawMessage(raw), err)
	}
}

// decode reads the body; without one everything stays as it is.
func (c *controlCall) decode(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return Wrong("body: " + err.Error())
	}
	return nil
}

// param is a path parameter, decoded.
func (c *controlCall) param(name string) string {
	v := chi.URLParam(c.r, name)
	if plain, err := url.PathUnescape(v); err == nil && c.r.URL.RawPath != "" {
		return plain
	}
	return v
}

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
