package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"postern/adapters/internal/sandbox"
)

// message is the body of POST /{number}/messages.
type message struct {
	Product   string `json:"messaging_product"`
	Recipient string `json:"recipient_type"`
	To        string `json:"to"`
	User      string `json:"recipient"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	MessageID string `json:"message_id"`
	Typing    *struct {
		Type string `json:"type"`
	} `json:"typing_indicator"`
	Context *struct {
		MessageID string `json:"message_id"`
	} `json:"context"`
	Ref      string      `json:"biz_opaque_callback_data"`
	Text     *textIn     `json:"text"`
	Image    *mediaIn    `json:"image"`
	Video    *mediaIn    `json:"video"`
	Audio    *mediaIn    `json:"audio"`
	Document *mediaIn    `json:"document"`
	Sticker  *mediaIn    `json:"sticker"`
	Location *placeIn    `json:"location"`
	Contacts []cardIn    `json:"contacts"`
	Reaction *reaction   `json:"reaction"`
	Template *templateIn `json:"template"`
}

type textIn struct {
	Body string `json:"body"`
}

type mediaIn struct {
	ID       string `json:"id"`
	Link     string `json:"link"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
	Voice    bool   `json:"voice"`
}

type placeIn struct {
	Latitude  json.Number `json:"latitude"`
	Longitude json.Number `json:"longitude"`
	Name      string      `json:"name"`
	Address   string      `json:"address"`
}

type cardIn struct {
	Name struct {
		Formatted string `json:"formatted_name"`
		First     string `json:"first_name"`
		Last      string `json:"last_name"`
	} `json:"name"`
	Phones []struct {
		Phone string `json:"phone"`
	} `json:"phones"`
	Emails []struct {
		Email string `json:"email"`
	} `json:"emails"`
}

type reaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"`
}

