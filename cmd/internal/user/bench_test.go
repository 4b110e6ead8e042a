package user

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// BenchmarkTake is what reading one message of the gateway costs.
func BenchmarkTake(b *testing.B) {
	const message = `<message type='chat' from='c3zau664soofarxf@gatekeeper.localhost/gateway' to='romeo@localhost' id='c3zau664soofarxfmopujiw7ve' xml:lang='en'>` +
		`<body>It is the east, and I am on the balcony &amp; &lt;listening&gt;.</body><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>` +
		`<origin-id xmlns='urn:xmpp:sid:0' id='c3zau664soofarxfmopujiw7ve'/><stanza-id xmlns='urn:xmpp:sid:0' id='2228120b-858d-4c15-9e37-34d1cb2ea8fb' by='romeo@localhost'/></message>`
	read := 0
	c, err := New(Config{JID: "romeo@localhost", Sink: func(s *Stanza) {
		if s.Body != "" {
			read++
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	d := xml.NewDecoder(io.MultiReader(strings.NewReader("<stream xmlns='jabber:client'>"), &endless{text: message}))
	if _, err := d.Token(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		tok, err := d.Token()
		start, ok := tok.(xml.StartElement)
		if err != nil || !ok {
			b.Fatalf("token: got %v, %v", tok, err)
		}
		e, err := readElement(d, start)
		if err != nil {
			b.Fatal(err)
		}
		c.take(nil, e)
	}
	if read == 0 {
		b.Error("no message was read")
	}
}

// endless repeats a text for ever.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}
