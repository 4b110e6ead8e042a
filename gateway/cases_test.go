package gateway_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// reports has romeo report tybalt, and returns the case that he is told.
func (c *counter) reports(statement string) *gateway.Case {
	c.t.Helper()
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeReport), map[string]string{"contact": "tybalt", "reason": "abuse", "statement": statement})
	for _, k := range c.cases() {
		if strings.Contains(r.Text, string(k.ID)) {
			return k
		}
	}
	c.t.Fatalf("got %q, want the id of a case", r.Text)
	return nil
}

func (c *counter) cases(states ...gateway.CaseState) []*gateway.Case {
	c.t.Helper()
	page, next, err := c.desk.Cases(c.t.Context(), states, "", 1000)
	if err != nil || next != "" {
		c.t.Fatalf("cases: got next %q, %v", next, err)
	}
	return page
}

// decide decides, and returns what the user is told.
func (c *counter) decide(id gateway.CaseID, what gateway.Decision, reasons string) (*gateway.Case, string) {
	c.t.Helper()
	k, show, err := c.decideAt(c.desk, id, gateway.CaseDecision{Decision: what, Reasons: reasons, By: "anna"})
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, r := range show {
		if m, ok := r.What.(gateway.ShowMessage); ok {
			out = append(out, fmt.Sprint(r.To, ": ", m.IDs[0], ": ", m.Content.Parts[0].(gateway.Text).Text))
		} else {
			out = append(out, shown([]gateway.Rendering{r}))
		}
	}
	return k, strings.Join(out, "\n")
}

// accused is a desk with romeo, whose contact is tybalt.
func accused(t *testing.T) *counter {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.moderates()
	c.befriend(c.account(c.romeo), "id-tybalt", "Tybalt")
	return c
}

// TestCase goes through all of a case: report, decision, appeal, second decision.
func TestCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := accused(t)
		k := c.reports("He bit his thumb.")
		if k.State() != gateway.CaseOpen || k.Statement != "He bit his thumb." || k.Contact != "id-tybalt" || k.Name != "Tybalt" || k.Platform != gateway.CaseTold || k.User != c.romeo.User {
			t.Errorf("got %+v", k)
		}
		if _, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeAppeal); err == nil {
			t.Error("an appeal before the decision")
		}
		now, told := c.decide(k.ID, gateway.NoAction, "A gesture is no abuse.")
		want := fmt.Sprintf("romeo@example.org: case-%s-1: Case %s, your report about Tybalt: the operator does nothing about it.\n\nReasons: A gesture is no abuse.\n\n"+
			"If you disagree, you may appeal once, until %s: send \"appeal\" to wall.example.org.", k.ID, k.ID, time.Now().UTC().Add(gateway.AppealFor).Format(time.DateOnly))
		if diff := cmp.Diff(want, told); diff != "" || now.State() != gateway.CaseDecided {
			t.Errorf("%s: %s", now.State(), diff)
		}
		// Said twice it is told twice, and decided once; something else is refused.
		if again, told := c.decide(k.ID, gateway.NoAction, "A gesture is no abuse."); told != want || len(again.Decisions) != 1 {
			t.Errorf("again: got %d decisions and %q", len(again.Decisions), told)
		}
		if _, _, err := c.decideAt(c.desk, k.ID, gateway.CaseDecision{Decision: gateway.Forwarded, Reasons: "x", By: "anna"}); !errors.Is(err, gateway.ErrCaseState) {
			t.Errorf("decided twice: got %v, want ErrCaseState", err)
		}

		// By chat, in one line.
		if r := c.say(c.romeo, "appeal He bit it at us."); !strings.Contains(r.Text, "Your appeal is noted: case "+string(k.ID)) {
			t.Fatalf("appeal: got %q", r.Text)
		}
		if got := c.cases(gateway.CaseAppealed); len(got) != 1 || got[0].Appeal.Text != "He bit it at us." {
			t.Errorf("got %+v, want the appeal", got)
		}
		if r := c.say(c.romeo, "appeal once more"); !strings.Contains(r.Text, "no decision that you could appeal against") {
			t.Errorf("second appeal: got %q", r.Text)
		}
		now, told = c.decide(k.ID, gateway.ContactBlocked, "At you.\nThat is another thing.")
		if now.State() != gateway.CaseClosed || !strings.Contains(told, "the operator has blocked this contact") || !strings.Contains(told, "At you.\nThat is another thing.") || !strings.Contains(told, "the last one") {
			t.Errorf("second decision: %s, %q", now.State(), told)
		}
		who := c.contact(c.account(c.romeo), k.Alias)
		if !who.Blocked || !strings.Contains(told, "presence available=false") {
			t.Errorf("got %+v and %q, want blocked", who, told)
		}
		calls := c.platform.Calls()
		if got := calls[len(calls)-1]; got != "block ep-Montague id-tybalt true" {
			t.Errorf("platform: got %q", got)
		}
		if r := c.say(c.romeo, "appeal again"); !strings.Contains(r.Text, "no decision") {
			t.Errorf("appeal against the last: got %q", r.Text)
		}
		want = "user consent.give wall, user account.add wall, user case.open CASE, anna case.decide CASE no_action, user case.appeal CASE, anna case.decide CASE contact_blocked"
		if got := strings.Join(c.deeds(c.romeo.User), ", "); got != want {
			t.Errorf("deeds: got %s, want %s", got, want)
		}
		for _, e := range c.lines() {
			for _, word := range []string{"thumb", "romeo", "Tybalt", "gesture", "tybalt"} {
				if strings.Contains(fmt.Sprint(e), word) {
					t.Errorf("line %d holds %q", e.Seq, word)
				}
			}
		}
		if strings.Contains(c.log.String(), "thumb") || strings.Contains(c.log.String(), "gesture") {
			t.Errorf("log holds what was written:\n%s", c.log)
		}
	})
}

