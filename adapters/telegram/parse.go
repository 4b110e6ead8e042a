package telegram

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/gateway"
)

var (
	errBadJSON = errors.New("telegram: parse: body is not an Update")
	errNoBot   = errors.New("telegram: parse: the address names no bot")
)

// parse turns an Update into events. It has one kind of content ("at most one of the optional fields"); one that is unknown becomes
// a notice where it says in which chat it happened.
func parse(body []byte, bot gateway.Endpoint) ([]gateway.Event, error) {
	if bot == "" {
		return nil, errNoBot
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, errBadJSON
	}
	var id int64
	if raw, ok := members["update_id"]; !ok || json.Unmarshal(raw, &id) != nil {
		return nil, errBadJSON
	}
	delete(members, "update_id")
	var out []gateway.Event
	for _, kind := range slices.Sorted(maps.Keys(members)) {
		if silent[kind] {
			continue
		}
		read, ok := updateParsers[kind]
		if !ok {
			read = unknown(kind)
		}
		events, err := read(members[kind], bot)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	for i := range out {
		// "update_id ... allows you to ignore repeated updates".
		out[i].Dedupe, out[i].Endpoint = strconv.FormatInt(id, 10), bot
		if m, ok := out[i].Body.(gateway.Message); ok && m.ID == "" { // what becomes a message without being one
			m.ID = gateway.MessageID("update-" + out[i].Dedupe)
			out[i].Body = m
		}
		if i > 0 {
			out[i].Dedupe += "." + strconv.Itoa(i)
		}
	}
	return out, nil
}

// silent are the kinds that become no event (see the package comment).
var silent = map[string]bool{
	"inline_query": true, "chosen_inline_result": true, "shipping_query": true, "pre_checkout_query": true, "purchased_paid_media": true,
	"poll": true, "message_reaction_count": true, "chat_boost": true, "removed_chat_boost": true, "chat_join_request": true,
	"business_connection": true, "business_message": true, "edited_business_message": true, "deleted_business_messages": true,
	"managed_bot": true, "guest_message": true,
}

// updateParsers holds the kinds that become events.
var updateParsers = map[string]func(json.RawMessage, gateway.Endpoint) ([]gateway.Event, error){
	"message": parseMessage, "channel_post": parseMessage,
	"edited_message": parseEdited, "edited_channel_post": parseEdited,
	"message_reaction": parseReaction,
	"callback_query":   parseCallback,
	"poll_answer":      parsePollAnswer,
	"my_chat_member":   parseMyMember,
	"chat_member":      parseMember,
}

// readMessage decodes a Message and its members. One in which something has another form than the document says keeps the rest.
func readMessage(raw json.RawMessage) (message, map[string]json.RawMessage, error) {
	var m message
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &m)
	if _, form := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !form || m.ID == 0 || m.Chat.ID == 0 {
		return message{}, nil, errBadJSON
	}
	if json.Unmarshal(raw, &members) != nil {
		return message{}, nil, errBadJSON
	}
	return m, members, nil
}

// start is the command by which a person opens the chat; the word behind it came with the link ("deep linking").
var start = regexp.MustCompile(`^/start(?:@[A-Za-z0-9_]+)?(?:\s+(\S+))?\s*$`)

// invite is the form of our tokens.
var invite = regexp.MustCompile(`^[a-z2-7]{26}$`)

func parseMessage(raw json.RawMessage, bot gateway.Endpoint) ([]gateway.Event, error) {
	m, members, err := readMessage(raw)
	if err != nil {
		return nil, err
	}
	e, ok := about(m)
	if !ok {
		return nil, nil
	}
	if e.Chat.Kind == gateway.ChatGroup {
		if u, ok := membership(m); ok {
			e.Body = u
			return []gateway.Event{e}, nil
		}
	}
	if cmd := start.FindStringSubmatch(m.Text); cmd != nil && e.Chat.Kind == gateway.ChatDirect {
		name := author(m)
		e.Body = gateway.ContactUpdate{Name: &name, Consent: gateway.ConsentAccepted}
		if invite.MatchString(cmd[1]) {
			e.Invite = cmd[1]
		}
		return []gateway.Event{e}, nil
	}
	e.Body = gateway.Message{ID: messageID(e.Chat, m.ID), Content: parseContent(m, members), ReplyTo: replyTo(m, e.Chat, bot), Name: author(m)}
	return []gateway.Event{e}, nil
}

