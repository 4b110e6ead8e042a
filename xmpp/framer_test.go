package xmpp

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

const streamHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='x'>"

func TestFramer(t *testing.T) {
	long := strings.Repeat("x", 3000)
	tests := []struct {
		name, in string
		want     []string // raw stanzas; "!" and the head for a skipped one
		err      error
	}{
		{"simple", "<a/> \n<b>x</b>\t<c><d/></c></stream:stream>", []string{"<a/>", "<b>x</b>", "<c><d/></c>"}, nil},
		{"quotes", `<a b='/>' c=">"><d e="'</a>"/></a>`, []string{`<a b='/>' c=">"><d e="'</a>"/></a>`}, io.EOF},
		{"slash before quote", `<a b='/'/><c/>`, []string{`<a b='/'/>`, "<c/>"}, io.EOF},
		{"unquoted end", `<a b='x'></a><c/>`, []string{`<a b='x'></a>`, "<c/>"}, io.EOF},
		{"cdata", "<a><![CDATA[</a>]]]]><b/>]]></a><c/>", []string{"<a><![CDATA[</a>]]]]><b/>]]></a>", "<c/>"}, io.EOF},
		{"cdata brackets", "<a><![CDATA[</a>]]]></a><c/>", []string{"<a><![CDATA[</a>]]]></a>", "<c/>"}, io.EOF},
		{"comment", "<a x='1'><!-- </a> - -- --></a><c/>", []string{"!<a x='1'>", "<c/>"}, io.EOF},
		{"instruction", "<a><?php </a> ? ?></a><c/>", []string{"!<a>", "<c/>"}, io.EOF},
		{"too deep", "<a i='1'><a><a><a><a/></a></a></a></a><c/>", []string{"!<a i='1'>", "<c/>"}, io.EOF},
		{"depth at the limit", "<a><a><a/></a></a>", []string{"<a><a><a/></a></a>"}, io.EOF},
		{"too long", "<a i='1'>" + long + "<b>" + long + "</b></a><c/>", []string{"!<a i='1'>", "<c/>"}, io.EOF},
		{"too long start tag", "<a i='" + strings.Repeat(long, 20) + "'/><c/>", []string{"!", "<c/>"}, io.EOF},
		{"text between stanzas", "<a/>x<b/>", []string{"<a/>"}, errNotWellFormed},
		{"comment between stanzas", "<a/><!-- --><b/>", []string{"<a/>"}, errNotWellFormed},
		{"instruction between stanzas", "<a/><?x?><b/>", []string{"<a/>"}, errNotWellFormed},
		{"doctype", "<a><!DOCTYPE x></a>", nil, errNotWellFormed},
		{"less-than twice", "<a><<b/></a>", nil, errNotWellFormed},
		{"cut", "<a><b>", nil, io.ErrUnexpectedEOF},
		{"cut in a tag", "<a/><b", []string{"<a/>"}, io.ErrUnexpectedEOF},
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader, "halves": iotest.HalfReader,
	}
	for _, tt := range tests {
		for how, wrap := range readers {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				f := newFramer(wrap(strings.NewReader(streamHeader+tt.in)), 4000, 3)
				got, err := frames(f)
				if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
					t.Errorf("got %.300q, want %.300q", got, tt.want)
				}
				if !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
			})
		}
	}
}

// frames reads all stanzas; the error is nil at </stream:stream>.
func frames(f *framer) ([]string, error) {
	if fr, err := f.next(); err != nil || fr.kind != frameOpen {
		return nil, fmt.Errorf("stream open: got %v, %w", fr.kind, err)
	}
	var out []string
	for {
		fr, err := f.next()
		if err != nil || fr.kind == frameClose {
			return out, err
		}
		s := string(fr.raw)
		if fr.skipped != nil {
			s = "!" + s
		}
		out = append(out, s)
	}
}

// FuzzFramerTree holds framer and parser against encoding/xml: what we accept,
// it accepts and reads alike; and what we write, we read back alike.
func FuzzFramerTree(f *testing.F) {
	for _, s := range []string{
		realStanza, smallStanza, "<a/>", "<a b='c'>d</a>", "<a xmlns:p='q' p:r='s'><p:t/></a>", "<a>&lt;&#65;\r\n<![CDATA[x]]></a>",
		"<a xmlns=''><b xmlns='c'/></a>", "<a xml:lang='it'/>", "<a><a><a/></a></a>", "<a b='1' b='2'/>", "<a>é\u0085\u2028</a>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fr := newFramer(strings.NewReader(streamHeader+s), 1<<16, 0)
		if _, err := fr.next(); err != nil {
			t.Fatal(err)
		}
		frame, err := fr.next()
		if err != nil || frame.kind != frameStanza || frame.skipped != nil {
			return
		}
		ours, err := ParseElement(frame.raw)
		if err != nil {
			return
		}
		theirs, err := stdTree(string(frame.raw))
		if err != nil {
			t.Fatalf("accepted %q, but encoding/xml says %v", frame.raw, err)
		}
		if got, want := dump(ours), dump(theirs); got != want {
			t.Fatalf("%q:\ngot  %s\nwant %s", frame.raw, got, want)
		}
		again, err := ParseElement(ours.AppendTo(nil))
		if err != nil {
			t.Fatalf("%q: written as %s: %v", frame.raw, ours, err)
		}
		if got, want := dump(again), dump(ours); got != want {
			t.Fatalf("%q: written as %s:\ngot  %s\nwant %s", frame.raw, ours, got, want)
		}
	})
}

