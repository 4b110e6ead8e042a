package xmpp

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

const (
	zeroHash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	catURL   = "https://up.example/a/cat.png"
	catSFS   = `<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'><file xmlns='urn:xmpp:file:metadata:0'><media-type>image/png</media-type>` +
		`<name>../my cat.png</name><size>7</size><width>4</width><height>3</height><desc>my cat</desc>` +
		`<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>` + zeroHash + `</hash><hash xmlns='urn:xmpp:hashes:2' algo='md5'>AA==</hash></file>`
	catSources  = `<sources xmlns='urn:xmpp:sfs:0'><url-data xmlns='http://jabber.org/protocol/url-data' target='` + catURL + `'/></sources>`
	catFallback = `<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>`
	catSIMS     = `<reference xmlns='urn:xmpp:reference:0' type='data' begin='0' end='28'><media-sharing xmlns='urn:xmpp:sims:1'><file xmlns='urn:xmpp:jingle:apps:file-transfer:5'>` +
		`<media-type>image/png</media-type><name>cat.png</name><size>7</size></file><sources><reference xmlns='urn:xmpp:reference:0' type='data' uri='` + catURL + `'/></sources></media-sharing></reference>`
)

func cat() gateway.Media {
	return gateway.Media{
		Kind: gateway.MediaImage, Handle: catURL, MIME: "image/png", Name: "my cat.png", Size: 7, Width: 4, Height: 3, SHA256: make([]byte, 32),
	}
}

func parseChat(t *testing.T, inner string) *Element {
	t.Helper()
	el, err := ParseElement([]byte("<message type='chat' from='romeo@example/phone' to='anna7@gw.example' id='u1'>" + inner + "</message>"))
	if err != nil {
		t.Fatal(err)
	}
	return el
}