// about says where, when and by whom a message was written; ok is false for another bot's and for a business chat's.
func about(m message) (e gateway.Event, ok bool) {
	e = gateway.Event{Chat: chatOf(m.Chat), At: unix(m.Date)}
	if m.Business != "" {
		return e, false
	}
	if e.Chat.Kind == gateway.ChatDirect {
		e.From = e.Chat.Contact
		return e, m.From == nil || !m.From.IsBot
	}
	switch {
	case m.SenderChat != nil: // "the sender of the message when sent on behalf of a chat"; from is then a bot that stands for it
		e.From = contactID(m.SenderChat.ID)
	case m.From != nil:
		e.From = contactID(m.From.ID)
		return e, !m.From.IsBot || m.NewMembers != nil || m.LeftMember != nil
	default:
		e.From = contactID(m.Chat.ID)
	}
	return e, true
}

// parseEdited: edited_message also tells of changes that nobody sees, such as new buttons; those have no edit_date.
func parseEdited(raw json.RawMessage, _ gateway.Endpoint) ([]gateway.Event, error) {
	m, members, err := readMessage(raw)
	if err != nil {
		return nil, err
	}
	e, ok := about(m)
	if !ok || m.EditDate == 0 {
		return nil, nil
	}
	content := parseContent(m, members)
	if isEmpty(content) {
		return nil, nil
	}
	e.At = unix(m.EditDate)
	e.Body = gateway.Edited{Target: target(e.Chat, m.ID), Content: content}
	return []gateway.Event{e}, nil
}

// anyEmoji stands for a custom emoji, which no character stands for, and paidEmoji for a reaction that costs a Telegram Star.
const (
	anyEmoji  = "❔"
	paidEmoji = "⭐"
)

// maxReactions bounds what is believed of one person; Telegram allows three.
const maxReactions = 20

func parseReaction(raw json.RawMessage, _ gateway.Endpoint) ([]gateway.Event, error) {
	var r messageReaction
	if json.Unmarshal(raw, &r) != nil || r.Chat.ID == 0 || r.MessageID == 0 {
		return nil, errBadJSON
	}
	e := gateway.Event{Chat: chatOf(r.Chat), At: unix(r.Date)}
	switch {
	case e.Chat.Kind == gateway.ChatDirect:
		e.From = e.Chat.Contact
	case r.ActorChat != nil:
		e.From = contactID(r.ActorChat.ID)
	case r.User != nil:
		e.From = contactID(r.User.ID)
	}
	if r.User != nil && r.User.IsBot || e.From == "" {
		return nil, nil
	}
	set := []string{}
	for _, n := range r.New[:min(len(r.New), maxReactions)] {
		emoji := n.Emoji
		switch n.Type {
		case "emoji":
		case "paid":
			emoji = paidEmoji
		default:
			emoji = anyEmoji
		}
		if emoji != "" && !slices.Contains(set, emoji) {
			set = append(set, emoji)
		}
	}
	e.Body = gateway.Reacted{Target: target(e.Chat, r.MessageID), Emojis: set}
	return []gateway.Event{e}, nil
}

// callbackPrefix begins the id of a message that a pressed button becomes; the query's id follows.
const callbackPrefix = "callback-"

// queryOf returns the callback query that an event came of.
func queryOf(ev gateway.Event) (id string, ok bool) {
	m, _ := ev.Body.(gateway.Message)
	return strings.CutPrefix(string(m.ID), callbackPrefix)
}

// parseCallback: a button that was pressed says its text, as an answer to the message that had it. It is dated by nobody.
func parseCallback(raw json.RawMessage, bot gateway.Endpoint) ([]gateway.Event, error) {
	var c callbackQuery
	if json.Unmarshal(raw, &c) != nil || c.ID == "" || c.From.ID == 0 {
		return nil, errBadJSON
	}
	if c.From.IsBot {
		return nil, nil
	}
	e := gateway.Event{Chat: chatOf(chat{ID: c.From.ID, Type: "private"}), From: contactID(c.From.ID)}
	text := c.Data
	m := gateway.Message{ID: gateway.MessageID(callbackPrefix + c.ID), Name: fullName(c.From.FirstName, c.From.LastName)}
	if c.Message != nil && c.Message.Chat.ID != 0 {
		e.Chat = chatOf(c.Message.Chat)
		m.ReplyTo = replyTo(message{Chat: c.Message.Chat, ReplyTo: c.Message}, e.Chat, bot)
		text = pressed(c.Message.Markup, c.Data)
	}
	m.Content = gateway.PlainText(first(text, "▢"))
	e.Body = m
	return []gateway.Event{e}, nil
}

