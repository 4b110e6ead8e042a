package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"postern/api"
	"postern/gateway"
)

// casesView is a page of what users reported.
type casesView struct {
	Items  []api.CaseView
	State  string
	States []string
	Next   string
	Say    string
}

const casesPage = 50

// casesPath is the address of the list in a state, from a place on.
func casesPath(state string, after gateway.CaseID) string {
	q := url.Values{}
	if state != "" {
		q.Set("state", state)
	}
	if after != "" {
		q.Set("after", string(after))
	}
	return (&url.URL{Path: "/console/cases", RawQuery: q.Encode()}).String()
}

func (c *Console) cases(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	states, err := api.CaseFilter(state)
	if err != nil {
		c.fail(w, r, http.StatusUnprocessableEntity, "There is no such state.", "The form on the page of cases has those that there are.")
		return
	}
	page, next, err := c.Control.Cases.Cases(r.Context(), states, gateway.CaseID(r.URL.Query().Get("after")), casesPage)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	v := casesView{State: state, States: []string{"waiting"}, Say: strconv.Itoa(len(page)) + " cases on this page"}
	for _, s := range gateway.CaseStates() {
		v.States = append(v.States, string(s))
	}
	for _, k := range page {
		v.Items = append(v.Items, c.Control.ViewCase(k, visitOf(r).token.Role))
	}
	if next != "" {
		v.Next = casesPath(state, next)
	}
	c.show(w, r, http.StatusOK, "cases", "Cases", v)
}

// caseView is one case, with what is about to be decided of it, and what was wrong with that.
type caseView struct {
	api.CaseView
	Order api.CaseOrder
	Wrong string
	// Sure asks once more.
	Sure bool
}

// Choices are what can be decided.
func (caseView) Choices() []gateway.Decision { return gateway.Decisions() }

// Waits reports whether the case waits for a decision.
func (v caseView) Waits() bool { return v.State.Waits() }

// showCase shows a case and the form, filled in with what was typed.
func (c *Console) showCase(w http.ResponseWriter, r *http.Request, status int, v caseView) {
	k, err := c.Control.Cases.Case(r.Context(), gateway.CaseID(chi.URLParam(r, "id")))
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	v.CaseView = c.Control.ViewCase(k, visitOf(r).token.Role)
	if v.Sure && !v.Waits() {
		v.Sure, status = false, http.StatusConflict
		v.Wrong = "Somebody else has decided it meanwhile."
	}
	if n := len(v.Decisions); n > 0 && v.Decisions[n-1].Due && v.Order == (api.CaseOrder{}) { // whoever looks can finish it
		v.Order = api.CaseOrder{Decision: v.Decisions[n-1].Decision, Reasons: v.Decisions[n-1].Reasons}
	}
	name, title := "case", "Case"
	if v.Sure {
		name, title = "decide", "Confirm"
	}
	c.show(w, r, status, name, title, v)
}

func (c *Console) oneCase(w http.ResponseWriter, r *http.Request) {
	c.showCase(w, r, http.StatusOK, caseView{})
}

// orderedCase is a decision out of a form.
func orderedCase(form url.Values) api.CaseOrder {
	return api.CaseOrder{Decision: gateway.Decision(form.Get("decision")), Reasons: form.Get("reasons")}
}

// confirmCase asks once more: what is told to a user cannot be taken back.
func (c *Console) confirmCase(w http.ResponseWriter, r *http.Request) {
	o, err := api.CheckCaseOrder(orderedCase(r.PostForm))
	if err != nil {
		c.showCase(w, r, http.StatusUnprocessableEntity, caseView{Order: orderedCase(r.PostForm), Wrong: "Nothing was decided. " + err.Error()})
		return
	}
	c.showCase(w, r, http.StatusOK, caseView{Order: o, Sure: true})
}

func (c *Console) decideCase(w http.ResponseWriter, r *http.Request) {
	v, id := visitOf(r), gateway.CaseID(chi.URLParam(r, "id"))
	o := orderedCase(r.PostForm)
	if r.PostForm.Get("again") != "" { // back to the form, with what was typed
		c.showCase(w, r, http.StatusOK, caseView{Order: o})
		return
	}
	if o, err := api.CheckCaseOrder(o); err != nil {
		c.showCase(w, r, http.StatusUnprocessableEntity, caseView{Order: o, Wrong: "Nothing was decided. " + err.Error()})
		return
	}
	_, err := c.Control.DecideCase(context.WithoutCancel(r.Context()), v.token.Name, id, o)
	c.forget()
	switch {
	case errors.Is(err, gateway.ErrCaseState):
		c.showCase(w, r, http.StatusConflict, caseView{Wrong: "Somebody else has decided it meanwhile."})
	case errors.Is(err, gateway.ErrCaseContact):
		c.showCase(w, r, http.StatusConflict, caseView{Order: o, Wrong: "Nothing was decided. The contact is not there any more and cannot be blocked: decide otherwise."})
	case err != nil:
		c.refuse(w, r, err)
	default:
		c.sessions.say(v.id, "The case is decided, and its user is told.")
		http.Redirect(w, r, casesPath("waiting", ""), http.StatusSeeOther)
	}
}
