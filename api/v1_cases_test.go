package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// report is a case that was decided and appealed against.
func report() *gateway.Case {
	at := time.Unix(5, 0).UTC()
	return &gateway.Case{
		ID: "01c", User: romeo, Adapter: "one", Account: "01A", Contact: "id-tybalt", Address: "abc", Name: "Tybalt", Reason: gateway.ReportAbuse, Statement: "He bit his thumb.",
		Platform: gateway.CaseTold, Opened: at, Decisions: []gateway.CaseDecision{{Decision: gateway.NoAction, Reasons: "A gesture.", By: "anna", At: at}},
		Appeal: &gateway.CaseAppeal{Text: "At us!", At: at},
	}
}

func (u users) Cases(_ context.Context, states []gateway.CaseState, after gateway.CaseID, n int) ([]*gateway.Case, gateway.CaseID, error) {
	if after == "nowhere" {
		return nil, "", gateway.ErrCursor
	}
	var named []string
	for _, s := range states {
		named = append(named, string(s))
	}
	u.did = append(u.did, strings.TrimSpace("cases "+strings.Join(named, "+")+" "+string(after)))
	return []*gateway.Case{report()}, "01b", u.err
}

func (u users) CasesWaiting(context.Context) (int, error) { return 1, u.err }

func (u users) Case(_ context.Context, id gateway.CaseID) (*gateway.Case, error) {
	if id != "01c" {
		return nil, gateway.ErrNotFound
	}
	return report(), u.err
}

func (u users) Decide(ctx context.Context, id gateway.CaseID, now gateway.CaseDecision) (*gateway.Case, error) {
	c, err := u.Case(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case now.Decision == gateway.ContactBlocked:
		return nil, gateway.ErrCaseContact
	case now.Reasons == "Late.":
		return nil, gateway.ErrCaseState
	}
	u.did = append(u.did, "decide "+string(id)+" "+string(now.Decision)+" by "+now.By+": "+now.Reasons)
	c.Decisions = append(c.Decisions, now)
	return c, u.err
}

// A decision that is not carried out yet shows as that.
func TestCaseDueIsSeen(t *testing.T) {
	k := report()
	k.Decisions = append(k.Decisions, gateway.CaseDecision{Decision: gateway.Forwarded, By: "anna", Due: true})
	got := Control{}.ViewCase(k, gateway.RoleViewer)
	if got.State != gateway.CaseAppealed || got.Decisions[0].Due || !got.Decisions[1].Due {
		t.Errorf("got %+v, want the second due", got)
	}
}

func TestCaseAnswers(t *testing.T) {
	const (
		head   = `"id":"01c","state":"appealed","adapter":"one","reason":"abuse","platform":"told","opened":"1970-01-01T00:00:05Z",`
		person = `"user":"romeo@example.org","contact":{"id":"id-tybalt","address":"abc@one.example.org","name":"Tybalt"},"statement":"He bit his thumb.",`
	)
	decide := func(body string) string { return `{"decision":"forwarded","reasons":"` + body + `"}` }
	orders{
		{name: "list", path: "/v1/cases", role: gateway.RoleViewer, status: 200, want: `"next":"01b"`, did: "cases"},
		{name: "list of what waits", path: "/v1/cases?state=waiting&after=01x&limit=5", role: gateway.RoleOperator, status: 200, want: "{" + head + person, did: "cases open+appealed 01x"},
		{name: "list of a state", path: "/v1/cases?state=closed", role: gateway.RoleOperator, status: 200, did: "cases closed"},
		{name: "list behind nonsense", path: "/v1/cases?after=nowhere", role: gateway.RoleViewer, status: 422, want: `"field":"after"`},
		{name: "list of nonsense", path: "/v1/cases?state=lost", role: gateway.RoleViewer, status: 422, want: `"field":"state"`},
		{name: "a viewer sees no person", path: "/v1/cases/01c", role: gateway.RoleViewer, status: 200, want: "{" + head + `"decisions":[{"decision":"no_action","by":"anna","at":"1970-01-01T00:00:05Z"}],"appeal":{"at":"1970-01-01T00:00:05Z"}}`},
		{name: "an operator does", path: "/v1/cases/01c", role: gateway.RoleOperator, status: 200, want: head + person + `"decisions":[{"decision":"no_action","reasons":"A gesture.","by":"anna","at":"1970-01-01T00:00:05Z"}],"appeal":{"text":"At us!","at":"1970-01-01T00:00:05Z"}}`},
		{name: "none", path: "/v1/cases/01d", role: gateway.RoleViewer, status: 404},
		{name: "nobody looks", path: "/v1/cases", status: 401},
		{name: "decide", method: "POST", path: "/v1/cases/01c/decision", body: decide(" It is\\r\\nso. "), role: gateway.RoleOperator, status: 200, want: `"state":"closed"`, did: "decide 01c forwarded by operator: It is\nso."},
		{name: "decide none", method: "POST", path: "/v1/cases/01d/decision", body: decide("x"), role: gateway.RoleOperator, status: 404},
		{name: "decide what is decided", method: "POST", path: "/v1/cases/01c/decision", body: decide("Late."), role: gateway.RoleOperator, status: 409, want: "decided already"},
		{name: "block who is gone", method: "POST", path: "/v1/cases/01c/decision", body: `{"decision":"contact_blocked","reasons":"x"}`, role: gateway.RoleOperator, status: 409, want: "cannot be blocked"},
		{name: "decide something else", method: "POST", path: "/v1/cases/01c/decision", body: `{"decision":"hang","reasons":"x"}`, role: gateway.RoleOperator, status: 422, want: `"field":"decision"`},
		{name: "decide without reasons", method: "POST", path: "/v1/cases/01c/decision", body: decide(" "), role: gateway.RoleOperator, status: 422, want: `"field":"reasons"`},
		{name: "decide at length", method: "POST", path: "/v1/cases/01c/decision", body: decide(strings.Repeat("x", 2001)), role: gateway.RoleOperator, status: 422, want: `"field":"reasons"`},
		{name: "decide with an escape", method: "POST", path: "/v1/cases/01c/decision", body: decide("\\u001b[1m"), role: gateway.RoleOperator, status: 422, want: `"field":"reasons"`},
		{name: "a viewer decides", method: "POST", path: "/v1/cases/01c/decision", body: decide("x"), role: gateway.RoleViewer, status: 403, want: "operator"},
	}.hold(t)
}
