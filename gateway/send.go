package gateway

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"
)

// errorFresh is how long an error still goes to the client that sent, as an error stanza; later a message tells the user.
const errorFresh = 5 * time.Minute

// send gives the planned ops to the platform, each once: what an earlier try has sent already is not sent again.
func (w *outWalk) send(ctx context.Context) *verdict {
	if len(w.planned.Ops) == 0 {
		return nil
	}
	caps := w.caps()
	if v := w.begin(ctx); v != nil {
		return v
	}
	var ids []MessageID
	var last Sent
	for n := 0; n < len(w.planned.Ops); n++ {
		sent, v := w.sendPiece(ctx, w.planned.Ops[n], n, ids, caps)
		if v != nil {
			return v
		}
		if f := w.lack; f != "" {
			w.lack = ""
			if v := w.replan(ctx, n, f); v != nil {
				return v
			}
			n--
			continue
		}
		ids, last = append(ids, sent.IDs...), sent
		if n == len(w.planned.Ops)-1 {
			break // the rest is the end's
		}
		if v := w.keepChat(ctx, sent.Chat); v != nil {
			return v
		}
	}
	w.remember(ids)
	return w.ends(ctx, func(ctx context.Context) *verdict { return w.tellSent(ctx, last, ids) })
}

// tellSent tells and notes what follows from an op that is with the platform, all of it.
func (w *outWalk) tellSent(ctx context.Context, last Sent, ids []MessageID) *verdict {
	if v := w.keepChat(ctx, last.Chat); v != nil {
		return v
	}
	if v := w.settle(ctx, last); v != nil {
		return v
	}
	if v := w.awaits(ctx, last); v != nil {
		return v
	}
	if v := w.foretold(ctx, ids); v != nil {
		return v
	}
	if b, marker := w.out.Op.Body.(OpMarkRead); marker {
		w.o.g.readingOf(w.entry.Lane).read(b.UpTo.Stanza)
	}
	if w.account.isLine() { // there is nobody to tell
		return nil
	}
	if v := w.degraded(ctx); v != nil {
		return v
	}
	if v := w.incomplete(ctx); v != nil {
		return v
	}
	return w.readers(ctx)
}

// begin marks a try before its first side effect, and ends an op that got too old. Once in a walk.
func (w *outWalk) begin(ctx context.Context) *verdict {
	if w.try.Number > 0 {
		return nil
	}
	if err := w.mark(ctx); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	// A first try is made at any age: an operator who replays what was given up on means it.
	if w.try.Number > 1 && time.Since(w.entry.At) > w.o.g.cfg.GiveUp {
		old := &SendError{Class: Retryable, Code: "too-old"}
		if w.try.Unfinished {
			old.Class = Uncertain
		}
		return w.giveUp(ctx, old)
	}
	return nil
}

// mark notes the try in the store. To look once more for what an earlier one may have sent is no other try, which would wait longer after
// its failure: to finish no entry is to ask whether the lease still counts.
func (w *outWalk) mark(ctx context.Context) (err error) {
	if w.looked.Number > 0 {
		w.try = w.looked
		return w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, nil)
	}
	if err := w.keep(ctx); err != nil {
		return err
	}
	w.try, err = w.o.g.store.Begin(ctx, w.o.lease, w.q, w.entry.ID, w.awaited())
	return err
}

// awaited is what a status needs that overtakes the answer to Send: it stands before. Of a message of several pieces it says which is the last.
func (w *outWalk) awaited() []MapEntry {
	if !w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect}).Echo || w.out.Stanza == "" {
		return nil
	}
	var last []MessageID
	if n := len(w.planned.Ops); n > 1 {
		last = []MessageID{MessageID(w.planned.Ops[n-1].ID)}
	}
	return []MapEntry{w.o.g.mapEntry(w.account, w.entry.Lane, byRef, string(w.out.Op.ID), w.mine(last))}
}

// mine is the id-map line of a message that our user wrote.
func (w *outWalk) mine(ids []MessageID) mapped {
	return mapped{Stanza: w.out.Stanza, IDs: ids, Mine: true, Resource: w.out.Resource, Receipt: w.out.Receipt, Markable: w.out.Markable}
}

// remember keeps the ids both ways, so that a later edit, answer or status finds its message.
func (w *outWalk) remember(ids []MessageID) {
	w.rememberOrigin(ids)
	if c, ok := opContent(w.out.Op.Body); ok {
		about := ids
		if b, edit := w.out.Op.Body.(OpEdit); edit {
			about = b.Target.IDs
		}
		w.o.g.quotable(w.entry.Lane, c, about...)
	}
	if w.out.Stanza == "" || len(ids) == 0 {
		return
	}
	w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byStanza, string(w.out.Stanza), mapped{IDs: ids, Mine: true, At: w.out.Op.At}))
	for n, id := range ids {
		line := w.mine(nil)
		if n < len(ids)-1 { // it has arrived, or was read, when its last piece was
			line.Receipt, line.Markable = false, false
		}
		w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byNative, string(id), line))
	}
}

