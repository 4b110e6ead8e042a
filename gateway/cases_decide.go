package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// Decide decides a case that waits for it, carries out what that needs, and shows its user. ErrCaseState when it does not wait, ErrNotFound
// when there is none. It is written down before it is carried out: of two who decide at once one is refused, and has done nothing. What
// breaks off in between leaves the case waiting, until whoever it is decides the very same. Who repeats what they decided themselves, because
// they heard no answer, has its user told again.
func (d *Desk) Decide(ctx context.Context, id CaseID, now CaseDecision, show Shower) (*Case, error) {
	c, e, was, err := d.findCase(ctx, id)
	if err != nil {
		return nil, err
	}
	pending := c.Pending()
	switch {
	case pending == nil && c.State().Waits():
		if was, err = d.writeDecision(ctx, e.Owner, c, was, now); err != nil {
			return nil, err
		}
	case !c.repeats(now):
		return nil, ErrCaseState
	case pending == nil:
		if err := show(ctx, c.Adapter, d.tellDecision(c)...); err != nil {
			return nil, err
		}
		return c, d.listDecided(ctx, e.Owner, c)
	case pending.By != now.By:
		if err := d.WriteDeed(ctx, now.By, deedDecide, string(c.ID)+" "+string(now.Decision), c.User); err != nil {
			return nil, err
		}
	}
	if c, err = d.finishDecision(ctx, e.Owner, c, was, show); err != nil {
		return nil, err
	}
	return c, d.listDecided(ctx, e.Owner, c)
}

// listDecided lists a case that was decided, unless its user has appealed meanwhile: the list is where operators see that it waits.
func (d *Desk) listDecided(ctx context.Context, owner Owner, c *Case) error {
	if err := d.listCase(ctx, owner, c, c.State()); err != nil {
		return err
	}
	now, _, _, err := d.findCase(ctx, c.ID)
	if errors.Is(err, ErrNotFound) { // its user was erased
		return nil
	}
	if err != nil || now.State() == c.State() {
		return err
	}
	return d.listCase(ctx, owner, now, now.State())
}

// Shower shows something to users of an adapter: Gateway.Show.
type Shower func(context.Context, AdapterID, ...Rendering) error

const deedDecide = "case.decide"

// repeats reports whether a decision is the last one said again: by who made it, or by whoever finishes what is pending.
func (c *Case) repeats(now CaseDecision) bool {
	last := c.Decisions[len(c.Decisions)-1]
	return last.Decision == now.Decision && last.Reasons == now.Reasons && (last.Due || last.By == now.By)
}

// writeDecision writes down what was decided, to be carried out, and returns what the store has of the case then.
func (d *Desk) writeDecision(ctx context.Context, owner Owner, c *Case, was []byte, now CaseDecision) ([]byte, error) {
	_, who, err := d.accused(ctx, c)
	gone := errors.Is(err, ErrCaseContact)
	if err != nil && (!gone || now.Decision == ContactBlocked) {
		return nil, err
	}
	now.At, now.Due = time.Now().UTC().Truncate(time.Second), true
	now.Lifts = now.Decision == NoAction && !gone && who.contact.blockedFor(c.ID)
	if err := d.WriteDeed(ctx, now.By, deedDecide, string(c.ID)+" "+string(now.Decision), c.User); err != nil {
		return nil, err
	}
	c.Decisions = append(c.Decisions, now)
	was, err = d.saveCase(ctx, owner, c, was)
	if errors.Is(err, ErrChanged) { // somebody else was faster
		return nil, ErrCaseState
	}
	if err != nil {
		return nil, err
	}
	d.log.Info("case decided", "adapter", c.Adapter, "case", c.ID, "decision", string(now.Decision))
	return was, nil
}

// finishDecision carries out the last decision, tells its user and notes that this is done. Where the case is another by then it looks again:
// who stood still since their decision, past an appeal and the decision about that, must not have the last word by it.
func (d *Desk) finishDecision(ctx context.Context, owner Owner, c *Case, was []byte, show Shower) (*Case, error) {
	for {
		n := len(c.Decisions)
		shown, err := d.carryOut(ctx, c)
		if err != nil {
			return nil, err
		}
		c.Decisions[n-1].Due = false
		if err := show(ctx, c.Adapter, append(shown, d.tellDecision(c)...)...); err != nil {
			return nil, err
		}
		_, err = d.saveCase(ctx, owner, c, was)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, ErrChanged) {
			return nil, err
		}
		now, _, sealed, err := d.findCase(ctx, c.ID)
		if errors.Is(err, ErrNotFound) { // erased meanwhile
			return c, nil
		}
		if err != nil {
			return nil, err
		}
		if len(now.Decisions) == n && now.Pending() == nil { // somebody else has finished it
			return now, nil
		}
		c, was = now, sealed
	}
}

// carryOut makes the contact's block what the last decision says, and keeps in it whether it took one back: that of the first decision is, and
// nothing that the user or another case did. Who is gone has no block.
func (d *Desk) carryOut(ctx context.Context, c *Case) ([]Rendering, error) {
	last := &c.Decisions[len(c.Decisions)-1]
	on := last.Decision == ContactBlocked
	if !on && (last.Decision != NoAction || c.Decisions[0].Decision != ContactBlocked) {
		return nil, nil
	}
	t, who, err := d.accused(ctx, c)
	if errors.Is(err, ErrCaseContact) {
		last.Lifts = false
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	had := false
	who, err = d.change(ctx, who, func(k *Contact) {
		had = k.blockedFor(c.ID)
		k.blockFor(c.ID, on)
	})
	if err != nil {
		return nil, err
	}
	last.Lifts = !on && (last.Lifts || had) && !who.contact.Blocked // taken back, now or before it broke off
	if !on && !last.Lifts {
		return nil, nil
	}
	out, err := d.tellBlock(ctx, t, who)
	return out.after, err
}

// blockedFor reports whether a case blocks the contact.
func (c *Contact) blockedFor(id CaseID) bool {
	return slices.Contains(strings.Fields(c.BlockedBy), string(id))
}

// blockFor blocks the contact for a case, or no longer does. A block of the user's own stays that, and other cases keep theirs.
func (c *Contact) blockFor(id CaseID, on bool) {
	by := strings.Fields(c.BlockedBy)
	switch had := c.blockedFor(id); {
	case had == on, on && c.Blocked && len(by) == 0:
		return
	case on:
		by = append(by, string(id))
	default:
		by = slices.DeleteFunc(by, func(of string) bool { return of == string(id) })
	}
	c.Blocked, c.BlockedBy = len(by) > 0, strings.Join(by, " ")
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
	if last.Lifts {
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
