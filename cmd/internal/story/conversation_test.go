//go:build servers

package story

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/user"
	"postern/deploy"
)

const (
	nsReply     = "urn:xmpp:reply:0"
	nsReactions = "urn:xmpp:reactions:0"
	nsRetract   = "urn:xmpp:message-retract:1"
	nsReplace   = "urn:xmpp:message-correct:0"
	nsHints     = "urn:xmpp:hints"
)

func TestConversation(t *testing.T) { both(t, converse) }

func TestConversationOnCluster(t *testing.T) {
	s := newStage(t, deploy.Prosody, onCluster)
	s.start()
	converse(s)
}

func converse(s *stage) {
	c := s.member("romeo")
	nurse := s.befriend(c, "nurse")
	s.texts(c, nurse)
	s.changes(c, nurse)
	s.bursts(c, nurse)
}

// texts are one text each way with all that is told about it.
func (s *stage) texts(c *user.Client, jid string) {
	n := c.Count()
	if err := c.Composing(s.ctx, jid); err != nil {
		s.Fatal(err)
	}
	hold[any](s.sandbox, wait{Kind: "typing", Person: "nurse", User: c.JID()})
	id, err := c.Send(s.ctx, jid, "where is <she> & how?\nTell me 👨‍👩‍👧")
	if err != nil {
		s.Fatal(err)
	}
	got := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "where is <she> & how?\nTell me 👨‍👩‍👧"})
	if len(got) != 1 {
		s.Fatalf("messages: got %d, want 1", len(got))
	}
	receipt := s.see(c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == jid })
	s.prove(46).That(receipt.Element.Child(nsHints, "store") != nil && receipt.Body == "", "receipt: got %s, want a hint to store it", receipt.XML())
	s.control(http.MethodPost, "/people/nurse/read", map[string]any{"to": c.JID()}, nil)
	read := s.see(c, n, "displayed marker", func(m *user.Stanza) bool { return m.Displayed == id && bare(m.From) == jid })
	s.prove(47).That(read.Element.Child(nsHints, "store") != nil && read.Body == "", "marker: got %s, want a hint to store it", read.XML())

	s.control(http.MethodPost, "/people/nurse/typing", map[string]any{"to": c.JID(), "state": "composing"}, nil)
	types := s.see(c, n, "typing", func(m *user.Stanza) bool { return m.State == "composing" && bare(m.From) == jid })
	s.prove(49).That(types.Body == "" && types.Type == "chat", "typing: got %s", types.XML())
	s.control(http.MethodPost, "/people/nurse/typing", map[string]any{"to": c.JID(), "state": "paused"}, nil)
	s.see(c, n, "no more typing", func(m *user.Stanza) bool { return m.State == "paused" && bare(m.From) == jid })
	told := s.say("nurse", c.JID(), "she is <well> & warm")
	m := s.see(c, n, "text", text(jid, "she is <well> & warm"))
	stamp := m.Element.Child("urn:xmpp:sid:0", "stanza-id") // the user's server may have stamped it
	s.prove(45).That(m.ID != "" && m.ID == m.OriginID && m.WantsReceipt && m.Markable && m.Type == "chat" && m.Delay.IsZero() &&
		!strings.Contains(m.ID, told.MessageID) && (stamp == nil || stamp.Attr("by") == c.JID()),
		"text: got %s, want a chat message with id = origin-id, request, markable, no delay, no stanza-id of ours, and none of the platform's ids", m.XML())
	s.marks(c, jid, m)
}

// marks are the user's reading: up to a message, and never back.
func (s *stage) marks(c *user.Client, jid string, first *user.Stanza) {
	proof, n := s.prove(48), c.Count()
	before := len(s.asked("/v1/receipts"))
	s.say("nurse", c.JID(), "she sleeps")
	second := s.see(c, n, "second text", text(jid, "she sleeps"))
	for _, id := range []string{second.ID, first.ID, "unknown"} {
		if err := c.Displayed(s.ctx, jid, id); err != nil {
			s.Fatal(err)
		}
	}
	for _, line := range []string{"she is <well> & warm", "she sleeps"} {
		hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_user", Text: line, Status: "read"})
	}
	s.talks(c, jid, "nurse") // what came before has been dealt with
	told := s.asked("/v1/receipts")[before:]
	proof.That(len(told) == 1, "the platform heard %d times of reading, want once: %q", len(told), told)
}