// rememberOrigin keeps what an origin-id of its own stands for. That of a correction stands for what was corrected.
//
// COMPAT(Converse 14): a retraction of a corrected message refers to the correction's origin-id, which differs from its id;
// XEP-0424 §4.1 wants that of the message itself.
func (w *outWalk) rememberOrigin(ids []MessageID) {
	at := w.out.Op.At
	if b, edit := w.out.Op.Body.(OpEdit); edit && len(b.Target.IDs) > 0 {
		ids, at = append(slices.Clone(b.Target.IDs), ids...), b.Target.At
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	if w.out.Origin != "" && len(ids) > 0 {
		w.maps = append(w.maps, w.o.g.mapEntry(w.account, w.entry.Lane, byStanza, string(w.out.Origin), mapped{IDs: ids, Mine: true, At: at}))
	}
}

// settle tells the user what the platform's answer to the last piece already proves.
func (w *outWalk) settle(ctx context.Context, sent Sent) *verdict {
	final := sent.Final || !w.caps().Has(FeatureDelivered) // of a send without an answer, too, the platform says no more
	if !final || !w.out.Receipt || w.out.Stanza == "" {
		return nil
	}
	return w.tell(ctx, "receipt", ShowReceipt{ID: w.account.Keys.DerivedID("receipt", string(w.out.Stanza)), Of: w.out.Stanza}, "")
}

// keepChat writes the chat's id into the contact as it is by now: the user may have changed it during the call.
func (w *outWalk) keepChat(ctx context.Context, chat ChatID) *verdict {
	if chat == "" || chat == w.contact.Chat {
		return nil
	}
	now, err := w.o.g.identity.Revise(ctx, w.account, w.out.Alias, func(c *Contact) { c.Chat = chat })
	if errors.Is(err, ErrNoContact) {
		return nil
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	w.contact = now
	return nil
}

// react does what the class of a failure asks for.
func (w *outWalk) react(ctx context.Context, err error, try Attempt) *verdict {
	if ctx.Err() != nil {
		return &verdict{end: stop}
	}
	se, ok := errors.AsType[*SendError](err)
	if !ok {
		se = &SendError{Class: Uncertain, Err: err}
	}
	wait := max(se.RetryAfter, backoff(try.Number))
	switch se.Class {
	case Uncertain:
		if time.Since(w.entry.At)+wait > w.o.g.cfg.GiveUp {
			return w.giveUp(ctx, se)
		}
		return &verdict{end: again, after: wait, why: ParkRetry} // the start mark stays: the next try knows
	case Retryable, RateLimited:
		if time.Since(w.entry.At)+wait > w.o.g.cfg.GiveUp {
			return w.giveUp(ctx, se)
		}
		if err := w.o.g.store.Fail(ctx, w.o.lease, w.q, w.entry.ID); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
		if se.Class == RateLimited {
			if err := w.hold(ctx, se.Scope, wait); err != nil {
				return new(w.o.storeFailed(ctx, err))
			}
			return &verdict{end: again, after: wait, why: ParkLimit}
		}
		return &verdict{end: again, after: wait, why: ParkRetry}
	case ReauthNeeded:
		return w.reauth(ctx, refusal(se))
	case WindowClosed:
		return w.refusedByWindow(ctx)
	case Unsupported:
		return w.refusedPlan(ctx, PlanRefusal{Feature: featureOf(w.out.Op.Body), Text: TextUnsupported})
	case NotReachable:
		return w.fail(ctx, RecipientUnavailable, TextNotReachable, w.platform())
	case Permanent:
	}
	return w.dead(ctx, se, UndefinedCondition, TextPermanent, w.platform(), se.Code)
}

// giveUp ends an op that never got through: the sender hears, the operator can replay.
func (w *outWalk) giveUp(ctx context.Context, se *SendError) *verdict {
	if se.Class == Uncertain {
		return w.dead(ctx, se, RemoteServerTimeout, TextUncertain, w.platform())
	}
	return w.dead(ctx, se, RemoteServerTimeout, TextGaveUp, w.platform())
}

// dead tells the sender and sets the entry aside for the operator.
func (w *outWalk) dead(ctx context.Context, se *SendError, c Condition, key TextKey, args ...any) *verdict {
	if w.canary() != nil {
		return w.fail(ctx, c, key, args...) // worth nothing later
	}
	say := w.errorOf(c, key, args...)
	return w.ends(ctx, func(ctx context.Context) *verdict {
		if v := say(ctx); v != nil {
			return v
		}
		return w.ends(ctx, func(ctx context.Context) *verdict {
			return new(w.o.bury(ctx, w.q, &item{Entry: w.entry}, DeadReason{Class: se.Class, Code: se.Code}))
		})
	})
}

// fail tells the sender and ends the walk: nothing for the operator to replay.
func (w *outWalk) fail(ctx context.Context, c Condition, key TextKey, args ...any) *verdict {
	say := w.errorOf(c, key, args...)
	return w.ends(ctx, func(ctx context.Context) *verdict {
		if v := say(ctx); v != nil {
			return v
		}
		return new(w.finish(ctx))
	})
}

// errorOf returns how the sender is told, the same in each try. Nobody waits for an error to a marker.
func (w *outWalk) errorOf(c Condition, key TextKey, args ...any) (say func(ctx context.Context) *verdict) {
	_, quiet := w.out.Op.Body.(OpMarkRead)
	if quiet || w.o.g.canaryFailed(w.out.Adapter, w.out.User, w.out.Stanza) {
		return func(context.Context) *verdict { return nil }
	}
	r := w.o.g.refuse(w.inst.ID, w.out.Op.Lang, c, key, args...)
	if time.Since(w.out.Op.At) < errorFresh && w.out.Resource != "" && w.out.Stanza != "" { // an error without an id is about nothing
		return func(ctx context.Context) *verdict {
			return w.tell(ctx, "error", ShowError{Of: w.out.Stanza, Refusal: *r}, w.out.Resource)
		}
	}
	text := w.o.g.texts.Say(w.out.Op.Lang, TextLate, w.out.Op.At.UTC().Format("15:04 UTC"), r.Text)
	id := StanzaID(w.o.g.keys.Name("late", string(w.out.Op.ID)))
	return func(ctx context.Context) *verdict {
		return w.tell(ctx, "late", ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true}, "")
	}
}

// tell appends something for the sender to the outbox; purpose keeps a replay from saying it twice.
func (w *outWalk) tell(ctx context.Context, purpose string, what Shown, resource string) *verdict {
	if w.account != nil && w.account.isLine() {
		return nil
	}
	if _, receipt := what.(ShowReceipt); receipt && w.o.g.canaryArrived(w.out.Adapter, w.out.User, w.out.Stanza) {
		return nil
	}
	r := Rendering{
		Component: w.inst.Component, From: w.out.Alias, To: w.out.User, Resource: resource, Lang: w.out.Op.Lang, What: what,
	}
	err := w.o.g.show(ctx, w.inst.ID, w.account, r, time.Now(), w.o.g.keys.Name("tell", purpose, string(w.out.Op.ID)))
	if errors.Is(err, errRender) { // the op has its end all the same
		w.o.g.log.Error("answer not shown", "adapter", string(w.inst.ID), "entry", w.entry.ID, "err", err)
		return nil
	}
	if err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// reauth parks the account's work and tells its user once a day how to go on.
func (w *outWalk) reauth(ctx context.Context, c cause) *verdict {
	if err := w.o.g.store.Fail(ctx, w.o.lease, w.q, w.entry.ID); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	now, err := w.o.g.identity.reload(ctx, w.account.ID)
	switch {
	case errors.Is(err, ErrNoAccount):
		return new(w.finish(ctx))
	case err != nil:
		return new(w.o.storeFailed(ctx, err))
	case !bytes.Equal(now.Secret, w.account.Secret): // renewed during the call: what was refused is not what is there now
		return &verdict{end: again, after: backoff(1), why: ParkRetry}
	}
	if now.Shared {
		return w.lineRefused(ctx)
	}
	if err := w.o.g.standing(ctx, now, AccountReauthNeeded, c); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return w.parkAccount(ctx)
}

// lineRefused waits for the operator to give the line another token: its users can do nothing about it, and are told once a day.
func (w *outWalk) lineRefused(ctx context.Context) *verdict {
	w.o.g.log.Error("the platform refuses the line: see to its token", "adapter", string(w.inst.ID))
	if !w.account.isLine() {
		r := Rendering{
			Component: w.inst.Component, To: w.account.User, Lang: w.account.Lang,
			What: ShowMessage{
				IDs:     []StanzaID{w.account.Keys.DerivedID("line", string(w.out.Op.ID))},
				Content: PlainText(w.o.g.texts.Say(w.account.Lang, TextLineRefused, w.platform())), Notice: true,
			},
		}
		if err := w.o.g.once(ctx, w.account, r, w.o.g.keys.Name("line", string(w.account.ID))); err != nil {
			return new(w.o.storeFailed(ctx, err))
		}
	}
	return w.parkAccount(ctx)
}

// parkAccount parks the lane until the account works again; the wake-up comes by signal, the time is only a safety net.
func (w *outWalk) parkAccount(ctx context.Context) *verdict {
	if time.Since(w.entry.At) > w.o.g.cfg.GiveUp {
		return w.dead(ctx, &SendError{Class: ReauthNeeded, Code: "reauth"}, NotAuthorized, TextReauth, w.platform(), w.inst.Component)
	}
	return &verdict{end: again, after: backoffMost, why: ParkReauth}
}
