package xmpp

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds that keep the work on one stanza linear in its size. No stanza of a
// real client comes near them.
const (
	maxAttrs    = 64  // attributes of one element
	maxBindings = 256 // namespace declarations in scope
)

// errSyntax is why one stanza could not be parsed; the stream goes on.
var errSyntax = errors.New("xmpp: parse")

func syntaxf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errSyntax, fmt.Sprintf(format, args...))
}

type nsBinding struct{ prefix, uri string }

// parser turns the bytes of one element into a tree. base holds the bindings
// that the stream header declared.
type parser struct {
	s        string
	i        int
	maxDepth int
	base     []nsBinding
	ns       []nsBinding
	attrs    []xml.Attr // scratch: Name.Space holds the prefix
	slab     []Element
	budget   int // bytes of namespace text that writing the tree out may add
}

// ParseElement parses one complete element as it stands on a component stream:
// without an xmlns of its own it is in jabber:client.
func ParseElement(b []byte) (*Element, error) {
	p := &parser{maxDepth: defaultMaxDepth, base: streamBindings()}
	return p.parse(b)
}

func streamBindings() []nsBinding {
	return []nsBinding{{"xml", nsXML}, {"", nsClient}, {"stream", nsStream}}
}

// parse reads exactly one element. The parser may be used again afterwards.
func (p *parser) parse(b []byte) (*Element, error) {
	p.reset(b)
	e, err := p.element(1, nsClient)
	if err != nil {
		return nil, err
	}
	if p.i != len(p.s) {
		return nil, syntaxf("data after the end of the element")
	}
	return e, nil
}

// parseHead reads the start tag of an element and ignores what follows. It
// serves the stream header and the envelope of a stanza that was skipped.
func (p *parser) parseHead(b []byte) (*Element, error) {
	p.reset(b)
	e, _, _, err := p.startTag(nsClient)
	return e, err
}

func (p *parser) reset(b []byte) {
	p.s, p.i = string(b), 0
	p.ns = append(p.ns[:0], p.base...)
	p.slab = nil
	p.budget = 2*len(b) + 64<<10
}

func (p *parser) newElement() *Element {
	if len(p.slab) == 0 {
		p.slab = make([]Element, min(8, 1+strings.Count(p.s[p.i:min(len(p.s), p.i+1024)], "</")))
	}
	e := &p.slab[0]
	p.slab = p.slab[1:]
	return e
}

func (p *parser) element(depth int, parentNS string) (*Element, error) {
	if depth > p.maxDepth {
		return nil, errTooDeep
	}
	scope := len(p.ns)
	e, raw, empty, err := p.startTag(parentNS)
	if err != nil {
		return nil, err
	}
	if !empty {
		if err := p.content(e, raw, depth); err != nil {
			return nil, err
		}
	}
	p.ns = p.ns[:scope]
	return e, nil
}

// content reads up to and including the end tag that matches raw.
func (p *parser) content(e *Element, raw string, depth int) error {
	for {
		n := strings.IndexByte(p.s[p.i:], '<')
		if n < 0 {
			return syntaxf("unexpected end in <%s>", raw)
		}
		if n > 0 {
			t, err := decodeText(p.s[p.i:p.i+n], false)
			if err != nil {
				return err
			}
			addText(e, t)
			p.i += n
		}
		rest := p.s[p.i:]
		switch {
		case strings.HasPrefix(rest, "</"):
			return p.endTag(raw)
		case strings.HasPrefix(rest, "<![CDATA["):
			end := strings.Index(rest, "]]>")
			if end < 0 {
				return syntaxf("unterminated CDATA")
			}
			t, err := decodeText(rest[9:end], true)
			if err != nil {
				return err
			}
			addText(e, t)
			p.i += end + 3
		case strings.HasPrefix(rest, "<!"), strings.HasPrefix(rest, "<?"):
			return errRestricted
		default:
			c, err := p.element(depth+1, e.Name.Space)
			if err != nil {
				return err
			}
			e.Nodes = append(e.Nodes, Node{Element: c})
		}
	}
}

// addText joins adjacent pieces, so that text around CDATA is one node.
func addText(e *Element, t string) {
	if t == "" {
		return
	}
	if n := len(e.Nodes); n > 0 && e.Nodes[n-1].Element == nil {
		e.Nodes[n-1].Text += t
		return
	}
	e.Nodes = append(e.Nodes, Node{Text: t})
}

func (p *parser) endTag(raw string) error {
	p.i += 2
	if !strings.HasPrefix(p.s[p.i:], raw) {
		return syntaxf("<%s> closed by another end tag", raw)
	}
	p.i += len(raw)
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != '>' {
		return syntaxf("<%s> closed by another end tag", raw)
	}
	p.i++
	return nil
}

