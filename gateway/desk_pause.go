package gateway

import (
	"context"
	"time"
)

func pauseFlow(d *Desk) flow {
	return d.perConnection(flow{node: NodePause, title: textPause, help: textPauseHelp, words: textPauseWords}, func(ctx context.Context, t *turn, a *Account) (string, []Rendering, error) {
		if err := d.deedOften(ctx, t.Visitor, deedPause); err != nil {
			return "", nil, err
		}
		until := time.Now().UTC().Add(PauseMost).Truncate(time.Minute)
		if _, err := d.cfg.Identity.Amend(ctx, a.ID, func(a *Account) { a.Paused = until }); err != nil {
			return "", nil, err
		}
		d.announce(ctx, a.ID)
		text := d.say(t.Visitor, TextPaused, pausedUntil(until))
		return d.say(t.Visitor, textPauseDone, a.Shown, text), []Rendering{t.show("", ShowPresence{Available: true, Away: true, Status: text})}, nil
	})
}

func resumeFlow(d *Desk) flow {
	return d.perConnection(flow{node: NodeResume, title: textResume, help: textResumeHelp, words: textResumeWords}, func(ctx context.Context, t *turn, a *Account) (string, []Rendering, error) {
		if !a.PausedAt(time.Now()) {
			return d.say(t.Visitor, textResumeNot, a.Shown), nil, nil
		}
		if err := d.deedOften(ctx, t.Visitor, deedResume); err != nil {
			return "", nil, err
		}
		if _, err := d.cfg.Identity.Amend(ctx, a.ID, func(a *Account) { a.Paused = time.Time{} }); err != nil {
			return "", nil, err
		}
		d.announce(ctx, a.ID)
		if d.cfg.Unpark != nil {
			d.cfg.Unpark(ctx, a.ID)
		}
		return d.say(t.Visitor, textResumeDone, a.Shown), []Rendering{t.show("", ShowPresence{Available: true, Status: a.Shown})}, nil
	})
}

// perConnection makes a flow that does something with one account or with all of a visitor's, asking only when there are
// several.
func (d *Desk) perConnection(f flow, do func(context.Context, *turn, *Account) (string, []Rendering, error)) flow {
	each := func(ctx context.Context, t *turn, accounts []*Account) (outcome, error) {
		var out outcome
		for _, a := range accounts {
			text, after, err := do(ctx, t, a)
			if err != nil {
				return outcome{}, err
			}
			out.text = lines(out.text, text)
			out.after = append(out.after, after...)
		}
		return out, nil
	}
	f.open = membersOnly
	f.start = func(ctx context.Context, t *turn) (outcome, error) {
		if fields := d.which(t, Choice{allConnections, d.say(t.Visitor, textWhichAll)}); fields != nil {
			return outcome{ask: &step{Fields: fields, Last: true}}, nil
		}
		return each(ctx, t, t.accounts)
	}
	f.answer = func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
		chosen, err := d.chosen(t, answers)
		if err != nil {
			return outcome{}, err
		}
		return each(ctx, t, chosen)
	}
	return f
}
