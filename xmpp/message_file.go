package xmpp

import (
	"encoding/base64"
	"mime"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"postern/gateway"
)

const (
	nsSFS        = "urn:xmpp:sfs:0"                       // XEP-0447
	nsFileMeta   = "urn:xmpp:file:metadata:0"             // XEP-0446
	nsURLData    = "http://jabber.org/protocol/url-data"  // XEP-0103
	nsESFS       = "urn:xmpp:esfs:0"                      // XEP-0448
	nsSIMS       = "urn:xmpp:sims:1"                      // XEP-0385
	nsReference  = "urn:xmpp:reference:0"                 // XEP-0372
	nsJingleFile = "urn:xmpp:jingle:apps:file-transfer:5" // XEP-0234
	nsHashes     = "urn:xmpp:hashes:2"                    // XEP-0300
	nsThumbs     = "urn:xmpp:thumbs:1"                    // XEP-0264
	nsStickers   = "urn:xmpp:stickers:0"                  // XEP-0449
	nsAttach     = "urn:xmpp:message-attaching:1"         // XEP-0367
)

const (
	maxFiles    = 10      // of one stanza
	maxFileName = 200     // code points
	maxSide     = 1 << 20 // pixels, or anything else that is no measure of a file
	maxThumb    = 2 << 10 // bytes of a data: URI
)

// sharing is what a stanza says of files.
type sharing struct {
	files []gateway.Media
	desc  string         // what the sender wrote about the first file
	held  *gateway.Media // described, without an address yet
	joins string         // the id of the message whose file has its address here
}

// readFiles reads the files of a stanza from every way that clients have to name
// them; one file named in several ways is one file.
func readFiles(el *Element) sharing {
	var s sharing
	for _, share := range el.ChildrenNamed(nsSFS, "file-sharing") {
		m := fileMeta(share.Child(nsFileMeta, "file"), share.Attr("disposition"))
		s.note(share.Child(nsFileMeta, "file").Child(nsFileMeta, "desc").Text())
		if at := sourceOf(share.Child(nsSFS, "sources")); at != "" {
			s.add(at, m)
		} else if s.held == nil {
			s.held = &m
		}
	}
	for _, ref := range el.ChildrenNamed(nsReference, "reference") {
		share := ref.Child(nsSIMS, "media-sharing")
		file := share.Child(nsJingleFile, "file")
		for _, src := range share.Child(nsSIMS, "sources").ChildrenNamed(nsReference, "reference") {
			if isWeb(src.Attr("uri")) {
				s.note(file.Child(nsJingleFile, "desc").Text())
				s.add(src.Attr("uri"), fileMeta(file, ""))
				break
			}
		}
	}
	if sources := el.Child(nsSFS, "sources"); sources != nil { // XEP-0447 §3.3: the address follows the description
		s.joins = el.Child(nsAttach, "attach-to").Attr("id")
		s.add(sourceOf(sources), gateway.Media{})
	}
	for _, x := range el.ChildrenNamed(nsOOB, "x") {
		s.add(strings.TrimSpace(x.Child(nsOOB, "url").Text()), gateway.Media{})
	}
	if len(s.files) > 0 {
		s.held = nil
	}
	return s
}

func (s *sharing) note(desc string) {
	if s.desc == "" {
		s.desc = strings.TrimSpace(desc)
	}
}

// add takes a file under its address, or completes one that is there already.
func (s *sharing) add(address string, m gateway.Media) {
	if !isWeb(address) {
		return
	}
	scheme, rest, _ := strings.Cut(address, ":")
	address = strings.ToLower(scheme) + ":" + rest // RFC 3986 §3.1: case tells nothing here
	if i := slices.IndexFunc(s.files, func(f gateway.Media) bool { return f.Handle == address }); i >= 0 {
		s.files[i] = completed(s.files[i], m)
		return
	}
	if len(s.files) < maxFiles {
		s.files = append(s.files, completed(m, byAddress(address)))
	}
}

// completed fills what is not known of a file yet.
func completed(m, more gateway.Media) gateway.Media {
	set := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	set(&m.Handle, more.Handle)
	set(&m.Name, more.Name)
	set(&m.MIME, more.MIME)
	set(&m.Thumb, more.Thumb)
	set((*string)(&m.Kind), string(more.Kind))
	if m.Size == 0 {
		m.Size = more.Size
	}
	if m.Width == 0 && m.Height == 0 {
		m.Width, m.Height = more.Width, more.Height
	}
	if m.Duration == 0 {
		m.Duration = more.Duration
	}
	if m.SHA256 == nil {
		m.SHA256 = more.SHA256
	}
	return m
}

