package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

type messageRequest struct {
	ClientID     string `json:"client_id"`
	Sender       string
	Conversation string
	To           string
	Mode         string
	Content      json.RawMessage
	ReplyTo      string     `json:"reply_to"`
	ExpiresAt    *time.Time `json:"expires_at"`
	Replaces     string
}

func sendMessage(c *call) (answer, *problem) {
	var in messageRequest
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	body, p := c.mayMessage(in)
	if p != nil {
		return answer{}, p
	}
	chat, p := c.openChat(in)
	if p != nil {
		return answer{}, p
	}
	if ok, after := c.user.quota.take(c.cfg.MessagesPerMinute, c.now); !ok {
		return answer{}, fail("rate_limited", "the quota of the user is used up").withRetry("after", after)
	}
	m := &message{id: newID("msg"), fromUser: true, clientID: in.ClientID, content: in.Content, replyTo: in.ReplyTo, sentAt: c.now, status: "queued"}
	if body.Answer != nil {
		if _, ok := chat.answerTo(in.ReplyTo, true, body.Answer.Choices); !ok {
			return answer{}, invalid("/content/answer", "reply_to names nothing that can be answered so")
		}
	}
	c.add(chat, m)
	c.note(m)
	chat.userTyping = time.Time{}
	c.posts.Add(&posted{
		N: c.posts.Total + 1, At: c.now, ClientID: in.ClientID, MessageID: m.id, Conversation: chat.id, Sender: c.user.internalID,
		To: chat.person.internalID(), Kind: kindOf(m.content), Text: body.Text, Files: body.files(), UserAgent: c.r.UserAgent(),
	})
	c.touch()
	c.perform(chat, m)
	return answer{status: http.StatusAccepted, body: map[string]string{
		"message_id": m.id, "client_id": m.clientID, "conversation": chat.id, "accepted_at": stamp(c.now),
	}}, nil
}

// mayMessage checks what does not depend on the receiver.
func (c *call) mayMessage(in messageRequest) (content, *problem) {
	bad := func(code, param, detail string) (content, *problem) {
		p := fail(code, detail)
		p.Param = param
		return content{}, p
	}
	switch {
	case in.Sender != c.user.internalID:
		return bad("assertion_invalid", "/sender", "is not the user of the assertion")
	case c.user.terms != c.terms:
		return bad("terms_outdated", "", "accept the terms in force by a refresh of the enlistment")
	case in.Mode != "plaintext":
		return bad("mode_not_allowed", "/mode", "only plaintext is offered")
	case in.Replaces != "":
		return bad("invalid_request", "/replaces", "plaintext messages are edited by PATCH")
	case in.ExpiresAt != nil && !c.now.Before(*in.ExpiresAt):
		return bad("invalid_request", "/expires_at", "is over")
	case in.ReplyTo != "" && !c.has("reply_out") && contentIn(in.Content).Answer == nil: // which names what it answers
		return content{}, lacks("reply_out", "/reply_to")
	case in.ExpiresAt != nil && !c.has("expires"):
		return content{}, lacks("expires", "/expires_at")
	case strings.HasPrefix(in.Conversation, "grp_"):
		return bad("feature_unavailable", "/conversation", "groups are not offered")
	}
	return c.checkContent(in.Content, "/content")
}

// openChat finds the conversation and checks that the person takes messages in it.
func (c *call) openChat(in messageRequest) (*chat, *problem) {
	gone := fail("unavailable", "the person cannot be reached")
	var p *person
	if in.To != "" {
		p = c.personBy(in.To)
	} else if known := c.chats[in.Conversation]; known != nil && known.user == c.user {
		p = known.person
	}
	if !reachable(p, c.user) {
		return nil, gone
	}
	chat := c.chats[derivedID("cnv", c.user.internalID, p.internalID())]
	if p.Accepts == AccessRequest && (chat == nil || !chat.granted) {
		return nil, fail("no_consent", "a contact request comes first")
	}
	if chat == nil {
		chat = c.chatOf(c.user, p)
	}
	if chat == nil {
		return nil, fail("quota_first_contact", "the sandbox holds no more conversations").withRetry("backoff", 0)
	}
	return chat, nil
}

