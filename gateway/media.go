package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fileSlack is how long before a file expires it is no longer shown anew.
const fileSlack = 10 * time.Minute

type ownedKey struct{}

// withOwned returns a context that outlives the ownership and remembers it.
func withOwned(owned context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(owned), ownedKey{}, owned)
}

// ownedOf returns the context that ends with the ownership under which a walk goes on.
func ownedOf(ctx context.Context) context.Context {
	if owned, ok := ctx.Value(ownedKey{}).(context.Context); ok {
		return owned
	}
	return ctx
}

// transferTime bounds the way of one file. Unlike a call to the platform it also ends with the ownership: nobody has seen
// anything of a file that was cut off, and the next owner starts over.
func (g *Gateway) transferTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ownedOf(ctx), g.cfg.MediaTimeout)
}

// hosted reports whether a media's handle is an address that clients fetch, rather than a platform's own.
func hosted(m Media) bool {
	return strings.HasPrefix(m.Handle, "https://") || strings.HasPrefix(m.Handle, "http://")
}

// mediaOf returns the file of a part.
func mediaOf(p Part) (Media, bool) {
	switch p := p.(type) {
	case Media:
		return p, true
	case Sticker:
		return p.Media, true
	case Text, Location, ContactCard, Poll, Interactive, UnsupportedPart:
	}
	return Media{}, false
}

// withMedia returns a part with another file.
func withMedia(p Part, m Media) Part {
	if s, ok := p.(Sticker); ok {
		s.Media = m
		return s
	}
	return m
}

// allowed reports whether a type is in a platform's list; an entry may be a whole class such as image/*.
func allowed(mime string, list []string) bool {
	mime, _, _ = strings.Cut(mime, ";")
	mime = strings.ToLower(strings.TrimSpace(mime))
	return len(list) == 0 || slices.ContainsFunc(list, func(t string) bool {
		class, all := strings.CutSuffix(strings.ToLower(t), "/*")
		return t == "*/*" || t == mime || strings.ToLower(t) == mime || all && strings.HasPrefix(mime, class+"/")
	})
}

// least returns the smaller of two limits, of which 0 is none.
func least(a, b int64) int64 {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// fileReason says why a file went nowhere, and when the platform wants to be asked again.
func fileReason(err error) (reason FileReason, most int64, after time.Duration) {
	if fe, ok := errors.AsType[*FileError](err); ok {
		return fe.Reason, fe.Max, 0
	}
	if quota, ok := isQuota(err); ok {
		return FileQuota, quota.most, quota.wait
	}
	if se, ok := errors.AsType[*SendError](err); ok {
		switch se.Class {
		case Unsupported:
			return FileType, 0, 0
		case NotReachable, Permanent:
			return FileGone, 0, 0
		case Uncertain, Retryable, RateLimited, ReauthNeeded, WindowClosed:
		}
		return FileAway, 0, se.RetryAfter
	}
	return FileAway, 0, 0
}

// remembered is a file that has been moved already. It is sealed with the account's key.
type remembered struct {
	Media Media     `json:"media"`
	Until time.Time `json:"until,omitzero"`
}

func filePlace(a AccountID, name string) string { return string(accountOwner(a)) + "/file/" + name }

// recall returns what became of a file under a name; ok is false when that is not known any more.
func (g *Gateway) recall(ctx context.Context, a *Account, name string) (r remembered, ok bool, err error) {
	got, err := g.store.Load(ctx, RecordKey{accountOwner(a.ID), RecordFile, name})
	if err != nil || got[0] == nil {
		return r, false, err
	}
	plain, err := a.Keys.Data.Open(filePlace(a.ID, name), got[0])
	if err != nil || json.Unmarshal(plain, &r) != nil {
		return remembered{}, false, nil // moved once more
	}
	return r, true, nil
}

// keep remembers what became of a file under names.
func (g *Gateway) keep(ctx context.Context, a *Account, r remembered, life time.Duration, names ...string) error {
	plain, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var changes []Change
	for _, name := range names {
		changes = append(changes, Change{Kind: RecordFile, Name: name, Value: a.Keys.Data.Seal(filePlace(a.ID, name), plain), TTL: life})
	}
	return g.store.Save(ctx, accountOwner(a.ID), changes...)
}

// discard removes a file from the disk.
func (g *Gateway) discard(f File) {
	if err := f.Close(); err != nil {
		g.log.Warn("file not removed", "err", err)
	}
}

// moved counts and logs the fate of one file.
func (g *Gateway) moved(ctx context.Context, direction string, a AdapterID, size int64, began time.Time, err error) {
	result, level := "ok", slog.LevelDebug
	if err != nil {
		reason, _, _ := fileReason(err)
		result, level = string(reason), slog.LevelWarn
	}
	g.metrics.files.WithLabelValues(direction, string(a), result).Inc()
	g.log.Log(ctx, level, "file", "adapter", string(a), "direction", direction, "result", result, "bytes", size, "duration", time.Since(began), "err", fileCause(direction, err))
}

// fileCause is an error of a file for the log. What the network says of a file that a user shared names the host that they
// wrote, so that only its kind is told.
func fileCause(direction string, err error) string {
	if err == nil {
		return ""
	}
	if fe, ok := errors.AsType[*FileError](err); ok && direction == "out" {
		kind := ""
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			kind = "certificate"
		} else if _, ok := errors.AsType[*net.DNSError](err); ok {
			kind = "name not resolved"
		} else if _, ok := errors.AsType[net.Error](err); ok {
			kind = "network"
		}
		if kind != "" {
			return "file: " + string(fe.Reason) + ": " + kind
		}
	}
	return err.Error()
}

// sizeText writes a number of bytes for people.
func sizeText(n int64) string {
	const k = 1024
	switch {
	case n < k:
		return strconv.FormatInt(n, 10) + " B"
	case n < k*k:
		return strconv.FormatInt((n+k/2)/k, 10) + " KB"
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(n)/(k*k), 'f', 1, 64), ".0") + " MB"
}

// fileLabel names a file for people: what it is, its name and its size as far as known.
func (g *Gateway) fileLabel(lang string, m Media) string {
	kind := m.Kind
	if kind == "" {
		kind = MediaFile
	}
	label := g.texts.Say(lang, textFileKind+TextKey(kind))
	var more []string
	if m.Name != "" {
		more = append(more, m.Name)
	}
	if m.Size > 0 {
		more = append(more, sizeText(m.Size))
	}
	if len(more) > 0 {
		label += ": " + strings.Join(more, ", ")
	}
	return label
}
