package gateway

import (
	"context"
	"time"
)

// lateFlow takes the answer to the question whether messages go out that are late.
func lateFlow(d *Desk) flow {
	const send, drop = "send", "drop"
	return flow{
		node: NodeLate, title: textLate, help: textLateHelp, words: textLateWords, arg: "answer", open: membersOnly,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			if yes, ok := d.truth(t.Visitor, t.rest); t.chat && ok {
				return d.decideLate(ctx, t, yes)
			}
			asked, err := d.lateAsked(ctx, t.accounts)
			if err != nil || len(asked) == 0 {
				return outcome{text: d.say(t.Visitor, textLateNone)}, err
			}
			options := []Choice{{send, d.say(t.Visitor, textLateSend)}, {drop, d.say(t.Visitor, textLateDrop)}}
			return outcome{ask: &step{
				Fields: []Field{{Name: "answer", Label: d.say(t.Visitor, textLate), Kind: FieldChoice, Required: true, Options: options}}, Last: true,
			}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			return d.decideLate(ctx, t, answers["answer"] == send)
		},
	}
}

// lateAsked returns the accounts whose user has a question to answer.
func (d *Desk) lateAsked(ctx context.Context, accounts []*Account) ([]*Account, error) {
	var out []*Account
	for _, a := range accounts {
		l, _, err := readLateness(ctx, d.cfg.Store, a.ID)
		if err != nil {
			return nil, err
		}
		if l.open() {
			out = append(out, a)
		}
	}
	return out, nil
}

// decideLate keeps the answer for every account that asked, and wakes what waits for it.
func (d *Desk) decideLate(ctx context.Context, t *turn, send bool) (outcome, error) {
	asked, err := d.lateAsked(ctx, t.accounts)
	if err != nil || len(asked) == 0 {
		return outcome{text: d.say(t.Visitor, textLateNone)}, err
	}
	now := time.Now().UTC()
	for _, a := range asked {
		_, err := reviseLateness(ctx, d.cfg.Store, a.ID, func(l *lateness) bool {
			*l = lateness{Asked: now, Decided: now, Send: send}
			return true
		})
		if err != nil {
			return outcome{}, err
		}
		if d.cfg.Unpark != nil {
			d.cfg.Unpark(ctx, a.ID)
		}
	}
	if send {
		return outcome{text: d.say(t.Visitor, textLateSent, d.platform(t.Visitor))}, nil
	}
	return outcome{text: d.say(t.Visitor, textLateDropped)}, nil
}

// answersLate reports whether a bare yes or no in the chat is the answer to such a question.
func (d *Desk) answersLate(ctx context.Context, v Visitor, text string) (bool, error) {
	if _, ok := d.truth(v, text); !ok {
		return false, nil
	}
	accounts, err := d.accounts(ctx, v)
	if err != nil {
		return false, err
	}
	asked, err := d.lateAsked(ctx, accounts)
	return len(asked) > 0, err
}
