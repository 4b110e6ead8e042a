package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// HeldMost is how long a message waits for a contact to write again.
const HeldMost = 7 * 24 * time.Hour

// window holds back what the platform would refuse now: where a contact has not written for too long, nobody may write to them
// before they do.
func (w *outWalk) window(ctx context.Context) *verdict {
	rule := w.caps().Window
	if rule == nil || w.account.isLine() || !speaks(w.out.Op.Body) {
		return nil
	}
	w.out.Op.LastInbound = w.contact.facts().LastInbound
	if w.contact.windowOpen(rule, time.Now()) {
		return nil
	}
	return w.closed(ctx, rule)
}

// speaks reports whether an op needs an open window.
func speaks(b OpBody) bool {
	switch b.(type) {
	case OpMessage, OpEdit, OpReact, OpAnswer:
		return true
	case OpRetract, OpMarkRead, OpTyping, OpReopen, OpGroup:
	}
	return false
}

func (c *Contact) windowOpen(rule *WindowRule, now time.Time) bool {
	return c.LastInbound > 0 && now.Before(time.Unix(c.LastInbound, 0).Add(rule.For))
}

// closed does what the operator wants of a message for a closed window. A held lane is woken by the contact's next message; the
// time is a safety net besides.
func (w *outWalk) closed(ctx context.Context, rule *WindowRule) *verdict {
	if w.inst.Window == WindowRefuse || w.canary() != nil || time.Since(w.entry.At) > HeldMost {
		return w.fail(ctx, PolicyViolation, TextWindow, w.platform())
	}
	key := TextWindowHeld
	if rule.Reopen && w.inst.Window == WindowReopen {
		if v := w.reopen(ctx); v != nil {
			return v
		}
		key = TextWindowAsked
	}
	if v := w.onceClosed(ctx, "held", func() *verdict {
		text := w.o.g.texts.Say(w.out.Op.Lang, key, w.platform(), w.o.g.texts.duration(w.out.Op.Lang, HeldMost))
		id := w.account.Keys.DerivedID("window", string(w.out.Op.ID))
		return w.tell(ctx, "window", ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true}, "")
	}); v != nil {
		return v
	}
	return &verdict{end: again, after: backoffMost, why: ParkWindow}
}

// onceClosed does something once for each time that the window has closed, whatever becomes of the process. A verdict of do ends
// it undone.
func (w *outWalk) onceClosed(ctx context.Context, what string, do func() *verdict) *verdict {
	step := w.closing(what)
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byStep, step)
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	if _, done := got[step]; done {
		return nil
	}
	if v := do(); v != nil {
		return v
	}
	kept := []MapEntry{w.o.g.mapEntry(w.account, w.entry.Lane, byStep, step, mapped{Mine: true})}
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, kept); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// closing names something that is done once while a window is closed.
func (w *outWalk) closing(what string) string {
	return w.o.g.keys.Name("window", what, string(w.account.ID), string(w.out.Alias), strconv.FormatInt(w.contact.LastInbound, 10))
}

// reopen asks the contact to write. What comes of it is not waited for: should it have failed for the moment, the next look at
// the held message asks again.
func (w *outWalk) reopen(ctx context.Context) *verdict {
	failed := false
	v := w.onceClosed(ctx, "reopen", func() *verdict {
		op := w.out.Op
		op.ID, op.Body = OpID(w.closing("reopen")), OpReopen{From: w.account.called()}
		call, cancel := context.WithTimeout(ctx, w.o.g.cfg.SendTimeout)
		defer cancel()
		start := time.Now()
		_, err := w.inst.Adapter.Send(call, w.account.Credentials(), op)
		w.record(ctx, op, err, Attempt{Number: 1}, time.Since(start))
		if err == nil {
			return nil
		}
		switch ClassOf(err) {
		case Retryable, RateLimited, ReauthNeeded:
			failed = true
			return &verdict{}
		case NotReachable:
			return w.fail(ctx, RecipientUnavailable, TextNotReachable, w.platform())
		case Uncertain, WindowClosed, Unsupported, Permanent: // asked, or never to be: not a second time
		}
		return nil
	})
	if failed {
		return nil
	}
	return v
}

// refusedByWindow takes the platform's word for it that the window is closed, whatever we know.
func (w *outWalk) refusedByWindow(ctx context.Context) *verdict {
	rule := w.caps().Window
	if rule == nil {
		return w.fail(ctx, PolicyViolation, TextWindow, w.platform())
	}
	over := time.Now().Add(-rule.For).Unix()
	now, err := w.o.g.identity.Revise(ctx, w.account, w.out.Alias, func(c *Contact) { c.LastInbound = min(c.LastInbound, over) })
	if errors.Is(err, ErrNoContact) {
		return new(w.finish(ctx))
	}
	if err == nil {
		w.contact = now
		err = w.o.g.store.Fail(ctx, w.o.lease, w.q, w.entry.ID)
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return w.closed(ctx, rule)
}

// opened wakes what was held for a contact who has written, or is about to be.
func (o *ownership) opened(lane string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := laneID{QueueOut, lane}
	if l := o.byID[id]; l != nil {
		l.opened = true
	}
	if p, ok := o.parked[id]; ok && p.Reason == ParkWindow {
		p.Until = time.Time{}
		o.parked[id] = p
		tell(o.freed)
	}
}