// pressed returns the text of the button that bears data.
func pressed(m *markup, data string) string {
	if m == nil {
		return data
	}
	for _, row := range m.Keyboard {
		for _, b := range row {
			if b.Data == data && b.Text != "" {
				return b.Text
			}
		}
	}
	return data
}

// parsePollAnswer: a vote names poll and options by number. Votes in polls of ours come in chats of two alone.
func parsePollAnswer(raw json.RawMessage, _ gateway.Endpoint) ([]gateway.Event, error) {
	var p pollAnswer
	if json.Unmarshal(raw, &p) != nil || p.PollID == "" {
		return nil, errBadJSON
	}
	if p.User == nil || p.User.ID == 0 || p.User.IsBot {
		return nil, nil
	}
	picked := []string{}
	for _, n := range p.Options[:min(len(p.Options), maxOptions)] {
		picked = append(picked, strconv.Itoa(n+1))
	}
	text := "☐"
	if len(picked) > 0 {
		text = "☑ " + strings.Join(picked, ", ")
	}
	return []gateway.Event{{
		Chat: chatOf(chat{ID: p.User.ID, Type: "private"}), From: contactID(p.User.ID), Body: gateway.Message{
			Content: gateway.PlainText(text), Name: fullName(p.User.FirstName, p.User.LastName),
		},
	}}, nil
}

// unknown carries a kind of update that a later version adds, where it names a chat or a person.
func unknown(kind string) func(json.RawMessage, gateway.Endpoint) ([]gateway.Event, error) {
	return func(raw json.RawMessage, _ gateway.Endpoint) ([]gateway.Event, error) {
		var u struct {
			Chat chat  `json:"chat"`
			From *user `json:"from"`
			User *user `json:"user"`
			Date int64 `json:"date"`
		}
		_ = json.Unmarshal(raw, &u) // what has another form is not there
		who := u.From
		if who == nil {
			who = u.User
		}
		if u.Chat.ID == 0 && who != nil {
			u.Chat = chat{ID: who.ID, Type: "private"}
		}
		if u.Chat.ID == 0 || who != nil && who.IsBot {
			return nil, nil
		}
		e := gateway.Event{Chat: chatOf(u.Chat), At: unix(u.Date)}
		e.From = e.Chat.Contact
		if e.Chat.Kind == gateway.ChatGroup && who != nil {
			e.From = contactID(who.ID)
		}
		e.Body = gateway.Message{
			Content: gateway.Content{Parts: []gateway.Part{gateway.UnsupportedPart{Type: excerpt(kind), Excerpt: said(raw)}}},
		}
		return []gateway.Event{e}, nil
	}
}

// chatOf names a chat; that of a private one is the person's.
func chatOf(c chat) gateway.Chat {
	id := strconv.FormatInt(c.ID, 10)
	if c.Type == "private" || c.Type == "" && c.ID > 0 {
		return gateway.Chat{ID: gateway.ChatID(id), Kind: gateway.ChatDirect, Contact: gateway.ContactID(id)}
	}
	return gateway.Chat{ID: gateway.ChatID(id), Kind: gateway.ChatGroup}
}

func contactID(id int64) gateway.ContactID {
	if id == 0 {
		return ""
	}
	return gateway.ContactID(strconv.FormatInt(id, 10))
}

// messageID: "unique message identifier inside this chat". Those of private chats count through all chats of a bot.
func messageID(c gateway.Chat, id int64) gateway.MessageID {
	n := strconv.FormatInt(id, 10)
	if c.Kind == gateway.ChatGroup {
		n = string(c.ID) + "/" + n
	}
	return gateway.MessageID(n)
}

func target(c gateway.Chat, id int64) gateway.Target {
	return gateway.Target{IDs: []gateway.MessageID{messageID(c, id)}}
}

// unix is a time of the platform; 0 is none, such as that of a message that is not accessible.
func unix(s int64) time.Time {
	if s <= 0 || s > 1<<36 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// author is how a message's writer is called.
func author(m message) string {
	switch {
	case m.SenderChat != nil && m.SenderChat.Title != "":
		return m.SenderChat.Title
	case m.From != nil:
		return fullName(m.From.FirstName, m.From.LastName)
	}
	return first(m.Chat.Title, fullName(m.Chat.FirstName, m.Chat.LastName))
}

func fullName(given, family string) string { return strings.TrimSpace(given + " " + family) }

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
