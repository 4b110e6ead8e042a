//go:build servers

package story

import (
	"encoding/json"
	"net/http"
	"strings"

	"postern/cmd/internal/user"
)

// lacksOfContent are the kinds of content. What a client of XMPP can send goes as text and is told; what the person sends is named.
func lacksOfContent() []lack {
	place := object{"latitude": 45.4384, "longitude": 10.9917, "name": "Verona"}
	card := object{"contact": object{"name": "Peter", "phones": []string{"+39 333"}}}
	poll := object{"poll": object{"question": "Balcony?", "options": []object{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}}
	return []lack{
		{feature: "media", told: "takes no files here", gone: []string{nsOOB}, off: func(l *lacks) {
			url := l.uploaded()
			l.share(l.c, l.nurse, url)
			l.hears(url)
			l.notCarried("image", object{"media": []mediaPart{l.made(object{"width": 8, "height": 8})}})
		}, on: func(l *lacks) {
			n, before := l.c.Count(), l.count("media")
			l.share(l.c, l.nurse, l.uploaded())
			l.kinds("media", before+1)
			l.shares("nurse", l.c.JID(), "", l.made(object{"width": 8, "height": 8}))
			l.see(l.c, n, "picture", fileFrom(l.nurse))
		}},
		{feature: "sticker", told: "has no stickers", off: func(l *lacks) {
			before := l.count("sticker")
			got := len(hold0(l, "🐈"))
			l.sticks()
			hold[any](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "🐈", Min: got + 1})
			if now := l.count("sticker"); now != before {
				l.Errorf("got a sticker")
			}
			l.notCarried("sticker", object{"media": []json.RawMessage{l.sticker()}})
		}, on: func(l *lacks) {
			n, before := l.c.Count(), l.count("sticker")
			l.sticks()
			l.kinds("sticker", before+1)
			l.tells("nurse", l.c.JID(), object{"media": []json.RawMessage{l.sticker()}})
			if m := l.see(l.c, n, "sticker", fileFrom(l.nurse)); m.Element.Child(nsStickers, "sticker") == nil {
				l.Errorf("got %s, want a sticker", m.XML())
			}
		}},
		{feature: "view_once", off: func(l *lacks) {
			l.notCarried("view_once", object{"media": []json.RawMessage{l.once()}})
		}, on: func(l *lacks) {
			n := l.c.Count()
			l.tells("nurse", l.c.JID(), object{"media": []json.RawMessage{l.once()}})
			l.see(l.c, n, "picture", fileFrom(l.nurse))
			l.see(l.c, n, "what it asks for", saysOf(l.nurse, "only once"))
		}},
		{feature: "location", told: "has no places", off: func(l *lacks) {
			before := len(hold0(l, "geo:45.5,-9.25"))
			l.writes(l.c, l.nurse, "geo:45.5,-9.25", "")
			hold[any](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "geo:45.5,-9.25", Min: before + 1})
			l.notCarried("location", object{"location": place})
		}, on: func(l *lacks) {
			n, before := l.c.Count(), l.count("location")
			l.writes(l.c, l.nurse, "geo:45.5,-9.25", "")
			if got := l.kinds("location", before+1).Content.Location; got == nil || got.Latitude != 45.5 {
				l.Errorf("got %+v, want the place", got)
			}
			l.tells("nurse", l.c.JID(), object{"location": place})
			l.see(l.c, n, "place", text(l.nurse, "geo:45.4384,10.9917"))
		}},
		{feature: "live_location", off: func(l *lacks) {
			n := l.c.Count()
			l.tells("nurse", l.c.JID(), object{"location": object{"latitude": 1, "longitude": 2, "live_until": soon()}})
			l.see(l.c, n, "place", text(l.nurse, "geo:1,2"))
			l.without(n, "promise of positions", saysOf(l.nurse, "share where they are"))
		}, on: func(l *lacks) {
			n := l.c.Count()
			l.tells("nurse", l.c.JID(), object{"location": object{"latitude": 1, "longitude": 2, "live_until": soon()}})
			l.see(l.c, n, "place", text(l.nurse, "geo:1,2"))
			l.see(l.c, n, "how long", saysOf(l.nurse, "share where they are"))
		}},
		{feature: "contact", off: func(l *lacks) { l.notCarried("contact", card) }, on: func(l *lacks) {
			n := l.c.Count()
			l.tells("nurse", l.c.JID(), card)
			l.see(l.c, n, "contact card", text(l.nurse, "Peter\ntel:+39 333"))
		}},
		{feature: "poll", off: func(l *lacks) { l.notCarried("poll", poll) }, on: func(l *lacks) {
			n := l.c.Count()
			l.tells("nurse", l.c.JID(), poll)
			l.see(l.c, n, "poll", saysOf(l.nurse, "Balcony?\n1. yes\n2. no\n"))
		}},
		{feature: "answer", told: "takes no answers from here", off: func(l *lacks) {
			q := l.asks(poll)
			before := len(hold0(l, "yes"))
			l.writes(l.c, l.nurse, "1", "")
			got := hold[richMessage](l.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "yes", Min: before + 1})
			if last := got[len(got)-1]; last.ReplyTo != q.MessageID || last.Content.Answer != nil {
				l.Errorf("got %+v, want the option in words, in reply to %s", last, q.MessageID)
			}
			l.notCarried("answer", object{"answer": object{"choices": []object{{"id": "a", "title": "yes"}}}})
		}, on: func(l *lacks) {
			q, before := l.asks(poll), l.count("answer")
			l.writes(l.c, l.nurse, "2", "")
			if got := l.kinds("answer", before+1); got.ReplyTo != q.MessageID || got.Content.Answer.Choices[0].ID != "b" {
				l.Errorf("got %+v, want b to %s", got, q.MessageID)
			}
		}},
	}
}

