//go:build servers

package story

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"postern/cmd/internal/user"
)

const (
	nsMarkup   = "urn:xmpp:markup:0"
	nsStyling  = "urn:xmpp:styling:0"
	nsSpoiler  = "urn:xmpp:spoiler:0"
	nsSFS      = "urn:xmpp:sfs:0"
	nsFileMeta = "urn:xmpp:file:metadata:0"
	nsHashes   = "urn:xmpp:hashes:2"
	nsRDF      = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	nsOG       = "https://ogp.me/ns#"
	nsStickers = "urn:xmpp:stickers:0"
	nsJMI      = "urn:xmpp:jingle-message:0"
)

// object is JSON as it comes.
type object = map[string]any

// richMessage is a message with all that it holds.
type richMessage struct {
	ID      string `json:"id"`
	ReplyTo string `json:"reply_to"`
	Content struct {
		Text  string `json:"text"`
		Spans []struct {
			Start, Length int
			Style         string
		} `json:"spans"`
		Media    []mediaPart `json:"media"`
		Location *struct {
			Latitude, Longitude float64
			Name                string
		} `json:"location"`
		Answer *struct {
			Choices []struct{ ID string } `json:"choices"`
		} `json:"answer"`
		Previews []struct{ URL, Title string } `json:"previews"`
	} `json:"content"`
}

// tells makes a person send content of any kind.
func (b *sandbox) tells(person, to string, content object) said {
	b.t.Helper()
	var out said
	b.control(http.MethodPost, "/people/"+person+"/messages", object{"to": to, "content": content}, &out)
	return out
}

func TestFeatures(t *testing.T) {
	both(t, func(s *stage) {
		c := s.member("romeo")
		nurse := s.befriend(c, "nurse")
		s.talks(c, nurse, "nurse") // and with it who can read the chat
		for _, part := range []struct {
			name string
			play func(*stage, *user.Client, string)
		}{
			{"styles", (*stage).styles},
			{"spoilers", (*stage).spoilers},
			{"places", (*stage).places},
			{"links", (*stage).links},
			{"questions", (*stage).questions},
			{"calls", (*stage).calls},
			{"files of clients", (*stage).clientFiles},
			{"pictures and voice", (*stage).picturesAndVoice},
			{"me", (*stage).acts},
		} {
			s.act(part.name, func(s *stage) { part.play(s, c, nurse) })
		}
	})
}

// writes sends a text with XML beside it.
func (s *stage) writes(c *user.Client, to, body, extra string) string {
	s.Helper()
	id, err := c.SendMessage(s.ctx, user.Outgoing{To: to, Body: body, Extra: extra, OriginID: true})
	if err != nil {
		s.Fatal(err)
	}
	return id
}

func (s *stage) styles(c *user.Client, nurse string) {
	p, n := s.prove(60), c.Count()
	s.tells("nurse", c.JID(), object{"text": "so bold 🎂 it struck mono", "spans": []object{
		{"start": 3, "length": 4, "style": "bold"},
		{"start": 10, "length": 2, "style": "italic"},
		{"start": 13, "length": 6, "style": "strike"},
		{"start": 20, "length": 4, "style": "code"},
	}})
	m := s.see(c, n, "styled text", saysOf(nurse, "so *"))
	p.That(m.Body == "so *bold* 🎂 _it_ ~struck~ `mono`", "got %q, want marks", m.Body)
	var spans []string
	for _, sp := range m.Element.Child(nsMarkup, "markup").Children("span") {
		spans = append(spans, sp.Attr("start")+"-"+sp.Attr("end"))
	}
	p.That(fmt.Sprint(spans) == "[4-8 13-15 18-24 27-31]", "got spans %v", spans)
	s.say("nurse", c.JID(), "2 *3* 4")
	m = s.see(c, n, "literal text", text(nurse, "2 *3* 4"))
	p.That(m.Element.Child(nsStyling, "unstyled") != nil, "got %s, want it unstyled", m.XML())

	s.writes(c, nurse, "so *bold* 🎂 _it_ ~struck~ `mono`", "")
	got := hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "so bold 🎂 it struck mono"})[0]
	styles := ""
	for _, sp := range got.Content.Spans {
		styles += fmt.Sprint(sp.Start, "+", sp.Length, sp.Style, " ")
	}
	for _, want := range []string{"3+4bold", "10+2italic", "13+6strike", "20+4code"} {
		p.That(strings.Contains(styles, want), "got spans %s, want %s", styles, want)
	}
	s.writes(c, nurse, "3 *4* 5", "<unstyled xmlns='"+nsStyling+"'/>")
	got = hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "3 *4* 5"})[0]
	p.That(len(got.Content.Spans) == 0, "got spans %v of a text that has none", got.Content.Spans)
}

