package xmpp

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func TestReadMessage(t *testing.T) {
	quiet := reading{quiet: true}
	encrypted := reading{refused: gateway.NotAcceptable, text: gateway.TextEncrypted}
	bad := reading{refused: gateway.BadRequest, text: gateway.TextNotAChat}
	said := func(s string) reading { return reading{op: gateway.OpMessage{Content: gateway.PlainText(s)}} }
	tests := []struct {
		name, attrs, xml string
		want             reading
	}{
		{"text", "", `<body>hi</body>`, said("hi")},
		{"normal", "type='normal'", `<body>hi</body>`, said("hi")},
		{"unknown type", "type='x'", `<body>hi</body>`, said("hi")},
		{"text with chat state", "", `<active xmlns='http://jabber.org/protocol/chatstates'/><body>hi</body>`, said("hi")},
		{"nested body is not ours", "", `<x xmlns='a:b'><body xmlns='jabber:client'>no</body></x>`, quiet},
		{"message in a message", "", `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>no</body></message></forwarded>`, quiet},
		{"body of another namespace", "", `<body xmlns='a:b'>no</body>`, quiet},
		{"html only", "", `<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>no</body></html>`, quiet},
		{"empty body", "", `<body/>`, quiet},
		{"nothing", "", ``, quiet},
		{"unknown payload", "", `<thing xmlns='a:b'/>`, quiet},
		{"groupchat", "type='groupchat'", `<body>hi</body>`, bad},
		{"groupchat without body", "type='groupchat'", `<subject>x</subject>`, bad},
		{"headline", "type='headline'", `<body>hi</body>`, bad},
		{"headline event", "type='headline'", `<event xmlns='http://jabber.org/protocol/pubsub#event'/>`, quiet},
		{"languages", "xml:lang='it'", `<body xml:lang='en'>hello</body><body xml:lang='it'>ciao</body>`, said("ciao")},
		{"no such language", "xml:lang='fr'", `<body xml:lang='en'>hello</body><body>plain</body>`, said("plain")},
		{"first language", "", `<body xml:lang='en'>hello</body><body xml:lang='it'>ciao</body>`, said("hello")},
		{"subject", "", `<subject>Re: x</subject><body>hi</body>`, reading{op: gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{
			gateway.Text{Text: "Re: x\nhi", Spans: []gateway.Span{{Length: 5, Style: gateway.SpanStrong}}},
		}}}}},
		{"edit", "", `<body>better</body><replace xmlns='urn:xmpp:message-correct:0' id='o1'/>`, reading{op: gateway.OpEdit{
			Target: gateway.Target{Stanza: "o1", Mine: true}, Content: gateway.PlainText("better"),
		}}},
		{"edit without content", "", `<replace xmlns='urn:xmpp:message-correct:0' id='o1'/>`, reading{refused: gateway.BadRequest, text: gateway.TextEmpty}},
		{"edit without id", "", `<body>x</body><replace xmlns='urn:xmpp:message-correct:0'/>`, said("x")},
		{"retract", "", `<retract xmlns='urn:xmpp:message-retract:1' id='o1'/><body>/me fallback</body>`, reading{op: gateway.OpRetract{Target: gateway.Target{Stanza: "o1", Mine: true}}}},
		{
			"retract of old", "", `<apply-to xmlns='urn:xmpp:fasten:0' id='o1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to><body>/me fallback</body>`,
			reading{op: gateway.OpRetract{Target: gateway.Target{Stanza: "o1", Mine: true}}},
		},
		{
			"react", "", `<reactions xmlns='urn:xmpp:reactions:0' id='c1'><reaction>👍</reaction><reaction>👍</reaction><reaction/></reactions><body>&gt; x 👍</body>`,
			reading{op: gateway.OpReact{Target: gateway.Target{Stanza: "c1"}, Emojis: []string{"👍"}}},
		},
		{"unreact", "", `<reactions xmlns='urn:xmpp:reactions:0' id='c1'/>`, reading{op: gateway.OpReact{Target: gateway.Target{Stanza: "c1"}}}},
		{"marker", "", `<displayed xmlns='urn:xmpp:chat-markers:0' id='c1'/>`, reading{op: gateway.OpMarkRead{UpTo: gateway.Target{Stanza: "c1"}}, quiet: true}},
		{"marker of old", "", `<received xmlns='urn:xmpp:chat-markers:0' id='c1'/>`, quiet},
		{"receipt is not reading", "", `<received xmlns='urn:xmpp:receipts' id='c1'/>`, quiet},
		{"composing", "", `<composing xmlns='http://jabber.org/protocol/chatstates'/>`, reading{op: gateway.OpTyping{On: true}, quiet: true}},
		{"paused", "", `<paused xmlns='http://jabber.org/protocol/chatstates'/>`, reading{op: gateway.OpTyping{}, quiet: true}},
		{"gone", "", `<gone xmlns='http://jabber.org/protocol/chatstates'/>`, quiet},
		{
			"reply", "", "<body>&gt; Anna wrote:\n&gt; torta 🎂 buona\nsì</body><reply xmlns='urn:xmpp:reply:0' id='c1' to='anna7@gw.example/gateway'/>" +
				`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='30'/></fallback>`,
			reading{op: gateway.OpMessage{Content: gateway.PlainText("sì"), ReplyTo: &gateway.Target{Stanza: "c1", Excerpt: "Anna wrote:\ntorta 🎂 buona"}}},
		},
		{
			"reply to oneself", "", `<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='u1' to='romeo@example/x'/>`,
			reading{op: gateway.OpMessage{Content: gateway.PlainText("yes"), ReplyTo: &gateway.Target{Stanza: "u1", Mine: true}}},
		},
		{
			"reply with a range out of bounds", "", `<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='c1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='-5' end='9999'/></fallback>`,
			reading{op: gateway.OpMessage{Content: gateway.PlainText("yes"), ReplyTo: &gateway.Target{Stanza: "c1"}}},
		},
		{
			"file", "", `<body>https://up.example/a/cat.png</body><x xmlns='jabber:x:oob'><url>https://up.example/a/cat.png</url></x>`,
			reading{op: gateway.OpMessage{Content: parts(gateway.Media{Kind: gateway.MediaImage, Handle: "https://up.example/a/cat.png", MIME: "image/png", Name: "cat.png"})}},
		},
		{
			"file with caption", "", `<body>look https://up.example/cat.png</body><x xmlns='jabber:x:oob'><url>https://up.example/cat.png</url></x>`,
			reading{op: gateway.OpMessage{Content: parts(
				gateway.Media{Kind: gateway.MediaImage, Handle: "https://up.example/cat.png", MIME: "image/png", Name: "cat.png"}, gateway.Text{Text: "look"})}},
		},
		{"file of no web address", "", `<body>x</body><x xmlns='jabber:x:oob'><url>file:///etc/passwd</url></x>`, said("x")},
		{"place", "", `<body>geo:45.5,-9.25;u=10</body>`, reading{op: gateway.OpMessage{Content: parts(gateway.Location{Lat: 45.5, Lon: -9.25, Accuracy: 10})}}},
		{"no place on earth", "", `<body>geo:95,0</body>`, said("geo:95,0")},

		{"omemo", "", `<encrypted xmlns='eu.siacs.conversations.axolotl'><header/><payload>x</payload></encrypted><body>I sent you an OMEMO message</body>`, encrypted},
		{"omemo 2", "", `<encrypted xmlns='urn:xmpp:omemo:2'><header/><payload>x</payload></encrypted>`, encrypted},
		{"omemo key transport", "", `<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/>`, quiet},
		{"omemo keys beside words", "", `<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted><body>fallback</body>`, encrypted},
		{"aesgcm behind a quote", "", `<body>&gt; so? &lt;aesgcm://up.example/x#k&gt;</body>`, encrypted},
		{"aesgcm of SIMS", "", `<body>x</body><reference xmlns='urn:xmpp:reference:0' type='data'><media-sharing xmlns='urn:xmpp:sims:1'><sources><reference xmlns='urn:xmpp:reference:0' type='data' uri='aesgcm://up.example/x#k'/></sources></media-sharing></reference>`, encrypted},
		{"aesgcm behind space", "", `<body>x</body><x xmlns='jabber:x:oob'><url> aesgcm://up.example/x#k</url></x>`, encrypted},
		{"eme", "", `<encryption xmlns='urn:xmpp:eme:0' namespace='urn:x'/><body>fallback</body>`, encrypted},
		{"eme of a correction", "", `<encryption xmlns='urn:xmpp:eme:0' namespace='urn:x'/><body>fallback</body><replace xmlns='urn:xmpp:message-correct:0' id='o1'/>`, encrypted},
		{"openpgp", "", `<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp><body>fallback</body>`, encrypted},
		{"pgp of old", "", `<x xmlns='jabber:x:encrypted'>x</x><body>fallback</body>`, encrypted},
		{"otr", "", `<body>?OTRv23?</body>`, encrypted},
		{"aesgcm", "", `<body>aesgcm://up.example/x#k</body>`, encrypted},
		{"aesgcm beside", "", `<body>x</body><x xmlns='jabber:x:oob'><url>AESGCM://up.example/x#k</url></x>`, encrypted},
		{"encrypted groupchat", "type='groupchat'", `<encrypted xmlns='urn:xmpp:omemo:2'><payload/></encrypted>`, bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			attrs := tt.attrs
			if attrs == "" {
				attrs = "type='chat'"
			}
			el, err := ParseElement([]byte("<message " + attrs + " from='romeo@example/phone' to='anna7@gw.example' id='u1'>" + tt.xml + "</message>"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, readMessage(el), cmp.AllowUnexported(reading{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A resend is the same message however servers and clients stamp it; other
// content is not.
func TestPayloadDigest(t *testing.T) {
	digest := func(xml string) string {
		el, err := ParseElement([]byte("<message type='chat' from='romeo@example/phone' to='anna7@gw.example' id='u1'>" + xml + "</message>"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := payloadDigest(readMessage(el).op)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := digest(`<body>hi</body>`)
	if digest(`<body>hi</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>`) != first {
		t.Error("a delay stamp makes another message")
	}
	if digest(`<body>ho</body>`) == first {
		t.Error("another text makes the same message")
	}
}

// Whatever a client sends, reading it gives at most one thing to do and never a
// body that the guard has found to be encrypted.
func FuzzReadMessage(f *testing.F) {
	for _, seed := range []string{
		`<body>hi</body>`, `<body>a🎂b</body><reply xmlns='urn:xmpp:reply:0' id='1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='1' end='2'/></fallback>`,
		`<encrypted xmlns='urn:xmpp:omemo:2'><payload/></encrypted><body>x</body>`, `<subject>s</subject><body>geo:1,2</body><x xmlns='jabber:x:oob'><url>https://x/y.png</url></x>`,
		`<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>x</reaction></reactions>`, `<apply-to xmlns='urn:xmpp:fasten:0' id='1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>`,
		`<body>a *b* https://x/y.png</body><file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'><file xmlns='urn:xmpp:file:metadata:0'><media-type>image/png</media-type><name>x</name><size>9</size></file><sources><url-data xmlns='http://jabber.org/protocol/url-data' target='https://x/y.png'/></sources></file-sharing><sticker xmlns='urn:xmpp:stickers:0'/>`,
		`<body>&gt; a\nb</body><markup xmlns='urn:xmpp:markup:0'><span start='1' end='2'><strong/></span><bcode start='0' end='9'/><bquote start='-1' end='3'/></markup><spoiler xmlns='urn:xmpp:spoiler:0'>x</spoiler><subject>s</subject>`,
		`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body start='9' end='1'/></fallback><body>x https://x/y</body><x xmlns='jabber:x:oob'><url>https://x/y</url></x><attach-to xmlns='urn:xmpp:message-attaching:1' id='1'/><sources xmlns='urn:xmpp:sfs:0'/>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, inner string) {
		el, err := ParseElement([]byte("<message type='chat' from='romeo@example/phone' to='anna7@gw.example' id='u1'>" + inner + "</message>"))
		if err != nil {
			return
		}
		r := readMessage(el)
		if r.op != nil && r.refused != "" {
			t.Errorf("got %+v: to do and refused", r)
		}
		if guard(el) != cipherNone && r.op != nil {
			t.Errorf("got %+v of an encrypted message", r)
		}
		if r.op != nil {
			if _, err := payloadDigest(r.op); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkReadMessage(b *testing.B) {
	el, err := ParseElement([]byte("<message type='chat' from='romeo@example/phone' to='anna7@gw.example' id='u1'><body>how are you?</body>" +
		"<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='u1'/></message>"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := payloadDigest(readMessage(el).op); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlainPayload: a text has the digest that it had as JSON, so that a resend is recognised however the first was read.
func TestPlainPayload(t *testing.T) {
	for _, op := range []gateway.OpBody{
		gateway.OpMessage{Content: gateway.PlainText("")},
		gateway.OpMessage{Content: gateway.PlainText("good \"morrow\" <a&b> \u2028 é 🎂\n\x01 \xff")},
	} {
		got, ok := plainPayload(op)
		want, err := json.Marshal(gateway.Op{Body: op})
		if err != nil || !ok || string(got) != string(want) {
			t.Errorf("got %s (%v, %v), want %s", got, ok, err, want)
		}
	}
	for _, op := range []gateway.OpBody{
		gateway.OpEdit{Content: gateway.PlainText("a")},
		gateway.OpMessage{Content: gateway.PlainText("a"), ReplyTo: &gateway.Target{Stanza: "s"}},
		gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{gateway.Text{Text: "a"}, gateway.Text{Text: "b"}}}},
		gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{gateway.Text{Text: "a", Spans: []gateway.Span{{Length: 1, Style: gateway.SpanCode}}}}}},
		gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{gateway.Text{Text: "a", Previews: []gateway.Preview{{URL: "u"}}}}}},
		gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{gateway.Location{}}}},
	} {
		if got, ok := plainPayload(op); ok {
			t.Errorf("%#v: got %s, want the long way", op, got)
		}
	}
}