// hold0 is what the person has of a text by now, which may be nothing.
func hold0(l *lacks, line string) []richMessage {
	l.Helper()
	var got struct{ Items []richMessage }
	l.control(http.MethodPost, "/wait", wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: line, Min: 1}, &got)
	return got.Items
}

// asks has the person ask a question, and waits until the user has it.
func (l *lacks) asks(poll object) said {
	l.Helper()
	n := l.c.Count()
	q := l.tells("nurse", l.c.JID(), poll)
	l.see(l.c, n, "poll", saysOf(l.nurse, "Balcony?"))
	return q
}

// uploaded puts a file on the user's server.
func (l *lacks) uploaded() string {
	l.Helper()
	body := "file " + l.c.NewID()
	return l.upload(l.c, "f.txt", "text/plain", int64(len(body)), strings.NewReader(body))
}

// sticks sends a sticker as clients do (XEP-0449).
func (l *lacks) sticks() {
	l.Helper()
	url := l.uploaded()
	l.writes(l.c, l.nurse, "🐈", "<sticker xmlns='"+nsStickers+"'/><file-sharing xmlns='"+nsSFS+"' disposition='inline'><file xmlns='"+nsFileMeta+"'><media-type>image/png</media-type></file>"+
		"<sources xmlns='"+nsSFS+"'><url-data xmlns='http://jabber.org/protocol/url-data' target='"+user.Escape(url)+"'/></sources></file-sharing>")
}

// sticker is one of the person's.
func (l *lacks) sticker() (part json.RawMessage) {
	l.Helper()
	l.control(http.MethodPost, "/media", object{"kind": "sticker", "width": 16, "height": 16, "emoji": "🌹"}, &part)
	return part
}

// once is a picture of the person's that can be opened once.
func (l *lacks) once() (part json.RawMessage) {
	l.Helper()
	l.control(http.MethodPost, "/media", object{"width": 16, "height": 16, "view_once": true}, &part)
	return part
}
