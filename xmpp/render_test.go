package xmpp

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"postern/gateway"
)

var update = flag.Bool("update", false, "write golden files")

const hostile = "a\x00b\x08c\uFFFEd]]>e\xedf<g>&'\"\r\nh\u202e"

// testDescriptor supports everything that a rendering may announce.
func testDescriptor() gateway.Descriptor {
	return gateway.Descriptor{
		Type: "castle", Platform: "Castle", DiscoType: "whatsapp",
		Caps: gateway.Caps{Levels: map[gateway.Feature]gateway.Level{
			gateway.FeatureText: gateway.Native, gateway.FeatureReply: gateway.Native, gateway.FeatureReact: gateway.Native,
			gateway.FeatureDelivered: gateway.Native, gateway.FeatureReadIn: gateway.Native, gateway.FeatureTypingIn: gateway.Native,
			gateway.FeatureEdit: gateway.Native, gateway.FeatureRetract: gateway.Native,
		}, ReactionsMax: 1},
	}
}

func testRenderer() Renderer {
	return Renderer{texts: gateway.NewTexts(), profiles: map[string]*profile{testDomain: newProfile(testDomain, "Castle", testDescriptor(), nil)}}
}

func text(s string, spans ...gateway.Span) gateway.Content {
	return gateway.Content{Parts: []gateway.Part{gateway.Text{Text: s, Spans: spans}}}
}

func parts(p ...gateway.Part) gateway.Content { return gateway.Content{Parts: p} }

// basicCases holds every kind of Shown; names are those of the golden files.
func basicCases() map[string]gateway.Shown {
	day := time.Date(2026, 5, 4, 9, 2, 3, 0, time.FixedZone("", 7200))
	return map[string]gateway.Shown{
		"message":         gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("hello & <hi>")},
		"message-first":   gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("hello"), Name: "Anna\x00 " + hostile},
		"message-notice":  gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("Your account is suspended."), Notice: true},
		"message-hostile": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text(hostile)},
		"message-parts": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1", "m2", "m3"}, Content: parts(
			gateway.Media{Kind: gateway.MediaImage, Handle: "https://up.example/9f/cat.jpg"}, gateway.Text{Text: "look at him"},
			gateway.Media{Kind: gateway.MediaFile, Handle: "native-4711", Name: "x.pdf"})},
		"message-location": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Location{Lat: 45.5, Lon: -9.25, Name: "Bar", Address: "Via 1"})},
		"message-card":     gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.ContactCard{Name: "Bob", Phones: []string{"+391"}, Emails: []string{"b@x.example"}})},
		"message-poll":     gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Poll{Question: "When?", Options: []gateway.Choice{{ID: "1", Title: "now"}, {ID: "2", Title: "later"}}})},
		"message-interactive": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(
			gateway.Interactive{Header: "Shop", Body: "Pick one", Footer: "thanks", Choices: []gateway.Choice{{ID: "a", Title: "Red"}, {ID: "b", Title: "Blue"}}})},
		"message-empty":            gateway.ShowMessage{IDs: []gateway.StanzaID{"m1", "m2"}, Content: parts(gateway.Text{Text: "\x00 "}, gateway.Text{})},
		"message-half":             gateway.ShowMessage{IDs: []gateway.StanzaID{"m1", "m2"}, Content: parts(gateway.Text{}, gateway.Text{Text: "second"})},
		"message-sticker":          gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.Sticker{Emoji: "🎂"})},
		"message-unsupported-any":  gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.UnsupportedPart{Type: gateway.UnsupportedAny})},
		"message-unsupported-edit": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.UnsupportedPart{Type: gateway.UnsupportedEdit})},
		"message-unsupported":      gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: parts(gateway.UnsupportedPart{Type: "dice", Excerpt: "6"})},
		"message-styled": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("bold 🎂 it\nand more, code, see here",
			gateway.Span{Start: 0, Length: 9, Style: gateway.SpanStrong}, gateway.Span{Start: 5, Length: 2, Style: gateway.SpanEmphasis},
			gateway.Span{Start: 7, Length: 6, Style: gateway.SpanDeleted}, gateway.Span{Start: 20, Length: 4, Style: gateway.SpanCode},
			gateway.Span{Start: 30, Length: 99, Style: gateway.SpanLink, URL: "https://x.example"},
			gateway.Span{Start: 900, Length: -3, Style: gateway.SpanDeleted})},
		"message-reply": gateway.ShowMessage{
			IDs: []gateway.StanzaID{"m1"}, Content: text("sì"),
			ReplyTo: &gateway.ShownTarget{Stanza: "q7", Mine: true, Quote: "torta 🎂 buona\n\x01👨‍👩‍👧 שלום"},
		},
		"message-reply-theirs": gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("as I said"), ReplyTo: &gateway.ShownTarget{Stanza: "q7"}},
		"edit":                 gateway.ShowEdit{ID: "e1", Of: "m1", Content: text("hello again")},
		"retract":              gateway.ShowRetract{ID: "r1", Of: "m1"},
		"react":                gateway.ShowReact{ID: "r2", Of: "m1", Emojis: []string{"👍", "👍", "\x00", "🎂"}},
		"react-none":           gateway.ShowReact{ID: "r3", Of: "m1"},
		"receipt":              gateway.ShowReceipt{ID: "r4", Of: "u1"},
		"displayed":            gateway.ShowDisplayed{ID: "r5", Of: "u1"},
		"typing":               gateway.ShowTyping{On: true},
		"typing-paused":        gateway.ShowTyping{},
		"error":                gateway.ShowError{Of: "u1", Refusal: gateway.Refusal{Condition: gateway.RemoteServerTimeout, Text: "Castle is away. " + hostile}},
		"subscribe":            gateway.ShowSubscription{Verb: gateway.Subscribe, Name: hostile},
		"subscribed":           gateway.ShowSubscription{Verb: gateway.Subscribed, Name: "Anna"},
		"unsubscribe":          gateway.ShowSubscription{Verb: gateway.Unsubscribe},
		"unsubscribed":         gateway.ShowSubscription{Verb: gateway.Unsubscribed},
		"presence":             gateway.ShowPresence{Available: true, Status: "+39 ***34"},
		"presence-away":        gateway.ShowPresence{Available: true, Away: true, LastSeen: day},
		"presence-unavailable": gateway.ShowPresence{},
		"probe":                gateway.ShowProbe{},
	}
}

