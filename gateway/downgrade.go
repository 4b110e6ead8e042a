package gateway

import (
	"context"
	"errors"
	"slices"
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
	f.Without, _ = g.without.load(string(a.ID) + "/" + string(c.Alias))
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
	facts.Without = append(slices.Clone(facts.Without), w.without...)
	return chatCaps(w.inst.Adapter, facts)
}

// lacking returns the feature that the platform refused an op for, where the op may do without it; empty otherwise. What the
// refusal names itself is learned for the chat's next ops too.
func (w *outWalk) lacking(op Op, err error) Feature {
	se, ok := errors.AsType[*SendError](err)
	if !ok || se.Class != Unsupported {
		return ""
	}
	f := needs(op.Body)
	if named := Feature(se.Code); slices.Contains(Features(), named) && named != FeatureText {
		f = named
		key := string(w.account.ID) + "/" + string(w.contact.Alias)
		known, _ := w.o.g.without.load(key)
		if !slices.Contains(known, f) {
			w.o.g.without.store(key, append(slices.Clone(known), f))
		}
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
	case OpRetract, OpReact, OpMarkRead, OpTyping, OpGroup:
	}
	return ""
}

// replan plans once more, without what the platform refused, and sends that.
func (w *outWalk) replan(ctx context.Context, without Feature) *verdict {
	w.without = append(w.without, without)
	for _, stage := range []func(*outWalk, context.Context) *verdict{(*outWalk).plan, (*outWalk).media, (*outWalk).send} {
		if v := stage(w, ctx); v != nil {
			return v
		}
	}
	return nil
}
