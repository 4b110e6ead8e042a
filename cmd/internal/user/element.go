package user

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Element is an XML element as it was read. Namespace declarations are not attributes.
type Element struct {
	Name  xml.Name
	Attrs []xml.Attr
	Nodes []Node
}

// Node is a child element, or text when Element is nil.
type Node struct {
	Element *Element
	Text    string
}

// Attr returns an attribute without a namespace, empty when there is none.
func (e *Element) Attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Child returns the first child with this namespace and name, nil when there is none. A nil Element has no children.
func (e *Element) Child(space, local string) *Element {
	if e == nil {
		return nil
	}
	for _, n := range e.Nodes {
		if n.Element != nil && n.Element.Name.Local == local && n.Element.Name.Space == space {
			return n.Element
		}
	}
	return nil
}

// Children returns the child elements, those of one name when local is not empty.
func (e *Element) Children(local string) []*Element {
	if e == nil {
		return nil
	}
	var out []*Element
	for _, n := range e.Nodes {
		if n.Element != nil && (local == "" || n.Element.Name.Local == local) {
			out = append(out, n.Element)
		}
	}
	return out
}

// Text returns the character data directly inside the element.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	if len(e.Nodes) == 1 {
		return e.Nodes[0].Text
	}
	var b strings.Builder
	for _, n := range e.Nodes {
		b.WriteString(n.Text)
	}
	return b.String()
}

// String writes the element as XML. A namespace is declared where it changes; the outermost one is left out when it is
// that of the client stream.
func (e *Element) String() string {
	if e == nil {
		return ""
	}
	var b strings.Builder
	e.write(&b, nsClient)
	return b.String()
}

func (e *Element) write(b *strings.Builder, parent string) {
	b.WriteByte('<')
	b.WriteString(e.Name.Local)
	if e.Name.Space != parent {
		b.WriteString(" xmlns='" + Escape(e.Name.Space) + "'")
	}
	for _, a := range e.Attrs {
		name := a.Name.Local
		if a.Name.Space == nsXML {
			name = "xml:" + name
		}
		b.WriteString(" " + name + "='" + Escape(a.Value) + "'")
	}
	if len(e.Nodes) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, n := range e.Nodes {
		if n.Element != nil {
			n.Element.write(b, e.Name.Space)
		} else {
			b.WriteString(Escape(n.Text))
		}
	}
	b.WriteString("</" + e.Name.Local + ">")
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;")

// Escape makes text safe inside an element or an attribute.
func Escape(s string) string { return escaper.Replace(s) }

// Parse reads one element from text, as SendXML and IQ payloads are written. Without a declaration it has the namespace of
// the client stream.
func Parse(text string) (*Element, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.DefaultSpace = nsClient
	for {
		tok, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("user: parse: %w", err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			return readElement(d, start)
		}
	}
}

// readElement reads what follows a start tag, up to its end.
func readElement(r xml.TokenReader, start xml.StartElement) (*Element, error) {
	root := newElement(start)
	stack := []*Element{root}
	for {
		top := stack[len(stack)-1]
		tok, err := r.Token()
		switch t := tok.(type) {
		case xml.StartElement:
			e := newElement(t)
			top.Nodes = append(top.Nodes, Node{Element: e})
			stack = append(stack, e)
		case xml.CharData:
			if n := len(top.Nodes); n > 0 && top.Nodes[n-1].Element == nil {
				top.Nodes[n-1].Text += string(t)
			} else {
				top.Nodes = append(top.Nodes, Node{Text: string(t)})
			}
		case xml.EndElement:
			if stack = stack[:len(stack)-1]; len(stack) == 0 {
				return root, nil
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

func newElement(start xml.StartElement) *Element {
	e := &Element{Name: start.Name}
	for _, a := range start.Attr {
		if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
			e.Attrs = append(e.Attrs, a)
		}
	}
	return e
}
