package xmpp

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/gateway"
)

// file shows media by its address. A handle that is none cannot be opened by any
// client, so it is named instead.
func (r Renderer) file(g gateway.Rendering, m gateway.Media) []piece {
	u, err := url.Parse(m.Handle)
	if err != nil || u.Scheme != "https" || u.Host == "" || len(m.Handle) > maxURL {
		return texts(r.unsupported(g, string(m.Kind), m.Name))
	}
	m.Handle = u.String()
	p := piece{body: m.Handle, file: &m}
	if !m.ViewOnce {
		return []piece{p}
	}
	note := r.say(g.Lang, gateway.TextViewOnce)
	p.hidden, p.hint = true, note
	return []piece{p, {body: note, ours: true}}
}

// sticker is its image, or what it stands for where there is none.
func (r Renderer) sticker(g gateway.Rendering, s gateway.Sticker) []piece {
	out := r.file(g, s.Media)
	if out[0].file == nil && s.Emoji != "" {
		return texts(s.Emoji)
	}
	out[0].sticker, out[0].emoji = out[0].file != nil, shortened(s.Emoji, maxEmoji)
	return out
}

// addFile adds every way in which clients learn of a file: its address, which
// they show only where the body is that and nothing else (XEP-0066 §2), and what
// is known of it (XEP-0447, XEP-0385).
func addFile(el *Element, p piece) {
	m := *p.file
	el.Add(NewElement(nsOOB, "x").AddTextChild("url", m.Handle))
	if len(m.SHA256) == 32 { // COMPAT(Dino): a file-sharing without a hash hides the address as well
		disposition := "inline"
		if m.Kind == gateway.MediaFile {
			disposition = "attachment"
		}
		meta := fileElement(nsFileMeta, m)
		if p.emoji != "" {
			meta.AddTextChild("desc", p.emoji)
		}
		el.Add(NewElement(nsSFS, "file-sharing", "disposition", disposition).Add(
			meta,
			NewElement(nsSFS, "sources").Add(NewElement(nsURLData, "url-data", "target", m.Handle))))
		el.Add(NewElement(nsFallback, "fallback", "for", nsSFS).Add(NewElement(nsFallback, "body")))
	}
	if m.MIME != "" && m.Name != "" && m.Size > 0 { // Movim takes nothing less
		// COMPAT(Converse 14): it takes every reference for a mention, and one without a range for the whole body, which it then
		// shows once more beside the picture. One of no characters behind the body's last (XEP-0372 §3.1) covers nothing.
		end := strconv.Itoa(utf8.RuneCountInString(m.Handle))
		ref := func(more ...string) *Element {
			return NewElement(nsReference, "reference", append([]string{"type", "data", "begin", end, "end", end}, more...)...)
		}
		el.Add(ref().Add(NewElement(nsSIMS, "media-sharing").Add(
			fileElement(nsJingleFile, m), NewElement(nsSIMS, "sources").Add(ref("uri", m.Handle)))))
	}
	if p.sticker {
		el.Add(NewElement(nsStickers, "sticker")) // XEP-0449 §4.2: of no pack
	}
}

// fileElement describes a file (XEP-0446 §3, XEP-0234 §5).
func fileElement(space string, m gateway.Media) *Element {
	el := NewElement(space, "file")
	text := func(local, value string) {
		if value != "" {
			el.AddTextChild(local, value)
		}
	}
	number := func(local string, n int64) {
		if n > 0 {
			el.AddTextChild(local, strconv.FormatInt(n, 10))
		}
	}
	text("media-type", shortened(m.MIME, maxFileName))
	text("name", shortened(m.Name, maxFileName))
	number("size", m.Size)
	if space == nsFileMeta {
		number("width", int64(m.Width))
		number("height", int64(m.Height))
	}
	number("length", int64(m.Duration))
	if len(m.SHA256) == 32 {
		el.Add(NewElement(nsHashes, "hash", "algo", "sha-256").AddText(base64.StdEncoding.EncodeToString(m.SHA256)))
	}
	if typ, ok := strings.CutPrefix(m.Thumb, "data:"); ok && len(m.Thumb) <= maxThumb {
		typ, _, _ = strings.Cut(typ, ",")
		typ, _, _ = strings.Cut(typ, ";")
		el.Add(NewElement(nsThumbs, "thumbnail", "uri", m.Thumb, "media-type", typ))
	}
	return el
}
