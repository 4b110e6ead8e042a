package simulator

import (
	"maps"
	"strconv"
	"time"

	"postern/adapters/internal/sandbox"
)

func stamp(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// valueOf is the value of a change, with what every one has.
func valueOf(a *sandbox.Account, members object) object {
	members["messaging_product"] = "whatsapp"
	members["metadata"] = object{"display_phone_number": digits(a.Phone), "phone_number_id": a.ID}
	return members
}

// contactsOf tells who somebody is; the phone number only where it is shown.
func contactsOf(p *sandbox.Person) []object {
	profile := object{"name": p.Display}
	if p.Username != "" {
		profile["username"] = "@" + p.Username
	}
	c := object{"profile": profile, "user_id": p.IDs[idUser]}
	if !hidden(p) {
		c["wa_id"] = digits(p.Phone)
	}
	return []object{c}
}

// from names the writer of a message.
func from(m object, p *sandbox.Person) {
	m["from_user_id"] = p.IDs[idUser]
	if !hidden(p) {
		m["from"] = digits(p.Phone)
	}
}

func recipient(s object, p *sandbox.Person) {
	s["recipient_user_id"] = p.IDs[idUser]
	if !hidden(p) {
		s["recipient_id"] = digits(p.Phone)
	}
}

// errorTitles word the errors that come in statuses.
var errorTitles = map[string]string{
	"131026": "Message undeliverable", "131047": "Re-engagement message", "131009": "Parameter value is not valid", "131049": "Not delivered to maintain healthy ecosystem engagement",
	"131053": "Media upload error", "131056": "Pair rate limit hit", "131000": "Something went wrong", "137000": "Identity key hash mismatch",
}

func wireError(code string) object {
	n, err := strconv.Atoi(code)
	if err != nil {
		n = 131026 // what the sandbox calls absent
	}
	title := errorTitles[strconv.Itoa(n)]
	return object{"code": n, "title": title, "message": title, "error_data": object{"details": title + "."}, "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"}
}

// Tell implements sandbox.Platform.
func (platform) Tell(st *sandbox.State, happening sandbox.Happening) []sandbox.Update {
	c := happening.Where()
	switch h := happening.(type) {
	case sandbox.Said:
		return tellMessage(st, h.Message, "", nil)
	case sandbox.Answered:
		return tellMessage(st, h.Reply, "", nil)
	case sandbox.Edited:
		return tellEdited(st, h.Message)
	case sandbox.Retracted:
		if both(c.Account) {
			return tellMessage(st, h.Message, "revoke", object{"original_message_id": h.Message.Native})
		}
		return nil // "nothing for a user's delete-for-everyone"
	case sandbox.Reacted:
		return tellReaction(st, h)
	case sandbox.Accepted:
		return statuses(c, "sent", st.Now(), "", h.Message)
	case sandbox.Delivered:
		return statuses(c, "delivered", h.At, "", h.Messages...)
	case sandbox.Read:
		return statuses(c, "read", h.At, "", h.Messages...)
	case sandbox.Failed:
		return statuses(c, "failed", st.Now(), h.Code, h.Message)
	case sandbox.Called:
		return tellCall(st, h)
	case sandbox.Changed:
		return tellChanged(st, h)
	case sandbox.Joined:
		return tellJoined(st, h)
	case sandbox.Opened:
		if h.Token != "" { // a link brings its token in the words of the first message
			_, _ = st.Say(c, c.Person, sandbox.Content{Text: "invite-" + h.Token}, "")
		}
	case sandbox.Blocked, sandbox.Typing, sandbox.SeenByHand:
	}
	return nil
}

// both says that a number lives in the app on a phone too.
func both(a *sandbox.Account) bool { return a.IDs[idCoexistence] == "true" }

// tellMessage is a message of a person, or an echo of the owner's. typ and body stand for an event about one; empty: the message itself.
func tellMessage(st *sandbox.State, m *sandbox.Message, typ string, body object) []sandbox.Update {
	c := m.Chat
	w := object{"id": m.Native, "timestamp": stamp(st.Now())}
	if typ == "" {
		content(st, w, m)
	} else {
		w["id"], w["type"], w[typ] = eventID(st, c), typ, body
	}
	if c.Group() {
		w["group_id"] = c.Native
	}
	if m.ByHand {
		if !both(c.Account) || c.Group() {
			return nil
		}
		w["from"], w["to_user_id"] = digits(c.Account.Phone), c.Person.IDs[idUser]
		if !hidden(c.Person) {
			w["to"] = digits(c.Person.Phone)
		}
		return update("smb_message_echoes", "m ", c, object{"message_echoes": []object{w}})
	}
	if m.Author == nil {
		return nil
	}
	return byPerson(st, c, m.Author, w)
}

// byPerson is what a person did, and opens the window.
func byPerson(st *sandbox.State, c *sandbox.Chat, p *sandbox.Person, w object) []sandbox.Update {
	own := chatOwn(c)
	own.lastUser = st.Now()
	if own.shut {
		return nil
	}
	from(w, p)
	return update("messages", "m ", c, object{"contacts": contactsOf(p), "messages": []object{w}})
}

func update(field, queue string, c *sandbox.Chat, members object) []sandbox.Update {
	return []sandbox.Update{{Type: field, Key: queue + c.Native, Body: valueOf(c.Account, members)}}
}

// eventID is the id of something that is a message on the wire and none in the chat.
func eventID(st *sandbox.State, c *sandbox.Chat) string {
	b := booksOf(st)
	b.next++
	return "wamid." + sandbox.Digits(c.Account.ID+strconv.FormatInt(b.next, 10), 30)
}

// tellEdited is an edit where the number is on a phone too, and elsewhere something that is not supported.
func tellEdited(st *sandbox.State, m *sandbox.Message) []sandbox.Update {
	if both(m.Chat.Account) {
		changed := object{}
		content(st, changed, m)
		return tellMessage(st, m, "edit", object{"original_message_id": m.Native, "message": changed})
	}
	if m.Author == nil {
		return nil
	}
	w := object{
		"id": eventID(st, m.Chat), "timestamp": stamp(st.Now()), "type": "unsupported", "unsupported": object{"type": "edit"},
		"errors": []object{{"code": 131051, "title": "Message type unknown", "message": "Message type unknown", "error_data": object{"details": "Message type is currently not supported."}}},
	}
	return byPerson(st, m.Chat, m.Author, w)
}

// tellReaction is one emoji, or none where it was taken back.
func tellReaction(st *sandbox.State, h sandbox.Reacted) []sandbox.Update {
	c := h.Message.Chat
	r := object{"message_id": h.Message.Native}
	if n := len(h.After); n > 0 {
		r["emoji"] = h.After[n-1]
	}
	about := &sandbox.Message{Chat: c, Author: h.Person, ByHand: h.Person == nil}
	return tellMessage(st, about, "reaction", r)
}

// statuses tell the fate of messages, one change for each.
func statuses(c *sandbox.Chat, status string, at time.Time, code string, messages ...*sandbox.Message) (out []sandbox.Update) {
	for _, m := range messages {
		if m.ByHand {
			continue
		}
		s := object{
			"id": m.Native, "status": status, "timestamp": stamp(at),
			"pricing": object{"billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"},
		}
		if m.Ref != "" {
			s["biz_opaque_callback_data"] = m.Ref
		}
		value := object{"statuses": []object{s}}
		if c.Person != nil {
			recipient(s, c.Person)
			value["contacts"] = contactsOf(c.Person)
		}
		if status == "failed" {
			delete(s, "pricing")
			delete(value, "contacts") // "failed ones do not carry them"
			s["errors"] = []object{wireError(code)}
		}
		out = append(out, update("messages", "s ", c, value)...)
	}
	return out
}

// tellCall is a call of a person, which opens the window too.
func tellCall(st *sandbox.State, h sandbox.Called) []sandbox.Update {
	c := h.Chat
	w := object{"id": "wacid." + h.ID, "to": digits(c.Account.Phone), "timestamp": stamp(st.Now()), "direction": "USER_INITIATED"}
	from(w, c.Person)
	chatOwn(c).lastUser = st.Now()
	switch h.State {
	case "ringing":
		w["event"] = "connect"
	case "missed":
		w["event"], w["status"] = "terminate", "FAILED"
	default:
		w["event"], w["status"], w["duration"] = "terminate", "COMPLETED", int(h.Length/time.Second)
	}
	return update("calls", "m ", c, object{"contacts": contactsOf(c.Person), "calls": []object{w}})
}

// tellChanged is another phone number, and with it another user id. Names come with the next message, pictures never.
func tellChanged(st *sandbox.State, h sandbox.Changed) []sandbox.Update {
	p, c := h.Person, h.Chat
	if c.Group() || digits(p.Phone) == digits(h.Before.Phone) {
		return nil
	}
	old := h.Before.IDs[idUser]
	if p.IDs[idUser] == old {
		ids := maps.Clone(p.IDs)
		ids[idUser] = userID(p.ID + p.Phone)
		p.IDs = ids
	}
	w := object{
		"id": eventID(st, c), "timestamp": stamp(st.Now()), "type": "system", "from": digits(h.Before.Phone), "from_user_id": old,
		"system": object{
			"type": "user_changed_number", "body": "User A changed from " + digits(h.Before.Phone) + " to " + digits(p.Phone),
			"wa_id": digits(p.Phone), "user_id": p.IDs[idUser], "previous_user_id": old,
		},
	}
	chatOwn(c).lastUser = time.Time{} // "the new identity has no open window until the user writes"
	return update("messages", "m ", c, object{"messages": []object{w}})
}

func tellJoined(st *sandbox.State, h sandbox.Joined) []sandbox.Update {
	if h.Person == nil {
		return nil
	}
	who := object{"wa_id": digits(h.Person.Phone), "user_id": h.Person.IDs[idUser]}
	g := object{"timestamp": stamp(st.Now()), "group_id": h.Chat.Native, "type": "group_participants_add", "reason": "invite_link", "added_participants": []object{who}}
	if !h.In {
		g = object{"timestamp": stamp(st.Now()), "group_id": h.Chat.Native, "type": "group_participants_remove", "initiated_by": "participant", "removed_participants": []object{who}}
	}
	return update("group_participants_update", "m ", h.Chat, object{"groups": []object{g}})
}
