package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/adapters/internal/sandbox"
)

// overRate is answered above a rate.
var overRate = &fault{Code: 613}

// message is a request of the Send API.
type message struct {
	Type      string `json:"messaging_type"`
	Tag       string `json:"tag"`
	Recipient struct {
		ID string `json:"id"`
	} `json:"recipient"`
	Message *struct {
		Text       string `json:"text"`
		Attachment *struct {
			Type    string `json:"type"`
			Payload struct {
				URL string `json:"url"`
				ID  string `json:"attachment_id"`
			} `json:"payload"`
		} `json:"attachment"`
		Metadata string `json:"metadata"`
	} `json:"message"`
	ReplyTo *struct {
		MID string `json:"mid"`
	} `json:"reply_to"`
	Action  string `json:"sender_action"`
	Payload struct {
		MessageID string `json:"message_id"`
		Reaction  string `json:"reaction"`
	} `json:"payload"`

	file *sandbox.Media
}

// nobody is answered for a person whom the account does not know.
func (p platform) nobody() *fault {
	if p.kind == Messenger {
		return &fault{Code: 100, Subcode: 2018001, Text: "No matching user found"}
	}
	return &fault{Code: 100, Subcode: 2534014, Text: "The requested user cannot be found."}
}

// postMessage answers POST /{page}/messages.
func postMessage(c *call) (any, *fault) {
	if !c.mine() {
		return nil, noObject
	}
	in, f := c.read()
	if f == nil && in.Message != nil && in.Message.Attachment != nil && in.file == nil {
		f = c.collect(in)
	}
	if f != nil {
		return nil, f
	}
	var out any
	c.s.Do(func(st *sandbox.State) { out, f = c.take(st, in) })
	return out, f
}

// read takes a request as JSON, or as a form whose values are JSON, with a file or without.
func (c *call) read() (*message, *fault) {
	in := &message{}
	typ, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if typ != "multipart/form-data" {
		raw, err := io.ReadAll(io.LimitReader(c.r.Body, 1<<20))
		if err != nil || json.Unmarshal(raw, in) != nil {
			return nil, wrong("The body is not valid JSON")
		}
		return in, nil
	}
	parts, err := c.r.MultipartReader()
	if err != nil {
		return nil, wrong("The form cannot be read")
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return nil, wrong("The form cannot be read")
		}
		if part.FormName() == "filedata" {
			in.file, err = c.s.Upload(c.account, part, part.Header.Get("Content-Type"), part.FileName(), maxFile)
			if errors.Is(err, sandbox.ErrTooLarge) {
				return nil, &fault{Code: 100, Subcode: 2018109, Text: "Attachment size exceeds allowable limit"}
			}
		} else {
			err = field(in, part.FormName(), part)
		}
		if err != nil {
			return nil, wrong("The form cannot be read")
		}
	}
}

func field(in *message, name string, r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<16))
	if err != nil {
		return err
	}
	switch name {
	case "recipient":
		return json.Unmarshal(raw, &in.Recipient)
	case "message":
		return json.Unmarshal(raw, &in.Message)
	case "reply_to":
		return json.Unmarshal(raw, &in.ReplyTo)
	case "messaging_type":
		in.Type = string(raw)
	case "tag":
		in.Tag = string(raw)
	}
	return nil
}

// collect gets the file that an address or an attachment_id names.
func (c *call) collect(in *message) *fault {
	at := in.Message.Attachment.Payload
	if at.ID != "" {
		c.s.Do(func(st *sandbox.State) {
			if m := st.Media(at.ID); m != nil && m.Account == c.account {
				in.file = m
			}
		})
		if in.file == nil {
			return &fault{Code: 100, Subcode: 2018074, Text: "Attachment id is invalid"}
		}
		return nil
	}
	failed := &fault{Code: 100, Subcode: 2018008, Text: "Failed to fetch the file from the url"}
	u, err := url.Parse(at.URL)
	if err != nil || u.Host == "" {
		return wrong("Param message[attachment] must have a payload")
	}
	req, err := http.NewRequestWithContext(c.r.Context(), http.MethodGet, at.URL, nil)
	if err != nil {
		return failed
	}
	resp, err := c.s.HTTP().Do(req)
	if err != nil {
		return failed
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return failed
	}
	name := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	if in.file, err = c.s.Upload(c.account, resp.Body, resp.Header.Get("Content-Type"), name, maxFile); err != nil {
		return &fault{Code: 100, Subcode: 2018109, Text: "Attachment size exceeds allowable limit"}
	}
	return nil
}

