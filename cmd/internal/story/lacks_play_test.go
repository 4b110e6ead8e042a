//go:build servers

package story

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/user"
)

const (
	nsReceipts = "urn:xmpp:receipts"
	nsMarkers  = "urn:xmpp:chat-markers:0"
	nsStates   = "http://jabber.org/protocol/chatstates"
	nsFallback = "urn:xmpp:fallback:0"
)

func lacksOfText() []lack {
	return []lack{
		{feature: "spans", told: "has no bold", off: func(l *lacks) {
			n, line := l.c.Count(), l.line("so *bold*")
			l.writes(l.c, l.nurse, line, "")
			if got := l.hears(line); len(got.Content.Spans) > 0 {
				l.Errorf("got %+v, want marks", got)
			}
			theirs := l.line("bold")
			l.tells("nurse", l.c.JID(), object{"text": theirs, "spans": []object{{"start": 0, "length": 4, "style": "bold"}}})
			l.see(l.c, n, "a text without styles", text(l.nurse, theirs))
		}, on: func(l *lacks) {
			n, line := l.c.Count(), l.line("is so")
			l.writes(l.c, l.nurse, "*bold* "+line, "")
			if got := l.hears("bold " + line); len(got.Content.Spans) != 1 || got.Content.Spans[0].Style != "bold" {
				l.Errorf("got %+v, want bold", got)
			}
			l.tells("nurse", l.c.JID(), object{"text": "bold " + line, "spans": []object{{"start": 0, "length": 4, "style": "bold"}}})
			l.see(l.c, n, "a styled text", text(l.nurse, "*bold* "+line))
		}},
		{feature: "reply_out", told: "has no replies", gone: []string{nsReply, nsFallback}, off: func(l *lacks) {
			told, to, quoted := l.theirs("what feature?")
			line := l.line("this")
			l.replies(to, quoted, line)
			if got := l.hears(quoted + "\n" + line); got.ReplyTo != "" || len(got.Content.Spans) != 1 || got.Content.Spans[0].Style != "quote" {
				l.Errorf("got %+v, want %s quoted", got, told.MessageID)
			}
		}, on: func(l *lacks) {
			told, to, quoted := l.theirs("and now?")
			line := l.line("that")
			l.replies(to, quoted, line)
			if got := l.hears(line); got.ReplyTo != told.MessageID {
				l.Errorf("got %+v, want a reply to %s", got, told.MessageID)
			}
		}},
		{feature: "reply_in", off: func(l *lacks) {
			_, sent := l.mine("how does it smell?")
			n, line := l.c.Count(), l.line("as sweet")
			l.control(http.MethodPost, "/people/nurse/messages", object{"to": l.c.JID(), "text": line, "reply_to": sent.ID}, nil)
			if m := l.see(l.c, n, "an answer", text(l.nurse, line)); m.Element.Child(nsReply, "reply") != nil {
				l.Errorf("got %s, want a text alone", m.XML())
			}
		}, on: func(l *lacks) {
			id, sent := l.mine("and now?")
			n, line := l.c.Count(), l.line("sweeter")
			l.control(http.MethodPost, "/people/nurse/messages", object{"to": l.c.JID(), "text": line, "reply_to": sent.ID}, nil)
			if m := l.see(l.c, n, "a reply", saysOf(l.nurse, line)); m.Element.Child(nsReply, "reply").Attr("id") != id {
				l.Errorf("got %s, want a reply to %s", m.XML(), id)
			}
		}},
		{feature: "previews", off: func(l *lacks) {
			n, page := l.c.Count(), "https://verona.example/"+l.c.NewID()
			l.links(page)
			if got := l.hears("see " + page); len(got.Content.Previews) > 0 {
				l.Errorf("got %+v, want the link alone", got)
			}
			l.tells("nurse", l.c.JID(), object{"text": "read " + page, "previews": []object{{"url": page, "title": "Both alike"}}})
			if m := l.see(l.c, n, "a link", text(l.nurse, "read "+page)); m.Element.Child(nsRDF, "Description") != nil {
				l.Errorf("got %s, want the link alone", m.XML())
			}
		}, on: func(l *lacks) {
			n, page := l.c.Count(), "https://verona.example/"+l.c.NewID()
			l.links(page)
			if got := l.hears("see " + page); len(got.Content.Previews) != 1 {
				l.Errorf("got %+v, want a preview", got)
			}
			l.tells("nurse", l.c.JID(), object{"text": "read " + page, "previews": []object{{"url": page, "title": "Both alike"}}})
			if m := l.see(l.c, n, "a link", text(l.nurse, "read "+page)); m.Element.Child(nsRDF, "Description") == nil {
				l.Errorf("got %s, want a preview", m.XML())
			}
		}},
	}
}

