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

// standing writes an account's new standing and tells its user once a day.
func (g *Gateway) standing(ctx context.Context, a *Account, s AccountStanding) error {
	inst, ok := g.instance(a.Adapter)
	if !ok || a.Standing == s {
		return nil
	}
	g.metrics.standings.WithLabelValues(string(a.Adapter), string(s)).Inc()
	if a.isLine() { // what it may do depends on the operator's configuration alone: nothing of it is kept
		g.log.Error("the line's standing changed: see to its token", "adapter", string(a.Adapter), "standing", string(s))
		return nil
	}
	_, err := g.identity.Amend(ctx, a.ID, func(a *Account) { a.Standing = s }) // what a lane knows may be older than a renewal
	if errors.Is(err, ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
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