// take does what a request says, with the lock held.
func (c *call) take(st *sandbox.State, in *message) (any, *fault) {
	a := c.account
	chat := st.ChatOf(a, in.Recipient.ID)
	switch {
	case a.IDs[idOff] == "true":
		return nil, &fault{Status: 403, Code: 200, Subcode: 2534041, Text: "The account owner has disabled access to Instagram direct messages."}
	case (in.Message == nil) == (in.Action == ""):
		return nil, wrong("Param message or sender_action must be set, and one of them only")
	case chat == nil || !chat.Granted:
		return nil, c.p.nobody()
	case chat.Blocked || chat.Person.Absent:
		return nil, &fault{Code: 551, Text: "This person isn't available right now."}
	}
	if refused, _ := st.Spend(ruleAccount, a.ID); refused {
		return nil, overRate
	}
	if in.Action != "" {
		return c.act(st, chat, in)
	}
	if refused, _ := st.Spend(ruleThread, a.ID+"/"+chat.Native); refused {
		return nil, &fault{Code: 9, Subcode: 2018352, Text: "Too many messages to this thread"}
	}
	if standby(chat) {
		return nil, &fault{Status: 403, Code: 10, Subcode: 2018300, Text: "Message not sent: Another app is controlling this thread now."}
	}
	if f := c.window(st, chat, in); f != nil {
		return nil, f
	}
	draft, f := c.draft(chat, in)
	if f != nil {
		return nil, f
	}
	m := st.Accept(chat, draft)
	return object{"recipient_id": chat.Native, "message_id": m.Native}, nil
}

// window checks type, tag and time.
func (c *call) window(st *sandbox.State, chat *sandbox.Chat, in *message) *fault {
	last := chatOwn(chat).lastUser
	switch in.Type {
	case "RESPONSE", "UPDATE":
		if st.Within(last, windowFor) {
			return nil
		}
	case "":
		if c.p.kind == Messenger {
			return wrong("(#100) Parameter messaging_type is required")
		}
		if st.Within(last, windowFor) {
			return nil
		}
	case "MESSAGE_TAG":
		if in.Tag != "HUMAN_AGENT" || chat.Account.IDs[idAgent] != "true" {
			return wrong("Invalid or removed message tag")
		}
		if st.Within(last, agentFor) {
			return nil
		}
	default:
		return wrong("Invalid messaging_type")
	}
	f := &fault{Status: 403, Code: 10, Subcode: 2018278, Text: "This message is sent outside of allowed window."}
	if c.p.kind != Messenger {
		f.Subcode = 2534022
	}
	return f
}

// instagramTypes are the files that Instagram takes, with a maximum of 8 MB for pictures.
var instagramTypes = []string{
	"image/png", "image/jpeg", "image/gif", "audio/aac", "audio/mp4", "audio/x-m4a", "audio/m4a", "audio/wav", "audio/x-wav", "audio/vnd.wave", "video/mp4",
	"video/ogg", "video/x-msvideo", "video/avi", "video/quicktime", "video/webm", "application/pdf",
}

// draft makes a message of what was sent.
func (c *call) draft(chat *sandbox.Chat, in *message) (sandbox.Draft, *fault) {
	m := in.Message
	d := sandbox.Draft{UserAgent: c.r.UserAgent(), Ref: m.Metadata}
	switch {
	case (m.Text == "") == (m.Attachment == nil):
		return d, wrong("Param message must have text or an attachment, and one of them only")
	case c.p.kind == Messenger && utf8.RuneCountInString(m.Text) > 2000:
		return d, wrong("Length of param message[text] must be less than or equal to 2000")
	case c.p.kind != Messenger && len(m.Text) > 1000:
		return d, wrong("Length of param message[text] must be less than or equal to 1000")
	case len(m.Metadata) > 1000:
		return d, wrong("Length of param message[metadata] must be less than or equal to 1000")
	}
	if in.ReplyTo != nil {
		to := chat.Message(in.ReplyTo.MID)
		if to == nil || to.Retracted {
			return d, wrong("Invalid message id in reply_to")
		}
		d.ReplyTo = to.ID
	}
	d.Content.Text = m.Text
	if in.file == nil {
		return d, nil
	}
	if c.p.kind != Messenger {
		d.Ref = "" // "metadata is not echoed reliably"
		base, _, _ := mime.ParseMediaType(in.file.Type)
		if !slices.Contains(instagramTypes, base) {
			return d, &fault{Code: 100, Subcode: 2534015, Text: "Invalid message data"}
		}
	}
	kind := m.Attachment.Type
	if !slices.Contains([]string{"image", "audio", "video", "file"}, kind) || kind != "file" && kind != sandbox.KindOf(in.file.Type) {
		return d, &fault{Code: 100, Subcode: 2018047, Text: "Upload attachment failure: the type of the file does not match"}
	}
	d.Content.Media = []sandbox.MediaPart{in.file.Part(kind)}
	return d, nil
}

// act does what is no message.
func (c *call) act(st *sandbox.State, chat *sandbox.Chat, in *message) (any, *fault) {
	switch in.Action {
	case "typing_on":
		st.TypingOwn(chat, typingFor)
	case "typing_off":
		st.TypingOwn(chat, 0)
	case "mark_seen":
		st.ReadOwn(chat, nil)
	case "react", "unreact":
		m := chat.Message(in.Payload.MessageID)
		if m == nil || m.Retracted {
			return nil, wrong("Invalid message id")
		}
		emoji := in.Payload.Reaction
		switch {
		case in.Action == "unreact":
			st.ReactOwn(m)
			return object{"recipient_id": chat.Native}, nil
		case emoji == "":
			return nil, wrong("Param payload[reaction] is required")
		case emoji == "love":
			emoji = "❤️"
		case c.p.kind != Messenger && chat.Account.IDs[idAnyReaction] != "true":
			return nil, wrong("Invalid reaction")
		}
		st.ReactOwn(m, emoji)
	default:
		return nil, wrong("Invalid sender_action")
	}
	return object{"recipient_id": chat.Native}, nil
}