// replies sends a reply as clients do: with a quotation for those that have none.
func (l *lacks) replies(to *user.Stanza, quoted, line string) {
	l.Helper()
	quote := "> " + quoted + "\n"
	l.writes(l.c, l.nurse, quote+line, "<reply xmlns='"+nsReply+"' to='"+to.From+"' id='"+to.ID+"'/><fallback xmlns='"+nsFallback+"' for='"+nsReply+"'><body start='0' end='"+fmt.Sprint(len(quote))+"'/></fallback>")
}

// links sends an address with what the client knows of it.
func (l *lacks) links(page string) {
	l.Helper()
	l.writes(l.c, l.nurse, "see "+page, "<rdf:Description xmlns:rdf='"+nsRDF+"' rdf:about='"+page+"'><og:title xmlns:og='"+nsOG+"'>Both alike</og:title></rdf:Description>")
}

func lacksOfChanges() []lack {
	has := func(ns, name string) func(*user.Stanza) bool {
		return func(m *user.Stanza) bool {
			return m.Kind == user.Message && m.Type != "error" && m.Element.Child(ns, name) != nil
		}
	}
	corrects := func(l *lacks) (line string) {
		id, _ := l.mine("a tpyo")
		line = l.line("a typo")
		l.writes(l.c, l.nurse, line, "<replace xmlns='"+nsReplace+"' id='"+id+"'/>")
		return line
	}
	return []lack{
		{feature: "edit_out", told: "marked with ✎", gone: []string{nsReplace}, off: func(l *lacks) {
			p := l.prove(53)
			p.That(l.hears("✎ "+corrects(l)).ID != "", "no message")
		}, on: func(l *lacks) {
			hold[any](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: corrects(l), Edited: true})
		}},
		{feature: "edit_in", off: func(l *lacks) {
			told, _, _ := l.theirs("anon, good nurse")
			n := l.c.Count()
			l.control(http.MethodPatch, "/messages/"+told.MessageID, object{"text": l.line("anon, good Romeo")}, nil)
			l.without(n, "correction", has(nsReplace, "replace"))
		}, on: func(l *lacks) {
			told, first, _ := l.theirs("by and by")
			n, line := l.c.Count(), l.line("by and by, I come")
			l.control(http.MethodPatch, "/messages/"+told.MessageID, object{"text": line}, nil)
			if m := l.see(l.c, n, "correction", text(l.nurse, line)); m.Element.Child(nsReplace, "replace").Attr("id") != first.ID {
				l.Errorf("got %s, want a correction of %s", m.XML(), first.ID)
			}
		}},
		{feature: "retract_out", gone: []string{nsRetract}, off: func(l *lacks) {
			p := l.prove(55)
			id, sent := l.mine("I said nothing")
			l.refused("<retract xmlns='"+nsRetract+"' id='"+id+"'/><store xmlns='"+nsHints+"'/>", "not-allowed", "taking back")
			p.That(l.hears(sent.Content.Text).ID == sent.ID, "it is not there any more")
		}, on: func(l *lacks) {
			id, sent := l.mine("nor this")
			l.writes(l.c, l.nurse, "", "<retract xmlns='"+nsRetract+"' id='"+id+"'/><store xmlns='"+nsHints+"'/>")
			l.until("it is taken back", func() bool {
				return slices.ContainsFunc(hold[message](l.sandbox, wait{Kind: "message", Person: "nurse", Retracted: true}), func(m message) bool { return m.ID == sent.ID })
			})
		}},
		{feature: "retract_in", off: func(l *lacks) {
			told, _, _ := l.theirs("what less than dooms-day?")
			n := l.c.Count()
			l.control(http.MethodDelete, "/messages/"+told.MessageID, nil, nil)
			l.without(n, "retraction", has(nsRetract, "retract"))
		}, on: func(l *lacks) {
			told, first, _ := l.theirs("what more?")
			n := l.c.Count()
			l.control(http.MethodDelete, "/messages/"+told.MessageID, nil, nil)
			if m := l.see(l.c, n, "retraction", has(nsRetract, "retract")); m.Element.Child(nsRetract, "retract").Attr("id") != first.ID {
				l.Errorf("got %s, want that of %s", m.XML(), first.ID)
			}
		}},
		{feature: "react_out", gone: []string{nsReactions}, off: func(l *lacks) {
			p := l.prove(56)
			_, to, line := l.theirs("do you like it?")
			l.refused("<reactions xmlns='"+nsReactions+"' id='"+to.ID+"'><reaction>👍</reaction></reactions><store xmlns='"+nsHints+"'/>", "not-acceptable", "reactions")
			p.That(len(hold[message](l.sandbox, wait{Kind: "message", Person: "nurse", Text: line})[0].Reactions) == 0, "got a reaction")
		}, on: func(l *lacks) {
			_, to, line := l.theirs("and now?")
			l.writes(l.c, l.nurse, "", "<reactions xmlns='"+nsReactions+"' id='"+to.ID+"'><reaction>👍</reaction></reactions><store xmlns='"+nsHints+"'/>")
			hold[any](l.sandbox, wait{Kind: "message", Person: "nurse", Text: line, Reaction: "👍"})
		}},
		{feature: "react_in", off: func(l *lacks) {
			_, sent := l.mine("do you like it?")
			n := l.c.Count()
			l.control(http.MethodPut, "/messages/"+sent.ID+"/reactions", object{"emojis": []string{"🌹"}}, nil)
			l.without(n, "reaction", func(m *user.Stanza) bool {
				return has(nsReactions, "reactions")(m) || strings.Contains(m.Body, "🌹")
			})
		}, on: func(l *lacks) {
			id, sent := l.mine("and now?")
			n := l.c.Count()
			l.control(http.MethodPut, "/messages/"+sent.ID+"/reactions", object{"emojis": []string{"🌹"}}, nil)
			if m := l.see(l.c, n, "reaction", has(nsReactions, "reactions")); m.Element.Child(nsReactions, "reactions").Attr("id") != id {
				l.Errorf("got %s, want one to %s", m.XML(), id)
			}
		}},
	}
}

