package simulator

import (
	"encoding/json"
	"slices"

	"postern/adapters/control"
)

// content is the part of a message's content that the sandbox looks at.
type content struct {
	Text        string
	Media       []mediaPart
	Location    json.RawMessage
	Contact     json.RawMessage
	Poll        *poll
	Interactive *interactive
	Answer      *choices
	Previews    []json.RawMessage
	Unsupported string
	Spans       []struct{ Start, Length int }
}

type mediaPart struct {
	MediaID  string `json:"media_id"`
	Ref      string `json:"ref"`
	Kind     string `json:"kind"`
	Type     string `json:"type"`
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	ViewOnce bool   `json:"view_once"`
}

type choice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type poll struct {
	Options  []choice
	Multiple bool
}

type interactive struct{ Choices []choice }

type choices struct {
	Choices []choice `json:"choices"`
}

func contentIn(raw json.RawMessage) content {
	var c content
	if json.Unmarshal(raw, &c) != nil {
		return content{}
	}
	return c
}

// kindOf names what a content is about, for ledgers and for POST /wait.
func kindOf(raw json.RawMessage) string {
	var c control.Content
	_ = json.Unmarshal(raw, &c) // what a person says need not follow the document
	return c.Kind()
}

// features lists what the content needs, with the member that needs it.
func (c content) features() [][2]string {
	var out [][2]string
	need := func(yes bool, feature, param string) {
		if yes {
			out = append(out, [2]string{feature, param})
		}
	}
	need(len(c.Media) > 0, "media", "/media")
	for _, m := range c.Media {
		need(m.Kind == "sticker", "sticker", "/media")
		need(m.ViewOnce, "view_once", "/media")
	}
	need(c.Location != nil, "location", "/location")
	need(c.Contact != nil, "contact", "/contact")
	need(c.Poll != nil, "poll", "/poll")
	need(c.Answer != nil, "answer", "/answer")
	need(len(c.Spans) > 0, "spans", "/spans")
	need(len(c.Previews) > 0, "previews", "/previews")
	return out
}

// checkContent holds what a partner's user says against what a schema cannot say: the directory, and the media that it names.
func (c *call) checkContent(raw json.RawMessage, at string) (content, *problem) {
	var in content
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, invalid(at, err.Error())
	}
	runes := len([]rune(in.Text))
	for _, span := range in.Spans { // GIA, Span: code points
		if span.Start+span.Length > runes {
			return in, invalid(at+"/spans", "a span reaches beyond the text")
		}
	}
	for _, need := range in.features() {
		if !c.has(need[0]) {
			return in, lacks(need[0], at+need[1])
		}
	}
	switch {
	case len(in.Text) > c.offer.TextBytes:
		p := fail("too_large", "the text is longer than limits.text_bytes")
		p.Param = at + "/text"
		return in, p
	case in.Unsupported != "":
		return in, invalid(at+"/unsupported", "is for received messages only")
	case in.Interactive != nil:
		return in, invalid(at+"/interactive", "is for received messages only")
	case in.Answer != nil && in.members() > 1:
		return in, invalid(at+"/answer", "an answer stands alone")
	}
	for i, part := range in.Media {
		if p := c.checkMedia(part); p != nil {
			p.Param = at + "/media/" + itoa(i)
			return in, p
		}
	}
	return in, nil
}

func (c content) members() int {
	n := 0
	for _, there := range []bool{c.Text != "", len(c.Media) > 0, c.Location != nil, c.Contact != nil, c.Poll != nil, c.Interactive != nil, c.Answer != nil} {
		if there {
			n++
		}
	}
	return n
}

// checkMedia wants a media object that is whole, that the user may read, and that is what the message says of it.
func (c *call) checkMedia(part mediaPart) *problem {
	m := c.media[part.MediaID]
	switch {
	case part.Ref != "":
		return lacks("media held by the partner", "")
	case m == nil || !m.done || !c.mayRead(c.user, m):
		return fail("not_found", "no such media object")
	case m.size != part.Size || m.sha256 != part.SHA256:
		return invalid("", "size or sha256 is not that of the media object")
	}
	return nil
}

// answerTo finds the message that an answer of one side is about and what of it was picked; ok is false when it cannot be answered so.
func (c *chat) answerTo(messageID string, fromUser bool, picked []choice) (target *message, ok bool) {
	for _, m := range c.messages {
		if m.id == messageID && m.fromUser != fromUser && !m.retracted {
			target = m
		}
	}
	if target == nil {
		return nil, false
	}
	in := contentIn(target.content)
	var options []choice
	most := 1
	switch {
	case in.Poll != nil:
		options = in.Poll.Options
		if in.Poll.Multiple {
			most = len(options)
		}
	case in.Interactive != nil:
		options = in.Interactive.Choices
	}
	if len(options) == 0 || len(picked) > most || in.Interactive != nil && len(picked) == 0 {
		return nil, false
	}
	for _, p := range picked {
		if !slices.ContainsFunc(options, func(o choice) bool { return o.ID == p.ID }) {
			return nil, false
		}
	}
	return target, true
}

// note books what a new message means for others: media that its reader may now read, an answer to an earlier message.
func (s *Server) note(m *message) {
	in := contentIn(m.content)
	s.share(m.chat, in)
	if in.Answer == nil {
		return
	}
	who := m.chat.person.internalID()
	if m.fromUser {
		who = m.chat.user.internalID
	}
	if target, ok := m.chat.answerTo(m.replyTo, m.fromUser, in.Answer.Choices); ok {
		target.answer(who, in.Answer.Choices)
	}
}

// answer records what one side picked; a later answer replaces an earlier one.
func (m *message) answer(who string, picked []choice) {
	if m.answers == nil {
		m.answers = map[string][]string{}
	}
	ids := make([]string, len(picked))
	for i, p := range picked {
		ids[i] = p.ID
	}
	if m.answers[who] = ids; len(ids) == 0 {
		delete(m.answers, who)
	}
}
