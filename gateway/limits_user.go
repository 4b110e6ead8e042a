package gateway

import (
	"context"
	"errors"
	"slices"
	"time"
)

// userScopes are the limits that hold for what a user asks for, whatever the platform bears, in the order in which they are told.
var userScopes = []LimitScope{LimitFirst, LimitPlanNew, LimitUser, LimitUserChat, LimitPlan}

// emptyUntil is how long a bucket has no token to give, by what the store said of it.
type emptyUntil struct{ at time.Time }

// admit spends what a user may ask for. The *Refusal says how long to wait; any other error is the store's. What has been refused
// once is refused from memory until its time has come: a bucket fills no faster, whoever takes from it.
func (g *Gateway) admit(ctx context.Context, inst Instance, terms Terms, a *Account, c *Contact, out Outbound) error {
	limits := inst.Limits
	if len(terms.Limits) > 0 {
		limits = slices.Concat(limits, terms.Limits)
	}
	if !countsForUser(out.Op.Body) || len(limits) == 0 {
		return nil
	}
	first := a.isNewTo(c, out.Op.Body)
	var buckets []Bucket
	var scopes []LimitScope
	for _, scope := range userScopes {
		for _, l := range limits {
			if l.Scope != scope || scope.ofFirst() && !first {
				continue
			}
			b := g.bucket(inst, a, c, l)
			if e, ok := g.spent.load(b.Name); ok && time.Now().Before(e.at) {
				return g.tooMany(inst, out.Op.Lang, scope, time.Until(e.at))
			}
			buckets, scopes = append(buckets, b), append(scopes, scope)
		}
	}
	if len(buckets) == 0 {
		return nil
	}
	got, err := g.store.Take(ctx, inst.ID, 0, buckets...)
	if err != nil {
		return err
	}
	if !got.OK {
		g.spent.store(buckets[got.By].Name, emptyUntil{time.Now().Add(got.Wait)})
		return g.tooMany(inst, out.Op.Lang, scopes[got.By], got.Wait)
	}
	if !scopes[0].ofFirst() {
		return nil
	}
	_, err = g.identity.Revise(ctx, a, c.Alias, func(c *Contact) { c.Wrote = true })
	if errors.Is(err, ErrNoContact) { // removed this moment: resolve says so
		return nil
	}
	return err
}

// countsForUser reports whether an op is something that a user did: clients send markers and typing by themselves.
func countsForUser(b OpBody) bool {
	switch b.(type) {
	case OpMessage, OpEdit, OpRetract, OpReact, OpAnswer, OpReopen, OpGroup:
		return true
	case OpMarkRead, OpTyping:
	}
	return false
}

// isNewTo reports whether a message is the first between a user and a person who has not written either.
func (a *Account) isNewTo(c *Contact, b OpBody) bool {
	_, message := b.(OpMessage)
	return message && !c.Wrote && c.Intro == "" && c.Told == "" && c.LastInbound == 0
}

// tooMany refuses what is too much. RFC 6120 §8.3.3.19: resource-constraint has the client wait; how many new people a user may
// write to is the operator's policy (§8.3.3.12).
func (g *Gateway) tooMany(inst Instance, lang string, scope LimitScope, wait time.Duration) *Refusal {
	g.metrics.limited.WithLabelValues(string(inst.ID), string(scope)).Inc()
	if scope == LimitPlan || scope == LimitPlanNew {
		return g.overPlan(inst.ID, lang, scope, wait)
	}
	text := g.texts.duration(lang, roughly(wait))
	if scope == LimitFirst {
		return g.refuse(inst.ID, lang, PolicyViolation, TextManyNew, text)
	}
	return g.refuse(inst.ID, lang, ResourceConstraint, TextTooFast, text)
}

// roughly rounds a wait up to what people count in.
func roughly(d time.Duration) time.Duration {
	unit := time.Second
	if d > 2*time.Hour {
		unit = time.Hour
	}
	return (d + unit - 1).Truncate(unit)
}
