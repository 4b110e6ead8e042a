package api

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"postern/api/docs"
	"postern/api/internal/page"
	"postern/gateway"
)

// Operations is what the operator's side may look at and do; *gateway.Gateway is one.
type Operations interface {
	Queues(ctx context.Context) ([]gateway.QueueState, []gateway.ParkedLanes, error)
	Letters(ctx context.Context, f gateway.LetterFilter, after gateway.LetterID, n int) (page []gateway.Letter, next gateway.LetterID, err error)
	ReplayLetter(ctx context.Context, id gateway.LetterID) error
	DropLetter(ctx context.Context, id gateway.LetterID) error
	ReplayLetters(ctx context.Context, f gateway.LetterFilter) (int, error)
	DropLetters(ctx context.Context, f gateway.LetterFilter) (int, error)
	// CanaryState is how an adapter's last canary ended, on whichever replica.
	CanaryState(ctx context.Context, a gateway.AdapterID) (gateway.CanaryState, error)
	// Allowance says what a user may do on an adapter, without spending anything.
	Allowance(ctx context.Context, user gateway.UserID, a gateway.AdapterID) (gateway.Allowance, error)
}

// Audit is where every change is written down before it is made; *gateway.Audit is one.
type Audit interface {
	Add(ctx context.Context, actor, action, object string) (gateway.AuditEntry, error)
	// AddAbout returns the salt by which alone the line can be shown to be about the user.
	AddAbout(ctx context.Context, actor, action, object string, user gateway.UserID) (e gateway.AuditEntry, salt string, err error)
	// Last is the newest line, the zero AuditEntry of an empty log.
	Last(ctx context.Context) (gateway.AuditEntry, error)
	Lines(ctx context.Context, after int64, n int) ([]gateway.AuditEntry, error)
}

// Control is the operator's side of the API. All fields are required.
type Control struct {
	Guard      *Guard
	Operations Operations
	Users      Users
	Audit      Audit
	Orders     Orders
	Cases      Cases
	Instances  []gateway.Instance
	// ParseUser reads a bare JID (RFC 7622).
	ParseUser func(string) (gateway.UserID, error)
	// ParseDomain reads a domain.
	ParseDomain func(string) (string, error)
}

//go:embed openapi.yaml
var document []byte

const (
	// maxAsked bounds the body of a request of the operator's side.
	maxAsked = 64 << 10
	// defaultPage and maxPage are how many entries one answer lists.
	defaultPage = 100
	maxPage     = 1000
)

// v1 is the operator's side, below /v1.
type v1 struct {
	Control
	log *slog.Logger
}

func (v v1) routes(r chi.Router) {
	g := v.Guard
	r.Get("/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(document) // a caller that is gone hears nothing
	})
	r.Method(http.MethodGet, "/docs", docs.New(document, "/v1/openapi.yaml", "/v1/docs"))
	r.Method(http.MethodGet, "/docs/{file}", page.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !page.File(w, r) {
			notFound(w, r)
		}
	})))
	viewer := r.With(g.needs(gateway.RoleViewer))
	viewer.Get("/whoami", v.answer(v.whoami))
	viewer.Get("/adapters", v.answer(v.adapters))
	viewer.Get("/queues", v.answer(v.queues))
	viewer.Get("/dead-letters", v.answer(v.letters))
	viewer.Get("/cases", v.answer(v.cases))
	viewer.Get("/cases/{id}", v.answer(v.showCase))
	operator := r.With(g.needs(gateway.RoleOperator))
	operator.Post("/dead-letters/replay", v.answer(v.replayLetters))
	operator.Post("/dead-letters/drop", v.answer(v.dropLetters))
	operator.Post("/dead-letters/{partition}/{entry}/replay", v.answer(v.replayLetter))
	operator.Delete("/dead-letters/{partition}/{entry}", v.answer(v.dropLetter))
	operator.Post("/cases/{id}/decision", v.answer(v.decide))
	operator.Get("/users/{jid}/accounts", v.answer(v.accounts))
	operator.Get("/users/{jid}/chats", v.answer(v.chats))
	operator.Get("/users/{jid}/invites", v.answer(v.invites))
	operator.Delete("/users/{jid}/invites/{invite}", v.answer(v.revokeInvite))
	operator.Post("/adapters/{name}/stop", v.answer(v.stopAdapter))
	operator.Post("/adapters/{name}/start", v.answer(v.startAdapter))
	admin := r.With(g.needs(gateway.RoleAdmin))
	admin.Get("/users/{jid}/export", v.answer(v.export))
	admin.Get("/users/{jid}/deeds", v.answer(v.deeds))
	admin.Delete("/users/{jid}", v.answer(v.erase))
	admin.Get("/policy", v.answer(v.policy))
	admin.Get("/blocks", v.answer(v.blocks))
	admin.Post("/blocks", v.answer(v.block))
	admin.Delete("/blocks/{jid}", v.answer(v.unblock))
	admin.Get("/audit", v.answer(v.audit))
}

// wrong is a request that asks for what cannot be; Field names the parameter or member.
type wrong struct {
	field, detail string
	// unread: the request could not even be read.
	unread bool
}

func (w *wrong) Error() string { return w.field + ": " + w.detail }

// Input implements gateway.InputError.
func (w *wrong) Input() string { return w.field }

// answer turns what a handler returns into JSON, nil into 204, and errors into problems.
func (v v1) answer(h func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got, err := h(r)
		if err != nil {
			v.refuse(w, err)
			return
		}
		if got == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, err := json.Marshal(got)
		if err != nil {
			v.refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n')) // a caller that is gone hears nothing
	}
}

func (v v1) refuse(w http.ResponseWriter, err error) {
	if bad, ok := errors.AsType[*wrong](err); ok {
		status := http.StatusUnprocessableEntity
		if bad.unread {
			status = http.StatusBadRequest
		}
		tell(w, problem{Status: status, Detail: bad.detail, Field: bad.field})
		return
	}
	if errors.Is(err, gateway.ErrNotFound) {
		refuse(w, http.StatusNotFound, "It is not there, or not there any more.")
		return
	}
	if errors.Is(err, gateway.ErrCaseState) {
		refuse(w, http.StatusConflict, "It is decided already, and does not wait for a decision.")
		return
	}
	if errors.Is(err, gateway.ErrCaseContact) {
		refuse(w, http.StatusConflict, "The contact is not there any more and cannot be blocked: decide otherwise.")
		return
	}
	if errors.Is(err, gateway.ErrFull) {
		refuse(w, http.StatusConflict, "There is no room for more.")
		return
	}
	v.log.Warn("operator's request not answered", "err", err)
	refuseForNow(w, retrySoon, "The gateway cannot answer this now.")
}

// decode reads a body strictly.
func decode(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAsked+1))
	switch {
	case err != nil:
		return &wrong{"body", "The body could not be read.", true}
	case len(body) > maxAsked:
		return &wrong{"body", fmt.Sprintf("A body has at most %d bytes.", maxAsked), true}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
			return &wrong{t.Field, "It is of another type.", true}
		}
		return &wrong{"body", "The body is not the JSON object that openapi.yaml describes.", true}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &wrong{"body", "There is more than one JSON value.", true}
	}
	return exact(body, into)
}

// exact refuses what encoding/json lets pass: null for anything, and members whose names differ in case.
func exact(body []byte, into any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return &wrong{"body", "The body is not the JSON object that openapi.yaml describes.", true}
	}
	for known := range reflect.TypeOf(into).Elem().Fields() {
		name, _, _ := strings.Cut(known.Tag.Get("json"), ",")
		if string(members[name]) == "null" {
			return &wrong{name, "It is of another type.", true}
		}
		delete(members, name)
	}
	if len(members) > 0 {
		return &wrong{"body", "The body has a member that openapi.yaml does not describe.", true}
	}
	return nil
}

// query reads the parameters that a route knows, and refuses any other.
func query(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &wrong{"query", "The query is not of the form a=b&c=d.", true}
	}
	left := len(values)
	for _, name := range known {
		if n := len(values[name]); n > 1 {
			return nil, &wrong{name, "It is there more than once.", false}
		} else if n == 1 {
			left--
		}
	}
	if left > 0 {
		return nil, &wrong{"query", "There is a parameter that this address does not know.", false}
	}
	return values, nil
}

// pageSize reads the parameter limit.
func pageSize(q url.Values) (int, error) {
	if !q.Has("limit") {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > maxPage {
		return 0, &wrong{"limit", fmt.Sprintf("It is a number from 1 to %d.", maxPage), false}
	}
	return n, nil
}

func (v v1) whoami(r *http.Request) (any, error) {
	t := token(r)
	return TokenView{t.Name, t.Role, t.Until}, nil
}

func (v v1) adapters(r *http.Request) (any, error) {
	out := AdaptersView{[]AdapterView{}}
	for _, i := range v.Instances {
		view := AdapterView{ID: i.ID, Name: i.Name, Platform: i.Adapter.Descriptor().Platform, JID: i.Component}
		if s, ok := v.Orders.Stopped(i.ID); ok {
			view.Stopped = &StopView{s.Reason, s.By, s.At}
		}
		if i.Canary.User != "" {
			s, err := v.Operations.CanaryState(r.Context(), i.ID)
			if err != nil {
				return nil, err
			}
			view.Canary = &CanaryView{i.Canary.Every.Seconds(), s.Result, s.At, s.OK, s.Took.Seconds()}
		}
		out.Items = append(out.Items, view)
	}
	return out, nil
}

func (v v1) queues(r *http.Request) (any, error) {
	queues, parked, err := v.Operations.Queues(r.Context())
	if err != nil {
		return nil, err
	}
	out := QueuesView{[]QueueView{}, []ParkedView{}}
	for _, q := range queues {
		out.Queues = append(out.Queues, QueueView(q))
	}
	for _, p := range parked {
		out.Parked = append(out.Parked, ParkedView{p.Where, p.Reason, p.Lanes, p.Next})
	}
	return out, nil
}

func (v v1) audit(r *http.Request) (any, error) {
	q, err := query(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	n, err := pageSize(q)
	if err != nil {
		return nil, err
	}
	var after int64
	if q.Has("after") {
		if after, err = strconv.ParseInt(q.Get("after"), 10, 64); err != nil || after < 0 {
			return nil, &wrong{"after", "It is the number of a line.", false}
		}
	}
	lines, err := v.Audit.Lines(r.Context(), after, n)
	if err != nil {
		return nil, err
	}
	out := AuditView{Items: append([]gateway.AuditEntry{}, lines...)}
	if len(lines) == n {
		out.Next = lines[n-1].Seq
	}
	return out, nil
}
