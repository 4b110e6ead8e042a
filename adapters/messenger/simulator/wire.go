package simulator

import (
	"encoding/json"
	"maps"
	"mime"
	"strings"

	"postern/adapters/internal/sandbox"
)

// number is an id that comes as a JSON number.
func number(id string) json.Number { return json.Number(id) }

// bare takes the selector for colour away.
func bare(emoji string) string { return strings.ReplaceAll(emoji, "\uFE0F", "") }

// wire is a message as a webhook has it. Raw members of the content come last, and win.
func (p platform) wire(st *sandbox.State, m *sandbox.Message) object {
	c := m.Content
	w := object{"mid": m.Native}
	var files []object
	for _, part := range c.Media {
		files = append(files, p.file(st, m.Chat.Account, part))
	}
	for _, pv := range c.Previews {
		files = append(files, object{"type": "fallback", "title": pv.Title, "url": pv.URL, "payload": object{"url": pv.URL, "title": pv.Title}})
	}
	switch {
	case c.Location != nil:
		files = append(files, object{
			"type": "location", "title": c.Location.Name, "payload": object{"coordinates": object{"lat": c.Location.Latitude, "long": c.Location.Longitude}},
		})
	case c.Unsupported != "" || c.Poll != nil:
		kind := c.Unsupported
		if kind == "" {
			kind = "poll"
		}
		if p.kind == Messenger {
			files = append(files, object{"type": kind, "payload": nil})
		} else {
			w["is_unsupported"] = true
		}
	}
	text := c.Text
	if c.Contact != nil { // cards are words there
		text = strings.TrimSpace(c.Contact.Name + " " + strings.Join(append(c.Contact.Phones, c.Contact.Emails...), " "))
	}
	if text != "" {
		w["text"] = text
	}
	if files != nil {
		w["attachments"] = files
	}
	if quoted := st.Message(m.ReplyTo); quoted != nil {
		w["reply_to"] = object{"mid": quoted.Native}
	}
	var raw object
	if json.Unmarshal(c.Raw, &raw) == nil {
		maps.Copy(w, raw)
	}
	return w
}

// kinds are the platforms' names for the sandbox's kinds of file.
var kinds = map[string]string{"image": "image", "video": "video", "animation": "image", "video_note": "video", "audio": "audio", "voice": "audio", "sticker": "sticker"}

func (p platform) file(st *sandbox.State, a *sandbox.Account, part sandbox.MediaPart) object {
	kind := kinds[part.Kind]
	if kind == "" {
		kind = "file"
	}
	f := st.Media(part.MediaID)
	if f == nil || part.ViewOnce {
		return object{"type": "ephemeral", "payload": object{}} // view once: "no url"
	}
	payload := object{"url": link(st, f, nameOf(part))}
	if kind == "sticker" {
		payload["sticker_id"] = number("1" + sandbox.Digits(f.ID, 14))
		if a.IDs[idOldStickers] == "true" { // until 30 August 2026
			kind = "image"
		}
	}
	return object{"type": kind, "payload": payload}
}

// nameOf is what an address ends with.
func nameOf(part sandbox.MediaPart) string {
	name := fileName(part.Name)
	if part.Kind == "voice" {
		name = "audioclip-1790000000"
	}
	if strings.Contains(name, ".") {
		return name
	}
	if name == "" {
		name = part.MediaID
	}
	typ, _, _ := mime.ParseMediaType(part.Type)
	if ext, err := mime.ExtensionsByType(typ); err == nil && len(ext) > 0 {
		return name + ext[0]
	}
	return name + ".bin"
}