// Each user hears of a decision in the language that they reported in.
func TestCaseLanguage(t *testing.T) {
	c := newCounter(t)
	c.romeo.Lang = "de-CH"
	c.register(c.romeo, "Montague")
	c.befriend(c.account(c.romeo), "id-tybalt", "Tybalt")
	k := c.reports("")
	if k.Platform != gateway.CaseNoWay {
		t.Errorf("platform: got %s", k.Platform)
	}
	if _, told := c.decide(k.ID, gateway.Forwarded, "Al Comune."); !strings.Contains(told, "der Betreiber hat sie an die weitergegeben") || !strings.Contains(told, "Gründe: Al Comune.") || !strings.Contains(told, "\"einspruch\"") {
		t.Errorf("got %q", told)
	}
}

// An appeal has its time, and is its user's alone.
func TestAppealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := accused(t)
		c.register(c.juliet, "Capulet")
		first, second := c.reports("one"), c.reports("two")
		c.decide(first.ID, gateway.NoAction, "No.")
		<-time.After(time.Hour)
		c.decide(second.ID, gateway.NoAction, "No.")
		r := c.start(c.romeo, gateway.NodeAppeal)
		if len(r.Fields) != 2 || len(r.Fields[0].Options) != 2 {
			t.Fatalf("got %+v, want which of two", r.Fields)
		}
		_, err := c.desk.Continue(t.Context(), c.juliet, r.Session, gateway.ActionNext, map[string]string{"case": string(first.ID), "text": "x"})
		c.refused(err, gateway.BadRequest, gateway.BadSessionID)
		if _, err := c.desk.Start(t.Context(), c.juliet, gateway.NodeAppeal); !isRefusal(err) {
			t.Errorf("another's decisions: got %v, want a refusal", err)
		}
		<-time.After(gateway.AppealFor - 30*time.Minute)
		r = c.start(c.romeo, gateway.NodeAppeal)
		if len(r.Fields) != 1 || !strings.Contains(r.Text, string(second.ID)) {
			t.Errorf("got %q and %+v, want the younger one alone", r.Text, r.Fields)
		}
		<-time.After(time.Hour)
		if _, err := c.desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"text": "x"}); !isRefusal(err) {
			t.Errorf("too late: got %v, want a refusal", err)
		}
	})
}

