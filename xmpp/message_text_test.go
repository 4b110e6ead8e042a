package xmpp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func TestReadText(t *testing.T) {
	span := func(start, length int, s gateway.SpanStyle) gateway.Span {
		return gateway.Span{Start: start, Length: length, Style: s}
	}
	said := func(s string, spans ...gateway.Span) gateway.Part { return gateway.Text{Text: s, Spans: spans} }
	for _, tt := range []struct {
		name, xml string
		want      gateway.Part
	}{
		{"styled", `<body>so *bold* 🎂 _it_</body>`, said("so bold 🎂 it", span(3, 4, gateway.SpanStrong), span(10, 2, gateway.SpanEmphasis))},
		{"unstyled", `<body>2 *3* 4</body><unstyled xmlns='urn:xmpp:styling:0'/>`, said("2 *3* 4")},
		{
			"markup", `<body>so bold 🎂 it *x*</body><markup xmlns='urn:xmpp:markup:0'><span start='3' end='7'><strong/></span><span start='10' end='12'><emphasis/><deleted/></span></markup>`,
			said("so bold 🎂 it *x*", span(3, 4, gateway.SpanStrong), span(10, 2, gateway.SpanEmphasis), span(10, 2, gateway.SpanDeleted)),
		},
		{"markup beside marks", `<body>so *bold*</body><markup xmlns='urn:xmpp:markup:0'><span start='4' end='8'><strong/></span></markup>`, said("so bold", span(3, 4, gateway.SpanStrong))},
		{"markup over marks", `<body>so *bold*</body><markup xmlns='urn:xmpp:markup:0'><span start='3' end='9'><strong/></span></markup>`, said("so bold", span(3, 4, gateway.SpanStrong))},
		{
			"markup of blocks", "<body>&gt; she said\n&gt; so\nx := 1</body><markup xmlns='urn:xmpp:markup:0'><bquote start='2' end='15'/><bcode start='16' end='22'/></markup>",
			said("she said\nso\nx := 1", span(0, 11, gateway.SpanQuote), span(12, 6, gateway.SpanPre)),
		},
		{"markup out of bounds", `<body>x</body><markup xmlns='urn:xmpp:markup:0'><span start='-3' end='99'><strong/></span><span start='9' end='2'><code/></span><li start='0'/></markup>`, said("x", span(0, 1, gateway.SpanStrong))},
		{"spoiler", `<body>he dies</body><spoiler xmlns='urn:xmpp:spoiler:0'>the end</spoiler>`, said("the end\nhe dies", span(8, 7, gateway.SpanSpoiler))},
		{"spoiler without a hint", `<body>he *dies*</body><spoiler xmlns='urn:xmpp:spoiler:0'/>`, said("he dies", span(3, 4, gateway.SpanStrong), span(0, 7, gateway.SpanSpoiler))},
		{"subject before styles", `<subject>Re: x</subject><body>*hi*</body>`, said("Re: x\nhi", span(0, 5, gateway.SpanStrong), span(6, 2, gateway.SpanStrong))},
		{"me", `<body>/me waves</body>`, said("/me waves")},
		{
			"link", `<body>see https://x.example/a</body><rdf:Description xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' rdf:about='https://x.example/a'>` +
				`<og:title xmlns:og='https://ogp.me/ns#'>A  page</og:title><og:image xmlns:og='https://ogp.me/ns#'>http://x.example/a.png</og:image></rdf:Description>` +
				`<rdf:Description xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' rdf:about='file:///etc/passwd'/>`,
			gateway.Text{Text: "see https://x.example/a", Previews: []gateway.Preview{{URL: "https://x.example/a", Title: "A page"}}},
		},
		{"place with its name", "<body>geo:45.5,-9.25;u=10\nBar</body>", gateway.Location{Lat: 45.5, Lon: -9.25, Accuracy: 10, Name: "Bar"}},
		{"place of a map", `<body>geo:45.5,-9.25?z=1&amp;q=45.5,-9.25(The+Bar)</body>`, gateway.Location{Lat: 45.5, Lon: -9.25, Name: "The Bar"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := reading{op: gateway.OpMessage{Content: gateway.Content{Parts: []gateway.Part{tt.want}}}}
			if diff := cmp.Diff(want, readMessage(parseChat(t, tt.xml)), cmp.AllowUnexported(reading{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// XEP-0394 with XEP-0461: offsets count from the body as sent, with the quote that
// stands in for the reply.
func TestReadMarkupBehindAQuote(t *testing.T) {
	el := parseChat(t, "<body>&gt; torta 🎂 buona\nso *bold*</body><reply xmlns='urn:xmpp:reply:0' id='c1'/>"+
		"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='16'/></fallback>"+
		"<markup xmlns='urn:xmpp:markup:0'><span start='20' end='24'><strong/></span></markup>")
	want := gateway.OpMessage{
		Content: gateway.Content{Parts: []gateway.Part{gateway.Text{Text: "so bold", Spans: []gateway.Span{{Start: 3, Length: 4, Style: gateway.SpanStrong}}}}},
		ReplyTo: &gateway.Target{Stanza: "c1", Excerpt: "torta 🎂 buona"},
	}
	if diff := cmp.Diff(gateway.OpBody(want), readMessage(el).op); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What is rendered with styles of every kind is read back as the same text.
func TestStylesThereAndBack(t *testing.T) {
	for name, content := range map[string]gateway.Text{
		"spans": {Text: "so bold 🎂 it", Spans: []gateway.Span{{Start: 3, Length: 4, Style: gateway.SpanStrong}, {Start: 10, Length: 2, Style: gateway.SpanEmphasis}}},
		"quote": {Text: "she said\nso\nyes", Spans: []gateway.Span{{Start: 0, Length: 11, Style: gateway.SpanQuote}}},
		"pre":   {Text: "look:\nx := *y*", Spans: []gateway.Span{{Start: 6, Length: 8, Style: gateway.SpanPre}}},
		"plain": {Text: "2 *3* 4"},
		"link":  {Text: "https://x.example", Previews: []gateway.Preview{{URL: "https://x.example", Title: "X", Description: "about it", Image: "https://x.example/i.png"}}},
	} {
		out, err := testRenderer().Render(rendering("", gateway.ShowMessage{IDs: []gateway.StanzaID{"m"}, Content: parts(content), ReplyTo: &gateway.ShownTarget{Stanza: "q", Quote: "🎂?"}}))
		if err != nil {
			t.Fatal(err)
		}
		el, err := ParseElement(out[0])
		if err != nil {
			t.Fatal(err)
		}
		read, _, _, _ := readContent(el)
		if diff := cmp.Diff(parts(content), read); diff != "" {
			t.Errorf("%s: %s\n-want +got:\n%s", name, out[0], diff)
		}
	}
}

// XEP-0428 §3: ranges that overlap say once what they stand for, and no number of
// them makes a message large.
func TestFallbackRangesAreBounded(t *testing.T) {
	words := strings.Repeat("word ", 10_000)
	el := parseChat(t, "<body>&gt; "+words+"\nyes</body><reply xmlns='urn:xmpp:reply:0' id='c1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>"+
		"<body start='0' end='4'/><body start='-9' end='50003'/><body start='99999999999999999999' end='50003'/><body start='70000' end='3'/>"+strings.Repeat("<body end='50003'/>", 8000)+"</fallback>")
	s := newScript(bodyFor(el, ""))
	if got := s.strip(el, nsReply); got != "> "+words+"\n" {
		t.Errorf("got %d bytes that stand in, want the %d there are", len(got), len(words)+3)
	}
	if got, _ := s.rest(); got != "yes" {
		t.Errorf("got %d bytes left, want yes", len(got))
	}
}
