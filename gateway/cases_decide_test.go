package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"postern/gateway"
)

// decideAt decides at a desk, and returns what the user is shown.
func (c *counter) decideAt(desk *gateway.Desk, id gateway.CaseID, what gateway.CaseDecision) (k *gateway.Case, shown []gateway.Rendering, err error) {
	k, err = desk.Decide(c.t.Context(), id, what, func(_ context.Context, _ gateway.AdapterID, rs ...gateway.Rendering) error {
		shown = append(shown, rs...)
		return nil
	})
	return k, shown, err
}

// Who stands still between what they decided and what they do has not the last word by that.
func TestCaseOvertaken(t *testing.T) {
	c := accused(t)
	k := c.reports("")
	block := gateway.CaseDecision{Decision: gateway.ContactBlocked, Reasons: "First.", By: "boss"}
	faster := &meanwhile{Store: c.store, kind: gateway.RecordContact, then: func() {
		c.decide(k.ID, gateway.ContactBlocked, "First.") // finishes it
		c.say(c.romeo, "appeal I want to hear of him.")
		c.decide(k.ID, gateway.NoAction, "Then not.")
	}}
	faster.left.Store(2) // once to see that the contact is there, then to block
	now, _, err := c.decideAt(c.open(faster), k.ID, block)
	if err != nil || now.State() != gateway.CaseClosed {
		t.Fatalf("got %+v, %v, want the case closed meanwhile", now, err)
	}
	if calls := c.platform.Calls(); c.contact(c.account(c.romeo), k.Alias).Blocked || calls[len(calls)-1] != "block ep-Montague id-tybalt false" {
		t.Errorf("platform: got %q, want no block in the end, here neither", calls)
	}
}

// No action after an appeal takes back the block of the first decision, and tells so; a block of the user's own stays.
func TestCaseUnblocks(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("blocked by the user before is %t", own), func(t *testing.T) {
			c := accused(t)
			if own {
				c.next(c.romeo, c.start(c.romeo, gateway.NodeBlock), map[string]string{"contact": "tybalt"})
			}
			k := c.reports("")
			c.decide(k.ID, gateway.ContactBlocked, "He bites.")
			if !c.contact(c.account(c.romeo), k.Alias).Blocked {
				t.Fatal("not blocked")
			}
			c.say(c.romeo, "appeal I want to hear of him.")
			_, told := c.decide(k.ID, gateway.NoAction, "Then not.")
			if got := c.contact(c.account(c.romeo), k.Alias).Blocked; got != own || strings.Contains(told, "Tybalt is not blocked any more.") == own {
				t.Errorf("got blocked=%t and told %q", got, told)
			}
		})
	}
}