func (s *stage) spoilers(c *user.Client, nurse string) {
	n := c.Count()
	s.tells("nurse", c.JID(), object{"text": "he dies", "spans": []object{{"start": 3, "length": 4, "style": "spoiler"}}})
	if m := s.see(c, n, "spoiler", text(nurse, "he dies")); m.Element.Child(nsSpoiler, "spoiler") == nil {
		s.Errorf("got %s, want a spoiler", m.XML())
	}
	s.writes(c, nurse, "she wakes", "<spoiler xmlns='"+nsSpoiler+"'>the end</spoiler>")
	got := hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "the end\nshe wakes"})[0]
	if len(got.Content.Spans) != 1 || got.Content.Spans[0].Style != "spoiler" || got.Content.Spans[0].Start != 8 {
		s.Errorf("got spans %+v, want the text as a spoiler and the hint before it", got.Content.Spans)
	}
}

func (s *stage) places(c *user.Client, nurse string) {
	p, n := s.prove(61), c.Count()
	s.tells("nurse", c.JID(), object{"location": object{"latitude": 45.4384, "longitude": 10.9917, "name": "Verona"}})
	p.That(s.see(c, n, "place", text(nurse, "geo:45.4384,10.9917")) != nil, "no place")
	s.see(c, n, "its name", text(nurse, "Verona"))
	s.writes(c, nurse, "geo:45.5,-9.25;u=10", "")
	got := hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Has: "location"})[0].Content.Location
	p.That(got != nil && got.Latitude == 45.5 && got.Longitude == -9.25, "got %+v, want the place", got)
	s.tells("nurse", c.JID(), object{"contact": object{"name": "Peter", "phones": []string{"+39 333"}}})
	s.see(c, n, "contact card", text(nurse, "Peter\ntel:+39 333"))
}

func (s *stage) links(c *user.Client, nurse string) {
	p, n := s.prove(62), c.Count()
	const page = "https://verona.example/news"
	s.tells("nurse", c.JID(), object{"text": "read " + page, "previews": []object{{"url": page, "title": "A <feud>", "description": "two houses"}}})
	d := s.see(c, n, "link", text(nurse, "read "+page)).Element.Child(nsRDF, "Description")
	p.That(d.Child(nsOG, "title").Text() == "A <feud>" && d.Child(nsOG, "description").Text() == "two houses", "got %v", d)
	s.writes(c, nurse, "see "+page, "<rdf:Description xmlns:rdf='"+nsRDF+"' rdf:about='"+page+"'><og:title xmlns:og='"+nsOG+"'>Both alike</og:title></rdf:Description>")
	got := hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "see " + page})[0].Content.Previews
	p.That(len(got) == 1 && got[0].URL == page && got[0].Title == "Both alike", "got previews %+v", got)
}