func TestReadFiles(t *testing.T) {
	plain := gateway.Media{Kind: gateway.MediaImage, Handle: catURL, MIME: "image/png", Name: "cat.png"}
	sims := plain
	sims.Size = 7
	voice := gateway.Media{Kind: gateway.MediaVoice, Handle: "https://up.example/a.ogg", MIME: "audio/ogg", Name: "a.ogg", Duration: 2500}
	attached := cat()
	attached.Kind = gateway.MediaFile
	url := "<body>" + catURL + "</body>"
	for _, tt := range []struct {
		name, xml string
		want      []gateway.Part
	}{
		{"SFS with OOB", url + `<x xmlns='jabber:x:oob'><url>` + catURL + `</url></x>` + catSFS + catSources + `</file-sharing>` + catFallback, []gateway.Part{cat(), gateway.Text{Text: "my cat"}}},
		{"SFS alone", catSFS + catSources + `</file-sharing>`, []gateway.Part{cat(), gateway.Text{Text: "my cat"}}},
		{"caption", `<body>look at him ` + catURL + `</body>` + catSFS + catSources + `</file-sharing>`, []gateway.Part{cat(), gateway.Text{Text: "look at him"}}},
		{
			"caption before the fallback", `<body>*hm* ` + catURL + `</body>` + catSFS + catSources + `</file-sharing>` +
				`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body start='5' end='33'/></fallback>`,
			[]gateway.Part{cat(), gateway.Text{Text: "hm", Spans: []gateway.Span{{Length: 2, Style: gateway.SpanStrong}}}},
		},
		{"SIMS", url + catSIMS, []gateway.Part{sims}},
		{"SIMS and OOB", url + catSIMS + `<x xmlns='jabber:x:oob'><url>` + catURL + `</url></x>`, []gateway.Part{sims}},
		{"an address that follows, alone", url + `<attach-to xmlns='urn:xmpp:message-attaching:1' id='u0'/>` + catSources + catFallback, []gateway.Part{plain}},
		{
			"voice", `<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'><file xmlns='urn:xmpp:file:metadata:0'><media-type>audio/ogg</media-type><length>2500</length></file>` +
				`<sources><url-data xmlns='http://jabber.org/protocol/url-data' target='https://up.example/a.ogg'/></sources></file-sharing>`, []gateway.Part{voice},
		},
		{"attachment", `<file-sharing xmlns='urn:xmpp:sfs:0' disposition='attachment'>` + catSFS[len(`<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>`):] + catSources + `</file-sharing>`, []gateway.Part{attached, gateway.Text{Text: "my cat"}}},
		{"sticker", `<body>🐈</body><sticker xmlns='urn:xmpp:stickers:0'/>` + catSFS + catSources + `</file-sharing>`, []gateway.Part{gateway.Sticker{Media: cat(), Emoji: "🐈"}}},
		{"sticker without a body", `<sticker xmlns='urn:xmpp:stickers:0' pack='p'/>` + catSFS + catSources + `</file-sharing>` + url + catFallback, []gateway.Part{gateway.Sticker{Media: cat(), Emoji: "my cat"}}},
		{
			"several", catSFS + catSources + `</file-sharing><x xmlns='jabber:x:oob'><url>https://up.example/b.pdf</url></x>`,
			[]gateway.Part{cat(), gateway.Media{Kind: gateway.MediaFile, Handle: "https://up.example/b.pdf", MIME: "application/pdf", Name: "b.pdf"}, gateway.Text{Text: "my cat"}},
		},
		{"an address that tells no type", `<x xmlns='jabber:x:oob'><url>HTTPS://up.example/9f</url></x>`, []gateway.Part{gateway.Media{Handle: "https://up.example/9f", Name: "9f"}}},
		{
			"a document of no type", `<file-sharing xmlns='urn:xmpp:sfs:0' disposition='attachment'><file xmlns='urn:xmpp:file:metadata:0'/>` + catSources + `</file-sharing>`,
			[]gateway.Part{gateway.Media{Kind: gateway.MediaFile, Handle: catURL, MIME: "image/png", Name: "cat.png"}},
		},
		{"encrypted and plain", catSFS + `<sources xmlns='urn:xmpp:sfs:0'><encrypted xmlns='urn:xmpp:esfs:0'/><url-data xmlns='http://jabber.org/protocol/url-data' target='` + catURL + `'/></sources></file-sharing>`, []gateway.Part{cat(), gateway.Text{Text: "my cat"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := reading{op: gateway.OpMessage{Content: gateway.Content{Parts: tt.want}}}
			got := readMessage(parseChat(t, tt.xml))
			got.joins = ""
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(reading{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// XEP-0448, XEP-0454: a file that nobody behind the gateway can open is refused
// like any encrypted message.
func TestReadEncryptedFiles(t *testing.T) {
	for _, sources := range []string{
		`<sources xmlns='urn:xmpp:sfs:0'><encrypted xmlns='urn:xmpp:esfs:0' cipher='x'/></sources>`,
		`<sources xmlns='urn:xmpp:sfs:0'><url-data xmlns='http://jabber.org/protocol/url-data' target='aesgcm://up.example/x#k'/></sources>`,
	} {
		for _, xml := range []string{catSFS + sources + `</file-sharing><body>x</body>`, `<attach-to xmlns='urn:xmpp:message-attaching:1' id='u0'/>` + sources} {
			if r := readMessage(parseChat(t, xml)); r.op != nil || r.refused != gateway.NotAcceptable || r.text != gateway.TextEncrypted {
				t.Errorf("%s: got %+v, want a refusal", xml, r)
			}
		}
	}
}

// XEP-0447 §3.3: a description without an address waits for it, not for ever, and
// what follows is about the message that had the description.
func TestShareInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Component{}
		outbound := func(id string, r reading) gateway.Outbound {
			return gateway.Outbound{User: "romeo@example", Alias: "anna7", Stanza: gateway.StanzaID(id), Receipt: id == "u0", Op: gateway.Op{Body: r.op}}
		}
		first := readMessage(parseChat(t, catSFS+`</file-sharing><request xmlns='urn:xmpp:receipts'/>`))
		second := readMessage(parseChat(t, "<body>"+catURL+"</body><x xmlns='jabber:x:oob'><url>"+catURL+"</url></x><attach-to xmlns='urn:xmpp:message-attaching:1' id='u0'/>"+catSources))
		if first.op != nil || first.held == nil || second.joins != "u0" {
			t.Fatalf("got %+v and %+v, want a description, then an address", first, second)
		}
		for _, tt := range []struct {
			wait time.Duration
			want gateway.Media
			id   gateway.StanzaID
		}{
			{time.Minute, cat(), "u0"},
			{shareLasts, gateway.Media{Kind: gateway.MediaImage, Handle: catURL, MIME: "image/png", Name: "cat.png"}, "u1"},
		} {
			out := outbound("u0", first)
			c.share(first, &out)
			<-time.After(tt.wait)
			out = outbound("u1", second)
			c.share(second, &out)
			got := out.Op.Body.(gateway.OpMessage).Content.Parts[0]
			if diff := cmp.Diff(gateway.Part(tt.want), got); diff != "" {
				t.Errorf("after %s: -want +got:\n%s", tt.wait, diff)
			}
			if out.Stanza != tt.id || out.Receipt != (tt.id == "u0") {
				t.Errorf("after %s: got id %s and receipt %v, want %s", tt.wait, out.Stanza, out.Receipt, tt.id)
			}
		}
		for n := range 3 * maxShares {
			c.shares.keep(string(rune(n)), share{})
		}
		if n := len(c.shares.wait); n > maxShares {
			t.Errorf("got %d descriptions in memory, want at most %d", n, maxShares)
		}
	})
}

// A file that was described and never came is told once; one that came is not.
func TestMissingFileIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gw := newFakeGateway(t)
		c := &Component{gw: gw, cfg: Config{Texts: gateway.NewTexts()}, log: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			c.watchShares(ctx)
			close(done)
		}()
		r := readMessage(parseChat(t, catSFS+`</file-sharing>`))
		for _, id := range []gateway.StanzaID{"u0", "u1"} {
			out := gateway.Outbound{Adapter: "castle", User: "romeo@example", Alias: "anna7", Stanza: id, Op: gateway.Op{Lang: "de"}}
			c.share(r, &out)
		}
		c.shares.take(shareKey("romeo@example", "anna7", "u1"))
		for _, want := range []int{0, 1, 1} {
			gw.mu.Lock()
			got := len(gw.shown)
			gw.mu.Unlock()
			if got != want {
				t.Errorf("got %d notices, want %d", got, want)
			}
			<-time.After(shareLasts + shareCheck)
			synctest.Wait()
		}
		stop()
		<-done
		if m := gw.shown[0].What.(gateway.ShowMessage); gw.shown[0].From != "anna7" || gw.shown[0].To != "romeo@example" || !m.Notice || !strings.Contains(m.Content.Parts[0].(gateway.Text).Text, "Adresse kam nicht an") {
			t.Errorf("got %+v, want a notice of the missing file", gw.shown[0])
		}
	})
}