// ownMessage finds a message that the user sent.
func (c *call) ownMessage() (*message, *problem) {
	m := c.messages[c.param("message_id")]
	if m == nil || m.chat.user != c.user {
		return nil, fail("not_found", "no such message")
	}
	if !m.fromUser {
		return nil, fail("not_permitted", "not the user's own message")
	}
	return m, nil
}

func editMessage(c *call) (answer, *problem) {
	var in struct{ Content json.RawMessage }
	m, p := c.ownMessage()
	if p == nil {
		p = c.decode(&in)
	}
	if p == nil {
		_, p = c.checkContent(in.Content, "/content")
	}
	if p != nil {
		return answer{}, p
	}
	switch {
	case m.retracted:
		return answer{}, fail("not_permitted", "the message was taken back")
	case outside(c.offer.EditWindowS, m, c.now):
		return answer{}, fail("not_permitted", "the edit window is over")
	}
	if !sameJSON(m.content, in.Content) { // repeating an edit changes nothing
		m.content = in.Content
		m.revision++
		c.touch()
	}
	return answer{status: http.StatusOK, body: map[string]any{"message_id": m.id, "revision": max(m.revision, 1), "edited_at": stamp(c.now)}}, nil
}

// outside says whether a message is older than a window of that many seconds; zero is no window.
func outside(seconds int, m *message, now time.Time) bool {
	return seconds > 0 && now.Sub(m.sentAt) > time.Duration(seconds)*time.Second
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	xs, errX := json.Marshal(x)
	ys, errY := json.Marshal(y)
	return errX == nil && errY == nil && string(xs) == string(ys)
}

func retractMessage(c *call) (answer, *problem) {
	m, p := c.ownMessage()
	if p != nil {
		return answer{}, p
	}
	if !m.retracted {
		if outside(c.offer.RetractWindowS, m, c.now) {
			return answer{}, fail("not_permitted", "the window for taking back is over")
		}
		m.retracted, m.content = true, json.RawMessage(`{}`)
		c.touch()
	}
	return answer{status: http.StatusNoContent}, nil
}

func (c *call) chatMessage() (*message, *problem) {
	m := c.messages[c.param("message_id")]
	if m == nil || m.chat.user != c.user || m.retracted {
		return nil, fail("not_found", "no such message")
	}
	return m, nil
}

func addReaction(c *call) (answer, *problem) {
	m, p := c.chatMessage()
	if p != nil {
		return answer{}, p
	}
	if !c.offer.takesEmoji(c.param("emoji")) {
		return answer{}, invalid("emoji", "not among limits.reactions")
	}
	m.react(c.user.internalID, c.param("emoji"), c.offer.ReactionsPerUser)
	c.touch()
	return answer{status: http.StatusNoContent}, nil
}

// setReactions replaces what the user had set.
func setReactions(c *call) (answer, *problem) {
	var in struct{ Reactions []string }
	m, p := c.chatMessage()
	if p == nil {
		p = c.decode(&in)
	}
	if p == nil && slices.ContainsFunc(in.Reactions, func(e string) bool { return !c.offer.takesEmoji(e) }) {
		p = invalid("/reactions", "not among limits.reactions")
	}
	if p == nil && len(in.Reactions) > c.offer.ReactionsPerUser {
		p = fail("too_large", "more than limits.reactions_per_user")
		p.Param = "/reactions"
	}
	if p != nil {
		return answer{}, p
	}
	m.setReactions(c.user.internalID, in.Reactions)
	c.touch()
	return answer{status: http.StatusNoContent}, nil
}

func (m *message) setReactions(who string, emojis []string) {
	if m.reactions == nil {
		m.reactions = map[string][]string{}
	}
	if m.reactions[who] = slices.Clone(emojis); len(emojis) == 0 {
		delete(m.reactions, who)
	}
}

