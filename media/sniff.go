package media

import (
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/unicode/norm"

	"postern/gateway"
)

const (
	headSize = 3072 // bytes that mimetype looks at
	maxName  = 100  // bytes of a file's name with its extension
	maxThumb = 2048 // bytes of a data: URI that stands in a stanza
)

// unknown is the type of which nothing is known (RFC 2046 §4.5.1).
const unknown = "application/octet-stream"

// recognise fills in what a file is, from its bytes rather than from what was said of it. The error is why it may not pass.
func recognise(m *gateway.Media, head []byte, r io.ReadSeeker) error {
	m.Incomplete = false
	if !strings.HasPrefix(m.Thumb, "data:image/") || len(m.Thumb) > maxThumb {
		m.Thumb = ""
	}
	m.MIME = sniff(head, m.MIME, m.Kind)
	m.Kind = kind(m.Kind, m.MIME)
	if isImage(m.MIME) {
		if err := measure(m, r); err != nil {
			return err
		}
	}
	m.Name = safeName(m.Name, m.MIME, m.Kind)
	return nil
}

// sniff returns the type of a file that begins with head. What was claimed of it counts where it only says more of the same,
// as a vCard is a kind of plain text and a word processor's file a kind of zip.
func sniff(head []byte, claimed string, k gateway.MediaKind) string {
	found := mimetype.Detect(head)
	is, _, _ := strings.Cut(found.String(), ";")
	if is == unknown {
		// The standard library knows less, but for instance MP3 by its tag alone, before which there may be a large picture.
		is, _, _ = strings.Cut(http.DetectContentType(head), ";")
	}
	if said, _, err := mime.ParseMediaType(claimed); err == nil && is != unknown {
		for more := mimetype.Lookup(said); more != nil; more = more.Parent() {
			if more.Is(is) && !active(said) {
				is = said
				break
			}
		}
	}
	switch is = plainer(is); {
	case k != gateway.MediaVoice && k != gateway.MediaAudio:
		if is == "application/ogg" {
			return "video/ogg"
		}
	// A container that may hold pictures too, of which it is known that it does not.
	case is == "video/mp4", is == "video/quicktime":
		return "audio/mp4"
	case is == "application/ogg", is == "video/ogg":
		return "audio/ogg"
	case is == "video/webm", is == "video/3gpp", is == "video/x-matroska":
		return "audio/" + strings.TrimPrefix(is, "video/")
	}
	return is
}

// plainer gives types the names that clients know them by.
func plainer(is string) string {
	switch is {
	case "audio/x-m4a", "audio/m4a", "audio/x-mp4a":
		return "audio/mp4"
	case "video/x-m4v":
		return "video/mp4"
	case "image/apng", "image/vnd.mozilla.apng": // every APNG is a PNG
		return "image/png"
	case "image/jpg", "image/pjpeg":
		return "image/jpeg"
	case "video/matroska":
		return "video/x-matroska"
	}
	return is
}

// active types hold what a browser would run in the name of the host that serves them.
func active(is string) bool {
	return strings.Contains(is, "html") || strings.Contains(is, "xml") && !strings.HasPrefix(is, "application/vnd.openxmlformats") ||
		strings.Contains(is, "svg") || strings.Contains(is, "script")
}

// served is the type under which a file is uploaded and served: its own where no browser does more than show it.
func served(is string) string {
	top, _, _ := strings.Cut(is, "/")
	switch {
	case active(is):
		return unknown
	case slices.Contains([]string{"image", "audio", "video"}, top), slices.Contains(harmless, is),
		strings.HasPrefix(is, "application/vnd.openxmlformats-officedocument."), strings.HasPrefix(is, "application/vnd.oasis.opendocument."):
		return is
	}
	return unknown
}

var harmless = []string{
	"application/pdf", "application/zip", "application/gzip", "application/x-7z-compressed", "application/json", "application/epub+zip",
	"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/rtf", "text/rtf",
	"text/plain", "text/csv", "text/vcard", "text/calendar",
}

func isImage(is string) bool { return strings.HasPrefix(is, "image/") && !active(is) }

// kind corrects how a file is meant to be shown when it is nothing of that kind.
func kind(k gateway.MediaKind, is string) gateway.MediaKind {
	top, _, _ := strings.Cut(is, "/")
	natural := gateway.MediaFile
	switch {
	case isImage(is):
		natural = gateway.MediaImage
	case top == "video":
		natural = gateway.MediaVideo
	case top == "audio":
		natural = gateway.MediaAudio
	}
	switch k {
	case gateway.MediaFile: // sent as a document on purpose
		return k
	case gateway.MediaVoice:
		if natural == gateway.MediaAudio {
			return k
		}
	default:
	}
	return natural
}