// changes are corrections, retractions, reactions and replies, both ways.
func (s *stage) changes(c *user.Client, jid string) {
	n := c.Count()
	mine, err := c.Send(s.ctx, jid, "a rose by any name")
	if err != nil {
		s.Fatal(err)
	}
	sent := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "a rose by any name"})[0]
	told := s.say("nurse", c.JID(), "anon, good nurse")
	theirs := s.see(c, n, "text", text(jid, "anon, good nurse"))

	send := func(body, extra string) {
		s.Helper()
		if _, err := c.SendMessage(s.ctx, user.Outgoing{To: jid, Body: body, Extra: extra}); err != nil {
			s.Fatal(err)
		}
	}
	send("a rose by any other name", "<replace xmlns='"+nsReplace+"' id='"+mine+"'/>")
	edited := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "a rose by any other name", Edited: true})
	send("nobody knows this", "<replace xmlns='"+nsReplace+"' id='never-sent'/>")
	hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "✎ nobody knows this"})
	s.prove(53).That(len(edited) == 1 && edited[0].ID == sent.ID, "edited: got %+v, want %s", edited, sent.ID)
	reactions := s.prove(56, 57)
	react := func(id, inner string) {
		s.Helper()
		send("", "<reactions xmlns='"+nsReactions+"' id='"+id+"'>"+inner+"</reactions><store xmlns='"+nsHints+"'/>")
	}
	react(theirs.ID, "<reaction>👍</reaction>")
	hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "anon, good nurse", Reaction: "👍"})
	react(theirs.ID, "")
	s.until("the reaction is gone", func() bool {
		return len(hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "anon, good nurse"})[0].Reactions) == 0
	})
	send("> anon, good nurse\nI come", "<reply xmlns='"+nsReply+"' to='"+theirs.From+"' id='"+theirs.ID+"'/>"+
		"<fallback xmlns='urn:xmpp:fallback:0' for='"+nsReply+"'><body start='0' end='19'/></fallback>")
	reply := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "I come"})[0]
	s.prove(59).That(reply.ReplyTo == told.MessageID, "reply: got an answer to %q, want to %q", reply.ReplyTo, told.MessageID)

	s.control(http.MethodPut, "/messages/"+sent.ID+"/reactions", map[string]any{"emojis": []string{"🌹"}}, nil)
	r := s.see(c, n, "reaction", func(m *user.Stanza) bool {
		return m.Kind == user.Message && bare(m.From) == jid && m.Element.Child(nsReactions, "reactions") != nil
	})
	set := r.Element.Child(nsReactions, "reactions")
	reactions.That(set.Attr("id") == mine && set.Child(nsReactions, "reaction").Text() == "🌹", "reaction: got %s, want 🌹 to %s", r.XML(), mine)
	s.control(http.MethodPut, "/messages/"+sent.ID+"/reactions", map[string]any{"emojis": []string{}}, nil)
	s.see(c, n, "no reaction", func(m *user.Stanza) bool {
		if m.Kind != user.Message {
			return false
		}
		set := m.Element.Child(nsReactions, "reactions")
		return set != nil && set.Attr("id") == mine && set.Child(nsReactions, "reaction") == nil
	})
	s.control(http.MethodPatch, "/messages/"+told.MessageID, map[string]any{"text": "anon, good Romeo"}, nil)
	e := s.see(c, n, "correction", text(jid, "anon, good Romeo"))
	s.control(http.MethodPatch, "/messages/"+told.MessageID, map[string]any{"text": "anon, dear Romeo"}, nil)
	e2 := s.see(c, n, "second correction", text(jid, "anon, dear Romeo"))
	corrections := s.prove(52)
	for _, m := range []*user.Stanza{e, e2} {
		corrections.That(m.Element.Child(nsReplace, "replace").Attr("id") == theirs.ID && m.ID != theirs.ID && m.From == theirs.From, "correction: got %s, want of %s", m.XML(), theirs.ID)
	}
	react(e2.ID, "<reaction>🌹</reaction>") // to a correction, which is the message
	hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Text: "anon, dear Romeo", Reaction: "🌹"})
	var answer said
	s.control(http.MethodPost, "/people/nurse/messages", map[string]any{"to": c.JID(), "text": "smells as sweet", "reply_to": sent.ID}, &answer)
	a := s.see(c, n, "reply", func(m *user.Stanza) bool {
		return m.Kind == user.Message && strings.HasSuffix(m.Body, "smells as sweet")
	})
	const quote = "> a rose by any other name\n"
	replies, fallback := s.prove(58), a.Element.Child("urn:xmpp:fallback:0", "fallback").Child("urn:xmpp:fallback:0", "body")
	replies.Must(fallback != nil, "reply: got %s, want it behind a quotation", a.XML())
	replies.That(a.Element.Child(nsReply, "reply").Attr("id") == mine && a.Body == quote+"smells as sweet" && fallback.Attr("end") == fmt.Sprint(len(quote)), "reply: got %s, want to %s, behind %q", a.XML(), mine, quote)
	s.control(http.MethodDelete, "/messages/"+told.MessageID, nil, nil)
	d := s.see(c, n, "retraction", func(m *user.Stanza) bool {
		return m.Kind == user.Message && m.Element.Child(nsRetract, "retract") != nil
	})
	s.prove(54).That(d.Element.Child(nsRetract, "retract").Attr("id") == theirs.ID && d.Body != "", "retraction: got %s, want of %s, with a fallback", d.XML(), theirs.ID)
	send("/me retracted", "<retract xmlns='"+nsRetract+"' id='"+mine+"'/><fallback xmlns='urn:xmpp:fallback:0' for='"+nsRetract+"'/><store xmlns='urn:xmpp:hints'/>")
	gone := hold[message](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Retracted: true})
	s.prove(55).That(len(gone) == 1 && gone[0].ID == sent.ID, "retracted: got %+v, want %s", gone, sent.ID)
	for _, m := range s.chat(answer.Conversation) {
		if strings.Contains(m.Content.Text, "/me") {
			s.Errorf("the fallback of a retraction reached the person: %q", m.Content.Text)
		}
	}
}