func (s *stage) questions(c *user.Client, nurse string) {
	n := c.Count()
	q := s.tells("nurse", c.JID(), object{"poll": object{"question": "Balcony?", "options": []object{{"id": "a", "title": "yes"}, {"id": "b", "title": "no"}}}})
	m := s.see(c, n, "poll", saysOf(nurse, "Balcony?\n1. yes\n2. no\n"))
	answered := func(min int) richMessage {
		s.Helper()
		got := hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Has: "answer", Min: min})
		return got[len(got)-1]
	}
	s.writes(c, nurse, "I must think", "")
	s.writes(c, nurse, "2", "")
	if got := answered(1); got.ReplyTo != q.MessageID || fmt.Sprint(got.Content.Answer.Choices) != "[{b}]" {
		s.Errorf("got answer %+v to %s, want b to %s", got.Content.Answer, got.ReplyTo, q.MessageID)
	}
	hold[any](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "I must think"})
	s.writes(c, nurse, "yes", "<reply xmlns='"+nsReply+"' to='"+m.From+"' id='"+m.ID+"'/>")
	if got := answered(2); fmt.Sprint(got.Content.Answer.Choices) != "[{a}]" {
		s.Errorf("got answer %+v, want a by its title in a reply", got.Content.Answer)
	}
}

func (s *stage) calls(c *user.Client, nurse string) {
	p, n := s.prove(93), c.Count()
	var call struct {
		ID string `json:"call_id"`
	}
	s.control(http.MethodPost, "/people/nurse/calls", object{"to": c.JID(), "state": "ringing"}, &call)
	m := s.see(c, n, "call", saysOf(nurse, "Incoming voice call on "))
	s.control(http.MethodPost, "/people/nurse/calls", object{"to": c.JID(), "state": "missed", "call_id": call.ID}, nil)
	e := s.see(c, n, "missed call", text(nurse, "Missed voice call."))
	p.That(e.Element.Child(nsReplace, "replace").Attr("id") == m.ID && e.ID != m.ID, "got %s, want a correction of %s", e.XML(), m.ID)

	n = c.Count()
	for range 2 {
		s.writes(c, nurse, "", "<propose xmlns='"+nsJMI+"' id='j1'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose><store xmlns='urn:xmpp:hints'/>")
	}
	r := s.see(c, n, "rejection", func(m *user.Stanza) bool { return m.Kind == user.Message && m.Element.Child(nsJMI, "reject") != nil })
	p.That(r.Element.Child(nsJMI, "reject").Attr("id") == "j1" && bare(r.From) == nurse && r.To == c.FullJID(), "got %s, want a rejection for the client that called", r.XML())
	s.see(c, n, "why", saysOf(nurse, "Calls cannot pass"))
	_, err := c.IQ(s.ctx, r.From, "set", "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s1' initiator='"+c.FullJID()+"'/>")
	p.That(err != nil && strings.Contains(err.Error(), "service-unavailable"), "session-initiate: got %v, want service-unavailable", err)
	told := 0
	for _, st := range c.Stanzas(n) {
		if st.Carbon == "" && strings.Contains(st.Body, "Calls cannot pass") {
			told++
		}
	}
	p.That(told == 1, "told %d times why, want once", told)
}

