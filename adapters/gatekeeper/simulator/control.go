package simulator

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"postern/adapters/internal/sandbox"
)

// controlRoutes are the control API and the page. doc.go describes them.
func (s *Server) controlRoutes() (http.Handler, error) {
	r := chi.NewRouter()
	// A page of another origin must not steer the sandbox of the person who visits it.
	r.Use(http.NewCrossOriginProtection().Handler)
	if err := pageRoutes(r); err != nil {
		return nil, err
	}
	r.Route("/sandbox/v1", func(r chi.Router) {
		r.Get("/changes", s.serveChanges)
		r.Post("/wait", s.serveWait)
		r.Get("/state", s.do(func(*controlCall) (any, error) { return s.stateView(), nil }))
		r.Post("/reset", s.do(func(*controlCall) (any, error) { return empty{}, s.reset() }))
		r.Get("/faults", s.do(func(*controlCall) (any, error) { return s.faults, nil }))
		r.Put("/faults", s.do(putFaults))
		r.Put("/terms", s.do(putTerms))
		r.Put("/partners/{client}", s.do(putPartner))
		r.Put("/users/{user}/state", s.do(putUserState))
		r.Get("/ledger/messages", s.do(func(c *controlCall) (any, error) { return sandbox.LedgerPage(c.r, &s.posts) }))
		r.Get("/ledger/webhooks", s.do(func(c *controlCall) (any, error) { return sandbox.LedgerPage(c.r, &s.deliveries) }))
		r.Get("/codes", s.do(func(c *controlCall) (any, error) { return map[string]any{"items": c.codeViews()}, nil }))
		r.Get("/chats/{chat}", s.do(getChat))
		r.Put("/people/{person}", s.do(putPerson))
		r.Patch("/people/{person}", s.do(patchPerson))
		r.Get("/people/{person}", s.do(getPerson))
		r.Post("/people/{person}/messages", s.do(postSay))
		r.Post("/people/{person}/open", s.do(postOpen))
		r.Post("/people/{person}/typing", s.do(postTyping))
		r.Post("/people/{person}/read", s.do(postRead))
		r.Post("/people/{person}/answer", s.do(postAnswer))
		r.Post("/people/{person}/ask", s.do(postAsk))
		r.Put("/people/{person}/block", s.do(putBlock))
		r.Patch("/messages/{message}", s.do(patchMessage))
		r.Delete("/messages/{message}", s.do(deleteMessage))
		r.Put("/messages/{message}/reactions", s.do(putReactions))
		r.Post("/messages/{message}/fail", s.do(postFail))
		r.Post("/messages/{message}/reject", s.do(postReject))
		r.Put("/people/{person}/presence", s.do(putPresence))
		r.Post("/people/{person}/calls", s.do(postCall))
		r.Post("/users/{user}/messages", s.do(postNativeSay))
		r.Patch("/users/{user}/messages/{message}", s.do(patchNativeMessage))
		r.Delete("/users/{user}/messages/{message}", s.do(deleteNativeMessage))
		r.Put("/users/{user}/messages/{message}/reactions", s.do(putNativeReactions))
		r.Post("/users/{user}/read", s.do(postNativeRead))
		r.Get("/capabilities", s.do(getCapabilities))
		r.Patch("/capabilities", s.do(patchCapabilities))
		r.Patch("/limits", s.do(patchLimits))
		r.Get("/reports", s.do(getReports))
		r.Post("/media", s.serveMakeMedia)
		r.Get("/media/{media}", s.serveMediaBytes)
	})
	return r, nil
}

type empty struct{}

// controlCall is one request to the control API.
type controlCall struct {
	*Server
	r    *http.Request
	body []byte
}

// do makes a handler that runs with the lock held and answers JSON.
func (s *Server) do(handle func(*controlCall) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := sandbox.ReadControl(w, r)
		if !ok {
			return
		}
		s.mu.Lock()
		out, err := handle(&controlCall{Server: s, r: r, body: body})
		raw, encErr := json.Marshal(out)
		s.mu.Unlock()
		sandbox.Reply(w, json.RawMessage(raw), cmp.Or(err, encErr))
	}
}

func (c *controlCall) decode(into any) error { return sandbox.DecodeControl(c.body, into) }

func (c *controlCall) param(name string) string { return sandbox.Param(c.r, name) }

func (c *controlCall) person() (*person, error) {
	if p := c.personBy(c.param("person")); p != nil {
		return p, nil
	}
	return nil, sandbox.Missing("person", c.param("person"))
}

// chatWith finds or begins the chat of the person of the path with a user named by internal id, user-visible id or conversation.
func (c *controlCall) chatWith(to string) (*chat, error) {
	p, err := c.person()
	if err != nil {
		return nil, err
	}
	if known := c.chats[to]; known != nil && known.person == p {
		return known, nil
	}
	u := c.userBy(to)
	if u == nil || u.state != "active" {
		return nil, sandbox.Missing("enlisted user", to)
	}
	if out := c.chatOf(u, p); out != nil {
		return out, nil
	}
	return nil, sandbox.Wrong("too many conversations")
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
	for _, p := range c.partners {
		p.lanes.Each(f.WebhookParallel, func(*lane) {}) // the width of lanes may have changed
	}
	c.touch()
	c.nudge()
	return c.faults, nil
}

// putTerms puts new terms in force and tells every user that they have to be accepted.
func putTerms(c *controlCall) (any, error) {
	var in termsAccepted
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Version == "" || len(in.SHA256) != 64 {
		return nil, sandbox.Wrong("want version and sha256")
	}
	c.terms = in
	for _, u := range c.users {
		c.emit(u.partner, "enlistment.terms_changed", u, nil, map[string]any{"enlistment": u.view()})
	}
	return in, nil
}

func putPartner(c *controlCall) (any, error) {
	var in Partner
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	in.ClientID = c.param("client")
	if err := in.validate(); err != nil {
		return nil, err
	}
	if err := c.register(in); err != nil {
		return nil, err
	}
	c.touch()
	return empty{}, nil
}

// putUserState makes the gatekeeper suspend, restore or lapse an enlistment, or warn that it will lapse ("expiring").
func putUserState(c *controlCall) (any, error) {
	var in struct{ State string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	u := c.userBy(c.param("user"))
	if u == nil {
		return nil, sandbox.Missing("user", c.param("user"))
	}
	switch in.State {
	case "active":
		u.state = in.State
	case "suspended", "lapsed":
		u.state = in.State
		c.emit(u.partner, "enlistment."+in.State, u, nil, map[string]any{"enlistment": u.view()})
	case "expiring":
		c.emit(u.partner, "enlistment.expiring", u, nil, map[string]any{"enlistment": u.view()})
	default:
		return nil, sandbox.Wrong("state: want active, suspended, lapsed or expiring")
	}
	u.version++
	c.touch()
	return u.view(), nil
}

// serveChanges is the stream of server-sent events by which the page knows when to look again.
func (s *Server) serveChanges(w http.ResponseWriter, r *http.Request) {
	sandbox.ServeChanges(w, r, s.stopped, func() (int64, <-chan struct{}) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.revision, s.changed
	})
}
