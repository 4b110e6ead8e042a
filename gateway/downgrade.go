package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// downgradeTTL is how long a feature that the platform refused is not tried again in a chat.
const downgradeTTL = time.Hour

// facts returns what is known of a chat that its caps may depend on.
func (g *Gateway) facts(a *Account, c *Contact) ChatFacts {
	f := ChatFacts{Kind: ChatDirect}
	if c.LastInbound > 0 {
		f.LastInbound = time.Unix(c.LastInbound, 0)
	}
	f.Without, _ = g.without.load(contactSlot(a, c.Alias))
	return f
}

// chatCaps returns what a chat supports by these facts, also of an adapter that does not look at what was refused.
func chatCaps(adapter Adapter, facts ChatFacts) Caps {
	caps := adapter.Caps(facts)
	if len(facts.Without) == 0 {
		return caps
	}
	levels := make(map[Feature]Level, len(caps.Levels))
	for f, l := range caps.Levels {
		if !slices.Contains(facts.Without, f) {
			levels[f] = l
		}
	}
	caps.Levels = levels
	return caps
}

// caps returns what the op's chat supports: what the platform has just refused, it does not.
func (w *outWalk) caps() Caps {
	facts := w.o.g.facts(w.account, w.contact)
	facts.Without = slices.Concat(facts.Without, w.without)
	return chatCaps(w.inst.Adapter, facts)
}

// lacking returns the feature that the platform refused an op for, where the op may do without it; empty otherwise.
func (w *outWalk) lacking(op Op, err error) Feature {
	se, ok := errors.AsType[*SendError](err)
	if !ok || se.Class != Unsupported {
		return ""
	}
	f := needs(op.Body)
	if named := Feature(se.Code); slices.Contains(Features(), named) && named != FeatureText {
		f = named
		w.named = append(w.named, f)
	}
	if slices.Contains(w.without, f) {
		return "" // it is refused for something else
	}
	return f
}

// needs returns the feature that an op fails for when the platform does not say: the one that Plan has another way for.
func needs(b OpBody) Feature {
	switch b := b.(type) {
	case OpEdit:
		return FeatureEdit
	case OpAnswer:
		return FeatureAnswer
	case OpMessage:
		for _, p := range b.Content.Parts {
			if f := partFeature(p); f != FeatureText && f != FeatureMedia { // a file is refused for its size or type, not for being one
				return f
			}
		}
		if b.ReplyTo != nil {
			return FeatureReply
		}
	case OpRetract, OpReact, OpMarkRead, OpTyping, OpReopen, OpGroup:
	}
	return ""
}

// replan plans the nth op, which the platform refused, and those behind it once more without what it refused: what was sent
// before them stays sent. What changes gets an id that says so, always the same one: the platform may remember that it refused
// the first, and a later try finds what this one has sent.
func (w *outWalk) replan(ctx context.Context, n int, without Feature) *verdict {
	w.without = append(w.without, without)
	caps := w.caps()
	ops := slices.Clone(w.plain[:n])
	for i, op := range w.plain[n:] {
		changed := op
		changed.ID += OpID("." + string(without))
		p := Plan(changed, caps, time.Now())
		if i > 0 && !slices.Contains(p.Degraded, without) {
			ops = append(ops, op)
			continue
		}
		w.planned.Degraded = append(w.planned.Degraded, p.Degraded...)
		w.countDegraded(p.Degraded)
		if p.Refused != nil {
			return w.refusedPlan(ctx, *p.Refused)
		}
		ops = append(ops, p.Ops...)
	}
	w.plain, w.planned.Ops = ops, slices.Clone(ops)
	if len(ops) > 1 { // the last of them may have another id now
		if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, w.awaited()); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	return w.media(ctx)
}

// learn keeps what the platform named in its refusals for the chat's next ops. Not before this one has its end: another try of
// it has to come to the same plan, whose ids tell what was sent.
func (w *outWalk) learn() {
	if len(w.named) == 0 {
		return
	}
	key := contactSlot(w.account, Alias(strings.Clone(string(w.contact.Alias)))) // not the payload that it may be a part of
	known, _ := w.o.g.without.load(key)
	known = slices.Clone(known)
	for _, f := range w.named {
		if !slices.Contains(known, f) {
			known = append(known, f)
		}
	}
	w.o.g.without.store(key, known)
}