// clientFiles are files as different clients share them.
func (s *stage) clientFiles(c *user.Client, nurse string) {
	p := s.prove(66)
	share := func(name string) (url, meta, sources string) {
		body := "file of " + name + strings.Repeat(".", 2000)
		url = s.upload(c, "f.bin", "application/octet-stream", int64(len(body)), strings.NewReader(body))
		meta = "<media-type>text/plain</media-type><name>" + name + ".txt</name><size>" + fmt.Sprint(len(body)) + "</size>"
		return url, meta, "<sources xmlns='" + nsSFS + "'><url-data xmlns='http://jabber.org/protocol/url-data' target='" + user.Escape(url) + "'/></sources>"
	}
	arrived := func(name string) {
		s.Helper()
		s.until(name+" arrives", func() bool {
			for _, m := range hold[richMessage](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Has: "media"}) {
				if f := m.Content.Media[0]; f.Name == name+".txt" {
					p.That(strings.HasPrefix(f.Type, "text/plain") && f.Size > 2000, "got %+v", f)
					return true
				}
			}
			return false
		})
	}
	url, meta, sources := share("sfs")
	s.writes(c, nurse, url, "<file-sharing xmlns='"+nsSFS+"' disposition='attachment'><file xmlns='"+nsFileMeta+"'>"+meta+"</file>"+sources+"</file-sharing>"+
		"<fallback xmlns='urn:xmpp:fallback:0' for='"+nsSFS+"'><body/></fallback>")
	arrived("sfs")
	url, meta, sources = share("dino")
	id := s.writes(c, nurse, "", "<file-sharing xmlns='"+nsSFS+"' disposition='attachment'><file xmlns='"+nsFileMeta+"'>"+meta+"</file></file-sharing><store xmlns='urn:xmpp:hints'/>")
	s.writes(c, nurse, url, "<x xmlns='"+nsOOB+"'><url>"+user.Escape(url)+"</url></x><attach-to xmlns='urn:xmpp:message-attaching:1' id='"+id+"'/>"+sources)
	arrived("dino")
	url, meta, _ = share("sims")
	s.writes(c, nurse, url, "<reference xmlns='urn:xmpp:reference:0' type='data'><media-sharing xmlns='urn:xmpp:sims:1'><file xmlns='urn:xmpp:jingle:apps:file-transfer:5'>"+meta+
		"</file><sources><reference xmlns='urn:xmpp:reference:0' type='data' uri='"+user.Escape(url)+"'/></sources></media-sharing></reference>")
	arrived("sims")
}

// picturesAndVoice are files of the platform with what is known of them.
func (s *stage) picturesAndVoice(c *user.Client, nurse string) {
	p, n := s.prove(65), c.Count()
	made := s.made(object{"width": 64, "height": 48, "name": "moon.png"})
	s.shares("nurse", c.JID(), "", made)
	m := s.see(c, n, "picture", fileFrom(nurse))
	file := m.Element.Child(nsSFS, "file-sharing").Child(nsFileMeta, "file")
	sum, err := hex.DecodeString(made.SHA256)
	if err != nil {
		s.Fatal(err)
	}
	p.That(file.Child(nsHashes, "hash").Attr("algo") == "sha-256" && file.Child(nsHashes, "hash").Text() == base64.StdEncoding.EncodeToString(sum), "got %s, want the hash %s", m.XML(), made.SHA256)
	p.That(file.Child(nsFileMeta, "media-type").Text() == "image/png" && file.Child(nsFileMeta, "width").Text() == "64" && file.Child(nsFileMeta, "size").Text() == fmt.Sprint(made.Size), "got %s", m.XML())

	p, n = s.prove(70), c.Count()
	voice := s.made(object{"type": "audio/ogg", "kind": "voice", "size": 4000, "duration_ms": 2500, "name": "voice.ogg"})
	s.shares("nurse", c.JID(), "", voice)
	m = s.see(c, n, "voice", fileFrom(nurse))
	p.That(strings.Contains(m.Body, ".og") && m.Body == m.Element.Child(nsOOB, "x").Child(nsOOB, "url").Text(), "got %s, want an address that ends as sound does", m.XML())
	n = c.Count()
	var sticker json.RawMessage
	s.control(http.MethodPost, "/media", object{"kind": "sticker", "width": 64, "height": 64, "emoji": "🌹"}, &sticker)
	s.tells("nurse", c.JID(), object{"media": []json.RawMessage{sticker}})
	m = s.see(c, n, "sticker", fileFrom(nurse))
	_, _, typ := s.got(m.Body)
	p.That(m.Element.Child(nsStickers, "sticker") != nil && strings.HasPrefix(typ, "image/"), "got %s of type %s, want an image that says it is a sticker", m.XML(), typ)
}

func (s *stage) acts(c *user.Client, nurse string) {
	name, _, _ := strings.Cut(c.JID(), "@")
	s.writes(c, nurse, "/me waves", "")
	hold[any](s.sandbox, wait{Kind: "message", Person: "nurse", Direction: "to_person", Text: "* " + name + " waves"})
}
