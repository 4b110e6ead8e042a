package simulator

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"postern/adapters/internal/sandbox"
)

const maxBody = 1 << 20 // bytes of a request; GIA leaves the limit to the gatekeeper

// Server plays the gatekeeper. All its state is in memory and bounded by Config.Limits.
type Server struct {
	cfg      Config
	contract *contract
	handler  http.Handler
	api      http.Handler
	control  http.Handler
	keySet   []byte // public keys, JSON

	mu          sync.Mutex // guards everything below
	partners    map[string]*partner
	people      map[string]*person
	personOrder []string
	users       map[string]*user // by internal id
	enlistments map[string]*user
	chats       map[string]*chat
	messages    map[string]*message
	requests    map[string]*chat // by contact request id
	reports     map[string]*report
	jobs        map[string]*job
	tokens      *sandbox.Expiring[token]
	jtis        *sandbox.Expiring[struct{}]
	assertions  *sandbox.Expiring[string]
	remembered  *sandbox.Expiring[remembered]
	codes       *sandbox.Expiring[*sentCode] // by verification id
	codeQuotas  *sandbox.Expiring[*int]      // codes sent, by what they were sent to
	faults      Faults
	dice        sandbox.Dice
	terms       termsAccepted
	features    map[string]string // feature to level, as the directory says
	offer       Offer
	// offerVersion counts the changes of features and offer.
	offerVersion int
	media        map[string]*mediaObject
	mediaOrder   []string // oldest first
	mediaTotal   int64    // bytes
	mediaDir     string
	order        int64
	posts        sandbox.Ring[*posted]
	deliveries   sandbox.Ring[delivered]
	tasks        sandbox.Tasks
	changed      chan struct{} // closed at the next change
	revision     int64
	taken        map[string]int64 // webhooks that the partner took, by type
	wake         chan struct{}    // tells Run that something may be due
	stopped      chan struct{}    // closed when Run ends
	stop         sync.Once
}

// partner is a registered caller with its endpoint and its events.
type partner struct {
	Partner
	keys   jwk.Set
	keysAt time.Time
	users  map[string]*user // by folded user-visible id
	hook   endpoint
	log    eventLog
	lanes  sandbox.Lanes[*event]
}

// New makes a sandbox. Requests are served at once; webhooks and personas need Run.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.SigningKey == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("simulator: make signing key: %w", err)
		}
		cfg.SigningKey = key
	}
	c, err := compiled()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, contract: c, wake: make(chan struct{}, 1), changed: make(chan struct{}), stopped: make(chan struct{})}
	if s.keySet, err = publicKeySet(cfg.SigningKey); err != nil {
		return nil, err
	}
	if err := s.reset(); err != nil {
		return nil, err
	}
	if s.api, err = s.routes(); err != nil {
		return nil, err
	}
	if s.control, err = s.controlRoutes(); err != nil {
		return nil, err
	}
	s.handler = sandbox.OneAddress(s.api, s.control)
	return s, nil
}

// Handler serves the API, the control API and the page on one address.
func (s *Server) Handler() http.Handler { return s.handler }

// API serves the Gatekeeper Interop API alone.
func (s *Server) API() http.Handler { return s.api }

// Control serves the control API and the page alone.
func (s *Server) Control() http.Handler { return s.control }

// ServeHTTP is Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// reset puts the state back to what the configuration says.
func (s *Server) reset() error {
	s.partners, s.people, s.personOrder = map[string]*partner{}, map[string]*person{}, nil
	s.users, s.enlistments, s.chats, s.messages = map[string]*user{}, map[string]*user{}, map[string]*chat{}, map[string]*message{}
	s.requests, s.reports, s.jobs = map[string]*chat{}, map[string]*report{}, map[string]*job{}
	s.tokens, s.jtis = sandbox.NewExpiring[token](maxTokens), sandbox.NewExpiring[struct{}](maxJTIs)
	s.assertions, s.remembered = sandbox.NewExpiring[string](maxAssertions), sandbox.NewExpiring[remembered](s.cfg.Limits.IdempotencyKeys)
	s.codes, s.codeQuotas = sandbox.NewExpiring[*sentCode](maxCodes), sandbox.NewExpiring[*int](maxCodes)
	s.posts, s.deliveries = sandbox.Ring[*posted]{Max: s.cfg.Limits.Ledger}, sandbox.Ring[delivered]{Max: s.cfg.Limits.Ledger}
	s.taken = map[string]int64{}
	s.tasks, s.faults, s.dice, s.order = sandbox.Tasks{}, s.cfg.Faults, sandbox.NewDice(s.cfg.Seed), 0
	s.terms = defaultTerms()
	s.dropMedia()
	s.resetOffer()
	for _, p := range s.cfg.Partners {
		if err := s.register(p); err != nil {
			return err
		}
	}
	for _, p := range s.cfg.People {
		s.addPerson(p)
	}
	s.touch()
	return nil
}