// extensions are those that fit a type, the usual one first, where mimetype's is not the only one.
var extensions = map[string][]string{
	"image/jpeg":                  {".jpg", ".jpeg", ".jpe"},
	"image/tiff":                  {".tif", ".tiff"},
	"image/heic":                  {".heic", ".heif"},
	"audio/ogg":                   {".ogg", ".oga", ".opus"},
	"video/ogg":                   {".ogv", ".ogg"},
	"audio/mp4":                   {".m4a", ".mp4"},
	"audio/3gpp":                  {".3gp"},
	"audio/webm":                  {".weba", ".webm"},
	"audio/x-matroska":            {".mka", ".mkv"},
	"video/x-matroska":            {".mkv"},
	"video/mp4":                   {".mp4", ".m4v"},
	"video/mpeg":                  {".mpeg", ".mpg"},
	"audio/mpeg":                  {".mp3", ".mpga"},
	"application/gzip":            {".gz", ".tgz"},
	"text/vcard":                  {".vcf"},
	"text/calendar":               {".ics"},
	"text/html":                   {".html", ".htm"},
	"text/plain":                  {".txt"},
	unknown:                       {".bin"},
	"application/x-elf":           {".elf", ".so", ".run"},
	"application/x-executable":    {".elf", ".run"},
	"application/x-sharedlib":     {".so"},
	"application/x-object":        {".o"},
	"application/x-ole-storage":   {".ole"},
	"application/x-ms-installer":  {".msi"},
	"application/x-msdownload":    {".exe", ".dll"},
	"application/vnd.ms-htmlhelp": {".chm"},
}

// loose types hold a hundred kinds of files that only their extension tells apart.
var loose = []string{"text/plain", unknown, "application/zip", "application/x-ole-storage"}

// pretended are extensions that a loose type never has: to show, to open in a browser, or to run.
func pretended(ext string) bool {
	is, _, _ := strings.Cut(mime.TypeByExtension(ext), ";")
	top, _, _ := strings.Cut(is, "/")
	return active(is) || slices.Contains([]string{"image", "audio", "video"}, top) || slices.Contains(runs, ext)
}

var runs = []string{
	".exe", ".dll", ".com", ".bat", ".cmd", ".scr", ".pif", ".msi", ".ps1", ".vbs", ".vbe", ".js", ".jse", ".mjs", ".wsf", ".hta", ".jar",
	".lnk", ".sh", ".app", ".apk", ".desktop", ".htm", ".html", ".xhtml", ".shtml", ".svg", ".svgz", ".xml", ".php", ".pdf",
	".jpg", ".jpeg", ".png", ".gif", ".webp", ".mp4", ".webm", ".mp3", ".ogg", ".m4a",
}

// extension returns the one that fits: the given one where it may stand for the type, else the type's own.
func extension(ext, is string) string {
	fits := extensions[is]
	if fits == nil {
		if known := mimetype.Lookup(is); known != nil && known.Extension() != "" {
			fits = []string{known.Extension()}
		} else {
			fits = extensions[unknown]
		}
	}
	if slices.Contains(fits, ext) || len(ext) > 1 && slices.Contains(loose, is) && !pretended(ext) {
		return ext
	}
	return fits[0]
}

// split takes a name apart. What stands behind the last dot and is no extension, as in "Dr. Smith", is part of the name.
func split(name, is string) (base, ext string) {
	ext = path.Ext(name)
	lower := strings.ToLower(ext)
	odd := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	switch {
	case len(ext) < 2 || len(ext) > 10 || strings.ContainsFunc(ext[1:], odd):
		return name, ""
	case slices.Contains(runs, lower), mime.TypeByExtension(lower) != "", slices.Contains(loose, is), slices.Contains(extensions[is], lower):
		return strings.TrimSuffix(name, ext), lower
	}
	return name, ""
}

// safeName returns a name that no file system, header or reader is fooled by: at most 100 bytes, no path, nothing
// invisible, with an extension that fits the type. Letters of any script stay.
func safeName(name, is string, k gateway.MediaKind) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, ""))
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	base, ext := split(name, is)
	ext = extension(ext, is)
	base = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r), strings.ContainsRune(`<>:"|?*%;`, r):
			return -1
		}
		return r
	}, base)
	base = strings.Trim(strings.Join(strings.Fields(base), " "), ".- _")
	for strings.Contains(base, "..") {
		base = strings.ReplaceAll(base, "..", ".")
	}
	if base == "" {
		base = string(k)
	}
	if base == "" {
		base = string(gateway.MediaFile)
	}
	return shorten(base, maxName-len(ext)) + ext
}

// asciiName is a safe name as it stands in a URL, where every server and client takes it without escapes.
func asciiName(name string) string {
	ext := path.Ext(name)
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.TrimSuffix(name, ext)) {
		switch {
		case r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)), r == '-', r == '.':
			b.WriteRune(r)
		case (r == ' ' || r == '_') && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	base := strings.Trim(b.String(), "._-")
	for strings.Contains(base, "..") {
		base = strings.ReplaceAll(base, "..", ".")
	}
	if base == "" {
		base = string(gateway.MediaFile)
	}
	return shorten(base, maxName-len(ext)) + ext
}

// shorten cuts at a character's edge.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return strings.TrimRight(s[:most], ".- _")
}
