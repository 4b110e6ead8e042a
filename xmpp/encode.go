package xmpp

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// AppendTo appends the element as it goes on a component stream. An element in
// jabber:client gets no xmlns at top level, since Prosody bounces a stanza that
// declares one, and gets xmlns='jabber:client' wherever the namespace around it
// is another, as inside <forwarded/> (XEP-0297 §3).
//
// Characters that XML 1.0 forbids are removed or replaced by U+FFFD. An element
// or attribute whose name is not a legal name is left out with all it holds.
func (e *Element) AppendTo(dst []byte) []byte {
	return e.appendIn(dst, nsClient, true)
}

// String returns what AppendTo appends.
func (e *Element) String() string { return string(e.AppendTo(nil)) }

func (e *Element) appendIn(dst []byte, around string, prefixed bool) []byte {
	if e == nil || !validName(e.Name.Local) {
		return dst
	}
	space := e.Name.Space
	if space == nsComponent {
		space = nsClient
	}
	dst = append(dst, '<')
	dst = append(dst, e.Name.Local...)
	if space != around {
		dst = append(dst, " xmlns='"...)
		dst = appendEscaped(dst, space, true)
		dst = append(dst, '\'')
	}
	for i := range e.Attrs {
		dst = appendAttr(dst, &e.Attrs[i], i, prefixed)
	}
	if len(e.Nodes) == 0 {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	for i := range e.Nodes {
		if c := e.Nodes[i].Element; c != nil {
			dst = c.appendIn(dst, space, prefixed)
		} else {
			dst = appendEscaped(dst, e.Nodes[i].Text, false)
		}
	}
	dst = append(dst, "</"...)
	dst = append(dst, e.Name.Local...)
	return append(dst, '>')
}

func appendAttr(dst []byte, a *xml.Attr, i int, prefixed bool) []byte {
	if !validName(a.Name.Local) || a.Name.Space == "" && a.Name.Local == "xmlns" {
		return dst
	}
	dst = append(dst, ' ')
	switch a.Name.Space {
	case "":
	case nsXML:
		dst = append(dst, "xml:"...)
	default:
		if !prefixed {
			return dst[:len(dst)-1]
		}
		prefix := strconv.AppendInt([]byte("n"), int64(i), 10)
		if a.Name.Space == nsRDF {
			prefix = []byte("rdf") // COMPAT(Gajim): looks for the prefix of the document's examples
		}
		dst = append(append(append(dst, "xmlns:"...), prefix...), "='"...)
		dst = append(appendEscaped(dst, a.Name.Space, true), "' "...)
		dst = append(append(dst, prefix...), ':')
	}
	dst = append(dst, a.Name.Local...)
	dst = append(dst, "='"...)
	dst = appendEscaped(dst, a.Value, true)
	return append(dst, '\'')
}

// appendEscaped appends s as character data or, with attr, as the inside of a
// quoted attribute value.
func appendEscaped(dst []byte, s string, attr bool) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		n, repl := 1, ""
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || !isXMLChar(r) {
				repl = "\uFFFD"
			}
		case c == '&':
			repl = "&amp;"
		case c == '<':
			repl = "&lt;"
		case c == '>':
			repl = "&gt;"
		case c == '\r':
			repl = "&#13;"
		case c == '\'' && attr:
			repl = "&apos;"
		case c == '"' && attr:
			repl = "&quot;"
		case c == '\n' && attr:
			repl = "&#10;"
		case c == '\t' && attr:
			repl = "&#9;"
		case c < 0x20 && c != '\n' && c != '\t':
			dst = append(dst, s[from:i]...)
			from = i + 1
		}
		if repl != "" {
			dst = append(append(dst, s[from:i]...), repl...)
			from = i + n
		}
		i += n
	}
	return append(dst, s[from:]...)
}

// Decode fills v, a pointer to a payload type of this package or of
// gosrc.io/xmpp/stanza, from this one element. Attributes with a namespace
// other than xml are withheld: struct tags match by local name alone, so
// e:node would otherwise answer for node.
func (e *Element) Decode(v any) error {
	if e == nil {
		return fmt.Errorf("xmpp: decode: no element")
	}
	b := e.appendIn(nil, "", false)
	if err := xml.NewDecoder(bytes.NewReader(b)).Decode(v); err != nil {
		return fmt.Errorf("xmpp: decode: %s: %w", e.Name.Local, err)
	}
	return nil
}

// Encode turns a payload value of this package or of gosrc.io/xmpp/stanza into
// an element. Its result is checked like anything that comes from outside.
func Encode(v any) (*Element, error) {
	b, err := xml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("xmpp: encode: %w", err)
	}
	e, err := ParseElement(b)
	if err != nil {
		return nil, fmt.Errorf("xmpp: encode: %w", err)
	}
	return e, nil
}