func (s *Server) addPerson(p Person) {
	or(&p.Persona, PersonaNone)
	or(&p.Accepts, AccessRequest)
	if s.people[p.ID] == nil {
		s.personOrder = append(s.personOrder, p.ID)
		s.people[p.ID] = &person{}
	}
	s.people[p.ID].Person = p
}

func (s *Server) register(p Partner) error {
	known := s.partners[p.ClientID]
	if known == nil {
		known = &partner{users: map[string]*user{}, log: eventLog{max: s.cfg.Limits.Events, next: 1}}
		s.partners[p.ClientID] = known
	}
	known.Partner, known.keys = p, nil
	if len(p.JWKS) > 0 {
		set, err := parseKeys(p.JWKS)
		if err != nil {
			return fmt.Errorf("simulator: partner %q: jwks: %w", p.ClientID, err)
		}
		known.keys = set
	}
	if p.WebhookURL != "" {
		or(&p.WebhookSecret, newSecret())
		known.hook.set(p.WebhookURL, p.WebhookSecret, s.cfg.Now())
		s.reschedule(known)
	}
	return nil
}

// touch tells everybody who waits that the state changed. Callers hold the lock.
func (s *Server) touch() {
	s.revision++
	close(s.changed)
	s.changed = make(chan struct{})
}

// issuer is the `aud` of assertions and the base of URLs.
func (s *Server) issuer(r *http.Request) string {
	if s.cfg.Issuer != "" {
		return s.cfg.Issuer
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// call is one request on its way through an operation.
type call struct {
	*Server
	r       *http.Request
	partner *partner
	subject string // of the user assertion
	user    *user  // nil while the subject is not enlisted
	body    []byte
	now     time.Time
}

func (c *call) param(name string) string { return sandbox.Param(c.r, name) }

// routes builds the API from the document: an operation without an implementation is an error.
func (s *Server) routes() (http.Handler, error) {
	router := chi.NewRouter()
	impl := implementations()
	for _, op := range s.contract.ops {
		do, ok := impl[op.id]
		if !ok && op.id != "issueToken" {
			return nil, fmt.Errorf("simulator: operation %s is not implemented", op.id)
		}
		router.MethodFunc(op.method, op.path, s.serve(op, do))
	}
	router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		fail("not_found", "the document does not describe this path").reply(requestID(w, r)).write(w)
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		fail("method_not_allowed", "the document does not describe this method here").reply(requestID(w, r)).write(w)
	})
	return router, nil
}

// requestID echoes or makes the X-Request-Id.
func requestID(w http.ResponseWriter, r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 128 {
		id = newID("q")
	}
	w.Header().Set("X-Request-Id", id)
	return id
}

// serve is the way of every API request: faults, token, document, assertion, idempotency, operation.
func (s *Server) serve(op *operation, do implementation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := requestID(w, r)
		fate := requestFate{}
		if op.secured || op.id == "issueToken" {
			fate = s.drawRequestFate()
		}
		if !sandbox.Pause(r.Context(), fate.delay) {
			return
		}
		if fate.refuse != nil {
			fate.refuse.reply(id).write(w)
			return
		}
		var out reply
		if isStream(op) {
			out = s.serveMedia(op, w, r, id)
		} else {
			out = s.process(op, do, w, r, id)
		}
		if out.status == 0 { // it is written already
			return
		}
		if fate.hold > 0 {
			if sandbox.Pause(r.Context(), fate.hold) {
				timedOut().reply(id).write(w)
			}
			return
		}
		out.write(w)
	}
}

func (s *Server) process(op *operation, do implementation, w http.ResponseWriter, r *http.Request, id string) reply {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return fail("too_large", fmt.Sprintf("a body has at most %d bytes", maxBody)).reply(id)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	c := &call{Server: s, r: r, body: body, now: s.cfg.Now()}
	if op.secured {
		p, prob := s.bearer(r)
		if prob != nil {
			return prob.reply(id)
		}
		c.partner = p
	}
	if prob := s.contract.check(op, r, body); prob != nil {
		return prob.reply(id)
	}
	if op.id == "issueToken" {
		return s.tokenReply(r, body)
	}
	if op.asUser {
		sub, prob := s.userOf(r, c.partner)
		if prob != nil {
			return prob.reply(id)
		}
		c.subject = sub
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if op.asUser {
		c.user = s.activeUser(c)
	}
	return s.once(op, c, do, id)
}

func (s *Server) tokenReply(r *http.Request, body []byte) reply {
	form := map[string]string{}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return invalid("body", "not a form").reply("")
	}
	for k := range values {
		form[k] = values.Get(k)
	}
	status, answerBody := s.issueToken(r, form)
	out, err := answer{status: status, body: answerBody}.reply()
	if err != nil {
		return fail("internal", err.Error()).reply("")
	}
	out.header = append(out.header, [2]string{"Cache-Control", "no-store"})
	return out
}
