package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// media puts every file of an event where the user's clients can fetch it. A file that cannot be had becomes a line that
// says so, and the rest of the message is shown.
func (w *inWalk) media(ctx context.Context) *verdict {
	if w.o.g.files == nil || w.account == nil {
		return nil
	}
	content, ok := eventContent(w.in.Event.Body)
	if !ok || !slices.ContainsFunc(content.Parts, foreign) {
		return nil
	}
	if needless, v := w.needless(ctx); needless || v != nil {
		return v
	}
	parts := slices.Clone(content.Parts)
	for n, part := range parts {
		if !foreign(part) {
			continue
		}
		m, _ := mediaOf(part)
		shown, v := w.file(ctx, n, part, m)
		if v != nil {
			return v
		}
		parts[n] = shown
	}
	w.in.Event.Body = withEventContent(w.in.Event.Body, Content{Parts: parts})
	return nil
}

// foreign reports whether a part is a file that only the platform can open.
func foreign(p Part) bool {
	m, ok := mediaOf(p)
	return ok && !hosted(m)
}

// needless reports whether the files of an event are not shown: those of the echo of what was sent from here, and of an
// edit of the words beside them.
func (w *inWalk) needless(ctx context.Context) (bool, *verdict) {
	switch b := w.in.Event.Body.(type) {
	case Message:
		return w.echoed(ctx, b.ID)
	case Edited:
		words, _, v := w.caption(ctx, b)
		return words != "", v
	case Retracted, Reacted, Status, Seen, Typing, Presence, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
	}
	return false, nil
}

// eventContent returns what an event says.
func eventContent(b EventBody) (Content, bool) {
	switch b := b.(type) {
	case Message:
		return b.Content, true
	case Edited:
		return b.Content, true
	case Retracted, Reacted, Status, Seen, Typing, Presence, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
	}
	return Content{}, false
}

// withEventContent returns an event's body that says something else.
func withEventContent(b EventBody, c Content) EventBody {
	switch b := b.(type) {
	case Message:
		b.Content = c
		return b
	case Edited:
		b.Content = c
		return b
	case Retracted, Reacted, Status, Seen, Typing, Presence, ContactUpdate, MemberUpdate, Call, Window, AccountState, Undeliverable:
	}
	return b
}

// file returns the nth part with its file published, or a line about it. A try that follows a crash finds what the one
// before has published.
func (w *inWalk) file(ctx context.Context, n int, part Part, m Media) (Part, *verdict) {
	g := w.o.g
	name := g.keys.Name("file part", string(w.account.ID), w.in.Event.Dedupe, strconv.Itoa(n))
	known, ok, err := g.recall(ctx, w.account, name)
	if err != nil {
		return nil, new(w.o.storeFailed(ctx, err))
	}
	if ok {
		w.doubt(part, m, known.Media)
		return withMedia(part, known.Media), nil
	}
	store, ok := w.inst.Adapter.(MediaStore)
	if !ok {
		return w.fileLine(m, FileNowhere, 0), nil
	}
	release, wait := g.filesIn.take(ctx, w.account.User)
	if wait != nil {
		return nil, &verdict{end: again, turn: wait}
	}
	defer release()
	began := time.Now()
	shown, err := w.publish(ctx, store, m, name)
	if ownedOf(ctx).Err() != nil {
		return nil, &verdict{end: stop}
	}
	g.moved(ctx, "in", w.inst.ID, shown.Size, began, err)
	if err != nil {
		return w.unpublished(ctx, m, err)
	}
	w.doubt(part, m, shown)
	return withMedia(part, shown), nil
}

// doubt notes what the user has to be told of a file that is shown: that it is not whole, or not what the platform said.
func (w *inWalk) doubt(part Part, said, found Media) {
	switch _, sticker := part.(Sticker); {
	case found.Incomplete:
		found.Kind = MediaImage // which it was
		w.doubts = append(w.doubts, w.fileText(TextFileInIncomplete, found))
	case !sticker && disguised(said.Kind, found):
		label := w.o.g.fileLabel(w.account.Lang, Media{Kind: said.Kind, Name: said.Name, Size: found.Size})
		w.doubts = append(w.doubts, Text{Text: w.say(TextFileInDisguised, label, w.platform(), found.MIME)})
	}
}

// doubted tells what is doubtful about the files that were just shown, from the contact, beside them.
func (w *inWalk) doubted(context.Context) *verdict {
	if w.in.Event.FromMe {
		return nil // the user's own, of which their app has told them
	}
	for n, line := range w.doubts {
		w.notice(line.Text, "doubt "+strconv.Itoa(n))
	}
	return nil
}

