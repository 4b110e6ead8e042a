package simulator

import (
	"slices"
	"time"

	"postern/adapters/internal/sandbox"
)

// item is an element of messaging, or of standby.
type item struct {
	object
	standby bool
}

// names of the fields, which Instagram has others for.
var instagramFields = map[string]string{
	"message_echoes": "messages", "message_reads": "messaging_seen", "message_edits": "message_edit", "messaging_referrals": "messaging_referral",
}

// Tell implements sandbox.Platform.
func (p platform) Tell(st *sandbox.State, h sandbox.Happening) []sandbox.Update {
	var out []sandbox.Update
	for _, u := range p.tell(st, h) {
		if other := instagramFields[u.Type]; other != "" && p.kind != Messenger {
			u.Type = other
		}
		if events := h.Where().Account.Hook.Events; len(events) == 0 || slices.Contains(events, u.Type) {
			out = append(out, u)
		}
	}
	return out
}

func (p platform) tell(st *sandbox.State, happening sandbox.Happening) []sandbox.Update {
	c := happening.Where()
	switch h := happening.(type) {
	case sandbox.Said:
		if h.Message.ByHand {
			return p.echo(st, h.Message)
		}
		chatOwn(c).lastUser = st.Now()
		return told(st, c, "messages", false, "message", p.wire(st, h.Message))
	case sandbox.Accepted:
		return p.echo(st, h.Message)
	case sandbox.Edited:
		if h.Message.FromUser {
			return nil
		}
		edit := object{"mid": h.Message.Native, "text": h.Message.Content.Text, "num_edit": h.Message.Revision}
		return told(st, c, "message_edits", false, "message_edit", edit)
	case sandbox.Retracted:
		return told(st, c, "messages", h.Message.FromUser, "message", object{"mid": h.Message.Native, "is_deleted": true})
	case sandbox.Reacted:
		return tellReaction(st, c, h)
	case sandbox.Answered:
		chatOwn(c).lastUser = st.Now()
		m := p.wire(st, h.Reply)
		if len(h.Choices) > 0 {
			m["text"], m["quick_reply"] = h.Choices[0].Title, object{"payload": h.Choices[0].ID}
		}
		return told(st, c, "messages", false, "message", m)
	case sandbox.Delivered:
		if p.kind != Messenger { // which tells nothing of it
			return nil
		}
		return told(st, c, "message_deliveries", false, "delivery", object{"watermark": h.At.UnixMilli()})
	case sandbox.Read:
		if p.kind == Messenger {
			return told(st, c, "message_reads", false, "read", object{"watermark": h.At.UnixMilli()})
		}
		return told(st, c, "message_reads", false, "read", object{"mid": h.Messages[len(h.Messages)-1].Native})
	case sandbox.Opened:
		return p.tellOpened(st, c, h)
	case sandbox.Failed, sandbox.Typing, sandbox.Blocked, sandbox.Called, sandbox.Joined, sandbox.Changed, sandbox.SeenByHand:
		// Of which an app hears nothing.
	}
	return nil
}

// told is an item with one member. All of a chat comes in order, but for what the platform has other queues for.
func told(st *sandbox.State, c *sandbox.Chat, field string, own bool, member string, value object) []sandbox.Update {
	from, to := object{"id": c.Native}, object{"id": c.Account.ID}
	if own {
		from, to = to, from
	}
	queue := "m " + c.Native
	if member == "read" || member == "delivery" || member == "reaction" {
		queue = member + " " + c.Native
	}
	body := item{object{"sender": from, "recipient": to, "timestamp": st.Now().UnixMilli(), member: value}, standby(c)}
	return []sandbox.Update{{Type: field, Key: queue, Body: body}}
}

// echo tells of what the account sent, through the API or in Meta's own inbox.
func (p platform) echo(st *sandbox.State, m *sandbox.Message) []sandbox.Update {
	w := p.wire(st, m)
	w["is_echo"] = true
	switch {
	case p.kind == Messenger && m.ByHand:
		w["app_id"] = number(inboxApp)
	case !m.ByHand:
		w["app_id"] = number(AppID)
	}
	if p.kind == Messenger && m.Ref != "" {
		w["metadata"] = m.Ref
	}
	return told(st, m.Chat, "message_echoes", true, "message", w)
}

// reactions have names besides their emoji.
var reactions = map[string]string{"❤": "love", "👍": "like", "👎": "dislike", "😢": "sad", "😮": "wow", "😆": "smile", "😠": "angry"}

func tellReaction(st *sandbox.State, c *sandbox.Chat, h sandbox.Reacted) []sandbox.Update {
	if h.Person == nil { // "reactions of our own account" are not told
		return nil
	}
	r := object{"mid": h.Message.Native, "action": "unreact"}
	if n := len(h.After); n > 0 {
		name := reactions[bare(h.After[n-1])]
		if name == "" {
			name = "other"
		}
		r["action"], r["emoji"], r["reaction"] = "react", h.After[n-1], name
	}
	return told(st, c, "message_reactions", false, "reaction", r)
}

// tellOpened: a new chat begins with Get Started, where the page has that; a link in one that is there is told by itself.
func (p platform) tellOpened(st *sandbox.State, c *sandbox.Chat, h sandbox.Opened) []sandbox.Update {
	referral := object{"ref": h.Token, "source": "SHORTLINK", "type": "OPEN_THREAD"}
	own := chatOwn(c)
	fresh := h.First && !own.opened
	own.opened = true
	if p.kind != Messenger {
		referral["source"] = "IGME"
	}
	switch {
	case p.kind == Messenger && fresh:
		if !booksOf(st).started[c.Account.ID] {
			return nil
		}
		own.lastUser = st.Now()
		b := object{"mid": "m_" + sandbox.Digits(c.ID+st.Now().Format(time.RFC3339Nano), 20), "title": "Get Started", "payload": "GET_STARTED"}
		if h.Token != "" {
			b["referral"] = referral
		}
		return told(st, c, "messaging_postbacks", false, "postback", b)
	case h.Token != "":
		own.lastUser = st.Now()
		return told(st, c, "messaging_referrals", false, "referral", referral)
	}
	return nil
}
