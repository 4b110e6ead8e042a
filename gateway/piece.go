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
	step := string(op.ID)
	sent, known := w.wasSent(op.ID)
	if !known && len(w.planned.Ops) > 1 { // also in a replay, whose tries are counted anew
		got, err := w.o.lookup(ctx, w.account, w.entry.Lane, byStep, step)
		if err != nil {
			return Sent{}, new(w.o.storeFailed(ctx, err))
		}
		if m, ok := got[step]; ok {
			return Sent{IDs: m.IDs}, nil
		}
	}
	if !known {
		var v *verdict
		if sent, v = w.sendOnce(ctx, op, n, before, caps); v != nil || w.lack != "" {
			return Sent{}, v
		}
	}
	if n < len(w.planned.Ops)-1 {
		kept := []MapEntry{w.o.g.mapEntry(w.account, w.entry.Lane, byStep, step, mapped{IDs: sent.IDs})}
		if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, kept); err != nil {
			return Sent{}, new(w.o.storeFailed(ctx, err))
		}
	}
	return sent, nil
}

// sendOnce sends an op of which this process does not know that it was sent.
func (w *outWalk) sendOnce(ctx context.Context, op Op, n int, before []MessageID, caps Caps) (Sent, *verdict) {
	try := w.try
	if try.Unfinished && !caps.Idempotent {
		ask := w.echoedSend
		if !caps.Echo {
			ask = func(ctx context.Context, op Op) (Sent, bool, *verdict) { return w.reconcile(ctx, op, before) }
		}
		if sent, found, v := ask(ctx, op); found || v != nil {
			return sent, v
		}
	}
	if v := w.pieceTurn(ctx, n); v != nil {
		return Sent{}, v
	}
	start := time.Now()
	sent, err := w.call(ctx, op)
	if w.cut(ctx, op) {
		return Sent{}, &verdict{end: stop}
	}
	w.answered(endOf(err))
	w.o.g.probe("after-send")
	w.record(ctx, op, err, try, time.Since(start))
	if err != nil {
		if w.lack = w.lacking(op, err); w.lack != "" {
			return Sent{}, nil
		}
		return Sent{}, w.react(ctx, err, try)
	}
	w.o.g.pulse.sent(w.account)
	if sent.At.IsZero() {
		sent.At = start // a platform that tells of it by a time may do so before its answer is here
	}
	if w.sent == nil {
		w.sent = map[OpID]Sent{}
	}
	w.sent[op.ID] = sent
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