// disguised reports whether a file that was said to be a picture, sound or video is of another type. Of some sounds and videos
// the type is not known; pictures have no such.
func disguised(said MediaKind, found Media) bool {
	class, _, _ := strings.Cut(found.MIME, "/")
	switch said {
	case MediaImage:
		return class != "image"
	case MediaVideo, MediaAudio, MediaVoice:
		return class != "video" && class != "audio" && class != "image" && found.MIME != "application/octet-stream"
	case MediaFile:
	}
	return false
}

// publish carries one file from the platform to where clients fetch it. The same bytes are not uploaded twice for a user
// while the first upload lasts.
func (w *inWalk) publish(ctx context.Context, store MediaStore, m Media, name string) (Media, error) {
	g := w.o.g
	ctx, cancel := g.transferTime(ctx)
	defer cancel()
	body, said, err := store.Fetch(ctx, w.account.Credentials(), m)
	if err != nil {
		return Media{}, err
	}
	defer func() { _ = body.Close() }() // it was read to its end, or an error has been said
	f, err := g.files.Spool(ctx, withHints(m, said), body, g.cfg.MediaMax)
	if err != nil {
		return Media{}, err
	}
	defer g.discard(f)
	found := f.Media()
	same := g.keys.Name("file", string(w.account.User), hex.EncodeToString(found.SHA256))
	known, ok, err := g.recall(ctx, w.account, same)
	if err != nil {
		return Media{}, err
	}
	at := Published{URL: known.Media.Handle, Until: known.Until}
	if !ok {
		if err := g.charge(ctx, w.inst, w.account, found, g.keys.Name("file charged", name)); err != nil {
			return found, err
		}
		if at, err = g.files.Publish(ctx, Recipient{Adapter: w.inst.ID, User: w.account.User, Lang: w.account.Lang}, f); err != nil {
			return Media{}, &unplacedError{err}
		}
	}
	g.probe("after-publish")
	shown := found // as Files corrected what was said: what is no picture is not shown as one
	shown.Handle = at.URL
	names, life := []string{name}, time.Until(at.Until)-fileSlack
	if life <= 0 { // for a replay of this event alone
		life = fileSlack
	} else if !ok && !at.Brief {
		names = append(names, same)
	}
	return shown, g.keep(ctx, w.account, remembered{shown, at.Until}, min(life, FileTTL), names...)
}

// unplacedError is why a file that the platform gave was not put where clients fetch it.
type unplacedError struct{ err error }

func (e *unplacedError) Error() string { return e.err.Error() }

func (e *unplacedError) Unwrap() error { return e.err }

// withHints fills in what an event did not say of its file by what the platform's answer does.
func withHints(m, said Media) Media {
	if m.MIME == "" {
		m.MIME = said.MIME
	}
	if m.Name == "" {
		m.Name = said.Name
	}
	if m.Size == 0 {
		m.Size = said.Size
	}
	if m.Duration == 0 {
		m.Duration = said.Duration
	}
	if m.Width == 0 || m.Height == 0 {
		m.Width, m.Height = said.Width, said.Height
	}
	return m
}

// unpublished decides about a file that was not had: once more when that may help, else a line about it. While the user's
// server is away a file waits for it as long as a text does.
func (w *inWalk) unpublished(ctx context.Context, m Media, cause error) (Part, *verdict) {
	if quota, ok := isQuota(cause); ok {
		return w.quotaLine(m, quota), nil
	}
	reason, most, after := fileReason(cause)
	line := func() Part { return w.fileLine(m, reason, most) }
	if _, ok := errors.AsType[*unplacedError](cause); ok && reason != FileTooLarge && reason != FileNowhere {
		line = func() Part { return w.fileText(TextFileInUnplaced, m) }
	}
	if reason != FileAway && reason != FileBroken {
		return line(), nil
	}
	try, err := w.o.g.store.Begin(ctx, w.o.lease, w.q, w.entry.ID, nil)
	if err != nil {
		return nil, new(w.o.storeFailed(ctx, err))
	}
	tired, age := try.Number >= w.o.g.cfg.MediaTries, time.Since(w.entry.At)
	switch {
	case errors.Is(cause, ErrElsewhere):
		tired = age >= w.o.g.cfg.GiveUp
	case reason == FileAway:
		tired = tired && age >= w.o.g.cfg.MediaPatience
	}
	if tired {
		return line(), nil
	}
	return nil, &verdict{end: again, after: max(after, backoff(try.Number)), why: ParkRetry}
}

// fileLine is what is shown instead of a file.
func (w *inWalk) fileLine(m Media, reason FileReason, most int64) Part {
	if reason == FileTooLarge {
		return Text{Text: w.say(TextFileInTooLarge, w.o.g.fileLabel(w.account.Lang, m), sizeText(least(w.o.g.cfg.MediaMax, most)))}
	}
	return w.fileText(textFileIn+TextKey(reason), m)
}

func (w *inWalk) fileText(key TextKey, m Media) Text {
	return Text{Text: w.say(key, w.o.g.fileLabel(w.account.Lang, m), w.platform())}
}
