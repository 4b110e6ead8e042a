package simulator

import (
	"encoding/json"
	"maps"
	"strings"

	"postern/adapters/internal/sandbox"
)

// content writes what a message says into its wire form. Raw members of the content come last, and win.
func content(st *sandbox.State, w object, m *sandbox.Message) {
	c := m.Content
	w["type"] = "text"
	switch {
	case c.Answer != nil:
		answered(w, c)
	case len(c.Media) > 0:
		file(st, w, m)
	case c.Location != nil:
		l := object{"latitude": c.Location.Latitude, "longitude": c.Location.Longitude}
		put(l, "name", c.Location.Name)
		put(l, "address", c.Location.Address)
		w["type"], w["location"] = "location", l
	case c.Contact != nil:
		w["type"], w["contacts"] = "contacts", []object{card(c.Contact)}
	case c.Unsupported != "" || c.Poll != nil:
		kind := c.Unsupported
		if kind == "" {
			kind = "poll"
		}
		w["type"], w["unsupported"] = "unsupported", object{"type": kind}
		w["errors"] = []object{{"code": 131051, "title": "Message type unknown", "message": "Message type unknown", "error_data": object{"details": "Message type is currently not supported."}}}
	default:
		w["text"] = object{"body": c.Text}
	}
	if quoted := st.Message(m.ReplyTo); quoted != nil {
		by := digits(m.Chat.Account.Phone)
		if !quoted.FromUser && quoted.Author != nil {
			by = digits(quoted.Author.Phone)
		}
		w["context"] = object{"from": by, "id": quoted.Native}
	}
	var raw object
	if json.Unmarshal(c.Raw, &raw) == nil {
		maps.Copy(w, raw)
	}
}

// answered is what a person chose: of a list when there is more than three, else a button.
func answered(w object, c sandbox.Content) {
	chosen := object{"id": "", "title": ""}
	if len(c.Answer.Choices) > 0 {
		chosen = object{"id": c.Answer.Choices[0].ID, "title": c.Answer.Choices[0].Title}
	}
	w["type"], w["interactive"] = "interactive", object{"type": "button_reply", "button_reply": chosen}
}

// kinds are the platform's names for the sandbox's kinds of file.
var kinds = map[string]string{"image": "image", "video": "video", "animation": "video", "video_note": "video", "audio": "audio", "voice": "audio", "sticker": "sticker"}

func file(st *sandbox.State, w object, m *sandbox.Message) {
	part := m.Content.Media[0]
	kind := kinds[part.Kind]
	if kind == "" {
		kind = "document"
	}
	b := booksOf(st)
	id := b.name(part.MediaID, m.Chat.Account.ID, inboundLife, st.Now())
	f := object{"id": id, "mime_type": part.Type, "sha256": hash64(part.SHA256)}
	switch {
	case part.Kind == "voice":
		f["voice"], f["mime_type"] = true, "audio/ogg; codecs=opus"
	case kind == "sticker":
		f["animated"] = false
	case kind == "document":
		put(f, "filename", part.Name)
	}
	if kind != "audio" && kind != "sticker" {
		put(f, "caption", m.Content.Text)
	}
	w["type"], w[kind] = kind, f
}

func card(c *sandbox.Contact) object {
	first, last, _ := strings.Cut(c.Name, " ")
	out := object{"name": object{"formatted_name": c.Name, "first_name": first, "last_name": last}}
	var phones, emails []object
	for _, p := range c.Phones {
		phones = append(phones, object{"phone": p, "wa_id": digits(p), "type": "CELL"})
	}
	for _, e := range c.Emails {
		emails = append(emails, object{"email": e, "type": "WORK"})
	}
	if phones != nil {
		out["phones"] = phones
	}
	if emails != nil {
		out["emails"] = emails
	}
	return out
}

func put(o object, name, value string) {
	if value != "" {
		o[name] = value
	}
}
