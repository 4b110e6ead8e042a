package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Cases returns a page of the cases in some states, newest first, all where none is named. An empty next ends it; ErrCursor for an after that
// is no case's id.
func (d *Desk) Cases(ctx context.Context, states []CaseState, after CaseID, n int) (page []*Case, next CaseID, err error) {
	if after != "" && !after.isOne() {
		return nil, "", ErrCursor
	}
	entries, err := d.caseList(ctx)
	if err != nil {
		return nil, "", err
	}
	wanted := func(s CaseState) bool { return len(states) == 0 || slices.Contains(states, s) }
	entries = slices.DeleteFunc(entries, func(e caseEntry) bool { return after != "" && e.ID >= after || !wanted(e.State) })
	for part := range slices.Chunk(entries, max(min(n, 200), 1)) {
		got, _, err := d.loadCases(ctx, part)
		if err != nil {
			return nil, "", err
		}
		for i, c := range got {
			if c == nil {
				continue
			}
			if c.State() != part[i].State { // the list is behind
				if err := d.listCase(ctx, part[i].Owner, c, c.State()); err != nil {
					return nil, "", err
				}
			}
			if !wanted(c.State()) {
				continue
			}
			if len(page) == n {
				return page, page[n-1].ID, nil
			}
			page = append(page, c)
		}
	}
	return page, "", nil
}

// CasesWaiting is how many cases wait for the operator.
func (d *Desk) CasesWaiting(ctx context.Context) (n int, err error) {
	entries, err := d.caseList(ctx)
	for _, e := range entries {
		if e.State.Waits() {
			n++
		}
	}
	return n, err
}

// Case returns one case. ErrNotFound when it is not there, or not any more.
func (d *Desk) Case(ctx context.Context, id CaseID) (*Case, error) {
	c, _, _, err := d.findCase(ctx, id)
	return c, err
}

// Decide decides a case that waits for it, carries out what that needs, and returns what its user is shown. ErrCaseState when it does not
// wait; but who repeats the very decision, because they heard no answer, has it carried out and its user told again. ErrNotFound when there
// is none. It is written down before it is carried out: of two who decide at once one is refused, and has done nothing.
func (d *Desk) Decide(ctx context.Context, id CaseID, now CaseDecision) (*Case, []Rendering, error) {
	c, e, was, err := d.findCase(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	now.At = time.Now().UTC().Truncate(time.Second)
	if c.State().Waits() {
		if now.Decision == ContactBlocked {
			_, who, err := d.accused(ctx, c)
			if err != nil {
				return nil, nil, err
			}
			now.Blocks = !who.contact.Blocked
		}
		if err := d.WriteDeed(ctx, now.By, "case.decide", string(c.ID)+" "+string(now.Decision), c.User); err != nil {
			return nil, nil, err
		}
		c.Decisions = append(c.Decisions, now)
		err = d.saveCase(ctx, e.Owner, c, was)
		if errors.Is(err, ErrChanged) { // somebody else was faster
			return nil, nil, ErrCaseState
		}
		if err != nil {
			return nil, nil, err
		}
		d.log.Info("case decided", "adapter", c.Adapter, "case", c.ID, "decision", string(now.Decision))
	} else if last := c.Decisions[len(c.Decisions)-1]; last.By != now.By || last.Decision != now.Decision || last.Reasons != now.Reasons {
		return nil, nil, ErrCaseState
	}
	shown, err := d.carryOut(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return c, append(shown, d.tellDecision(c)...), d.listCase(ctx, e.Owner, c, c.State())
}

// carryOut makes the contact's block what the last decision says, and looks again whether it still is the last: who stood still since their
// decision, past an appeal and the decision about that, must not have the last word by it. Who is gone has no block.
func (d *Desk) carryOut(ctx context.Context, c *Case) (shown []Rendering, err error) {
	for done := 0; done != len(c.Decisions); {
		done = len(c.Decisions)
		on, touches := c.blocks()
		if !touches {
			return shown, nil
		}
		t, who, err := d.accused(ctx, c)
		if errors.Is(err, ErrCaseContact) {
			return shown, nil
		}
		if err != nil {
			return nil, err
		}
		out, err := d.setBlocked(ctx, t, who, on)
		if err != nil {
			return nil, err
		}
		shown = append(shown, out.after...)
		now, _, _, err := d.findCase(ctx, c.ID)
		if errors.Is(err, ErrNotFound) { // erased meanwhile
			return shown, nil
		}
		if err != nil {
			return nil, err
		}
		*c = *now
	}
	return shown, nil
}

// blocks is what the last decision makes of the contact's block; touches is false where it leaves that alone. No action after an appeal takes
// back what the first decision has done, and nothing that the user did.
func (c *Case) blocks() (on, touches bool) {
	last := c.Decisions[len(c.Decisions)-1]
	on = last.Decision == ContactBlocked
	return on, on || last.Decision == NoAction && c.Decisions[0].Blocks
}

// accused finds the contact that a case is about, as its user would. ErrCaseContact when they are gone.
func (d *Desk) accused(ctx context.Context, c *Case) (*turn, hit, error) {
	a, err := d.cfg.Identity.reload(ctx, c.Account)
	inst, here := d.instances[c.Adapter]
	if errors.Is(err, ErrNoAccount) || err == nil && a.User != c.User || !here {
		return nil, hit{}, ErrCaseContact
	}
	if err != nil {
		return nil, hit{}, err
	}
	who, err := d.cfg.Identity.Contact(ctx, a, c.Alias)
	if errors.Is(err, ErrNoContact) {
		return nil, hit{}, ErrCaseContact
	}
	t := &turn{Visitor: Visitor{Adapter: c.Adapter, User: c.User, Lang: c.Lang}, inst: inst, accounts: []*Account{a}, account: a}
	return t, hit{a, who}, err
}

// tellDecision is what the user hears of the last decision.
func (d *Desk) tellDecision(c *Case) []Rendering {
	inst, here := d.instances[c.Adapter]
	if !here {
		return nil // nobody is there who could tell
	}
	n := len(c.Decisions)
	last := c.Decisions[n-1]
	v := Visitor{Adapter: c.Adapter, User: c.User, Lang: c.Lang}
	t := &turn{Visitor: v, inst: inst}
	text := lines(d.say(v, textCaseDecided, c.ID, c.about(inst), d.say(v, textCaseDecision+TextKey(last.Decision))), d.say(v, textCaseReasons, last.Reasons))
	if on, touches := c.blocks(); touches && !on {
		text = lines(text, d.say(v, textUnblocked, c.about(inst)))
	}
	if until := c.AppealUntil(); !until.IsZero() {
		text = lines(text, d.say(v, textCaseMayAppeal, until.Format(time.DateOnly), inst.Component))
	} else {
		text = lines(text, d.say(v, textCaseFinal))
	}
	return []Rendering{t.tell(fmt.Sprint("case-", c.ID, "-", n), text)}
}

// about is what the contact of a case is called in a sentence.
func (c *Case) about(inst Instance) string {
	if c.Name != "" {
		return c.Name
	}
	return string(c.Address) + "@" + inst.Component
}
