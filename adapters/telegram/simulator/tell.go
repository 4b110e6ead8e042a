package simulator

import (
	"slices"
	"strconv"

	"postern/adapters/internal/sandbox"
)

// unasked are the kinds that come only to bots that asked for them by name (setWebhook, allowed_updates).
var unasked = []string{"chat_member", "message_reaction", "message_reaction_count"}

func wants(a *sandbox.Account, kind string) bool {
	if len(a.Hook.Events) > 0 {
		return slices.Contains(a.Hook.Events, kind)
	}
	return !slices.Contains(unasked, kind)
}

// Tell implements sandbox.Platform.
func (platform) Tell(st *sandbox.State, h sandbox.Happening) []sandbox.Update {
	bot := h.Where().Account
	var out []sandbox.Update
	for _, u := range tell(st, h) {
		if wants(bot, u.Type) {
			out = append(out, u)
		}
	}
	return out
}

func tell(st *sandbox.State, happening sandbox.Happening) []sandbox.Update {
	c := happening.Where()
	queue := "chat " + c.Native
	switch h := happening.(type) {
	case sandbox.Said:
		if h.Message.ByHand { // a bot has no app of its own
			return nil
		}
		return []sandbox.Update{{Type: "message", Key: queue, Body: wireMessage(st, h.Message)}}
	case sandbox.Edited:
		if h.Message.FromUser {
			return nil
		}
		return []sandbox.Update{{Type: "edited_message", Key: queue, Body: wireMessage(st, h.Message)}}
	case sandbox.Reacted:
		return tellReaction(st, c, h)
	case sandbox.Answered:
		return tellAnswer(st, c, h)
	case sandbox.Blocked:
		was, is := "member", "kicked"
		if !h.On {
			was, is = is, was
		}
		return []sandbox.Update{{Type: "my_chat_member", Key: queue, Body: memberUpdate(st, c, c.Person, botUser(c.Account), was, is)}}
	case sandbox.Opened:
		start(st, h)
	case sandbox.Joined:
		return tellJoined(st, c, h)
	case sandbox.Retracted, sandbox.Accepted, sandbox.Delivered, sandbox.Read, sandbox.Failed, sandbox.Typing, sandbox.Called, sandbox.Changed,
		sandbox.SeenByHand: // of which a bot hears nothing
	}
	return nil
}

// start presses Start, which is there at the beginning, after a block and behind a link with a token. It says "/start", and the token.
func start(st *sandbox.State, h sandbox.Opened) {
	if !h.First && h.Token == "" && !h.Chat.Blocked {
		return
	}
	st.Block(h.Chat, false)
	text := "/start"
	if h.Token != "" {
		text += " " + h.Token
	}
	_, _ = st.Say(h.Chat, h.Chat.Person, sandbox.Content{Text: text}, "") // only a group would refuse
}

// tellReaction: reactions have a queue of their own and may overtake what they are on.
func tellReaction(st *sandbox.State, c *sandbox.Chat, h sandbox.Reacted) []sandbox.Update {
	if h.Person == nil {
		return nil
	}
	list := func(emojis []string) []object {
		out := []object{}
		for _, e := range emojis {
			out = append(out, object{"type": "emoji", "emoji": bare(e)})
		}
		return out
	}
	return []sandbox.Update{{Type: "message_reaction", Key: "reactions " + c.Native, Body: object{
		"chat": wireChat(c), "message_id": number(h.Message.Native), "user": wireUser(h.Person), "date": st.Now().Unix(),
		"old_reaction": list(h.Before), "new_reaction": list(h.After),
	}}}
}

// tellAnswer: a vote in a poll that is not anonymous, or a button that was pressed.
func tellAnswer(st *sandbox.State, c *sandbox.Chat, h sandbox.Answered) []sandbox.Update {
	who := h.Reply.Author
	if h.Message.Content.Poll != nil {
		picked := []int{}
		for _, choice := range h.Choices {
			for i, o := range h.Message.Content.Poll.Options {
				if o.ID == choice.ID {
					picked = append(picked, i)
				}
			}
		}
		return []sandbox.Update{{Type: "poll_answer", Key: "user " + who.Native, Body: object{
			"poll_id": pollID(h.Message), "user": wireUser(who), "option_ids": picked,
		}}}
	}
	if len(h.Choices) == 0 {
		return nil
	}
	return []sandbox.Update{{Type: "callback_query", Key: "user " + who.Native, Life: buttonLife, Body: object{
		"id": sandbox.Digits(h.Reply.ID, 18), "from": wireUser(who), "message": wireMessage(st, h.Message), "chat_instance": sandbox.Digits(c.ID, 18),
		"data": h.Choices[0].ID,
	}}}
}

func tellJoined(st *sandbox.State, c *sandbox.Chat, h sandbox.Joined) []sandbox.Update {
	was, is := "left", "member"
	if !h.In {
		was, is = is, was
	}
	by := h.Person
	if by == nil && len(c.Members) > 0 {
		by = c.Members[0]
	}
	if h.Person == nil {
		return []sandbox.Update{{Type: "my_chat_member", Key: "chat " + c.Native, Body: memberUpdate(st, c, by, botUser(c.Account), was, is)}}
	}
	return []sandbox.Update{{Type: "chat_member", Key: "user " + h.Person.Native, Body: memberUpdate(st, c, by, wireUser(h.Person), was, is)}}
}

func memberUpdate(st *sandbox.State, c *sandbox.Chat, by *sandbox.Person, who object, was, is string) object {
	member := func(status string) object {
		m := object{"user": who, "status": status}
		if status == "kicked" {
			m["until_date"] = 0
		}
		return m
	}
	out := object{"chat": wireChat(c), "date": st.Now().Unix(), "old_chat_member": member(was), "new_chat_member": member(is), "from": who}
	if by != nil {
		out["from"] = wireUser(by)
	}
	return out
}

// number is an id as a JSON number.
func number(native string) int64 {
	n, err := strconv.ParseInt(native, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
