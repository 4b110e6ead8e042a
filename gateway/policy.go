package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Policy is the operator's word on who may use an adapter, and how much.
type Policy interface {
	// Terms says on what terms a user uses an adapter. It always answers: what it cannot learn in time it decides.
	Terms(ctx context.Context, user UserID, a AdapterID) Terms
}

// Terms are on what a user uses an adapter. The zero Terms allow everything within the adapter's own limits.
type Terms struct {
	// Refused is true for a user who may not use it: nothing of theirs is taken, and they cannot register. What is written to them
	// still arrives. Reason is what they are told, in the operator's words; empty for a text of the catalogue.
	Refused bool
	Reason  string
	// Plan names the Limits, which hold beside the adapter's: those of the scopes of plans.
	Plan   string
	Limits []Limit
	// By is what decided; Rule counts from 1 where it was a rule.
	By   TermsBy
	Rule int
}

// TermsBy is what decides about a user.
type TermsBy string

// What decides.
const (
	ByRule        TermsBy = "rule"
	ByAnswer      TermsBy = "answer"      // of the operator's service
	ByLast        TermsBy = "last"        // its last answer, since it is not reached
	ByUnreachable TermsBy = "unreachable" // what is to be done without an answer
	ByBlock       TermsBy = "block"       // the operator has blocked the user or their domain
	ByNothing     TermsBy = "nothing"     // no rule fits and there is nobody to ask
)

// policyScopes are why the operator's policy says no, for metrics.
var policyScopes = []string{"user", "messages", "new_contacts", "media", "stopped"}

// ofUser reports whether a limit is one user's alone.
func (s LimitScope) ofUser() bool {
	switch s {
	case LimitUser, LimitUserChat, LimitFirst, LimitPlan, LimitPlanNew, LimitPlanMedia:
		return true
	case LimitChat, LimitAccount, LimitApp:
	}
	return false
}

// ofFirst reports whether a limit counts people whom a user writes to first.
func (s LimitScope) ofFirst() bool { return s == LimitFirst || s == LimitPlanNew }

// terms are on what a user uses an adapter.
func (g *Gateway) terms(ctx context.Context, user UserID, a AdapterID) Terms {
	if g.policy == nil {
		return Terms{By: ByNothing}
	}
	return g.policy.Terms(ctx, user, a)
}

// barred refuses what a user asks for who may not use the adapter.
func (g *Gateway) barred(a AdapterID, lang string, t Terms) *Refusal {
	g.metrics.barred.WithLabelValues(string(a), "user").Inc()
	r := g.refuse(a, lang, PolicyViolation, TextBarred)
	if t.Reason != "" {
		r.Text = t.Reason
	}
	return r
}

// overPlan refuses what a user's plan does not allow for the moment (RFC 6120 §8.3.3.12).
func (g *Gateway) overPlan(a AdapterID, lang string, scope LimitScope, wait time.Duration) *Refusal {
	text := g.texts.duration(lang, roughly(wait))
	if scope == LimitPlanNew {
		g.metrics.barred.WithLabelValues(string(a), "new_contacts").Inc()
		return g.refuse(a, lang, PolicyViolation, TextPlanNew, text)
	}
	g.metrics.barred.WithLabelValues(string(a), "messages").Inc()
	return g.refuse(a, lang, PolicyViolation, TextPlanSpent, text)
}

// quotaError is why a file does not go: its user's plan allows no more for a time, or, where most is set, never as much.
type quotaError struct {
	wait time.Duration
	most int64
}

func (e *quotaError) Error() string {
	if e.most > 0 {
		return "larger than the plan's quota of " + strconv.FormatInt(e.most, 10) + " bytes"
	}
	return "the plan's quota is spent for " + e.wait.String()
}

// charge spends what a file is of its user's plan, before it is handed on; once under each name, however often it is tried. The error
// is a *quotaError, or the store's.
func (g *Gateway) charge(ctx context.Context, inst Instance, a *Account, m Media, name string) error {
	if g.policy == nil {
		return nil
	}
	for _, l := range g.policy.Terms(ctx, a.User, inst.ID).Limits {
		if l.Scope != LimitPlanMedia {
			continue
		}
		if _, ok, err := g.recall(ctx, a, name); err != nil || ok {
			return err
		}
		b := g.bucket(inst, a, &Contact{}, l)
		b.Cost = int((m.Size + 1<<10 - 1) >> 10)
		if b.Cost > b.Burst {
			g.metrics.barred.WithLabelValues(string(inst.ID), "media").Inc()
			return &quotaError{most: int64(b.Burst) << 10}
		}
		got, err := g.store.Take(ctx, inst.ID, 0, b)
		if err != nil {
			return err
		}
		if !got.OK {
			g.metrics.barred.WithLabelValues(string(inst.ID), "media").Inc()
			return &quotaError{wait: got.Wait}
		}
		return g.keep(ctx, a, remembered{Media: Media{Size: m.Size}}, FileTTL, name)
	}
	return nil
}

// overQuota tells a sender that a file does not go, and when it would.
func (w *outWalk) overQuota(ctx context.Context, e *quotaError) *verdict {
	if e.most > 0 {
		return w.fail(ctx, PolicyViolation, TextFileOutBeyond, sizeText(e.most))
	}
	return w.fail(ctx, PolicyViolation, TextFileOutQuota, w.o.g.texts.duration(w.out.Op.Lang, roughly(e.wait)))
}

// quotaLine is what is shown instead of a file that the user's plan does not allow.
func (w *inWalk) quotaLine(m Media, e *quotaError) Part {
	label := w.o.g.fileLabel(w.account.Lang, m)
	if e.most > 0 {
		return Text{Text: w.say(TextFileInBeyond, label, sizeText(e.most), w.platform())}
	}
	return Text{Text: w.say(TextFileInQuota, label, w.o.g.texts.duration(w.account.Lang, roughly(e.wait)), w.platform())}
}

// isQuota finds the *quotaError of a file.
func isQuota(err error) (*quotaError, bool) { return errors.AsType[*quotaError](err) }

// refused reports why a visitor may not use the adapter, or nobody for the moment; nil when they may.
func (d *Desk) refused(ctx context.Context, v Visitor) *Refusal {
	if d.cfg.Orders != nil {
		if s, ok := d.cfg.Orders.Stopped(v.Adapter); ok {
			return &Refusal{ServiceUnavailable, d.say(v, TextStopped, d.platform(v), s.Reason)}
		}
	}
	if d.cfg.Policy == nil {
		return nil
	}
	t := d.cfg.Policy.Terms(ctx, v.User, v.Adapter)
	switch {
	case !t.Refused:
		return nil
	case t.Reason != "":
		return &Refusal{PolicyViolation, t.Reason}
	}
	return &Refusal{PolicyViolation, d.say(v, TextBarred)}
}