// Cases are listed by page and state, expire by themselves, and go with their user.
func TestCaseList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := accused(t)
		var ids []gateway.CaseID
		for n := range 7 {
			ids = append([]gateway.CaseID{c.reports(fmt.Sprint("report ", n)).ID}, ids...)
			<-time.After(time.Minute)
		}
		for _, id := range ids[:2] {
			c.decide(id, gateway.NoAction, "No.")
		}
		list := func(states ...gateway.CaseState) (got []gateway.CaseID) {
			for after := gateway.CaseID(""); ; {
				page, next, err := c.desk.Cases(t.Context(), states, after, 3)
				if err != nil || len(page) > 3 {
					t.Fatalf("got %d, %v", len(page), err)
				}
				for _, k := range page {
					got = append(got, k.ID)
				}
				if after = next; after == "" {
					return got
				}
			}
		}
		if got := list(); !slices.Equal(got, ids) {
			t.Errorf("all: got %v, want %v", got, ids)
		}
		if got := list(gateway.CaseOpen, gateway.CaseAppealed); !slices.Equal(got, ids[2:]) {
			t.Errorf("waiting: got %v, want %v", got, ids[2:])
		}
		for _, after := range []gateway.CaseID{"x", gateway.CaseID(strings.ToUpper(string(ids[0]))), ids[0] + "0"} {
			if _, _, err := c.desk.Cases(t.Context(), nil, after, 3); !errors.Is(err, gateway.ErrCursor) {
				t.Errorf("behind %q: got %v, want ErrCursor", after, err)
			}
		}
		if n, err := c.desk.CasesWaiting(t.Context()); n != 5 || err != nil {
			t.Errorf("got %d waiting, %v, want 5", n, err)
		}
		all, text := c.exported(c.romeo.User)
		n := len(slices.DeleteFunc(all, func(e gateway.Exported) bool { return e.Kind != "case" }))
		if n != 7 || !strings.Contains(text, "report 3") || !strings.Contains(text, `"reasons":"No."`) {
			t.Errorf("export: got %d cases", n)
		}
		<-time.After(gateway.CaseTTL)
		if got := list(); len(got) != 0 {
			t.Errorf("after a year: got %v", got)
		}
		fresh := c.reports("of today")
		if _, err := c.desk.Erase(t.Context(), c.romeo.User); err != nil {
			t.Fatal(err)
		}
		if _, err := c.desk.Case(t.Context(), fresh.ID); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("of who is erased: got %v, want ErrNotFound", err)
		}
		left, _, err := c.store.List(t.Context(), "cases", gateway.RecordCaseEntry, "", 100)
		if len(left) != 0 || err != nil {
			t.Errorf("the list still has %d, %v", len(left), err)
		}
	})
}

// Whatever write of a report, a decision or an appeal fails: doing it again finishes it, and the operator misses no case that waits.
func TestCaseInterrupted(t *testing.T) {
	c := accused(t)
	again := func(act func(desk *gateway.Desk) error, hold func()) {
		for fail := 1; ; fail++ {
			if err := act(c.open(&failing{Store: c.store, at: fail})); err == nil {
				if fail < 3 {
					t.Fatal("nothing was interrupted")
				}
				hold()
				return
			}
			hold()
		}
	}
	var report *gateway.Case
	again(func(desk *gateway.Desk) error {
		r, err := desk.Start(t.Context(), c.romeo, gateway.NodeReport)
		if err == nil {
			_, err = desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"contact": "tybalt", "reason": "spam"})
		}
		return err
	}, func() {
		if page := c.cases(); len(page) > 0 {
			report = page[0]
		}
	})
	if report == nil {
		t.Fatal("no case")
	}
	listed := func() {
		k, err := c.desk.Case(t.Context(), report.ID)
		if err != nil {
			t.Fatal(err)
		}
		waits := slices.ContainsFunc(c.cases(gateway.CaseOpen, gateway.CaseAppealed), func(k *gateway.Case) bool { return k.ID == report.ID })
		if waits != k.State().Waits() {
			t.Errorf("%s, and listed as waiting is %v", k.State(), waits)
		}
	}
	again(func(desk *gateway.Desk) error {
		_, _, err := c.decideAt(desk, report.ID, gateway.CaseDecision{Decision: gateway.ContactBlocked, Reasons: "No.", By: "anna"})
		return err
	}, listed)
	if !c.contact(c.account(c.romeo), report.Alias).Blocked {
		t.Error("decided, and not carried out")
	}
	again(func(desk *gateway.Desk) error {
		r, err := desk.Start(t.Context(), c.romeo, gateway.NodeAppeal)
		if err == nil {
			_, err = desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"text": "Yes.", "case": string(report.ID)})
		}
		return err
	}, listed)
	k, err := c.desk.Case(t.Context(), report.ID)
	if err != nil || k.State() != gateway.CaseAppealed || len(k.Decisions) != 1 {
		t.Errorf("got %+v, %v, want appealed", k, err)
	}
}