// What was decided and not carried out, or not told, waits: whoever decides the very same finishes it, and nobody decides otherwise. Once it
// is done the user's own wishes stand.
func TestCaseDue(t *testing.T) {
	block := gateway.CaseDecision{Decision: gateway.ContactBlocked, Reasons: "He bites.", By: "anna"}
	due := 0
	for fail := 0; ; fail++ { // which write fails; at 0 the telling does
		c := accused(t)
		k := c.reports("")
		_, err := c.open(&failing{Store: c.store, at: fail}).Decide(t.Context(), k.ID, block, func(context.Context, gateway.AdapterID, ...gateway.Rendering) error {
			if fail == 0 {
				return errBlip
			}
			return nil
		})
		if err == nil {
			break
		}
		k, err = c.desk.Case(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(k.Decisions) == 0 || k.Pending() == nil { // before or behind all that matters
			continue
		}
		due++
		if n, err := c.desk.CasesWaiting(t.Context()); n != 1 || err != nil || len(c.cases(gateway.CaseOpen)) != 1 || !k.State().Waits() {
			t.Errorf("write %d: got %s and %d waiting, %v, want that it waits", fail, k.State(), n, err)
		}
		for _, other := range []gateway.CaseDecision{{Decision: gateway.NoAction, Reasons: "He bites."}, {Decision: gateway.ContactBlocked, Reasons: "He barks."}} {
			other.By = "boss"
			if _, _, err := c.decideAt(c.desk, k.ID, other); !errors.Is(err, gateway.ErrCaseState) {
				t.Errorf("write %d: decided otherwise: got %v, want ErrCaseState", fail, err)
			}
		}
		same := block
		same.By = "boss"
		now, told, err := c.decideAt(c.desk, k.ID, same)
		if err != nil {
			t.Fatal(err)
		}
		if now.State() != gateway.CaseDecided || now.Decisions[0].By != "anna" || len(told) == 0 || !c.contact(c.account(c.romeo), k.Alias).Blocked || len(c.cases(gateway.CaseOpen)) != 0 {
			t.Errorf("write %d: got %+v and told %d, want it carried out", fail, now, len(told))
		}
		c.next(c.romeo, c.start(c.romeo, gateway.NodeUnblock), map[string]string{"contact": "tybalt"})
		if _, again := c.decide(k.ID, gateway.ContactBlocked, "He bites."); !strings.Contains(again, "He bites.") || c.contact(c.account(c.romeo), k.Alias).Blocked {
			t.Errorf("write %d: said again: got %q, want it told, and what the user unblocked left alone", fail, again)
		}
	}
	if due < 3 {
		t.Errorf("%d were due, want those without block, telling and mark", due)
	}
}

// A decision that was written before there was such a mark is carried out.
func TestCaseOfBeforeIsDone(t *testing.T) {
	k := &gateway.Case{Decisions: []gateway.CaseDecision{{Decision: gateway.ContactBlocked, Reasons: "x", By: "anna"}}}
	if k.State() != gateway.CaseDecided || k.Pending() != nil {
		t.Errorf("got %s, want decided", k.State())
	}
}

// No action after an appeal takes back what the case itself did, and nothing else, and the user hears of what was done.
func TestCaseUnblocksItsOwn(t *testing.T) {
	quiet := func(c *counter, node string) {
		c.next(c.romeo, c.start(c.romeo, node), map[string]string{"contact": "tybalt"})
	}
	for name, tt := range map[string]struct {
		meanwhile func(c *counter)
		blocked   bool
		told      bool
	}{
		"nothing":                   {func(*counter) {}, false, true},
		"another case blocks":       {func(c *counter) { c.decide(c.reports("two").ID, gateway.ContactBlocked, "Twice.") }, true, false},
		"the user blocks":           {func(c *counter) { quiet(c, gateway.NodeBlock) }, true, false},
		"the user unblocks, blocks": {func(c *counter) { quiet(c, gateway.NodeUnblock); quiet(c, gateway.NodeBlock) }, true, false},
		"the user unblocks":         {func(c *counter) { quiet(c, gateway.NodeUnblock) }, false, false},
		"the user leaves": {func(c *counter) {
			c.next(c.romeo, c.start(c.romeo, gateway.NodeUnregister), map[string]string{"confirm": "true"})
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := accused(t)
			a, k := c.account(c.romeo), c.reports("")
			c.decide(k.ID, gateway.ContactBlocked, "He bites.")
			c.say(c.romeo, "appeal I want to hear of him.")
			tt.meanwhile(c)
			_, told := c.decide(k.ID, gateway.NoAction, "Then not.")
			if strings.Contains(told, "not blocked any more") != tt.told || !strings.Contains(told, "Then not.") {
				t.Errorf("told %q", told)
			}
			if name != "the user leaves" && c.contact(a, k.Alias).Blocked != tt.blocked {
				t.Errorf("got blocked=%t", !tt.blocked)
			}
		})
	}
}

// What two cases block is free when both are taken back.
func TestCasesUnblockTogether(t *testing.T) {
	c := accused(t)
	var both []*gateway.Case
	for _, said := range []string{"one", "two"} {
		k := c.reports(said)
		c.decide(k.ID, gateway.ContactBlocked, "He bites.")
		both = append(both, k)
	}
	for n, k := range both {
		answers := map[string]string{"text": "No."}
		if n == 0 {
			answers["case"] = string(k.ID)
		}
		c.next(c.romeo, c.start(c.romeo, gateway.NodeAppeal), answers)
		c.decide(k.ID, gateway.NoAction, "Then not.")
		if got := c.contact(c.account(c.romeo), k.Alias).Blocked; got != (n == 0) {
			t.Errorf("after %d: got blocked=%t", n+1, got)
		}
	}
}

// An appeal that comes while an operator says a decision again is in the list of what waits.
func TestCaseAppealedMeanwhile(t *testing.T) {
	c := accused(t)
	k := c.reports("")
	block := gateway.CaseDecision{Decision: gateway.ContactBlocked, Reasons: "He bites.", By: "anna"}
	if _, _, err := c.decideAt(c.desk, k.ID, block); err != nil {
		t.Fatal(err)
	}
	appeal := func() { c.say(c.romeo, "appeal I want to hear of him.") }
	_, err := c.desk.Decide(t.Context(), k.ID, block, func(context.Context, gateway.AdapterID, ...gateway.Rendering) error {
		appeal()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.desk.CasesWaiting(t.Context()); n != 1 || err != nil {
		t.Errorf("got %d cases that wait, %v, want the one that was appealed", n, err)
	}
}