func rendering(name string, what gateway.Shown) gateway.Rendering {
	g := gateway.Rendering{Component: testDomain, From: "anna7", To: "romeo@example", Lang: "en", What: what}
	switch name {
	case "error":
		g.Resource = "phone"
	case "message-notice", "probe", "presence":
		g.From = "" // the gateway itself
	}
	return g
}

func TestRenderGolden(t *testing.T) {
	for name, what := range renderCases() {
		t.Run(name, func(t *testing.T) {
			got, err := testRenderer().Render(rendering(name, what))
			if err != nil {
				t.Fatal(err)
			}
			again, _ := testRenderer().Render(rendering(name, what))
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("not the same at a replay: %s", diff)
			}
			a := txtar.Archive{Comment: []byte(name + ": " + strconv.Itoa(len(got)) + " stanza(s)\n")}
			for i, b := range got {
				if err := wellFormed(b); err != nil {
					t.Errorf("not well-formed: %v", err)
				}
				a.Files = append(a.Files, txtar.File{Name: strconv.Itoa(i+1) + ".xml", Data: append(b, '\n')})
			}
			file := filepath.Join("testdata", "render", name+".txtar")
			if *update {
				if err := os.WriteFile(file, txtar.Format(&a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(txtar.Format(&a))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "render", "*.txtar"))
	if err != nil || len(files) != len(renderCases()) {
		t.Errorf("got %d golden files (%v), want %d", len(files), err, len(renderCases()))
	}
}

// wellFormed reads with a parser that shares no code with the package.
func wellFormed(b []byte) error {
	d := xml.NewDecoder(strings.NewReader(string(b)))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// XEP-0359: everything that has an id has the same origin-id; XEP-0184 and 0333
// are asked for on what a contact says; nobody but the user's server stamps
// stanza-id.
func TestRenderIDs(t *testing.T) {
	for name, what := range renderCases() {
		out, err := testRenderer().Render(rendering(name, what))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, b := range out {
			el, err := ParseElement(b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if el.From().Domain() != testDomain || el.To().IsZero() {
				t.Errorf("%s: got from %q to %q", name, el.Attr("from"), el.Attr("to"))
			}
			if el.Child(nsSID, "stanza-id") != nil {
				t.Errorf("%s: has a stanza-id", name)
			}
			if !el.Is(nsClient, "message") || el.Type() == "error" || name == "typing" || name == "typing-paused" {
				continue
			}
			if id := el.Child(nsSID, "origin-id").Attr("id"); id == "" || id != el.ID() {
				t.Errorf("%s: got id %q and origin-id %q", name, el.ID(), id)
			}
			_, body := el.Body()
			asks := el.Child(nsReceipts, "request") != nil && el.Child(nsChatMarkers, "markable") != nil
			if wants := body && name != "retract" && name != "message-notice" && name != "edit-notice" && el.ID() != "r2.1"; asks != wants {
				t.Errorf("%s: asks for receipt and marker: got %v, want %v", name, asks, wants)
			}
			if !body && el.Child(nsHints, "store") == nil {
				t.Errorf("%s: body-less and without a store hint", name)
			}
		}
	}
}

// XEP-0461 with XEP-0428: the range of the fallback, counted in code points on
// the text as it arrives, leaves exactly the answer.
func TestReplyFallbackCounts(t *testing.T) {
	for _, quote := range []string{"torta 🎂 buona", "👨‍👩‍👧", "שלום", "a\x01\x02b", "line\nline", strings.Repeat("🎂", 500), "\xff\xfe"} {
		out, err := Renderer{}.Render(rendering("", gateway.ShowMessage{
			IDs: []gateway.StanzaID{"m"}, Content: text("answer"), ReplyTo: &gateway.ShownTarget{Stanza: "q", Quote: quote},
		}))
		if err != nil {
			t.Fatal(err)
		}
		el, err := ParseElement(out[0])
		if err != nil {
			t.Fatal(err)
		}
		body, _ := el.Body()
		end, err := strconv.Atoi(el.Child(nsFallback, "fallback").Child(nsFallback, "body").Attr("end"))
		if err != nil {
			t.Fatal(err)
		}
		if got := string([]rune(body)[end:]); got != "answer" {
			t.Errorf("%q: got %q after the fallback, want %q", quote, got, "answer")
		}
	}
}

func TestRenderLongText(t *testing.T) {
	long := strings.Repeat("wörter ", 20_000)
	out, err := testRenderer().Render(rendering("", gateway.ShowMessage{IDs: []gateway.StanzaID{"m"}, Content: text(long)}))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	ids := make(map[string]bool)
	for _, b := range out {
		if len(b) > 200<<10 {
			t.Errorf("got a stanza of %d bytes, want at most 200 KiB", len(b))
		}
		el, err := ParseElement(b)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := el.Body()
		if !utf8.ValidString(body) {
			t.Error("a character was cut")
		}
		got.WriteString(body)
		ids[el.ID()] = true
	}
	if got.String() != long {
		t.Error("the pieces are not the text")
	}
	if len(ids) != len(out) || len(out) < 2 {
		t.Errorf("got %d ids for %d stanzas", len(ids), len(out))
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, g := range map[string]gateway.Rendering{
		"no address":   {Component: testDomain, From: "a", To: "@", What: gateway.ShowTyping{}},
		"no component": {From: "a", To: "u@example", What: gateway.ShowTyping{}},
		"no id":        {Component: testDomain, From: "a", To: "u@example", What: gateway.ShowMessage{Content: text("x")}},
		"no id given":  {Component: testDomain, From: "a", To: "u@example", What: gateway.ShowReceipt{Of: "x"}},
		"nothing":      {Component: testDomain, From: "a", To: "u@example"},
	} {
		if out, err := testRenderer().Render(g); err == nil {
			t.Errorf("%s: got %d stanzas, want an error", name, len(out))
		}
	}
}

// XEP-0115 §5: presence announces the very description that disco#info gives.
func TestProfileCaps(t *testing.T) {
	p := newProfile(testDomain, "", testDescriptor(), nil)
	if got := p.caps(true, nil).Attr("ver"); got != contactInfo("Castle", testDescriptor().Caps).ver() || got == p.caps(false, nil).Attr("ver") {
		t.Errorf("got %s", got)
	}
	without := testDescriptor().Caps
	without.Levels = map[gateway.Feature]gateway.Level{gateway.FeatureText: gateway.Native}
	if got := p.caps(true, &without).Attr("ver"); got != contactInfo("Castle", without).ver() || got == p.caps(true, nil).Attr("ver") {
		t.Errorf("of a chat that lacks much: got %s, want its own", got)
	}
	bare := contactInfo("Castle", gateway.Caps{})
	for _, ns := range []string{nsReceipts, nsChatMarkers, nsChatStates, nsCorrect, nsRetract, nsReactions, nsReply, nsOOB} {
		for _, f := range bare.features {
			if f == ns {
				t.Errorf("announces %s without the capability", ns)
			}
		}
	}
	if len(bare.forms) != 0 {
		t.Error("announces limits of reactions without reactions")
	}
}

func BenchmarkRender(b *testing.B) {
	r := testRenderer()
	g := rendering("", gateway.ShowMessage{IDs: []gateway.StanzaID{"m1"}, Content: text("how are you?")})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Render(g); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEditLosesNothing: what is too long for one correction goes on in messages of their own.
func TestEditLosesNothing(t *testing.T) {
	long := strings.Repeat("torta 🎂 buona ", 5000)
	stanzas, err := Renderer{}.Render(rendering("edit", gateway.ShowEdit{ID: "e1", Of: "m1", Content: text(long)}))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for n, raw := range stanzas {
		el, err := ParseElement(raw)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := el.Body()
		said.WriteString(body)
		if got := el.Child(nsCorrect, "replace") != nil; got != (n == 0) {
			t.Errorf("stanza %d: got a correction %v, want it in the first alone", n, got)
		}
		if want := derivedID("e1", n); el.ID() != string(want) {
			t.Errorf("stanza %d: got id %q, want %q", n, el.ID(), want)
		}
	}
	if said.String() != long {
		t.Errorf("got %d bytes in %d stanzas, want all %d", said.Len(), len(stanzas), len(long))
	}
}
