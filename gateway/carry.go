package gateway

import (
	"context"
	"slices"
	"time"
)

// carried are the files that a walk holds until they go with their messages, by where the user put them, and what gives their
// place among the transfers back.
type carried struct {
	files   map[string]File
	release func()
}

// carry fetches the files of the planned ops from the nth on, before the first of them is sent, for a platform that takes a file with
// its message alone (MediaSender). What an earlier try may have sent is asked before: what is there needs no file, which may be gone.
func (w *outWalk) carry(ctx context.Context, n int, before []MessageID) *verdict {
	if !slices.ContainsFunc(w.planned.Ops[n:], bringsFile) {
		return nil
	}
	if v := w.room(ctx); v != nil {
		return v
	}
	first, asked := w.planned.Ops[n], w.asked
	sent, found, v := w.maybeSent(ctx, first, before, w.caps())
	if v != nil {
		return v
	}
	if found {
		w.noteSent(first, sent)
		n++
	}
	for i := n; i < len(w.planned.Ops); i++ {
		op := w.planned.Ops[i]
		content, _ := opContent(op.Body)
		parts := slices.Clone(content.Parts)
		for p, part := range parts {
			m, ok := mediaOf(part)
			if !ok || !hosted(m) {
				continue
			}
			if w.carried.files[m.Handle] == nil {
				if v := w.pickUp(ctx, m); v != nil {
					return v
				}
			}
			found := w.carried.files[m.Handle].Media()
			found.Handle = m.Handle
			parts[p] = withMedia(part, found)
		}
		w.planned.Ops[i].Body = withOpContent(op.Body, Content{Parts: parts})
	}
	if len(w.carried.files) == 0 {
		return nil
	}
	w.asked = asked || found // else once more: the platform may have told while a file came
	// A file takes its time, and the try was begun before it: whoever was overtaken meanwhile sends nothing. To finish no
	// entry is to ask whether the lease still counts.
	if err := w.o.g.store.Finish(ctx, w.o.lease, w.q, nil, nil); err != nil {
		return new(w.o.storeFailed(ctx, err))
	}
	return nil
}

// room takes a place among the transfers, and begins.
func (w *outWalk) room(ctx context.Context) *verdict {
	if w.carried.release == nil {
		release, wait := w.o.g.filesOut.take(ctx, w.account.User)
		if wait != nil {
			return &verdict{end: again, turn: wait}
		}
		w.carried.release = release
	}
	return w.begin(ctx)
}

// pickUp fetches one file and keeps it.
func (w *outWalk) pickUp(ctx context.Context, m Media) *verdict {
	g := w.o.g
	began := time.Now()
	call, cancel := g.transferTime(ctx)
	f, found, err := w.fetch(call, m)
	cancel()
	if ownedOf(ctx).Err() != nil {
		if f != nil {
			g.discard(f)
		}
		return &verdict{end: stop}
	}
	if err != nil {
		g.moved(ctx, "out", w.inst.ID, found.Size, began, err)
		if found.Size > 0 { // what it is, rather than what it was called
			m = found
		}
		return w.ungiven(ctx, m, err)
	}
	if w.carried.files == nil {
		w.carried.files = map[string]File{}
	}
	w.carried.files[m.Handle] = f
	return nil
}

// putDown ends what carry began.
func (w *outWalk) putDown() {
	for _, f := range w.carried.files {
		w.o.g.discard(f)
	}
	if w.carried.release != nil {
		w.carried.release()
	}
	w.carried = carried{}
}

// carriedOf returns the file that an op brings along, or nil.
func (w *outWalk) carriedOf(op Op) File {
	content, _ := opContent(op.Body)
	for _, part := range content.Parts {
		if m, ok := mediaOf(part); ok && w.carried.files[m.Handle] != nil {
			return w.carried.files[m.Handle]
		}
	}
	return nil
}

// call hands one op to the platform, and its file with it.
func (w *outWalk) call(ctx context.Context, op Op) (Sent, error) {
	f := w.carriedOf(op)
	sender, ok := w.inst.Adapter.(MediaSender)
	if f == nil || !ok {
		ctx, cancel := context.WithTimeout(ctx, w.o.g.cfg.SendTimeout)
		defer cancel()
		return w.inst.Adapter.Send(ctx, w.account.Credentials(), op)
	}
	body, err := f.Open()
	if err != nil {
		return Sent{}, &SendError{Class: Retryable, Code: "media", Err: err}
	}
	defer func() { _ = body.Close() }() // it was only read
	began := time.Now()
	ctx, cancel := w.o.g.transferTime(ctx)
	defer cancel()
	sent, err := sender.SendMedia(ctx, w.account.Credentials(), op, body)
	w.o.g.moved(ctx, "out", w.inst.ID, f.Media().Size, began, err)
	return sent, err
}

// cut reports whether the way of a file ended with the ownership: whether it arrived is the next owner's question.
func (w *outWalk) cut(ctx context.Context, op Op) bool {
	return w.carriedOf(op) != nil && ownedOf(ctx).Err() != nil
}

// fetch gets what a client put somewhere, when the platform would take it and the user's plan allows it; found is what it is, as far as that is known.
func (w *outWalk) fetch(ctx context.Context, m Media) (f File, found Media, err error) {
	g, caps := w.o.g, w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect})
	if f, err = g.files.Fetch(ctx, m, least(g.cfg.MediaMax, caps.MediaMax)); err != nil {
		return nil, Media{}, err
	}
	switch found = f.Media(); {
	case found.Size == 0:
		err = &FileError{Reason: FileBroken, Err: errFileEmpty}
	case !allowed(found.MIME, caps.MediaTypes):
		err = &FileError{Reason: FileType, Err: errFileRefused}
	default:
		if err = w.o.g.charge(ctx, w.inst, w.account, found, g.keys.Name("file charged", string(w.account.ID), string(w.out.Op.ID), m.Handle)); err == nil {
			return f, found, nil
		}
	}
	g.discard(f)
	return nil, found, err
}