type templateIn struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []struct {
		Type       string `json:"type"`
		Parameters []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"parameters"`
	} `json:"components"`
}

// postMessage answers POST /{number}/messages.
func postMessage(c *call) (out any, f *fault) {
	var in message
	if f := c.decode(&in); f != nil {
		return nil, f
	}
	switch {
	case c.whole:
		return nil, noObject
	case in.Product != "whatsapp":
		return nil, noProduct
	case len(in.Ref) > 512:
		return nil, wrongParam("biz_opaque_callback_data is too long")
	}
	c.s.Do(func(st *sandbox.State) {
		switch {
		case c.number.IDs[idRegistered] == "false":
			f = &fault{Status: 400, Code: 133010, Text: "Account not registered"}
		case in.Status != "":
			out, f = markRead(st, c.number, in)
		default:
			out, f = accept(st, c, in)
		}
	})
	return out, f
}

// markRead marks a message and all before it as read, and shows typing where that is asked for.
func markRead(st *sandbox.State, a *sandbox.Account, in message) (any, *fault) {
	m := st.MessageOf(a, in.MessageID)
	switch {
	case in.Status != "read":
		return nil, wrongParam("status")
	case m == nil || m.FromUser || m.Chat.Group():
		return nil, wrongParam("message_id is not a message of a person")
	case in.Typing != nil && in.Typing.Type != "text":
		return nil, wrongParam("typing_indicator.type")
	}
	st.ReadOwn(m.Chat, m)
	if in.Typing != nil {
		st.TypingOwn(m.Chat, typingFor)
	}
	return done, nil
}

// accept takes a message. That it will not arrive is told later.
func accept(st *sandbox.State, c *call, in message) (any, *fault) {
	a := c.number
	if in.Recipient != "" && in.Recipient != "individual" {
		return nil, &fault{Status: 400, Code: 131041, Text: "Group is not known"}
	}
	who, byUser := in.To, false
	if who == "" { // "when both are present to wins"
		who, byUser = in.User, true
	}
	if who == "" {
		return nil, missing("to")
	}
	content, f := contentOf(st, a, in)
	if f != nil {
		return nil, f
	}
	if over, _ := st.Spend(ruleNumber, a.ID); over {
		return nil, &fault{Status: 400, Code: 130429, Text: "Rate limit hit", Details: "Message failed to send because there were too many messages sent from this phone number in a short period of time"}
	}
	p := st.PersonNamed(strings.TrimPrefix(who, "+"))
	pair := who // a person counts once, under whichever id
	if p != nil {
		pair = p.ID
	}
	if over, _ := st.Spend(rulePair, a.ID+"/"+pair); over {
		return nil, &fault{Status: 400, Code: 131056, Text: "(Business Account, Consumer Account) pair rate limit hit"}
	}
	if p == nil || !byUser && hidden(p) || byUser && p.IDs[idUser] != who {
		return acceptNobody(st, a, who, byUser, in), nil
	}
	chat, err := st.Direct(a, p)
	if err != nil {
		return nil, &fault{Status: 500, Code: 131000, Text: "Something went wrong"}
	}
	if in.Type == "reaction" {
		return react(st, chat, who, byUser, in), nil
	}
	d := sandbox.Draft{Content: content, Ref: in.Ref, UserAgent: c.r.UserAgent()}
	if in.Context != nil {
		if quoted := chat.Message(in.Context.MessageID); quoted != nil {
			d.ReplyTo = quoted.ID // of what is not known the message goes without its quote
		}
	}
	switch {
	case p.Absent:
		d.Fails = "131026"
	case in.Type != "template" && !st.Within(chatOwn(chat).lastUser, windowFor):
		d.Fails = "131047"
	}
	m := st.Accept(chat, d)
	return sentView(who, byUser, p, m.Native, in.Type), nil
}

func sentView(who string, byUser bool, p *sandbox.Person, id, typ string) object {
	contact := object{"input": who}
	if p != nil && !hidden(p) && !byUser {
		contact["wa_id"] = digits(p.Phone)
	}
	if p != nil && byUser {
		contact["user_id"] = p.IDs[idUser]
	}
	m := object{"id": id}
	if typ == "template" {
		m["message_status"] = "accepted"
	}
	return object{"messaging_product": "whatsapp", "contacts": []object{contact}, "messages": []object{m}}
}

// acceptNobody takes a message to a number that is not on WhatsApp: 200, and then a status.
func acceptNobody(st *sandbox.State, a *sandbox.Account, who string, byUser bool, in message) object {
	id := "wamid." + sandbox.Digits(a.ID+who+in.Ref+st.Now().String(), 30)
	s := object{"id": id, "status": "failed", "timestamp": stamp(st.Now()), "errors": []object{wireError("131026")}}
	if byUser {
		s["recipient_user_id"] = who
	} else {
		s["recipient_id"] = who
	}
	if in.Ref != "" {
		s["biz_opaque_callback_data"] = in.Ref
	}
	st.Emit(a, sandbox.Update{Type: "messages", Key: "s " + who, Body: valueOf(a, object{"statuses": []object{s}})})
	return sentView(who, byUser, nil, id, in.Type)
}

// react sets the number's reaction. To what is not known, and to a reaction, it fails later.
func react(st *sandbox.State, chat *sandbox.Chat, who string, byUser bool, in message) object {
	a := chat.Account
	id := "wamid." + sandbox.Digits(a.ID+in.Reaction.MessageID+in.Reaction.Emoji+in.Ref, 30)
	s := object{"id": id, "status": "sent", "timestamp": stamp(st.Now())}
	target := chat.Message(in.Reaction.MessageID)
	switch {
	case target == nil || target.Retracted:
		s["status"], s["errors"] = "failed", []object{wireError("131009")}
	case in.Reaction.Emoji == "":
		st.ReactOwn(target)
	default:
		st.ReactOwn(target, in.Reaction.Emoji)
	}
	recipient(s, chat.Person)
	if in.Ref != "" {
		s["biz_opaque_callback_data"] = in.Ref
	}
	st.Emit(a, sandbox.Update{Type: "messages", Key: "s " + chat.Native, Body: valueOf(a, object{"statuses": []object{s}})})
	return sentView(who, byUser, chat.Person, id, in.Type)
}

// contentOf checks a message against its type, and reads it.
func contentOf(st *sandbox.State, a *sandbox.Account, in message) (sandbox.Content, *fault) {
	var out sandbox.Content
	media := map[string]*mediaIn{"image": in.Image, "video": in.Video, "audio": in.Audio, "document": in.Document, "sticker": in.Sticker}
	switch in.Type {
	case "", "text":
		switch {
		case in.Text == nil || strings.TrimSpace(in.Text.Body) == "":
			return out, missing("text.body")
		case utf8.RuneCountInString(in.Text.Body) > maxBody:
			return out, &fault{Status: 400, Code: 100, Text: "Param text['body'] must be at most 4096 characters long."}
		}
		out.Text = in.Text.Body
		return out, nil
	case "image", "video", "audio", "document", "sticker":
		return mediaContent(st, a, in.Type, media[in.Type])
	case "location":
		if in.Location == nil {
			return out, missing("location")
		}
		lat, err := in.Location.Latitude.Float64()
		lon, err2 := in.Location.Longitude.Float64()
		if err != nil || err2 != nil {
			return out, wrongParam("location")
		}
		out.Location = &sandbox.Location{Latitude: lat, Longitude: lon, Name: in.Location.Name, Address: in.Location.Address}
		return out, nil
	case "contacts":
		return cardContent(in.Contacts)
	case "reaction":
		if in.Reaction == nil || in.Reaction.MessageID == "" {
			return out, missing("reaction.message_id")
		}
		if in.Context != nil {
			return out, wrongParam("context")
		}
		return out, nil
	case "template":
		return templateContent(in.Template)
	}
	return out, &fault{Status: 400, Code: 131051, Text: "Message type is not supported", Details: in.Type}
}

func mediaContent(st *sandbox.State, a *sandbox.Account, kind string, in *mediaIn) (sandbox.Content, *fault) {
	var out sandbox.Content
	if in == nil || in.ID == "" && in.Link == "" {
		return out, missing(kind)
	}
	h := booksOf(st).handle(in.ID, st.Now())
	if h == nil || h.number != a.ID {
		return out, &fault{Status: 400, Code: 131009, Text: "Parameter value is not valid", Details: "The media id is not known to this number"}
	}
	m := st.Media(h.file)
	major := ""
	if m != nil {
		major, _, _ = strings.Cut(m.Type, "/")
	}
	switch {
	case m == nil:
		return out, wrongParam("media")
	case kind != "document" && kind != "sticker" && major != kind, kind == "sticker" && m.Type != "image/webp":
		return out, &fault{Status: 400, Code: 131053, Text: "Media upload error", Details: "The type of the file is not one of this kind"}
	case in.Voice && !strings.HasPrefix(m.Type, "audio/ogg"):
		return out, wrongParam("voice")
	case in.Caption != "" && (kind == "audio" || kind == "sticker"), utf8.RuneCountInString(in.Caption) > maxCaption:
		return out, wrongParam("caption")
	}
	part := m.Part(shown(kind, in.Voice))
	if in.Filename != "" {
		part.Name = in.Filename
	}
	out.Media, out.Text = []sandbox.MediaPart{part}, in.Caption
	return out, nil
}

// shown is what the sandbox calls a kind of file.
func shown(kind string, voice bool) string {
	switch {
	case kind == "document":
		return "file"
	case kind == "audio" && voice:
		return "voice"
	}
	return kind
}

func cardContent(in []cardIn) (sandbox.Content, *fault) {
	var out sandbox.Content
	if len(in) == 0 || len(in) > 257 {
		return out, missing("contacts")
	}
	c := in[0]
	if c.Name.Formatted == "" || c.Name.First == "" && c.Name.Last == "" {
		return out, missing("contacts.name: formatted_name and one other part")
	}
	out.Contact = &sandbox.Contact{Name: c.Name.Formatted}
	for _, p := range c.Phones {
		out.Contact.Phones = append(out.Contact.Phones, p.Phone)
	}
	for _, e := range c.Emails {
		out.Contact.Emails = append(out.Contact.Emails, e.Email)
	}
	return out, nil
}

func templateContent(in *templateIn) (sandbox.Content, *fault) {
	var out sandbox.Content
	switch {
	case in == nil || in.Name == "" || in.Language.Code == "":
		return out, missing("template")
	case strings.HasPrefix(in.Name, "missing_"):
		return out, &fault{Status: 404, Code: 132001, Text: "Template name does not exist in the translation"}
	}
	said := []string{}
	for _, c := range in.Components {
		for _, p := range c.Parameters {
			if p.Type != "text" || strings.ContainsAny(p.Text, "\n\t") || p.Text == "" {
				return out, &fault{Status: 400, Code: 132012, Text: "Template parameter format mismatch"}
			}
			said = append(said, p.Text)
		}
	}
	out.Text = strings.TrimSpace(fmt.Sprintf("[%s] %s", in.Name, strings.Join(said, " ")))
	return out, nil
}