// TestTreeAgainstStd does the same on documents made at random from pieces that
// are mostly legal, which a fuzzer finds only slowly.
func TestTreeAgainstStd(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 5000 {
		s := randomElement(rnd, 1)
		ours, err := ParseElement([]byte(s))
		theirs, stdErr := stdTree(s)
		if err != nil {
			if stdErr == nil && !strings.Contains(s, "q:") && !strings.Contains(err.Error(), "duplicate") {
				t.Errorf("%s: got %v, want it accepted", s, err)
			}
			continue
		}
		accepted++
		if stdErr != nil {
			t.Fatalf("accepted %s, but encoding/xml says %v", s, stdErr)
		}
		if got, want := dump(ours), dump(theirs); got != want {
			t.Fatalf("%s:\ngot  %s\nwant %s", s, got, want)
		}
		if got, want := dump(mustParse(t, ours.String())), dump(ours); got != want {
			t.Fatalf("%s: written as %s:\ngot  %s\nwant %s", s, ours, got, want)
		}
	}
	if accepted < 1000 {
		t.Errorf("got %d documents accepted, want at least 1000 of 5000", accepted)
	}
}

// randomElement uses the prefix q, declared or not, p, always declared, and texts of every kind.
func randomElement(rnd *rand.Rand, depth int) string {
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	name := pick("a", "p:a", "message", "b-1.x", "p:b")
	if rnd.IntN(20) == 0 {
		name = "q:c"
	}
	var b strings.Builder
	b.WriteString("<" + name)
	if depth == 1 {
		b.WriteString(" xmlns:p='urn:p'")
	}
	for _, attr := range []string{
		"xmlns='urn:d'", "xmlns=''", "xmlns='jabber:client'", "xmlns:p='urn:p2'", "xmlns:q=\"urn:q\"", "xml:lang='it'",
		"id='1'", "p:id=\"2\"", "to=' a&lt;&#x20AC;\n\t>'", "q:id = '3'",
	} {
		if rnd.IntN(6) == 0 && (depth > 1 || !strings.HasPrefix(attr, "xmlns:p")) {
			b.WriteString(pick(" ", "\n ") + attr)
		}
	}
	if rnd.IntN(4) == 0 {
		return b.String() + pick("/>", " />")
	}
	b.WriteString(">")
	for range rnd.IntN(4) {
		if depth < 5 && rnd.IntN(2) == 0 {
			b.WriteString(randomElement(rnd, depth+1))
		} else {
			b.WriteString(pick("text", "&amp;&lt;&#65;", "<![CDATA[<x>&amp;]]]]>", "<![CDATA[]]>", "a\r\nb\rc", "🎂é", " ", "]] >", "\"'"))
		}
	}
	return b.String() + "</" + name + pick("", " ") + ">"
}

// stdTree builds the tree with encoding/xml inside a stream header.
func stdTree(s string) (*Element, error) {
	d := xml.NewDecoder(strings.NewReader(streamHeader + s + "</stream:stream>"))
	var stack []*Element
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &Element{Name: stdName(tok.Name)}
			for _, a := range tok.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					continue
				}
				a.Name = stdName(a.Name)
				e.Attrs = append(e.Attrs, a)
			}
			if len(stack) > 1 {
				stack[len(stack)-1].Add(e)
			}
			stack = append(stack, e)
		case xml.CharData:
			if len(stack) > 1 {
				addText(stack[len(stack)-1], string(tok))
			}
		case xml.EndElement:
			if len(stack) == 2 {
				return stack[1], nil
			}
			stack = stack[:len(stack)-1]
		}
	}
}

func stdName(n xml.Name) xml.Name {
	switch n.Space {
	case nsComponent:
		n.Space = nsClient
	case "xml":
		n.Space = nsXML
	}
	return n
}

// dump writes a tree without any escaping of its own.
func dump(e *Element) string {
	var b strings.Builder
	fmt.Fprintf(&b, "(%q %q", e.Name.Space, e.Name.Local)
	for _, a := range e.Attrs {
		fmt.Fprintf(&b, " %q:%q=%q", a.Name.Space, a.Name.Local, a.Value)
	}
	for _, n := range e.Nodes {
		if n.Element != nil {
			b.WriteString(dump(n.Element))
		} else {
			fmt.Fprintf(&b, " %q", n.Text)
		}
	}
	return b.String() + ")"
}
