package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// reports are the world's cases.
type reports struct{ *world }

// reported are a case of each state but closed, the newest first.
func reported() []*gateway.Case {
	at := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	make := func(id gateway.CaseID, decided, appealed bool) *gateway.Case {
		k := &gateway.Case{
			ID: id, User: romeo, Adapter: "whatsapp", Account: "01JB", Contact: "393331234567", Address: "ab3kd9qm2x7w4t5z", Name: "Tybalt " + hostile, Reason: gateway.ReportAbuse,
			Statement: "He bit his thumb.\nAt us! " + hostile, Platform: gateway.CaseNoWay, Opened: at,
		}
		if decided {
			k.Decisions = []gateway.CaseDecision{{Decision: gateway.NoAction, Reasons: "A gesture is no abuse. " + hostile, By: "anna", At: at.Add(time.Hour)}}
		}
		if appealed {
			k.Appeal = &gateway.CaseAppeal{Text: "It was at us. " + hostile, At: at.Add(2 * time.Hour)}
		}
		return k
	}
	return []*gateway.Case{make("01kase3", false, false), make("01kase2", true, true), make("01kase1", true, false)}
}

func (o reports) Cases(_ context.Context, states []gateway.CaseState, after gateway.CaseID, n int) (page []*gateway.Case, next gateway.CaseID, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.cases {
		wanted := len(states) == 0
		for _, s := range states {
			wanted = wanted || s == k.State()
		}
		if wanted && (after == "" || k.ID < after) {
			page = append(page, k)
		}
	}
	if len(page) > n {
		return page[:n], page[n-1].ID, o.err
	}
	return page, "", o.err
}

func (o reports) CasesWaiting(ctx context.Context) (int, error) {
	page, _, err := o.Cases(ctx, []gateway.CaseState{gateway.CaseOpen, gateway.CaseAppealed}, "", 1000)
	return len(page), err
}

func (o reports) Case(_ context.Context, id gateway.CaseID) (*gateway.Case, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.cases {
		if k.ID == id {
			copied := *k
			return &copied, o.err
		}
	}
	return nil, gateway.ErrNotFound
}

func (o reports) Decide(_ context.Context, id gateway.CaseID, now gateway.CaseDecision) (*gateway.Case, error) {
	if err := o.note("decide %s %s by %s: %s", id, now.Decision, now.By, now.Reasons); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.cases {
		switch {
		case k.ID != id:
		case !k.State().Waits():
			return nil, gateway.ErrCaseState
		case now.Decision == gateway.ContactBlocked:
			return nil, gateway.ErrCaseContact
		default:
			now.At = time.Now().UTC()
			k.Decisions = append(k.Decisions, now)
			return k, nil
		}
	}
	return nil, gateway.ErrNotFound
}

// Who may look sees the cases; persons, and what they wrote, are for operators.
func TestCasesShown(t *testing.T) {
	g := newRig(t)
	g.world.cases = reported()
	for role, whole := range map[gateway.Role]bool{gateway.RoleViewer: false, gateway.RoleOperator: true} {
		v := g.visit(role)
		for path, want := range map[string]string{
			"/console/cases": "01kase3", "/console/cases?state=waiting": "01kase2", "/console/cases/01kase3": "could not be told|takes no reports", "/console/cases/01kase2": "Appeal", "/console/cases/01kase1": "The user may appeal until",
			"/console": "Open cases",
		} {
			w := v.get(path)
			page := w.Body.String()
			found := false
			for part := range strings.SplitSeq(want, "|") {
				found = found || strings.Contains(page, part)
			}
			if w.Code != http.StatusOK || !found {
				t.Errorf("%s as %s: got %d without %q", path, role, w.Code, want)
			}
			if persons := strings.Contains(page, romeo) || strings.Contains(page, "thumb") || strings.Contains(page, "gesture") || strings.Contains(page, "It was at us"); persons != (whole && path != "/console") {
				t.Errorf("%s as %s: persons shown is %v", path, role, persons)
			}
			if strings.Contains(page, "<script>document") {
				t.Errorf("%s: what a stranger wrote is markup", path)
			}
		}
		if got := strings.Contains(v.get("/console/cases/01kase3").Body.String(), "<textarea"); got != whole {
			t.Errorf("%s may decide: got %v", role, got)
		}
		if w := v.get("/console/cases?state=lost"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("no state: got %d", w.Code)
		}
		if w := v.get("/console/cases/01none"); w.Code != http.StatusNotFound {
			t.Errorf("no case: got %d", w.Code)
		}
	}
	if page := g.visit(gateway.RoleViewer).get("/console/cases?state=closed").Body.String(); !strings.Contains(page, "No case is in this state") {
		t.Error("closed: want that there is none")
	}
}

