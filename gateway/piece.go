package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// sendPiece sends one op of a plan, after those that became before. What an earlier try has sent is known to this process, or, of all
// but the last, read from the id map.
func (w *outWalk) sendPiece(ctx context.Context, op Op, n int, before []MessageID, caps Caps) (Sent, *verdict) {
	sent, known := w.wasSent(op.ID)
	if !known {
		step, ok, v := w.stepSent(ctx, op)
		if ok || v != nil {
			return step, v
		}
		if sent, v = w.sendOnce(ctx, op, before, caps); v != nil || w.lack != "" {
			return Sent{}, v
		}
	}
	if n < len(w.planned.Ops)-1 {
		kept := []MapEntry{w.o.g.mapEntry(w.account, w.entry.Lane, byStep, string(op.ID), mapped{IDs: sent.IDs})}
		if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, kept); err != nil {
			return Sent{}, new(w.o.storeFailed(ctx, err))
		}
	}
	return sent, nil
}

// stepSent returns what the id map says of a piece that was sent: also in a replay, whose tries are counted anew.
func (w *outWalk) stepSent(ctx context.Context, op Op) (Sent, bool, *verdict) {
	if len(w.planned.Ops) == 1 {
		return Sent{}, false, nil
	}
	step := string(op.ID)
	got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byStep, step)
	if err != nil {
		return Sent{}, false, new(w.o.storeFailed(ctx, err))
	}
	m, ok := got[step]
	return Sent{IDs: m.IDs}, ok, nil
}

// unsent returns which of the planned ops is the first that is not known to be with the platform, and the ids of those before it.
func (w *outWalk) unsent(ctx context.Context) (n int, before []MessageID, v *verdict) {
	for n, op := range w.planned.Ops {
		sent, ok := w.wasSent(op.ID)
		if !ok {
			if sent, ok, v = w.stepSent(ctx, op); !ok {
				return n, before, v
			}
		}
		before = append(before, sent.IDs...)
	}
	return len(w.planned.Ops), before, nil
}

// noteSent notes that an op is with the platform.
func (w *outWalk) noteSent(op Op, sent Sent) {
	if w.sent == nil {
		w.sent = map[OpID]Sent{}
	}
	w.sent[op.ID] = sent
}

// maybeSent asks, once in a walk, for an op that an earlier try may have sent without hearing of it. Of a plan that can be one alone, the
// first that is not known to be there: a try goes no further than its first doubt. A plan without what the platform refused is another.
func (w *outWalk) maybeSent(ctx context.Context, op Op, before []MessageID, caps Caps) (Sent, bool, *verdict) {
	if !w.try.Unfinished || caps.Idempotent || w.asked {
		return Sent{}, false, nil
	}
	w.asked = true
	if caps.Echo {
		return w.echoedSend(ctx, op)
	}
	return w.reconcile(ctx, op, before)
}

// sendOnce sends an op of which this process does not know that it was sent.
func (w *outWalk) sendOnce(ctx context.Context, op Op, before []MessageID, caps Caps) (Sent, *verdict) {
	try := w.try
	if sent, found, v := w.maybeSent(ctx, op, before, caps); found || v != nil {
		return sent, v
	}
	if v := w.pieceTurn(ctx); v != nil {
		return Sent{}, v
	}
	w.o.g.echoes.forget(string(op.ID)) // that of this call has its own time to come
	start := time.Now()
	sent, err := w.call(ctx, op)
	w.asked, w.spent = true, true
	if err != nil && ClassOf(err) == Uncertain {
		w.unsure++
	}
	if w.cut(ctx, op) {
		return Sent{}, &verdict{end: stop}
	}
	w.answered(endOf(err))
	w.o.g.probe("after-send")
	w.record(ctx, op, err, try, time.Since(start))
	if err != nil {
		if w.lack = w.lacking(op, err); w.lack != "" {
			w.asked = false
			return Sent{}, nil
		}
		return Sent{}, w.react(ctx, err, try)
	}
	w.o.g.pulse.sent(w.account)
	if sent.At.IsZero() {
		sent.At = start // a platform that tells of it by a time may do so before its answer is here
	}
	w.noteSent(op, sent)
	return sent, nil
}

// reconcile asks the platform whether an op whose answer was lost took effect. What is known as another message already is not this one,
// though it says the same.
func (w *outWalk) reconcile(ctx context.Context, op Op, before []MessageID) (Sent, bool, *verdict) {
	r, ok := w.inst.Adapter.(Reconciler)
	if !ok {
		return Sent{}, false, nil
	}
	call, cancel := context.WithTimeout(ctx, w.o.g.cfg.SendTimeout)
	defer cancel()
	maybe, err := r.Reconcile(call, w.account.Credentials(), op)
	w.answered(endOf(err))
	if err != nil {
		return Sent{}, false, &verdict{end: again, after: backoff(w.try.Number), why: ParkRetry}
	}
	var all []MessageID
	for _, sent := range maybe {
		all = append(all, sent.IDs...)
	}
	if len(all) == 0 {
		return Sent{}, false, nil
	}
	known, err := w.o.lookup(ctx, w.account, w.entry.Lane, byNative, nativeIDs(all)...)
	if err != nil {
		return Sent{}, false, new(w.o.storeFailed(ctx, err))
	}
	for _, sent := range maybe {
		if !slices.ContainsFunc(sent.IDs, func(id MessageID) bool {
			_, other := known[string(id)]
			return other || slices.Contains(before, id)
		}) {
			return sent, true, nil
		}
	}
	return Sent{}, false, nil
}

// record counts and logs the one line of a message's fate.
func (w *outWalk) record(ctx context.Context, op Op, err error, try Attempt, took time.Duration) {
	class, code := "ok", ""
	if err != nil {
		class = ClassOf(err).String()
		if se, ok := errors.AsType[*SendError](err); ok {
			code = se.Code
		}
	}
	w.o.g.metrics.sent.WithLabelValues(string(w.inst.ID), class).Inc()
	w.o.g.metrics.sendTime.WithLabelValues(string(w.inst.ID)).Observe(took.Seconds())
	w.o.g.ledger.call(w.inst.ID, OpKind(op.Body), err, took)
	level := slog.LevelDebug
	if err != nil {
		level = slog.LevelWarn
	}
	w.o.g.log.Log(ctx, level, "send", "adapter", string(w.inst.ID), "chat", w.entry.Lane, "op", OpKind(op.Body),
		"class", class, "code", code, "attempt", try.Number, "duration", took)
}
