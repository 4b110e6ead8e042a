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

// standing writes an account's new standing, where it becomes that, and tells its user once a day.
func (g *Gateway) standing(ctx context.Context, a *Account, s AccountStanding, c cause) error {
	inst, ok := g.instance(a.Adapter)
	if !ok || a.Standing == s {
		return nil
	}
	g.metrics.standings.WithLabelValues(string(a.Adapter), string(s)).Inc()
	if a.isLine() { // what it may do depends on the operator's configuration alone: nothing of it is kept
		g.log.Error("the line's standing changed: see to its token", "adapter", string(a.Adapter), "standing", string(s))
		return nil
	}
	changed := false
	_, err := g.identity.Amend(ctx, a.ID, func(a *Account) { // what a lane knows may be older than a renewal
		if changed = a.Standing.becomes(s); changed {
			a.Standing, a.Why, a.Code, a.Since = s, c.why, c.code, time.Now().UTC()
		}
	})
	if errors.Is(err, ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	if !changed {
		g.log.Info("account stays as it is", "account", string(a.ID), "told", string(s))
		return nil
	}
	if err := g.store.Publish(ctx, SignalAccounts, []byte(a.ID)); err != nil {
		g.log.Warn("account change not signalled", "account", string(a.ID), "err", err)
	}
	platform := inst.Adapter.Descriptor().Platform
	var text string
	switch s {
	case AccountReauthNeeded:
		text = g.texts.Say(a.Lang, TextReauth, platform, inst.Component)
	case AccountReconsentNeeded:
		text = g.texts.Say(a.Lang, TextReconsent, platform, inst.Component)
	case AccountSuspended:
		text = g.texts.Say(a.Lang, TextSuspended, platform)
	case AccountActive, AccountExpiring, AccountWithdrawn, AccountWithdrawalQueued:
		return nil
	}
	day := time.Now().UTC().Format(time.DateOnly)
	id := StanzaID(g.keys.Name("standing", string(a.ID), string(s), day))
	r := Rendering{
		Component: inst.Component, To: a.User, Lang: a.Lang,
		What: ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true},
	}
	away := Rendering{Component: inst.Component, To: a.User, Lang: a.Lang, What: ShowPresence{Available: true, Away: true, Status: text}}
	if err := g.show(ctx, a.Adapter, a, r, time.Now(), string(id)); err != nil {
		return err
	}
	return g.show(ctx, a.Adapter, a, away, time.Now(), string(id)+"p")
}