// sourceOf returns the first address that a file can be got from (XEP-0447 §3.1, XEP-0103).
func sourceOf(sources *Element) string {
	for _, c := range sources.ChildrenNamed(nsURLData, "url-data") {
		if isWeb(c.Attr("target")) {
			return c.Attr("target")
		}
	}
	return ""
}

// fileMeta reads a description of a file (XEP-0446 §3, XEP-0234 §5): whatever is
// no sensible value is as if it were not there.
func fileMeta(f *Element, disposition string) gateway.Media {
	if f == nil {
		return gateway.Media{}
	}
	text := func(local string) string { return strings.TrimSpace(f.Child(f.Name.Space, local).Text()) }
	number := func(local string, most int64) int64 {
		n, err := strconv.ParseInt(text(local), 10, 64)
		if err != nil || n < 0 || n > most {
			return 0
		}
		return n
	}
	m := gateway.Media{
		Name: shortened(path.Base("/"+text("name")), maxFileName), Size: number("size", 1<<50),
		Width: int(number("width", maxSide)), Height: int(number("height", maxSide)), Duration: int(number("length", 1<<31)),
	}
	if m.Name == "/" {
		m.Name = ""
	}
	if disposition == "attachment" {
		m.Kind = kindOf("", disposition)
	}
	if typ, _, err := mime.ParseMediaType(text("media-type")); err == nil {
		m.MIME = typ
		m.Kind = kindOf(typ, disposition)
	}
	for _, h := range f.ChildrenNamed(nsHashes, "hash") {
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimSpace(h.Text())); err == nil && h.Attr("algo") == "sha-256" && len(sum) == 32 {
			m.SHA256 = sum
		}
	}
	if uri := f.Child(nsThumbs, "thumbnail").Attr("uri"); strings.HasPrefix(uri, "data:image/") && len(uri) <= maxThumb {
		m.Thumb = uri
	}
	return m
}

// kindOf says how a file is meant to be shown. An attachment is a file whatever
// is in it; sound that is part of the conversation was spoken into it (XEP-0447 §3).
func kindOf(typ, disposition string) gateway.MediaKind {
	if disposition == "attachment" {
		return gateway.MediaFile
	}
	kind, _, _ := strings.Cut(typ, "/")
	switch {
	case kind == "image":
		return gateway.MediaImage
	case kind == "video":
		return gateway.MediaVideo
	case kind == "audio" && disposition == "inline":
		return gateway.MediaVoice
	case kind == "audio":
		return gateway.MediaAudio
	}
	return gateway.MediaFile
}

// byAddress reads what a file's address alone tells of it (XEP-0066 §2).
func byAddress(s string) gateway.Media {
	u, err := url.Parse(s)
	if err != nil {
		return gateway.Media{Handle: s}
	}
	m := gateway.Media{Handle: s, Name: shortened(path.Base(u.Path), maxFileName), MIME: mime.TypeByExtension(path.Ext(u.Path))}
	if m.Name == "/" || m.Name == "." {
		m.Name = ""
	}
	if m.MIME != "" { // else the bytes say what it is
		m.Kind = kindOf(m.MIME, "")
	}
	return m
}

// isWeb tells whether a string is the address of something on the web. Whoever
// fetches it checks where it leads.
func isWeb(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && len(s) <= maxURL
}

// fileParts makes a sticker of a file that says it is one (XEP-0449 §4.2).
func fileParts(el *Element, s sharing, caption *gateway.Text) []gateway.Part {
	out := make([]gateway.Part, len(s.files))
	for i, m := range s.files {
		out[i] = m
	}
	if el.Child(nsStickers, "sticker") == nil || len(out) == 0 {
		return out
	}
	st := gateway.Sticker{Media: s.files[0], Emoji: shortened(s.desc, maxEmoji)}
	if n := len([]rune(caption.Text)); n > 0 && n <= maxEmoji {
		st.Emoji, *caption = caption.Text, gateway.Text{}
	}
	out[0] = st
	return out
}
