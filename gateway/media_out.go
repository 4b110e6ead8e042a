package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

var (
	errFileRefused = errors.New("type not taken by the platform")
	errFileEmpty   = errors.New("no bytes")
)

// media hands the files of the planned ops to the platform, before the first of them is sent: a file that cannot go costs
// the message, and the sender hears why.
func (w *outWalk) media(ctx context.Context) *verdict {
	store, ok := w.inst.Adapter.(MediaStore)
	if w.o.g.files == nil || !ok {
		return nil // such a platform fetches addresses itself
	}
	if !slices.ContainsFunc(w.planned.Ops, bringsFile) {
		return nil
	}
	first, ids, v := w.unsent(ctx)
	if v != nil {
		return v
	}
	if _, ok := store.(MediaSender); ok {
		return w.carry(ctx, first, ids)
	}
	before := map[string]int{}
	for i, op := range w.planned.Ops {
		content, ok := opContent(op.Body)
		if !ok {
			continue
		}
		parts := slices.Clone(content.Parts)
		for n, part := range parts {
			m, ok := mediaOf(part)
			if !ok || !hosted(m) {
				continue
			}
			// By what the user sent and not by the op, whose id another plan changes: a file is given once.
			place := string(w.out.Op.ID) + "/" + strconv.Itoa(before[m.Handle]) + "/" + m.Handle
			before[m.Handle]++
			given, v := w.file(ctx, store, place, m, i < first)
			if v != nil {
				return v
			}
			parts[n] = withMedia(part, given)
		}
		w.planned.Ops[i].Body = withOpContent(op.Body, Content{Parts: parts})
	}
	return nil
}

// bringsFile reports whether an op shows a file that a client put somewhere.
func bringsFile(op Op) bool {
	content, _ := opContent(op.Body)
	return slices.ContainsFunc(content.Parts, func(p Part) bool {
		m, ok := mediaOf(p)
		return ok && hosted(m)
	})
}

// opContent returns what an op says.
func opContent(b OpBody) (Content, bool) {
	switch b := b.(type) {
	case OpMessage:
		return b.Content, true
	case OpEdit:
		return b.Content, true
	case OpRetract, OpReact, OpMarkRead, OpAnswer, OpTyping, OpReopen, OpGroup:
	}
	return Content{}, false
}

// withOpContent returns an op's body that says something else.
func withOpContent(b OpBody, c Content) OpBody {
	switch b := b.(type) {
	case OpMessage:
		b.Content = c
		return b
	case OpEdit:
		b.Content = c
		return b
	case OpRetract, OpReact, OpMarkRead, OpAnswer, OpTyping, OpReopen, OpGroup:
	}
	return b
}

// file gives one file to the platform, unless an earlier try has, or has sent what shows it.
func (w *outWalk) file(ctx context.Context, store MediaStore, place string, m Media, sent bool) (Media, *verdict) {
	g := w.o.g
	name := g.keys.Name("file given", string(w.account.ID), place)
	known, ok, err := g.recall(ctx, w.account, name)
	if err != nil {
		return Media{}, new(w.o.storeFailed(ctx, err))
	}
	switch {
	case ok:
		return known.Media, nil
	case sent:
		return m, nil
	}
	release, wait := g.filesOut.take(ctx, w.account.User)
	if wait != nil {
		return Media{}, &verdict{end: again, turn: wait}
	}
	defer release()
	if v := w.begin(ctx); v != nil {
		return Media{}, v
	}
	began := time.Now()
	given, err := w.give(ctx, store, m)
	if ownedOf(ctx).Err() != nil {
		return Media{}, &verdict{end: stop}
	}
	g.moved(ctx, "out", w.inst.ID, given.Size, began, err)
	if err != nil {
		if given.Size > 0 { // what it is, rather than what it was called
			m = given
		}
		return Media{}, w.ungiven(ctx, m, err)
	}
	g.probe("after-upload")
	if err := g.keep(ctx, w.account, remembered{Media: given}, FileTTL, name); err != nil {
		return Media{}, new(w.o.storeFailed(ctx, err))
	}
	// A file takes its time, and the try was begun before it: whoever was overtaken meanwhile sends nothing. To finish no
	// entry is to ask whether the lease still counts.
	if err := g.store.Finish(ctx, w.o.lease, w.q, nil, nil); err != nil {
		return Media{}, new(w.o.storeFailed(ctx, err))
	}
	return given, nil
}