// A decision is confirmed, then made, by who may, with the session's word.
func TestDecideCase(t *testing.T) {
	g := newRig(t)
	g.world.cases = reported()
	o := g.visit(gateway.RoleOperator)
	form := func(decision, reasons string) url.Values {
		return url.Values{"decision": {decision}, "reasons": {reasons}}
	}
	w := o.post("/console/cases/01kase3/confirm", form("no_action", "A gesture."))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Decide this case?") || !strings.Contains(w.Body.String(), "A gesture.") || len(g.world.did) > 0 {
		t.Fatalf("confirm: got %d, did %q", w.Code, g.world.did)
	}
	for name, f := range map[string]url.Values{"nothing": {}, "another": form("hang", "x"), "no reasons": form("no_action", " "), "long": form("no_action", strings.Repeat("x", 2001))} {
		for _, path := range []string{"/console/cases/01kase3/confirm", "/console/cases/01kase3"} {
			if w := o.post(path, f); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Nothing was decided") {
				t.Errorf("%s at %s: got %d", name, path, w.Code)
			}
		}
	}
	back := form("forwarded", "Typed before")
	back.Set("again", "yes")
	if w := o.post("/console/cases/01kase3", back); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), ">Typed before</textarea>") || !strings.Contains(w.Body.String(), `value="forwarded" selected`) {
		t.Errorf("back: got %d, want what was typed", w.Code)
	}
	stolen := form("no_action", "x")
	stolen.Set("form", "guessed")
	if w := o.post("/console/cases/01kase3", stolen); w.Code != http.StatusForbidden {
		t.Errorf("without the session's word: got %d, want 403", w.Code)
	}
	if w := g.visit(gateway.RoleViewer).post("/console/cases/01kase3", form("no_action", "x")); w.Code != http.StatusForbidden {
		t.Errorf("viewer: got %d, want 403", w.Code)
	}
	if w := o.post("/console/cases/01kase3", form("contact_blocked", "x")); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "cannot be blocked") {
		t.Errorf("who is gone: got %d", w.Code)
	}
	g.world.did = nil
	if w := o.post("/console/cases/01kase3", form("no_action", "A gesture.\r\nNo more.")); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/cases?state=waiting" {
		t.Errorf("decide: got %d to %s", w.Code, w.Header().Get("Location"))
	}
	if got := strings.Join(g.world.did, ", "); got != "decide 01kase3 no_action by operator: A gesture.\nNo more." {
		t.Errorf("did %q", got)
	}
	if page := o.get("/console/cases?state=waiting").Body.String(); !strings.Contains(page, "The case is decided, and its user is told.") || strings.Contains(page, "01kase3") {
		t.Error("want the last word, and one case less")
	}
	for _, path := range []string{"/console/cases/01kase3/confirm", "/console/cases/01kase3"} {
		if w := o.post(path, form("no_action", "Twice.")); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "has decided it meanwhile") {
			t.Errorf("twice at %s: got %d, want 409", path, w.Code)
		}
	}
	if w := o.post("/console/cases/01kase2", form("no_action", strings.Repeat("\U0001F984", 2000))); w.Code != http.StatusSeeOther {
		t.Errorf("2000 characters: got %d, want that they fit", w.Code)
	}
	g.world.fail(errors.New("down"))
	if w := o.get("/console/cases"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("store down: got %d, want 503", w.Code)
	}
}

// Whoever looks at a decision that was not carried out finds it in the form, and is not sent away.
func TestCaseDueIsOffered(t *testing.T) {
	g := newRig(t)
	g.world.cases = reported()
	g.world.cases[2].Decisions[0].Due = true
	o := g.visit(gateway.RoleOperator)
	page := o.get("/console/cases/01kase1").Body.String()
	for _, want := range []string{"not yet: decide the very same once more", `value="no_action" selected`, "A gesture is no abuse."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
