package gateway

import (
	"context"
	"errors"
	"time"
)

// StandingUnder returns how the account stands under a descriptor: one whose user agreed to an older version of it needs a
// new consent, whatever the platform says.
func (a *Account) StandingUnder(d Descriptor) AccountStanding {
	if a.Agreed < d.Version && (a.Standing == AccountActive || a.Standing == AccountExpiring) {
		return AccountReconsentNeeded
	}
	return a.Standing
}

// weight orders standings by what it takes to leave them: nothing; the platform's word; the user's consent; a login; and no way back.
func (s AccountStanding) weight() int {
	switch s {
	case AccountActive, AccountExpiring:
	case AccountSuspended:
		return 1
	case AccountReconsentNeeded:
		return 2
	case AccountReauthNeeded:
		return 3
	case AccountWithdrawalQueued:
		return 4
	case AccountWithdrawn:
		return 5
	}
	return 0
}

// becomes reports whether what a platform tells, or a call to it, changes one standing into another. What weighs less changes nothing,
// except that the platform takes back a suspension: that all is well with an account makes no token valid again, nor an old consent new.
// Whoever logs in or agrees sets the account's standing themselves (Desk).
func (s AccountStanding) becomes(next AccountStanding) bool {
	return next != s && (next.weight() >= s.weight() || s == AccountSuspended && next == AccountActive)
}

// standing writes an account's new standing, where it becomes that, and tells its user once a day at most. It is told also where the account
// stands so already: whoever wrote it may not have come to that.
func (g *Gateway) standing(ctx context.Context, a *Account, s AccountStanding, c cause) error {
	inst, ok := g.instance(a.Adapter)
	if !ok || a.isLine() && a.Standing == s {
		return nil
	}
	if a.Standing == s {
		return g.tellStanding(ctx, inst, a)
	}
	g.metrics.standings.WithLabelValues(string(a.Adapter), string(s)).Inc()
	if a.isLine() { // what it may do depends on the operator's configuration alone: nothing of it is kept
		g.log.Error("the line's standing changed: see to its token", "adapter", string(a.Adapter), "standing", string(s))
		return nil
	}
	changed := false
	now, err := g.identity.Amend(ctx, a.ID, func(a *Account) { // what a lane knows may be older than a renewal
		if changed = a.Standing.becomes(s); changed {
			a.Standing, a.Why, a.Code, a.Since = s, c.why, c.code, time.Now().UTC()
		}
	})
	switch {
	case errors.Is(err, ErrNoAccount):
		return nil
	case err != nil:
		return err
	case changed:
		if err := g.store.Publish(ctx, SignalAccounts, []byte(a.ID)); err != nil {
			g.log.Warn("account change not signalled", "account", string(a.ID), "err", err)
		}
	case now.Standing != s:
		g.log.Info("account stays as it is", "account", string(a.ID), "told", string(s))
		return nil
	}
	return g.tellStanding(ctx, inst, now)
}

// tellStanding tells a user what an account needs of them.
func (g *Gateway) tellStanding(ctx context.Context, inst Instance, a *Account) error {
	platform := inst.Adapter.Descriptor().Platform
	var text string
	switch a.Standing {
	case AccountReauthNeeded:
		text = g.texts.Say(a.Lang, TextReauth, platform, inst.Component)
	case AccountReconsentNeeded:
		text = g.texts.Say(a.Lang, TextReconsent, platform, inst.Component)
	case AccountSuspended:
		text = g.texts.Say(a.Lang, TextSuspended, platform)
	case AccountActive, AccountExpiring, AccountWithdrawn, AccountWithdrawalQueued:
		return nil
	}
	since := ""
	if a.Standing != AccountSuspended { // who has logged in or agreed since hears at once that it was in vain; the platform alone may say so often
		since = a.Since.Format(time.RFC3339Nano)
	}
	name := g.keys.Name("standing", string(a.ID), string(a.Standing), since)
	id := StanzaID(g.keys.Name("standing", string(a.ID), string(a.Standing), since, time.Now().UTC().Format(time.DateOnly)))
	r := Rendering{
		Component: inst.Component, To: a.User, Lang: a.Lang,
		What: ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true},
	}
	if err := g.once(ctx, a, r, name); err != nil {
		return err
	}
	r.What = ShowPresence{Available: true, Away: true, Status: text}
	return g.once(ctx, a, r, name+"p")
}

// toldStanding is standing for whoever has nothing to do for an account that does not work, and so may be the only one left to tell its user:
// about the last day's change alone.
func (g *Gateway) toldStanding(ctx context.Context, a *Account) error {
	if time.Since(a.Since) > OutboxDedupe {
		return nil
	}
	return g.standing(ctx, a, a.Standing, cause{})
}