// startTag reads a start or empty-element tag and resolves its names.
func (p *parser) startTag(parentNS string) (e *Element, raw string, empty bool, err error) {
	if p.i >= len(p.s) || p.s[p.i] != '<' {
		return nil, "", false, syntaxf("no start tag")
	}
	p.i++
	begin := p.i
	prefix, local, err := p.qname()
	if err != nil {
		return nil, "", false, err
	}
	raw = p.s[begin:p.i]
	p.attrs = p.attrs[:0]
	for {
		spaced := p.space()
		if p.i >= len(p.s) {
			return nil, "", false, syntaxf("unexpected end in a tag")
		}
		switch c := p.s[p.i]; {
		case c == '>':
			p.i++
		case c == '/' && strings.HasPrefix(p.s[p.i:], "/>"):
			p.i += 2
			empty = true
		case !spaced:
			return nil, "", false, syntaxf("no space before an attribute")
		default:
			if err := p.attribute(); err != nil {
				return nil, "", false, err
			}
			continue
		}
		break
	}
	e = p.newElement()
	e.Name.Local = local
	if e.Name.Space, err = p.resolve(prefix); err != nil {
		return nil, "", false, err
	}
	if e.Name.Space != parentNS {
		p.budget -= len(e.Name.Space)
	}
	if err := p.resolveAttrs(e); err != nil {
		return nil, "", false, err
	}
	if p.budget < 0 {
		return nil, "", false, syntaxf("namespaces expand beyond the size limit")
	}
	return e, raw, empty, nil
}

// attribute reads one attribute into the scratch list, or a namespace
// declaration into the scope.
func (p *parser) attribute() error {
	prefix, local, err := p.qname()
	if err != nil {
		return err
	}
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != '=' {
		return syntaxf("attribute without value")
	}
	p.i++
	p.space()
	if p.i >= len(p.s) || (p.s[p.i] != '\'' && p.s[p.i] != '"') {
		return syntaxf("attribute value without quotes")
	}
	end := strings.IndexByte(p.s[p.i+1:], p.s[p.i])
	if end < 0 {
		return syntaxf("unterminated attribute value")
	}
	rawValue := p.s[p.i+1 : p.i+1+end]
	p.i += end + 2
	if strings.IndexByte(rawValue, '<') >= 0 {
		return syntaxf("< in an attribute value")
	}
	value, err := decodeText(rawValue, false)
	if err != nil {
		return err
	}
	for i := range p.attrs {
		if p.attrs[i].Name.Local == local && p.attrs[i].Name.Space == prefix {
			return syntaxf("duplicate attribute")
		}
	}
	if len(p.attrs) == maxAttrs {
		return syntaxf("more than %d attributes", maxAttrs)
	}
	p.attrs = append(p.attrs, xml.Attr{Name: xml.Name{Space: prefix, Local: local}, Value: value})
	switch {
	case prefix == "" && local == "xmlns":
		return p.bind("", value)
	case prefix == "xmlns":
		return p.bind(local, value)
	}
	return nil
}

// bind declares a namespace. Namespaces in XML 1.0 §3: xml and xmlns are fixed,
// a prefix cannot be undeclared.
func (p *parser) bind(prefix, uri string) error {
	switch {
	case prefix == "xml" && uri == nsXML:
		return nil
	case prefix == "xml", prefix == "xmlns", uri == nsXML, prefix != "" && uri == "":
		return syntaxf("illegal namespace declaration")
	case len(p.ns) >= maxBindings:
		return syntaxf("more than %d namespaces in scope", maxBindings)
	}
	if uri == nsComponent {
		uri = nsClient
	}
	p.ns = append(p.ns, nsBinding{prefix, uri})
	return nil
}

func (p *parser) resolve(prefix string) (string, error) {
	for _, bound := range slices.Backward(p.ns) {
		if bound.prefix == prefix {
			return bound.uri, nil
		}
	}
	if prefix == "" {
		return "", nil
	}
	return "", syntaxf("undeclared namespace prefix")
}

// resolveAttrs moves the scratch attributes to e. An attribute without prefix
// is in no namespace (Namespaces in XML 1.0 §6.2).
func (p *parser) resolveAttrs(e *Element) error {
	n, prefixed := 0, false
	for i := range p.attrs {
		if a := &p.attrs[i].Name; a.Space != "xmlns" && (a.Space != "" || a.Local != "xmlns") {
			n++
			prefixed = prefixed || a.Space != ""
		}
	}
	if n == 0 {
		return nil
	}
	e.Attrs = make([]xml.Attr, 0, n)
	for _, a := range p.attrs {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if a.Name.Space != "" {
			uri, err := p.resolve(a.Name.Space)
			if err != nil {
				return err
			}
			a.Name.Space = uri
			p.budget -= len(uri)
		}
		if prefixed {
			if _, dup := e.LookupAttr(a.Name.Space, a.Name.Local); dup {
				return syntaxf("duplicate attribute")
			}
		}
		e.Attrs = append(e.Attrs, a)
	}
	return nil
}

func (p *parser) space() bool {
	begin := p.i
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
			continue
		}
		break
	}
	return p.i > begin
}

// qname reads prefix:local or local.
func (p *parser) qname() (prefix, local string, err error) {
	begin, colon := p.i, -1
scan:
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\n', '\r', '=', '>', '/', '<', '"', '\'':
			break scan
		case ':':
			if colon >= 0 {
				return "", "", syntaxf("name with two colons")
			}
			colon = p.i
		}
		p.i++
	}
	local = p.s[begin:p.i]
	if colon >= 0 {
		prefix, local = p.s[begin:colon], p.s[colon+1:p.i]
		if !validName(prefix) {
			return "", "", syntaxf("invalid name")
		}
	}
	if !validName(local) {
		return "", "", syntaxf("invalid name")
	}
	return prefix, local, nil
}
