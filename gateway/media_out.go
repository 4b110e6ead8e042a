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
			given, v := w.file(ctx, store, place, m)
			if v != nil {
				return v
			}
			parts[n] = withMedia(part, given)
		}
		w.planned.Ops[i].Body = withOpContent(op.Body, Content{Parts: parts})
	}
	return nil
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

// file gives one file to the platform, unless an earlier try has.
func (w *outWalk) file(ctx context.Context, store MediaStore, place string, m Media) (Media, *verdict) {
	g := w.o.g
	name := g.keys.Name("file given", string(w.account.ID), place)
	known, ok, err := g.recall(ctx, w.account, name)
	if err != nil {
		return Media{}, new(w.o.storeFailed(ctx, err))
	}
	if ok {
		return known.Media, nil
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
		return Media{}, w.ungiven(ctx, m, err)
	}
	g.probe("after-upload")
	if err := g.keep(ctx, w.account, remembered{Media: given}, FileTTL, name); err != nil {
		return Media{}, new(w.o.storeFailed(ctx, err))
	}
	return given, nil
}

// give carries one file from where a client put it to the platform.
func (w *outWalk) give(ctx context.Context, store MediaStore, m Media) (Media, error) {
	g := w.o.g
	caps := w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect})
	ctx, cancel := g.transferTime(ctx)
	defer cancel()
	f, err := g.files.Fetch(ctx, m, least(g.cfg.MediaMax, caps.MediaMax))
	if err != nil {
		return Media{}, err
	}
	defer g.discard(f)
	found := f.Media()
	if found.Size == 0 {
		return found, &FileError{Reason: FileBroken, Err: errFileEmpty}
	}
	if !allowed(found.MIME, caps.MediaTypes) {
		return found, &FileError{Reason: FileType, Err: errFileRefused}
	}
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
	reason, most, _ := fileReason(err)
	switch reason {
	case FileTooLarge:
		caps := w.inst.Adapter.Caps(ChatFacts{Kind: ChatDirect})
		return w.fail(ctx, NotAcceptable, TextFileOutTooLarge, w.platform(), sizeText(least(least(w.o.g.cfg.MediaMax, caps.MediaMax), most)))
	case FileType:
		return w.fail(ctx, NotAcceptable, TextFileOutType, w.platform(), w.o.g.fileLabel(w.out.Op.Lang, m))
	case FileGone:
		return w.fail(ctx, ItemNotFound, TextFileOutGone)
	case FileForbidden:
		return w.fail(ctx, NotAcceptable, TextFileOutForbidden)
	case FileBroken: // perhaps its server ended while it came
		if w.try.Number < fileTries && !errors.Is(err, errFileEmpty) {
			return w.react(ctx, &SendError{Class: Retryable, Code: "media", Err: err}, w.try)
		}
	case FileAway:
		if w.try.Number < fileTries || time.Since(w.entry.At) < filePatience {
			return w.react(ctx, &SendError{Class: Retryable, Code: "media", Err: err}, w.try)
		}
		return w.fail(ctx, RemoteServerTimeout, TextFileOutAway)
	case FileNowhere:
	}
	return w.fail(ctx, NotAcceptable, TextFileOutBroken)
}
