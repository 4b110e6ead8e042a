package xmpp

import (
	"io"
	"testing"
)

// realStanza is what a current client sends through Prosody; smallStanza the least.
const (
	realStanza = "<message id='b3c1a2f0-7f6e-4b8e-9a55-0c2b7f9a1d11' from='anna@example.org/conversations.X4vR' type='chat' to='393331234567@whatsapp.example.org'>" +
		"<body>Ciao! Are we still meeting tomorrow at eight? I'll bring the cake.</body>" +
		"<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>" +
		"<origin-id xmlns='urn:xmpp:sid:0' id='b3c1a2f0-7f6e-4b8e-9a55-0c2b7f9a1d11'/>" +
		"<stanza-id xmlns='urn:xmpp:sid:0' id='2024-05-01-a1b2c3' by='anna@example.org'/></message>"
	smallStanza = "<message from='anna@example.org/x' to='c@gw.example.org' id='1' type='chat'><body>hello</body></message>"
)

// loop yields a stream header and then the same stanza for ever.
type loop struct {
	stanza []byte
	head   string
	off    int
}

func (l *loop) Read(b []byte) (int, error) {
	if l.head != "" {
		n := copy(b, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	n := 0
	for n < len(b) {
		c := copy(b[n:], l.stanza[l.off:])
		l.off = (l.off + c) % len(l.stanza)
		n += c
	}
	return n, nil
}

var _ io.Reader = (*loop)(nil)

func eachStanza(b *testing.B, run func(*testing.B, string)) {
	for name, s := range map[string]string{"small": smallStanza, "real": realStanza} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			run(b, s)
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	eachStanza(b, func(b *testing.B, s string) {
		f := newFramer(&loop{stanza: []byte(s), head: streamHeader}, 0, 0)
		if _, err := f.next(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if fr, err := f.next(); err != nil || len(fr.raw) != len(s) {
				b.Fatal(string(fr.raw), err)
			}
		}
	})
}

func BenchmarkTree(b *testing.B) {
	eachStanza(b, func(b *testing.B, s string) {
		p := &parser{maxDepth: defaultMaxDepth, base: streamBindings()}
		raw := []byte(s)
		for b.Loop() {
			e, err := p.parse(raw)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ParseJID(e.Attr("from")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	eachStanza(b, func(b *testing.B, s string) {
		e := mustParse(b, s)
		var buf []byte
		for b.Loop() {
			buf = e.AppendTo(buf[:0])
		}
	})
}
