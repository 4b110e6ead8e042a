package gateway

import (
	"context"
	"errors"
	"slices"
	"time"
)

// once shows a notice unless its name was used in the last day. It costs the store one call, and none where this process
// remembers.
func (g *Gateway) once(ctx context.Context, a *Account, r Rendering, name string) error {
	if _, told := g.told.load(name); told {
		return nil
	}
	// The outbox forgets a name after a day: "once a day" is nothing else.
	if err := g.show(ctx, a.Adapter, a, r, time.Now(), name); err != nil && !errors.Is(err, errRender) {
		return err
	}
	g.told.store(name, true)
	return nil
}

// degraded tells the user what was done instead of what the chat lacks: once per chat, feature and day, after it was done.
func (w *outWalk) degraded(ctx context.Context) *verdict {
	lacks := slices.Clone(w.planned.Degraded)
	if w.apart {
		lacks = append(lacks, degradedApart)
	}
	for i, f := range lacks {
		if slices.Contains(lacks[:i], f) {
			continue
		}
		text := w.o.g.texts.Say(w.out.Op.Lang, textDegraded+TextKey(f), w.platform())
		r := Rendering{
			Component: w.inst.Component, From: w.out.Alias, To: w.out.User, Lang: w.out.Op.Lang,
			What: ShowMessage{IDs: []StanzaID{w.account.Keys.DerivedID("degraded "+string(f), string(w.out.Op.ID))}, Content: PlainText(text), Notice: true},
		}
		if err := w.o.g.once(ctx, w.account, r, w.o.g.keys.Name("degraded", string(w.account.ID), string(w.out.Alias), string(f))); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	return nil
}

// degradedApart is told like a feature that a chat lacks: a reply to what is too old to be referred to.
const degradedApart Feature = "apart"

// CallDeclined tells a user whose client proposed a call to one of their contacts that calls do not pass: once a day for each.
func (g *Gateway) CallDeclined(ctx context.Context, v Visitor, alias Alias) error {
	inst, ok := g.instance(v.Adapter)
	if !ok {
		return nil
	}
	a, c, err := g.identity.Find(ctx, v.Adapter, v.User, alias)
	if errors.Is(err, ErrNoAccount) || errors.Is(err, ErrNoContact) {
		return nil
	}
	if err != nil {
		return err
	}
	text := g.texts.Say(v.Lang, TextCallDeclined, inst.Adapter.Descriptor().Platform)
	at := time.Now().UTC().Format(time.RFC3339)
	r := Rendering{
		Component: inst.Component, From: c.Alias, To: v.User, Lang: v.Lang,
		What: ShowMessage{IDs: []StanzaID{a.Keys.DerivedID("declined", string(c.Alias)+at)}, Content: PlainText(text), Notice: true},
	}
	return g.once(ctx, a, r, g.keys.Name("declined", string(a.ID), string(c.Alias)))
}

// refusedPlan tells the sender why Plan refused.
func (w *outWalk) refusedPlan(ctx context.Context, r PlanRefusal) *verdict {
	lang := w.out.Op.Lang
	switch r.Text { //nolint:exhaustive // the texts of the whole catalogue are one type
	case TextTooLong:
		return w.fail(ctx, NotAcceptable, r.Text, w.platform(), r.Max, w.o.g.texts.Say(lang, textUnit+unitNames[r.Unit]))
	case TextReactionsList:
		return w.fail(ctx, NotAcceptable, r.Text, w.platform(), joinedWords(r.Allowed))
	case TextReactionsMax:
		return w.fail(ctx, NotAcceptable, r.Text, w.platform(), r.Max)
	case TextRetractLate:
		return w.fail(ctx, NotAllowed, r.Text, w.platform(), w.o.g.texts.duration(lang, r.For))
	case TextUnsupported:
		c := NotAcceptable // what was sent
		if r.Feature == FeatureEdit || r.Feature == FeatureRetract || r.Feature == FeatureGroups {
			c = NotAllowed // doing so at all
		}
		return w.fail(ctx, c, r.Text, w.platform(), w.o.g.texts.Say(lang, textFeature+TextKey(r.Feature)))
	}
	return w.fail(ctx, NotAcceptable, r.Text)
}

// unitNames are the ends of texts: nobody counts UTF-16 in what they wrote.
var unitNames = map[TextUnit]TextKey{CodePoints: "characters", UTF16Units: "characters", Bytes: "bytes"}
