package simulator

import (
	"encoding/json"
	"slices"
	"strings"

	"postern/adapters/internal/sandbox"
)

// message finds the one of message_id, which its words say when there is none.
func (c *call) message(missing string) (*sandbox.Message, *fault) {
	to, f := c.chat()
	if f != nil {
		return nil, f
	}
	m := to.Message(c.in.text("message_id"))
	if m == nil || m.Retracted {
		return nil, bad(missing)
	}
	return m, nil
}

func editMessageText(c *call) (any, *fault) {
	m, f := c.message("message to edit not found")
	if f != nil {
		return nil, f
	}
	content, f := c.words("text", "entities", maxText, "message is too long")
	switch {
	case f != nil:
		return nil, f
	case !m.FromUser:
		return nil, bad("message can't be edited")
	case m.Content.Kind() != "text" && m.Content.Kind() != "interactive":
		return nil, bad("there is no text in the message to edit")
	case content.Text == "":
		return nil, bad("message text is empty")
	}
	return c.edit(m, content)
}

func editMessageCaption(c *call) (any, *fault) {
	m, f := c.message("message to edit not found")
	if f != nil {
		return nil, f
	}
	content, f := c.words("caption", "caption_entities", maxCaption, "message caption is too long")
	switch {
	case f != nil:
		return nil, f
	case !m.FromUser:
		return nil, bad("message can't be edited")
	case len(m.Content.Media) == 0 || m.Content.Kind() == "sticker":
		return nil, bad("there is no caption in the message to edit")
	}
	content.Media = m.Content.Media
	return c.edit(m, content)
}

func (c *call) edit(m *sandbox.Message, content sandbox.Content) (any, *fault) {
	if content.Text == m.Content.Text && slices.Equal(content.Spans, m.Content.Spans) {
		return nil, bad("message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message")
	}
	if f := c.room(m.Chat); f != nil {
		return nil, f
	}
	c.st.EditOwn(m, content)
	return wireMessage(c.st, m), nil
}

func deleteMessage(c *call) (any, *fault) {
	m, f := c.message("message to delete not found")
	if f != nil {
		return nil, f
	}
	if !c.st.Within(m.SentAt, deleteFor) || m.Chat.Group() && !m.FromUser {
		return nil, bad("message can't be deleted for everyone")
	}
	c.st.RetractOwn(m)
	return true, nil
}

func setMessageReaction(c *call) (any, *fault) {
	m, f := c.message("message to react not found")
	if f != nil {
		return nil, f
	}
	var set []struct{ Type, Emoji string }
	if !c.in.object("reaction", &set) {
		return nil, bad("can't parse reaction types JSON object")
	}
	emojis := []string{}
	for _, r := range set {
		if r.Type != "emoji" || !slices.Contains(allowed, r.Emoji) {
			return nil, bad("REACTION_INVALID")
		}
		emojis = append(emojis, r.Emoji)
	}
	if len(emojis) > 1 {
		return nil, bad("REACTIONS_TOO_MANY")
	}
	c.st.ReactOwn(m, emojis...)
	return true, nil
}

func answerCallbackQuery(c *call) (any, *fault) {
	if c.in.text("callback_query_id") == "" {
		return nil, bad("query is too old and response timeout expired or query ID is invalid")
	}
	return true, nil
}

// bare takes the selector for colour away, which Telegram never writes.
func bare(emoji string) string { return strings.ReplaceAll(emoji, "\uFE0F", "") }

// allowed are the emoji of ReactionTypeEmoji.
var allowed = readList(`["❤","👍","👎","🔥","🥰","👏","😁","🤔","🤯","😱","🤬","😢","🎉","🤩","🤮","💩","🙏","👌","🕊","🤡","🥱","🥴","😍","🐳","❤‍🔥",
"🌚","🌭","💯","🤣","⚡","🍌","🏆","💔","🤨","😐","🍓","🍾","💋","🖕","😈","😴","😭","🤓","👻","👨‍💻","👀","🎃","🙈","😇","😨","🤝","✍","🤗","🫡","🎅","🎄",
"☃","💅","🤪","🗿","🆒","💘","🙉","🦄","😘","💊","🙊","😎","👾","🤷‍♂","🤷","🤷‍♀","😡"]`)

func readList(raw string) (out []string) {
	if json.Unmarshal([]byte(raw), &out) != nil {
		return nil
	}
	return out
}
