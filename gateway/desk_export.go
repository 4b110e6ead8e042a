package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	deedExport = "user.export"
	// exportEvery is how often a user gets their data out.
	exportEvery = time.Hour
	// exportPiece is about how much of an export one message shows where there is no place for a file, in bytes; exportPieces is how many
	// messages there are at most. What is more, the operator hands out.
	exportPiece  = 8 << 10
	exportPieces = 32
)

// ExportHead is the first line of an export.
func ExportHead(user UserID) map[string]string {
	return map[string]string{"schema": ExportSchema, "user": string(user)}
}

// exportFlow gives users out what is held of them, as postern export does.
func exportFlow(d *Desk) flow {
	return flow{
		node: NodeExport, title: textExport, help: textExportHelp, words: textExportWords, open: membersOnly,
		start: func(ctx context.Context, t *turn) (outcome, error) {
			if err := d.exportLately(ctx, t); err != nil {
				return outcome{}, err
			}
			sure := Field{Name: "confirm", Label: d.say(t.Visitor, textExportConfirm), Kind: FieldBool, Required: true}
			return outcome{ask: &step{Text: d.say(t.Visitor, textExportAsk), Fields: []Field{sure}, Last: true}}, nil
		},
		answer: func(ctx context.Context, t *turn, answers map[string]string) (outcome, error) {
			if answers["confirm"] != "true" {
				return outcome{text: d.say(t.Visitor, textExportNot)}, nil
			}
			return d.handOut(ctx, t)
		},
	}
}

// anyAdapter has the buckets of what does not depend on the adapter that is asked.
const anyAdapter AdapterID = "-"

// exportBucket is of a user, whatever adapter they ask at.
func (d *Desk) exportBucket(user UserID) Bucket {
	return Bucket{Name: d.cfg.Keyring.Name("budget", "export", string(user)), Every: exportEvery, Burst: 1}
}

// exportLately refuses a user who got their data out a short while ago.
func (d *Desk) exportLately(ctx context.Context, t *turn) error {
	wait, err := d.cfg.Store.Filling(ctx, anyAdapter, d.exportBucket(t.User).Name)
	if err == nil && wait[0] > 0 {
		err = &Refusal{ResourceConstraint, d.say(t.Visitor, textExportLately, d.duration(t.Visitor, max(wait[0], time.Minute)))}
	}
	return err
}

// handOut puts a user's data where they can fetch it. It counts once they have it: what breaks off is asked for again, from the
// beginning.
func (d *Desk) handOut(ctx context.Context, t *turn) (outcome, error) {
	if err := d.exportLately(ctx, t); err != nil {
		return outcome{}, err
	}
	if err := d.deedOften(ctx, t.Visitor, deedExport); err != nil {
		return outcome{}, err
	}
	out, err := d.handOutFile(ctx, t)
	if fe, ok := errors.AsType[*FileError](err); ok {
		d.log.Warn("an export found no place as a file", "adapter", t.Adapter, "reason", string(fe.Reason), "error", fe.Err)
		out, err = d.handOutText(ctx, t)
	}
	if err != nil {
		return outcome{}, err
	}
	_, err = d.cfg.Store.Take(ctx, anyAdapter, 0, d.exportBucket(t.User))
	return out, err
}

// handOutFile has the file as one that clients fetch. A *FileError says that there is no place for it.
func (d *Desk) handOutFile(ctx context.Context, t *turn) (outcome, error) {
	if d.cfg.Files == nil {
		return outcome{}, &FileError{Reason: FileNowhere}
	}
	body := &exportReader{ctx: ctx, desk: d, user: t.User}
	f, err := d.cfg.Files.Spool(ctx, Media{Name: "postern-export.jsonl", Kind: MediaFile, MIME: "text/plain"}, body, 0)
	if body.failed != nil { // not the file's fault
		return outcome{}, body.failed
	}
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = f.Close() }()
	at, err := d.cfg.Files.Publish(ctx, Recipient{Adapter: t.Adapter, User: t.User, Lang: t.Lang}, f)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: d.say(t.Visitor, textExportFile, at.URL)}, nil
}

// handOutText has it in messages, whole lines in each where they are not too long for that.
func (d *Desk) handOutText(ctx context.Context, t *turn) (outcome, error) {
	body := &exportReader{ctx: ctx, desk: d, user: t.User}
	all, err := io.ReadAll(io.LimitReader(body, exportPieces*exportPiece/2))
	if err == nil {
		_, err = body.Read(make([]byte, 1))
	}
	switch {
	case err == nil:
		return outcome{}, &Refusal{NotAllowed, d.say(t.Visitor, textExportLarge, d.complaints(t))}
	case !errors.Is(err, io.EOF):
		return outcome{}, err
	}
	var pieces []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(all), "\n"), "\n") {
		if n := len(pieces); n > 0 && len(pieces[n-1])+len(line) < exportPiece {
			pieces[n-1] += "\n" + line
			continue
		}
		pieces = append(pieces, line)
	}
	out := outcome{text: d.say(t.Visitor, textExportShown, len(pieces))}
	about := "export-" + strings.ToLower(newULID())
	for n, piece := range pieces {
		out.after = append(out.after, t.tell(fmt.Sprint(about, "-", n+1), piece))
	}
	return out, nil
}

// exportReader reads an export page by page, as it is asked for: it is never whole in memory.
type exportReader struct {
	ctx    context.Context //nolint:containedctx // of the one request that reads it
	desk   *Desk
	user   UserID
	left   bytes.Buffer
	next   string
	begun  bool
	failed error
}

// Read implements io.Reader.
func (r *exportReader) Read(p []byte) (int, error) {
	for r.left.Len() == 0 {
		if r.begun && r.next == "" {
			return 0, io.EOF
		}
		page, next, err := r.desk.Export(r.ctx, r.user, r.next)
		if err != nil {
			r.failed = err
			return 0, err
		}
		lines := json.NewEncoder(&r.left)
		if !r.begun {
			err = lines.Encode(ExportHead(r.user))
		}
		for _, item := range page {
			err = errors.Join(err, lines.Encode(item))
		}
		if err != nil {
			r.failed = err
			return 0, err
		}
		r.begun, r.next = true, next
	}
	return r.left.Read(p)
}
