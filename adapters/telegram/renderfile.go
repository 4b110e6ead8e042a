package telegram

import (
	"encoding/json"
	"mime"
	"slices"
	"strings"

	"postern/gateway"
)

// The document's limits of files ("Sending files"): as an upload, and a photo's own.
const (
	maxUpload     = 50 << 20
	maxPhoto      = 10 << 20
	maxPhotoSides = 10000 // width and height together
	maxPhotoRatio = 20
	// maxDownload is what getFile gives ("up to 20MB").
	maxDownload = 20 << 20
)

// renderFile chooses the method that shows a file as what it is; sendDocument takes everything, and takes over where the platform finds
// that a picture is none or that somebody forbids voice messages.
func renderFile(chat json.Number, m gateway.Media, emoji string) (*call, error) {
	p := params{"chat_id": chat}
	c := &call{params: p, media: m}
	typ, _, err := mime.ParseMediaType(m.MIME)
	if err != nil {
		typ = "application/octet-stream"
	}
	c.media.MIME = typ
	switch kind := shownAs(m, typ, emoji); kind {
	case "sticker":
		c.method, c.file = "sendSticker", "sticker"
		if emoji != "" {
			p["emoji"] = emoji
		}
	case "photo":
		c.method, c.file = "sendPhoto", "photo"
	case "animation", "video":
		c.method, c.file = map[string]string{"animation": "sendAnimation", "video": "sendVideo"}[kind], kind
		size(p, m)
		if kind == "video" {
			p["supports_streaming"] = true
		}
	case "voice", "audio":
		c.method, c.file = map[string]string{"voice": "sendVoice", "audio": "sendAudio"}[kind], kind
		if m.Duration > 0 {
			p["duration"] = m.Duration / 1000
		}
	default:
		*c = *document(chat, c.media)
	}
	if c.method != "sendDocument" {
		c.or = document(chat, c.media)
	}
	if fileID.MatchString(m.Handle) { // a file of the platform's: "there are no limits for files sent this way"
		for e := c; e != nil; e = e.or {
			e.params[e.file], e.file = m.Handle, ""
		}
	}
	return c, nil
}

func document(chat json.Number, m gateway.Media) *call {
	// "Disables automatic server-side content type detection": a document stays one.
	return &call{method: "sendDocument", params: params{"chat_id": chat, "disable_content_type_detection": true}, file: "document", media: m}
}

// shownAs says which of the document's kinds a file can be sent as. What our user sent as a file stays one.
func shownAs(m gateway.Media, typ, emoji string) string {
	sticker := emoji != "" && slices.Contains([]string{"image/webp", "video/webm", "application/x-tgsticker"}, typ)
	switch {
	case sticker:
		return "sticker"
	case m.Kind == gateway.MediaFile:
		return "document"
	case typ == "image/gif":
		return "animation"
	case slices.Contains([]string{"image/jpeg", "image/png", "image/webp"}, typ) && fitsPhoto(m):
		return "photo"
	case typ == "video/mp4":
		return "video"
	case m.Kind == gateway.MediaVoice && slices.Contains([]string{"audio/ogg", "audio/opus", "audio/mpeg", "audio/mp4", "audio/x-m4a"}, typ):
		return "voice"
	case slices.Contains([]string{"audio/mpeg", "audio/mp4", "audio/x-m4a"}, typ):
		return "audio"
	}
	return "document"
}

// fitsPhoto: "at most 10 MB in size. The photo's width and height must not exceed 10000 in total. Width and height ratio must be at
// most 20."
func fitsPhoto(m gateway.Media) bool {
	long, short := max(m.Width, m.Height), min(m.Width, m.Height)
	return m.Size <= maxPhoto && m.Width+m.Height <= maxPhotoSides && (short < 1 || long <= short*maxPhotoRatio)
}

func size(p params, m gateway.Media) {
	if m.Width > 0 && m.Height > 0 {
		p["width"], p["height"] = m.Width, m.Height
	}
	if m.Duration > 0 {
		p["duration"] = m.Duration / 1000
	}
}

// fileName is what a file is called there; it may not be empty.
func fileName(m gateway.Media) string {
	name := cut(strings.TrimSpace(m.Name), 120)
	if name == "" {
		name = "file"
		if ext, err := mime.ExtensionsByType(m.MIME); err == nil && len(ext) > 0 {
			name += ext[0]
		}
	}
	return name
}
