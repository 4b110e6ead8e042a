package gateway

import (
	"context"
	"errors"
	"strings"
)

// deedErase is the same whoever wants it, a user or an operator.
const deedErase = "user.erase"

// eraseFlow has users erase all that is held of them, as postern erase does. Whoever left may still do it, and whoever was interrupted go on:
// consents and deeds stay when the last connection ends.
func eraseFlow(d *Desk) flow {
	return flow{
		node: NodeErase, title: textErase, help: textEraseHelp, words: textEraseWords, open: membersOnly, known: true,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			accounts, err := d.holdings(ctx, t.User)
			if err != nil {
				return outcome{}, err
			}
			var ends string
			if len(accounts) > 0 {
				names := make([]string, len(accounts))
				for i, a := range accounts {
					names[i] = d.instances[a.Adapter].Adapter.Descriptor().Platform + " (" + a.Shown + ")"
				}
				ends = d.say(t.Visitor, textEraseConnections, strings.Join(names, ", "))
			}
			sure := Field{Name: "confirm", Label: d.say(t.Visitor, textEraseConfirm), Kind: FieldBool, Required: true}
			return outcome{ask: &step{
				Text: lines(d.say(t.Visitor, textEraseAsk), ends, d.say(t.Visitor, textEraseUndone)), Fields: []Field{sure}, Last: true,
			}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			if answers["confirm"] != "true" {
				return outcome{text: d.say(t.Visitor, textEraseNot)}, nil
			}
			return d.eraseSelf(ctx, t)
		},
	}
}

// eraseSelf is Erase at the user's own wish. The salt of its line is kept nowhere: the user gets it, as an operator does.
func (d *Desk) eraseSelf(ctx context.Context, t *turn) (outcome, error) {
	line, salt, err := d.audit.AddAbout(ctx, ActorUser, deedErase, "", t.User)
	if err != nil {
		return outcome{}, err
	}
	got, err := d.Erase(ctx, t.User)
	if errors.Is(err, ErrNoAccount) { // somebody else was faster
		err = nil
	}
	here := got.Show[t.Adapter]
	if err == nil {
		delete(got.Show, t.Adapter) // behind the answer
	}
	d.showErased(ctx, got)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{text: d.say(t.Visitor, textEraseDone, line.Seq, salt), after: here, gone: true}
	if got.Pending > 0 {
		out.note = d.say(t.Visitor, textErasePending, got.Pending)
	}
	d.log.Info("erased at the user's own wish", "adapter", t.Adapter, "accounts", got.Accounts, "pending", got.Pending)
	return out, nil
}

// showErased tells clients what left their rosters. It goes on when the request that asked for the erasure is gone: nobody can tell it later.
func (d *Desk) showErased(ctx context.Context, e Erased) {
	if d.cfg.Show == nil {
		return
	}
	for adapter, show := range e.Show {
		if err := d.cfg.Show(context.WithoutCancel(ctx), adapter, show...); err != nil {
			d.log.Error("not shown after an erasure", "adapter", adapter, "count", len(show), "error", err)
		}
	}
}