func lacksOfSignals() []lack {
	composing := func(m *user.Stanza) bool { return m.State == "composing" }
	types := func(l *lacks) int {
		n := l.c.Count()
		l.control(http.MethodPost, "/people/nurse/typing", object{"to": l.c.JID(), "state": "composing"}, nil)
		return n
	}
	typing := lack{feature: "typing_in", off: func(l *lacks) { l.without(types(l), "typing notice", composing) }, on: func(l *lacks) {
		n := types(l)
		l.see(l.c, n, "typing", func(m *user.Stanza) bool { return composing(m) && bare(m.From) == l.nurse })
	}}
	reads := func(l *lacks) (n int, id string) {
		line := l.line("read this")
		n = l.c.Count()
		id, err := l.c.Send(l.ctx, l.nurse, line)
		if err != nil {
			l.Fatal(err)
		}
		l.hears(line)
		l.see(l.c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id })
		l.control(http.MethodPost, "/people/nurse/read", object{"to": l.c.JID()}, nil)
		return n, id
	}
	read := lack{feature: "read_in", off: func(l *lacks) {
		n, id := reads(l)
		l.without(n, "marker", func(m *user.Stanza) bool { return m.Displayed == id })
	}, on: func(l *lacks) {
		n, id := reads(l)
		l.see(l.c, n, "marker", func(m *user.Stanza) bool { return m.Displayed == id && bare(m.From) == l.nurse })
	}}
	readOut, typingOut := lackOfReadOut(), lackOfTypingOut()
	return []lack{
		{feature: "delivered", gone: []string{nsReceipts}, off: func(l *lacks) {
			n, line := l.c.Count(), l.line("did you get this?")
			id, err := l.c.Send(l.ctx, l.nurse, line)
			if err != nil {
				l.Fatal(err)
			}
			l.hears(line)
			// XEP-0184: where the platform says no more than that it took the message, that is what a receipt means.
			l.see(l.c, n, "receipt", func(m *user.Stanza) bool { return m.Received == id && bare(m.From) == l.nurse })
		}, on: func(l *lacks) {
			l.talks(l.c, l.nurse, "nurse")
			hold[any](l.sandbox, wait{Kind: "webhooks", Type: "message.status"})
		}},
		readOut, read, typingOut, typing,
		{feature: "read", gone: []string{nsMarkers}, off: both2(readOut.off, read.off), on: both2(readOut.on, read.on)},
		{feature: "typing", gone: []string{nsStates}, off: both2(typingOut.off, typing.off), on: both2(typingOut.on, typing.on)},
	}
}