// give carries one file from where a client put it to the platform.
func (w *outWalk) give(ctx context.Context, store MediaStore, m Media) (Media, error) {
	ctx, cancel := w.o.g.transferTime(ctx)
	defer cancel()
	f, found, err := w.fetch(ctx, m)
	if err != nil {
		return found, err
	}
	defer w.o.g.discard(f)
	body, err := f.Open()
	if err != nil {
		return found, &FileError{Reason: FileAway, Err: err}
	}
	defer func() { _ = body.Close() }() // it was only read
	given, err := store.Upload(ctx, w.account.Credentials(), found, body)
	if err != nil {
		return found, uploadError(err)
	}
	found.Handle = given.Handle
	return found, nil
}

// incomplete tells the user of each picture that went as a file because it ends before its end: most platforms refuse such
// pictures, and only the user may have a whole one.
func (w *outWalk) incomplete(ctx context.Context) *verdict {
	n := 0
	for _, op := range w.planned.Ops {
		content, _ := opContent(op.Body)
		for _, part := range content.Parts {
			m, ok := mediaOf(part)
			if !ok || !m.Incomplete {
				continue
			}
			m.Kind = MediaImage // which it was
			about := "incomplete " + strconv.Itoa(n)
			text := w.o.g.texts.Say(w.out.Op.Lang, TextFileOutIncomplete, w.o.g.fileLabel(w.out.Op.Lang, m), w.platform())
			id := w.account.Keys.DerivedID(about, string(w.out.Op.ID))
			if v := w.tell(ctx, about, ShowMessage{IDs: []StanzaID{id}, Content: PlainText(text), Notice: true}, ""); v != nil {
				return v
			}
			n++
		}
	}
	return nil
}

// uploadError makes a failure of an upload one of a send. What is unsure of an upload does no harm: nothing shows a file
// that no message names.
func uploadError(err error) error {
	if _, ok := errors.AsType[*FileError](err); ok {
		return err
	}
	se, ok := errors.AsType[*SendError](err)
	if !ok {
		return &SendError{Class: Retryable, Code: "media", Err: fmt.Errorf("upload: %w", err)}
	}
	if se.Class == Uncertain {
		return &SendError{Class: Retryable, Code: se.Code, RetryAfter: se.RetryAfter, Err: se.Err}
	}
	return se
}

// ungiven does what the failure of a file asks for.
func (w *outWalk) ungiven(ctx context.Context, m Media, err error) *verdict {
	if se, ok := errors.AsType[*SendError](err); ok {
		if se.Class == Unsupported {
			return w.fail(ctx, NotAcceptable, TextFileOutRefused, w.platform(), w.o.g.fileLabel(w.out.Op.Lang, m))
		}
		return w.react(ctx, se, w.try)
	}
	if quota, ok := isQuota(err); ok {
		return w.overQuota(ctx, quota)
	}
	later := &SendError{Class: Retryable, Code: "media", Err: err}
	if w.try.Unfinished {
		later.Class = Uncertain // whether an earlier try has sent the message, its file does not tell
	}
	reason, most, _ := fileReason(err)
	switch reason {
	case FileTooLarge:
		caps := w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect})
		return w.fail(ctx, NotAcceptable, TextFileOutTooLarge, w.platform(), sizeText(least(least(w.o.g.cfg.MediaMax, caps.MediaMax), most)))
	case FileType:
		return w.fail(ctx, NotAcceptable, TextFileOutType, w.platform(), w.o.g.fileLabel(w.out.Op.Lang, m))
	case FileBomb:
		return w.fail(ctx, NotAcceptable, TextFileOutBomb)
	case FileGone:
		return w.fail(ctx, ItemNotFound, TextFileOutGone)
	case FileForbidden:
		return w.fail(ctx, NotAcceptable, TextFileOutForbidden)
	case FileBroken: // perhaps its server ended while it came
		if w.try.Number < w.o.g.cfg.MediaTries && !errors.Is(err, errFileEmpty) {
			return w.react(ctx, later, w.try)
		}
	case FileAway:
		if w.try.Number < w.o.g.cfg.MediaTries || time.Since(w.entry.At) < w.o.g.cfg.MediaPatience {
			return w.react(ctx, later, w.try)
		}
		return w.fail(ctx, RemoteServerTimeout, TextFileOutAway)
	case FileNowhere, FileQuota:
	}
	return w.fail(ctx, NotAcceptable, TextFileOutBroken)
}
