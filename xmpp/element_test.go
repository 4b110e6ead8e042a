package xmpp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t testing.TB, s string) *Element {
	t.Helper()
	e, err := ParseElement([]byte(s))
	if err != nil {
		t.Fatalf("parse %s: %v", s, err)
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"same", "<message from='a' to='b'><body>x</body></message>", ""},
		{"component namespace", "<message xmlns='jabber:component:accept'><body>x</body></message>", "<message><body>x</body></message>"},
		{"client namespace", "<message xmlns='jabber:client'><body>x</body></message>", "<message><body>x</body></message>"},
		{"forwarded", "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></forwarded></message>", ""},
		{"no namespace", "<message><body xmlns=''>x</body></message>", ""},
		{"prefixes", "<m:message xmlns:m='jabber:client'><x:y xmlns:x='urn:x'><x:z/><m:body/></x:y></m:message>", "<message><y xmlns='urn:x'><z/><body xmlns='jabber:client'/></y></message>"},
		{"prefixed attribute", "<a xmlns:p='urn:p' p:b='1' b='2'/>", "<a xmlns:n0='urn:p' n0:b='1' b='2'/>"},
		{"lang", "<message xml:lang='it'><body xml:lang='en'>x</body></message>", ""},
		{"mixed", "<p xmlns='urn:p'>one<b>two</b>three<b/>four</p>", ""},
		{"cdata", "<body>a<![CDATA[<b>&amp;]]>c</body>", "<body>a&lt;b&gt;&amp;amp;c</body>"},
		{"references", "<body a='&#39;&quot;&#10;'>&lt;&gt;&amp;&apos;&#x1F382;</body>", "<body a='&apos;&quot;&#10;'>&lt;&gt;&amp;'🎂</body>"},
		{"line ends", "<body>a\r\nb\rc\nd</body>", "<body>a\nb\nc\nd</body>"},
		{"empty subject", "<message><subject></subject></message>", "<message><subject/></message>"},
		{"space in tags", "<message  from = 'a'\n to=\"b\" ><body ></body ></message >", "<message from='a' to='b'><body/></message>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if got := mustParse(t, tt.in).String(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestParseRejects(t *testing.T) {
	manyAttrs := "<a"
	for i := range maxAttrs + 1 {
		manyAttrs += " a" + strings.Repeat("x", i) + "=''"
	}
	bomb := "<a xmlns:p='" + strings.Repeat("u", 10000) + "'>" + strings.Repeat("<p:b/>", 10000) + "</a>"
	tests := []struct{ name, in string }{
		{"empty", ""},
		{"text", "x"},
		{"unterminated", "<a><b></b>"},
		{"two roots", "<a/><b/>"},
		{"wrong end", "<a></b>"},
		{"end is a longer name", "<a></ab>"},
		{"prefix changes", "<p:a xmlns:p='u' xmlns:q='u'></q:a>"},
		{"duplicate attribute", "<a b='1' b='2'/>"},
		{"duplicate by namespace", "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>"},
		{"duplicate xmlns", "<a xmlns='u' xmlns='v'/>"},
		{"undeclared prefix", "<p:a/>"},
		{"undeclared attribute prefix", "<a p:b='1'/>"},
		{"rebound xml", "<a xmlns:xml='u'/>"},
		{"undeclaring", "<a xmlns:p=''/>"},
		{"unquoted", "<a b=1/>"},
		{"no value", "<a b/>"},
		{"no space", "<a b='1'c='2'/>"},
		{"less-than in value", "<a b='<'/>"},
		{"unknown entity", "<a>&nbsp;</a>"},
		{"lone ampersand", "<a>&</a>"},
		{"NUL reference", "<a>&#0;</a>"},
		{"surrogate reference", "<a>&#xD800;</a>"},
		{"out of range reference", "<a>&#x110000;</a>"},
		{"control character", "<a>\x0b</a>"},
		{"invalid UTF-8", "<a>\xff</a>"},
		{"U+FFFE", "<a>\uFFFE</a>"},
		{"cdata end", "<a>]]></a>"},
		{"comment", "<a><!-- x --></a>"},
		{"instruction", "<a><?x?></a>"},
		{"bad name", "<1a/>"},
		{"two colons", "<a:b:c/>"},
		{"too deep", strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65)},
		{"too many attributes", manyAttrs + "/>"},
		{"namespace expansion", bomb},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if e, err := ParseElement([]byte(tt.in)); err == nil {
				t.Errorf("got %.200s, want an error", e)
			}
		})
	}
}

func TestLookups(t *testing.T) {
	e := mustParse(t, "<message xml:lang='it' type='weird' id='1'><subject/><body>ciao</body><body xml:lang='en'>hello</body>"+
		"<x xmlns='urn:x'><body>no</body></x><thread>t</thread></message>")
	if diff := cmp.Diff([]LangText{{"it", "ciao"}, {"en", "hello"}}, e.Bodies()); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	subject, has := e.Subject()
	if subject != "" || !has {
		t.Errorf("subject: got %q %v, want an empty one", subject, has)
	}
	if got := e.Type(); got != "normal" {
		t.Errorf("type: got %q, want normal", got)
	}
	if got := e.Thread(); got != "t" {
		t.Errorf("thread: got %q, want t", got)
	}
	if got := len(e.Children()); got != 5 {
		t.Errorf("children: got %d, want 5", got)
	}
	var none *Element
	if _, ok := none.Child("a", "b").Child("c", "d").LookupAttr("", "x"); ok || none.Text() != "" || none.Attr("x") != "" || !none.From().IsZero() {
		t.Error("look-ups on nothing: got something")
	}
	if _, ok := mustParse(t, "<message/>").Body(); ok {
		t.Error("body: got one, want none")
	}
}

func TestEncodeSanitises(t *testing.T) {
	e := NewElement(nsClient, "message", "a", "x\x00\x0b\t\n'\"<&>\uFFFEy", "bad name", "z", "xmlns", "urn:evil").
		AddText("a\x01\x1fb\xffc\uFFFFd\r\n\t]]>\xed\xa0\x80e").
		Add(NewElement(nsClient, "body/><evil"), NewElement("urn:'><x", "ok"))
	got := e.String()
	want := "<message a='x&#9;&#10;&apos;&quot;&lt;&amp;&gt;\uFFFDy'>ab\uFFFDc\uFFFDd&#13;\n\t]]&gt;\uFFFD\uFFFD\uFFFDe<ok xmlns='urn:&apos;&gt;&lt;x'/></message>"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if again := mustParse(t, got).String(); again != got {
		t.Errorf("second round: got %q, want %q", again, got)
	}
}

func TestForwardedCopy(t *testing.T) {
	inner := mustParse(t, "<message from='u@example' to='c@gw.example'><body>x</body><x xmlns='urn:x'/></message>")
	outer := NewElement(nsClient, "message").Add(NewElement(nsForward, "forwarded").Add(inner))
	want := "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='u@example' to='c@gw.example'>" +
		"<body>x</body><x xmlns='urn:x'/></message></forwarded></message>"
	if got := outer.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "_a": true, "a-1.b": true, "è": true, "aé\u0301": true, "日本": true, "a·b": true, "": false, "1a": false, "-a": false,
		"a:b": false, "a b": false, "a>": false, "\u0301a": false, "a\xff": false, "×": false, "a\u2028": false,
	} {
		if got := validName(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}