// react adds an emoji; above the limit the oldest gives way.
func (m *message) react(who, emoji string, most int) {
	if m.reactions == nil {
		m.reactions = map[string][]string{}
	}
	if slices.Contains(m.reactions[who], emoji) {
		return
	}
	list := append(m.reactions[who], emoji)
	m.reactions[who] = list[max(0, len(list)-most):]
}

func (m *message) unreact(who, emoji string) {
	m.reactions[who] = slices.DeleteFunc(m.reactions[who], func(e string) bool { return e == emoji })
	if len(m.reactions[who]) == 0 {
		delete(m.reactions, who)
	}
}

func removeReaction(c *call) (answer, *problem) {
	m, p := c.chatMessage()
	if p != nil {
		return answer{}, p
	}
	m.unreact(c.user.internalID, c.param("emoji"))
	c.touch()
	return answer{status: http.StatusNoContent}, nil
}

// namedChat finds a conversation by its id or by the person in it.
func (c *call) namedChat(ref string) *chat {
	for _, chat := range c.user.chats {
		if chat.id == ref || chat.person.internalID() == ref {
			return chat
		}
	}
	return nil
}

func sendReceipts(c *call) (answer, *problem) {
	var in struct {
		Receipts []struct {
			Conversation string
			State        string
			MessageIDs   []string `json:"message_ids"`
			UpTo         string   `json:"up_to"`
		}
	}
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	accepted, ignored := 0, 0
	for i, r := range in.Receipts {
		if f := map[string]string{"read": "read_out", "delivered": "delivered"}[r.State]; !c.has(f) {
			return answer{}, lacks(f, "/receipts/"+itoa(i)+"/state")
		}
		if r.State == "retry" {
			return answer{}, invalid("/receipts/"+itoa(i)+"/state", "retry is for relay mode")
		}
		chat := c.namedChat(r.Conversation)
		ids := r.MessageIDs
		if r.UpTo != "" {
			ids = chat.upTo(r.UpTo)
		}
		if chat == nil || len(ids) == 0 || (r.State == "read" && !on(c.user.settings.ReadReceipts)) {
			ignored += max(len(ids), 1)
			continue
		}
		for _, id := range ids {
			if m := c.messages[id]; m != nil && m.chat == chat && !m.fromUser && m.advance(r.State) {
				accepted++
			} else {
				ignored++
			}
		}
	}
	c.touch()
	return answer{status: http.StatusAccepted, body: map[string]int{"accepted": accepted, "ignored": ignored}}, nil
}

// upTo names the person's messages up to and with one that are not read yet.
func (c *chat) upTo(id string) []string {
	if c == nil {
		return nil
	}
	var ids []string
	for _, m := range c.messages {
		if !m.fromUser && m.status != "read" {
			ids = append(ids, m.id)
		}
		if m.id == id {
			return ids
		}
	}
	return nil
}

var statusRank = map[string]int{"queued": 0, "delivered": 1, "read": 2, "failed": 3}

// advance moves the status forward, never back.
func (m *message) advance(status string) bool {
	if statusRank[status] <= statusRank[m.status] {
		return false
	}
	m.status = status
	return true
}

const typingLife = 30 * time.Second

func sendTyping(c *call) (answer, *problem) {
	var in struct{ State string }
	if p := c.decode(&in); p != nil {
		return answer{}, p
	}
	chat := c.namedChat(c.param("conversation"))
	if who := c.param("conversation"); chat == nil && strings.HasPrefix(who, "gku_") {
		var p *problem // typing before the first message: the person's id stands for the conversation
		if chat, p = c.openChat(messageRequest{To: who}); p != nil {
			return answer{}, p
		}
	}
	if chat == nil {
		return answer{}, fail("not_found", "no such conversation")
	}
	if on(c.user.settings.Typing) && !chat.blocked {
		chat.userTyping = time.Time{}
		if in.State == "composing" {
			chat.userTyping = c.now.Add(typingLife)
			c.after(typingLife, c.touch) // then the page looks again
		}
		c.touch()
	}
	return answer{status: http.StatusNoContent}, nil
}
