package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"postern/adapters/control"
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
		r.Get("/ledger/messages", s.do(func(c *controlCall) (any, error) { return ledgerPage(c, &c.posts) }))
		r.Get("/ledger/webhooks", s.do(func(c *controlCall) (any, error) { return ledgerPage(c, &c.deliveries) }))
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

// controlError is a refusal with a status.
type controlError struct {
	status int
	text   string
}

func (e *controlError) Error() string { return e.text }

func missing(what, id string) error {
	return &controlError{http.StatusNotFound, fmt.Sprintf("no %s %q", what, id)}
}

func wrong(text string) error { return &controlError{http.StatusBadRequest, text} }

// do makes a handler that runs with the lock held and answers JSON.
func (s *Server) do(handle func(*controlCall) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.met(r)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeControl(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "the body is too large"})
			return
		}
		var raw []byte
		s.Do(func(st *State) {
			var out any
			if out, err = handle(&controlCall{State: st, r: r, body: body}); err == nil {
				raw, err = json.Marshal(out)
			}
		})
		var refused *controlError
		switch {
		case errors.As(err, &refused):
			writeControl(w, refused.status, map[string]string{"error": refused.text})
		case err != nil:
			writeControl(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		default:
			writeControl(w, http.StatusOK, json.RawMessage(raw))
		}
	}
}

func writeControl(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // a client that left is its own loss
}

// decode reads the body; without one everything stays as it is.
func (c *controlCall) decode(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return wrong("body: " + err.Error())
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
	return nil, missing(c.s.spec.AccountWord, name)
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
		for _, l := range a.lanes {
			c.settle(a, l) // the width of lanes may have changed
		}
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

func ledgerPage[T any](c *controlCall, r *Ring[T]) (any, error) {
	after, limit := int64(0), 1000
	var err error
	if v := c.r.URL.Query().Get("after"); v != "" {
		if after, err = strconv.ParseInt(v, 10, 64); err != nil || after < 0 {
			return nil, wrong("after: want a number")
		}
	}
	if v := c.r.URL.Query().Get("limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > 10_000 {
			return nil, wrong("limit: want 1 to 10000")
		}
	}
	items, next := r.After(after, limit)
	return control.Ledger[T]{Items: items, Next: next, Total: r.Total, Forgotten: r.Total - int64(len(r.Items))}, nil
}