// both2 plays one after the other.
func both2(a, b func(*lacks)) func(*lacks) {
	return func(l *lacks) { a(l); b(l) }
}

// lackOfReadOut is that people are not told that the user read: dropped, and counted.
func lackOfReadOut() lack {
	displays := func(l *lacks) (line string) {
		_, m, line := l.theirs("have you read this?")
		if err := l.c.Displayed(l.ctx, l.nurse, m.ID); err != nil {
			l.Fatal(err)
		}
		return line
	}
	return lack{feature: "read_out", off: func(l *lacks) {
		before, asked := l.counted("read_out"), len(l.asked("/v1/receipts"))
		displays(l)
		l.until("the marker is dropped", func() bool { return l.counted("read_out") == before+1 })
		if got := len(l.asked("/v1/receipts")); got != asked {
			l.Errorf("the platform was told %d times", got-asked)
		}
	}, on: func(l *lacks) {
		hold[any](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_user", Text: displays(l), Status: "read"})
	}}
}

// lackOfTypingOut is that people are not told that the user types: dropped, and counted.
func lackOfTypingOut() lack {
	composes := func(l *lacks) {
		for _, say := range []func(context.Context, string) error{l.c.Paused, l.c.Composing} { // what was said just before is not passed on again
			if err := say(l.ctx, l.nurse); err != nil {
				l.Fatal(err)
			}
		}
	}
	return lack{feature: "typing_out", off: func(l *lacks) {
		before, asked := l.counted("typing_out"), len(l.asked("/typing"))
		composes(l)
		l.until("the notice is dropped", func() bool { return l.counted("typing_out") > before })
		if got := len(l.asked("/typing")); got != asked {
			l.Errorf("the platform was told %d times", got-asked)
		}
	}, on: func(l *lacks) {
		composes(l)
		hold[any](l.sandbox, wait{Kind: "typing", Person: "nurse", User: l.c.JID()})
	}}
}

func lacksOfPeople() []lack {
	missed := func(l *lacks) int {
		n := l.c.Count()
		l.control(http.MethodPost, "/people/nurse/calls", object{"to": l.c.JID(), "state": "missed"}, nil)
		return n
	}
	goes := func(l *lacks, there bool) int {
		n := l.c.Count()
		l.control(http.MethodPut, "/people/nurse/presence", object{"available": there}, nil)
		return n
	}
	away := func(m *user.Stanza) bool {
		return m.Kind == user.Presence && m.Element.Child("jabber:client", "show").Text() == "away"
	}
	photo := func(l *lacks) bool { return l.vcard(l.c, l.nurse).Child(nsVCard, "PHOTO") != nil }
	return []lack{
		{feature: "profile", off: func(l *lacks) {
			l.picture(64, 64, 3)
			l.without(l.c.Count(), "picture", func(*user.Stanza) bool { return false })
			if photo(l) || l.vcard(l.c, l.nurse).Child(nsVCard, "FN").Text() != "The Nurse" {
				l.Errorf("got %s, want the name that is known and no picture", l.vcard(l.c, l.nurse))
			}
		}, on: func(l *lacks) {
			l.picture(64, 64, 4)
			l.until("the picture is there", func() bool { return photo(l) })
		}},
		{feature: "presence", off: func(l *lacks) {
			l.without(goes(l, false), "presence", func(m *user.Stanza) bool { return m.Kind == user.Presence })
		}, on: func(l *lacks) {
			n := goes(l, false)
			l.see(l.c, n, "away", func(m *user.Stanza) bool { return away(m) && bare(m.From) == l.nurse })
			n = goes(l, true)
			l.see(l.c, n, "back", func(m *user.Stanza) bool { return presence(l.nurse, "")(m) && !away(m) })
		}},
		{feature: "call_events", off: func(l *lacks) {
			l.without(missed(l), "call", func(m *user.Stanza) bool { return strings.Contains(m.Body, "voice call") })
		}, on: func(l *lacks) {
			n := missed(l)
			l.see(l.c, n, "call", text(l.nurse, "Missed voice call."))
		}},
		{feature: "blocks", off: func(l *lacks) { l.blocked("takes no blocks", 0) }, on: func(l *lacks) { l.blocked("is blocked", 1) }},
		{feature: "reports", off: func(l *lacks) { l.reported("takes no reports from here", 0) }, on: func(l *lacks) { l.reported("was passed to", 1) }},
		// Nothing that a client sends runs out: without it all is as before.
		{feature: "expires", off: func(*lacks) {}, on: func(*lacks) {}},
	}
}

// blocked blocks the nurse, with or without the platform, and takes it back. Here it works in any case.
func (l *lacks) blocked(words string, there int) {
	l.Helper()
	n, asked := l.c.Count(), len(l.asked("PUT /v1/blocks/"))
	first := l.tell(l.c, "block "+l.nurse)
	l.see(l.c, n, words, func(m *user.Stanza) bool { return m.From == l.gw && strings.Contains(m.Body, words) })
	if got := len(l.asked("PUT /v1/blocks/")) - asked; got != there {
		l.Errorf("block: %d requests to the platform, want %d; told %q", got, there, first.Body)
	}
	id := l.writes(l.c, l.nurse, "can you hear me?", "")
	l.see(l.c, n, "error", func(m *user.Stanza) bool {
		return m.ID == id && m.Condition == "not-acceptable" && strings.Contains(m.ErrorText, "unblock")
	})
	if got := l.tell(l.c, "unblock "+l.nurse).Body; !strings.Contains(got, "not blocked any more") {
		l.Errorf("unblock: got %q", got)
	}
}

// reported complains of the nurse.
func (l *lacks) reported(words string, there int) {
	l.Helper()
	asked := len(l.asked("POST /v1/reports"))
	cmd, err := l.c.Command(l.ctx, l.gw, "report")
	if err != nil {
		l.Fatal(err)
	}
	done, err := l.c.Submit(l.ctx, cmd, "", map[string]string{"contact": l.nurse, "reason": "spam"})
	if err != nil || done.Status != "completed" || !strings.Contains(done.Text(), words) {
		l.Errorf("report: got %+v, %v, want %q", done, err, words)
	}
	if got := len(l.asked("POST /v1/reports")) - asked; got != there {
		l.Errorf("report: %d requests to the platform, want %d", got, there)
	}
}

// soon is when a shared position ends.
func soon() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }
