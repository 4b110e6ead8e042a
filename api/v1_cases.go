package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-chi/chi/v5"

	"postern/gateway"
)

// Cases are users' reports, for the operator to decide; *gateway.Desk has them, with what it shows sent on.
type Cases interface {
	// Cases returns a page, newest first, of those in some states, all where none is named.
	Cases(ctx context.Context, states []gateway.CaseState, after gateway.CaseID, n int) (page []*gateway.Case, next gateway.CaseID, err error)
	CasesWaiting(ctx context.Context) (int, error)
	// Case and Decide return gateway.ErrNotFound where there is none, Decide gateway.ErrCaseState where it does not wait for a decision and
	// gateway.ErrCaseContact where there is nobody left to block.
	Case(ctx context.Context, id gateway.CaseID) (*gateway.Case, error)
	Decide(ctx context.Context, id gateway.CaseID, now gateway.CaseDecision) (*gateway.Case, error)
}

// CasesView is a page of cases.
type CasesView struct {
	Items []CaseView     `json:"items"`
	Next  gateway.CaseID `json:"next,omitempty"`
}

// CaseView is one. Viewers are told neither whom it is about nor what anybody wrote.
type CaseView struct {
	ID          gateway.CaseID       `json:"id"`
	State       gateway.CaseState    `json:"state"`
	Adapter     gateway.AdapterID    `json:"adapter"`
	Reason      gateway.ReportReason `json:"reason"`
	Platform    gateway.CasePlatform `json:"platform"`
	Opened      time.Time            `json:"opened"`
	User        gateway.UserID       `json:"user,omitempty"`
	Contact     *CaseContactView     `json:"contact,omitempty"`
	Statement   string               `json:"statement,omitempty"`
	Decisions   []DecisionView       `json:"decisions"`
	Appeal      *AppealView          `json:"appeal,omitempty"`
	AppealUntil time.Time            `json:"appeal_until,omitzero"`
}

// CaseContactView is whom a case is about.
type CaseContactView struct {
	ID      gateway.ContactID `json:"id"`
	Address string            `json:"address"`
	Name    string            `json:"name,omitempty"`
}

// DecisionView is what was decided.
type DecisionView struct {
	Decision gateway.Decision `json:"decision"`
	Reasons  string           `json:"reasons,omitempty"`
	By       string           `json:"by"`
	At       time.Time        `json:"at"`
	Due      bool             `json:"due,omitempty"`
}

// AppealView is what the user has to say against it.
type AppealView struct {
	Text string    `json:"text,omitempty"`
	At   time.Time `json:"at"`
}

// CaseOrder decides a case.
type CaseOrder struct {
	Decision gateway.Decision `json:"decision"`
	Reasons  string           `json:"reasons"`
}

// ViewCase is a case for who has a role.
func (c Control) ViewCase(k *gateway.Case, role gateway.Role) CaseView {
	out := CaseView{ID: k.ID, State: k.State(), Adapter: k.Adapter, Reason: k.Reason, Platform: k.Platform, Opened: k.Opened, Decisions: []DecisionView{}, AppealUntil: k.AppealUntil()}
	whole := role.May(gateway.RoleOperator)
	for _, d := range k.Decisions {
		view := DecisionView{d.Decision, d.Reasons, d.By, d.At, d.Due}
		if !whole {
			view.Reasons = ""
		}
		out.Decisions = append(out.Decisions, view)
	}
	if k.Appeal != nil {
		out.Appeal = &AppealView{At: k.Appeal.At}
	}
	if !whole {
		return out
	}
	if k.Appeal != nil {
		out.Appeal.Text = k.Appeal.Text
	}
	at := ""
	for _, i := range c.Instances {
		if i.ID == k.Adapter {
			at = "@" + i.Component
		}
	}
	out.User, out.Contact, out.Statement = k.User, &CaseContactView{k.Contact, string(k.Address) + at, k.Name}, k.Statement
	return out
}

// caseWaiting stands for all states that wait for the operator.
const caseWaiting = "waiting"

// CaseFilter reads which cases are meant: a state, waiting, or nothing for all.
func CaseFilter(state string) ([]gateway.CaseState, error) {
	switch {
	case state == "":
		return nil, nil
	case state == caseWaiting:
		return slices.DeleteFunc(gateway.CaseStates(), func(s gateway.CaseState) bool { return !s.Waits() }), nil
	case slices.Contains(gateway.CaseStates(), gateway.CaseState(state)):
		return []gateway.CaseState{gateway.CaseState(state)}, nil
	}
	return nil, &wrong{"state", "It is open, decided, appealed, closed or waiting.", false}
}

// maxReasons is the most characters of a statement of reasons.
const maxReasons = 2000

// CheckCaseOrder returns an order as it is carried out, or says what is wrong with it.
func CheckCaseOrder(o CaseOrder) (CaseOrder, error) {
	if !slices.Contains(gateway.Decisions(), o.Decision) {
		return o, &wrong{"decision", "It is no_action, contact_blocked or forwarded.", false}
	}
	o.Reasons = strings.TrimSpace(strings.ReplaceAll(o.Reasons, "\r\n", "\n"))
	unfit := func(r rune) bool { return unicode.IsControl(r) && r != '\n' }
	if o.Reasons == "" || len([]rune(o.Reasons)) > maxReasons || strings.ContainsFunc(o.Reasons, unfit) {
		return o, &wrong{"reasons", fmt.Sprintf("They are what the user is told: a text of 1 to %d characters.", maxReasons), false}
	}
	return o, nil
}

// DecideCase decides a case; its user is told.
func (c Control) DecideCase(ctx context.Context, actor string, id gateway.CaseID, o CaseOrder) (*gateway.Case, error) {
	o, err := CheckCaseOrder(o)
	if err != nil {
		return nil, err
	}
	return c.Cases.Decide(ctx, id, gateway.CaseDecision{Decision: o.Decision, Reasons: o.Reasons, By: actor})
}

func (v v1) cases(r *http.Request) (any, error) {
	q, err := query(r, "state", "after", "limit")
	if err != nil {
		return nil, err
	}
	n, err := pageSize(q)
	if err != nil {
		return nil, err
	}
	states, err := CaseFilter(q.Get("state"))
	if err != nil {
		return nil, err
	}
	page, next, err := v.Cases.Cases(r.Context(), states, gateway.CaseID(q.Get("after")), n)
	switch {
	case errors.Is(err, gateway.ErrCursor):
		return nil, &wrong{"after", "It is not the next of a page.", false}
	case err != nil:
		return nil, err
	}
	out := CasesView{[]CaseView{}, next}
	for _, c := range page {
		out.Items = append(out.Items, v.ViewCase(c, token(r).Role))
	}
	return out, nil
}

func (v v1) showCase(r *http.Request) (any, error) {
	c, err := v.Cases.Case(r.Context(), gateway.CaseID(chi.URLParam(r, "id")))
	if err != nil {
		return nil, err
	}
	return v.ViewCase(c, token(r).Role), nil
}

func (v v1) decide(r *http.Request) (any, error) {
	var o CaseOrder
	if err := decode(r, &o); err != nil {
		return nil, err
	}
	t := token(r)
	c, err := v.DecideCase(r.Context(), t.Name, gateway.CaseID(chi.URLParam(r, "id")), o)
	if err != nil {
		return nil, err
	}
	return v.ViewCase(c, t.Role), nil
}
