package gateway

import (
	"context"
	"errors"
	"strings"
	"time"
)

const (
	deedCase   = "case.open"
	deedAppeal = "case.appeal"
)

// openCase makes a case of a report. It is in the list before it is there: what breaks off in between leaves an entry that goes by itself.
func (d *Desk) openCase(ctx context.Context, t *turn, h hit, answers map[string]string) (*Case, error) {
	c := &Case{
		ID: CaseID(strings.ToLower(newULID())), User: t.User, Adapter: t.Adapter, Account: h.account.ID, Contact: h.contact.ID, Alias: h.contact.Alias,
		Address: h.account.Shows(h.contact), Name: h.contact.Name, Lang: t.Lang, Reason: ReportReason(answers["reason"]), Statement: answers["statement"],
		Platform: CaseUntold, Opened: time.Now().UTC().Truncate(time.Second),
	}
	if ok, err := d.budget(ctx, t.Visitor, "report"); err != nil {
		return nil, err
	} else if !ok {
		return nil, &Refusal{ResourceConstraint, d.say(t.Visitor, textRegisterOften)}
	}
	all, err := d.caseList(ctx)
	if err != nil {
		return nil, err
	}
	owner := d.userOwner(t.Visitor)
	waiting, theirs := 0, 0
	for _, e := range all {
		if e.State.Waits() {
			waiting++
		}
		if e.Owner == owner {
			theirs++
		}
	}
	if waiting >= maxCases || theirs >= maxCasesOfUser {
		d.log.Error("too many cases, a report was refused", "adapter", t.Adapter, "waiting", waiting, "of_this_user", theirs)
		return nil, &Refusal{ResourceConstraint, d.say(t.Visitor, textCaseFull, d.complaints(t))}
	}
	if err := d.WriteDeed(ctx, ActorUser, deedCase, string(c.ID), t.User); err != nil {
		return nil, err
	}
	if err := d.listCase(ctx, owner, c, CaseOpen); err != nil {
		return nil, err
	}
	_, err = d.saveCase(ctx, owner, c, nil)
	return c, err
}

// noteCase keeps in a case whether the platform took the report. The report itself stands whatever becomes of that.
func (d *Desk) noteCase(ctx context.Context, id CaseID, told moderation) {
	c, e, was, err := d.findCase(ctx, id)
	if err == nil {
		switch told {
		case moderationDone:
			c.Platform = CaseTold
		case moderationNone:
			c.Platform = CaseNoWay
		case moderationFailed:
			return
		}
		_, err = d.saveCase(ctx, e.Owner, c, was)
	}
	if err != nil {
		d.log.Warn("not noted whether a platform took a report", "case", id, "error", err)
	}
}

// appealFlow takes what a user has to say against a decision about a report of theirs, once.
func appealFlow(d *Desk) flow {
	return flow{
		node: NodeAppeal, title: textAppeal, help: textAppealHelp, words: textAppealWords, arg: "text", open: membersOnly,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			open, err := d.appealable(ctx, t)
			if err != nil {
				return outcome{}, err
			}
			if len(open) == 0 {
				return outcome{}, &Refusal{ItemNotFound, d.say(t.Visitor, textAppealNone)}
			}
			st := &step{Last: true}
			which := Field{Name: "case", Label: d.say(t.Visitor, textAppealWhich), Kind: FieldChoice, Required: true}
			for _, c := range open {
				which.Options = append(which.Options, Choice{string(c.ID), d.decided(t, c)})
			}
			if len(open) == 1 {
				st.Text, st.State = d.decided(t, open[0]), []byte(open[0].ID)
			} else {
				st.Fields = append(st.Fields, which)
			}
			st.Fields = append(st.Fields, Field{Name: "text", Label: d.say(t.Visitor, textAppealText), Kind: FieldText, Required: true})
			return outcome{ask: st}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			id := CaseID(answers["case"])
			if id == "" {
				id = CaseID(t.s.Step.State)
			}
			return d.appeal(ctx, t, id, answers["text"])
		},
	}
}

// appealable are the visitor's cases here that were decided once, lately.
func (d *Desk) appealable(ctx context.Context, t *turn) ([]*Case, error) {
	all, err := d.casesOf(ctx, t.User)
	var out []*Case
	for _, c := range all {
		if c.Adapter == t.Adapter && time.Now().Before(c.AppealUntil()) {
			out = append(out, c)
		}
	}
	return out, err
}

// decided is a decision in a line.
func (d *Desk) decided(t *turn, c *Case) string {
	return d.say(t.Visitor, textCaseDecided, c.ID, c.about(t.inst), d.say(t.Visitor, textCaseDecision+TextKey(c.Decisions[0].Decision)))
}

func (d *Desk) appeal(ctx context.Context, t *turn, id CaseID, text string) (outcome, error) {
	none := &Refusal{ItemNotFound, d.say(t.Visitor, textAppealNone)}
	c, e, was, err := d.findCase(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (c.User != t.User || c.Adapter != t.Adapter) {
		return outcome{}, none
	}
	if err != nil {
		return outcome{}, err
	}
	done := outcome{text: d.say(t.Visitor, textAppealDone, c.ID)}
	if c.Appeal != nil && c.Appeal.Text == text { // said before, and no answer came
		return done, d.listCase(ctx, e.Owner, c, c.State())
	}
	if !time.Now().Before(c.AppealUntil()) {
		return outcome{}, none
	}
	if err := d.WriteDeed(ctx, ActorUser, deedAppeal, string(c.ID), t.User); err != nil {
		return outcome{}, err
	}
	// The list goes first: an operator rather finds a case there that does not wait than misses one that does.
	if err := d.listCase(ctx, e.Owner, c, CaseAppealed); err != nil {
		return outcome{}, err
	}
	c.Appeal = &CaseAppeal{text, time.Now().UTC().Truncate(time.Second)}
	_, err = d.saveCase(ctx, e.Owner, c, was)
	if errors.Is(err, ErrChanged) {
		return outcome{}, none
	}
	if err != nil {
		return outcome{}, err
	}
	// Who decided may have listed it in between. It was listed before already, so that nothing is lost when this fails.
	if err := d.listCase(ctx, e.Owner, c, CaseAppealed); err != nil {
		d.log.Warn("appeal not listed again", "err", err)
	}
	return done, nil
}