// burst is how many messages come at once.
const burst = 100

// bursts are many messages at once, both ways at the same time: all arrive, in order, once.
func (s *stage) bursts(c *user.Client, jid string) {
	n := c.Count()
	var where string
	for i := range burst {
		if _, err := c.Send(s.ctx, jid, fmt.Sprint("out ", i)); err != nil {
			s.Fatal(err)
		}
		where = s.say("nurse", c.JID(), fmt.Sprint("in ", i)).Conversation
	}
	hold[any](s.sandbox, wait{Kind: "message", Person: "nurse", Text: fmt.Sprint("out ", burst-1)})
	s.see(c, n, "the last text", text(jid, fmt.Sprint("in ", burst-1)))
	var out, in []string
	for _, m := range s.chat(where) {
		if m.FromUser && strings.HasPrefix(m.Content.Text, "out ") {
			out = append(out, m.Content.Text)
		}
	}
	for _, m := range c.Stanzas(n) {
		if m.Kind == user.Message && m.Carbon == "" && strings.HasPrefix(m.Body, "in ") {
			in = append(in, m.Body)
		}
	}
	s.inOrder("to the person", out, "out ", burst)
	s.inOrder("to the user", in, "in ", burst)
	s.prove(44).That(len(out) == burst && len(in) == burst, "got %d out and %d in, want %d", len(out), len(in), burst)
}

// inOrder asserts that exactly the numbered lines came, in order.
func (s *stage) inOrder(what string, got []string, prefix string, count int) {
	s.Helper()
	for i := range max(len(got), count) {
		if want := fmt.Sprint(prefix, i); i >= len(got) || i >= count || got[i] != want {
			s.Errorf("%s: got %d lines, %d expected; the first wrong one is number %d of %q", what, len(got), count, i, got)
			return
		}
	}
}