// Of two who decide at once one is late, and who decides about somebody who is gone cannot block them.
func TestCaseRaces(t *testing.T) {
	c := accused(t)
	k := c.reports("")
	faster := &meanwhile{Store: c.store, kind: gateway.RecordCase, then: func() { c.decide(k.ID, gateway.NoAction, "First.") }}
	faster.left.Store(1)
	late := c.open(faster)
	if _, _, err := c.decideAt(late, k.ID, gateway.CaseDecision{Decision: gateway.Forwarded, Reasons: "Second.", By: "boss"}); !errors.Is(err, gateway.ErrCaseState) {
		t.Errorf("the slower: got %v, want ErrCaseState", err)
	}
	if k, err := c.desk.Case(t.Context(), k.ID); err != nil || len(k.Decisions) != 1 || k.Decisions[0].Reasons != "First." {
		t.Errorf("got %+v, %v", k, err)
	}
	// Who is late has done nothing.
	k = c.reports("")
	faster = &meanwhile{Store: c.store, kind: gateway.RecordCase, then: func() { c.decide(k.ID, gateway.NoAction, "First.") }}
	faster.left.Store(1)
	block := gateway.CaseDecision{Decision: gateway.ContactBlocked, Reasons: "Second.", By: "boss"}
	if _, _, err := c.decideAt(c.open(faster), k.ID, block); !errors.Is(err, gateway.ErrCaseState) {
		t.Errorf("the slower, who blocks: got %v, want ErrCaseState", err)
	}
	if c.contact(c.account(c.romeo), k.Alias).Blocked || slices.Contains(c.platform.Calls(), "block ep-Montague id-tybalt true") {
		t.Error("blocked against the decision")
	}
	k = c.reports("")
	c.next(c.romeo, c.start(c.romeo, gateway.NodeUnregister), map[string]string{"confirm": "true"})
	if _, _, err := c.decideAt(c.desk, k.ID, gateway.CaseDecision{Decision: gateway.ContactBlocked, Reasons: "x", By: "anna"}); !errors.Is(err, gateway.ErrCaseContact) {
		t.Errorf("block of who is gone: got %v, want ErrCaseContact", err)
	}
	if _, told := c.decide(k.ID, gateway.NoAction, "Gone."); !strings.Contains(told, "Gone.") {
		t.Errorf("got %q, want that who left is told", told)
	}
	if _, err := c.desk.Case(t.Context(), "01nothing"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// A platform that is away keeps nobody's report from the operator.
func TestReportWithoutPlatform(t *testing.T) {
	c := accused(t)
	c.platform.Play(script{Moderate: func(gateway.ContactID) error { return &gateway.SendError{Class: gateway.Retryable} }})
	if k := c.reports("x"); k.Platform != gateway.CaseUntold {
		t.Errorf("got %s, want untold", k.Platform)
	}
	for range 40 { // nobody floods the operator
		r, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeReport)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"contact": "tybalt", "reason": "spam"})
	}
	if n := len(c.cases()); n < 10 || n > 32 {
		t.Errorf("got %d cases", n)
	}
}

// One user's reports are kept up to a bound; others can report all the same.
func TestCasesOfAUserAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := accused(t)
		made := 0
		for range 400 {
			_, err := c.desk.Continue(t.Context(), c.romeo, c.start(c.romeo, gateway.NodeReport).Session, gateway.ActionNext, map[string]string{"contact": "tybalt", "reason": "abuse", "statement": "Again."})
			if err != nil {
				c.refused(err, gateway.ResourceConstraint, "")
				break
			}
			made++
			<-time.After(5 * time.Minute)
		}
		if made < 100 || made > 200 || len(c.cases()) != made {
			t.Errorf("got %d reports and %d cases, want 200 at most", made, len(c.cases()))
		}
		c.register(c.juliet, "Capulet")
		c.befriend(c.account(c.juliet), "id-tybalt", "Tybalt")
		c.next(c.juliet, c.start(c.juliet, gateway.NodeReport), map[string]string{"contact": "tybalt", "reason": "abuse", "statement": "He bit his thumb."})
		if got := len(c.cases()); got != made+1 {
			t.Errorf("got %d cases, want another user's too", got)
		}
	})
}
