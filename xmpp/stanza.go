package xmpp

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
)

// envelope holds what routing needs, parsed once.
type envelope struct{ from, to JID }

// newID returns 128 random bits, URL-safe: 22 characters.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand.Read
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewMessage returns a message envelope. The type of a chat message is "chat";
// an empty id gets a random one.
func NewMessage(from, to JID, typ, id string) *Element {
	return newStanza("message", from, to, typ, id)
}

// NewPresence returns a presence envelope; the empty type means available.
func NewPresence(from, to JID, typ string) *Element {
	return newStanza("presence", from, to, typ, "")
}

// NewIQ returns a get or set envelope with a random id and that payload.
func NewIQ(from, to JID, typ string, payload *Element) *Element {
	return newStanza("iq", from, to, typ, "").Add(payload)
}

// newStanza always sets from, to and id: ejabberd closes the stream over a
// stanza without an address.
func newStanza(kind string, from, to JID, typ, id string) *Element {
	if id == "" {
		id = newID()
	}
	e := &Element{Name: xml.Name{Space: nsClient, Local: kind}, env: &envelope{from, to}}
	e.Attrs = make([]xml.Attr, 0, 5)
	e.Attrs = append(e.Attrs,
		xml.Attr{Name: xml.Name{Local: "from"}, Value: from.String()},
		xml.Attr{Name: xml.Name{Local: "to"}, Value: to.String()},
		xml.Attr{Name: xml.Name{Local: "id"}, Value: id})
	if typ != "" {
		e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Local: "type"}, Value: typ})
	}
	return e
}

// ResultReply answers an iq get or set, from the exact address it was sent to
// and to the full JID that sent it. A nil payload gives an empty result. It
// returns nil for anything that is not a request.
func ResultReply(req, payload *Element) *Element {
	if !isRequest(req) || req.From().IsZero() || req.To().IsZero() {
		return nil
	}
	return replyEnvelope(req, "result").Add(payload)
}

func isRequest(e *Element) bool {
	t := e.Attr("type")
	return e.Is(nsClient, "iq") && (t == "get" || t == "set")
}

// replyEnvelope swaps the addresses and keeps the id, even a missing one.
func replyEnvelope(req *Element, typ string) *Element {
	e := NewElement(nsClient, req.Name.Local, "from", req.Attr("to"), "to", req.Attr("from"), "type", typ)
	if id, ok := req.LookupAttr("", "id"); ok {
		e.SetAttr("id", id)
	}
	e.env = &envelope{from: req.To(), to: req.From()}
	return e
}

// From returns the sender's address; zero if missing or invalid. A stanza that
// reaches a handler always has one.
func (e *Element) From() JID { return e.address("from") }

// To returns the recipient's address; zero if missing or invalid. A stanza that
// reaches a handler always has one.
func (e *Element) To() JID { return e.address("to") }

func (e *Element) address(which string) JID {
	switch {
	case e == nil:
		return JID{}
	case e.env != nil && which == "from":
		return e.env.from
	case e.env != nil:
		return e.env.to
	}
	j, err := ParseJID(e.Attr(which))
	if err != nil {
		return JID{}
	}
	return j
}

// ID returns the stanza's id attribute, "" if it has none.
func (e *Element) ID() string { return e.Attr("id") }

// Type returns the stanza's type. A message without type, or with an unknown
// one, is normal (RFC 6121 §5.2.2).
func (e *Element) Type() string {
	t := e.Attr("type")
	if e.Is(nsClient, "message") {
		switch t {
		case "chat", "groupchat", "headline", "error":
		default:
			return "normal"
		}
	}
	return t
}

// errNoAddress is what checkEnvelope finds wrong most often.
var errNoAddress = errors.New("xmpp: send: from or to missing or invalid")

// checkEnvelope tells whether a server will take the stanza from the component
// of that domain. Prosody and ejabberd close the whole stream over a foreign
// from, ejabberd over a missing to as well.
func checkEnvelope(e *Element, domain string) error {
	switch {
	case !e.Is(nsClient, "message") && !e.Is(nsClient, "presence") && !e.Is(nsClient, "iq"):
		return errors.New("xmpp: send: not a stanza")
	case e.From().IsZero() || e.To().IsZero():
		return errNoAddress
	case e.From().Domain() != domain:
		return errors.New("xmpp: send: from another domain")
	}
	return nil
}

// LangText is a text in one language; Lang is "" when none is declared.
type LangText struct{ Lang, Text string }

// Bodies returns all bodies of a message in order. A body without xml:lang
// takes that of the message (RFC 6121 §5.2.3).
func (e *Element) Bodies() []LangText { return e.langTexts("body") }

// Body returns the text of the first body and whether there is any body at all.
// Only a body in the stream's own namespace counts.
func (e *Element) Body() (string, bool) { return e.textChild("body") }

// Subject returns the first subject and whether there is one. An empty subject
// is a value of its own: it clears a room's topic (XEP-0045 §8.1).
func (e *Element) Subject() (string, bool) { return e.textChild("subject") }

// Thread returns the thread of a message, "" if it has none.
func (e *Element) Thread() string { return e.Child(nsClient, "thread").Text() }

func (e *Element) textChild(local string) (string, bool) {
	c := e.Child(nsClient, local)
	return c.Text(), c != nil
}

func (e *Element) langTexts(local string) []LangText {
	var out []LangText
	for _, c := range e.ChildrenNamed(nsClient, local) {
		t := LangText{Lang: c.Lang(), Text: c.Text()}
		if t.Lang == "" {
			t.Lang = e.Lang()
		}
		out = append(out, t)
	}
	return out
}
