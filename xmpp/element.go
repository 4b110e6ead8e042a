package xmpp

import (
	"encoding/xml"
	"strings"
)

// Namespaces of the stream itself.
const (
	nsClient    = "jabber:client"
	nsComponent = "jabber:component:accept"
	nsStream    = "http://etherx.jabber.org/streams"
	nsXML       = "http://www.w3.org/XML/1998/namespace"
	nsStanzas   = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsStreams   = "urn:ietf:params:xml:ns:xmpp-streams"
)

// Element is one XML element with its namespace resolved. Everything a stanza
// carries is kept, in order, whether or not this package knows it.
//
// The stream's own namespace jabber:component:accept reads as jabber:client
// everywhere, so a stanza on the stream and one inside <forwarded/> look alike.
//
// A parsed element shares memory with the bytes of its stanza; whoever keeps a
// small part of it for long clones that part. Handlers do not modify it.
type Element struct {
	Name  xml.Name
	Attrs []xml.Attr // namespace declarations excluded, prefixes resolved
	Nodes []Node     // mixed content in document order

	env *envelope // parsed once by the reader or set by a constructor; nil elsewhere
}

// Node is one piece of mixed content: an element, or text when Element is nil.
type Node struct {
	Element *Element
	Text    string
}

// NewElement returns an element with attributes of the empty namespace given
// as name, value pairs. An odd trailing name is ignored.
func NewElement(space, local string, attrs ...string) *Element {
	e := &Element{Name: xml.Name{Space: space, Local: local}}
	for i := 0; i+1 < len(attrs); i += 2 {
		e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Local: attrs[i]}, Value: attrs[i+1]})
	}
	return e
}

// Is tells whether the element has that name in that namespace.
func (e *Element) Is(space, local string) bool {
	return e != nil && e.Name.Local == local && e.Name.Space == space
}

// Attr returns the value of an attribute without namespace, "" if absent. An
// attribute such as e:from never answers for from.
func (e *Element) Attr(local string) string {
	v, _ := e.LookupAttr("", local)
	return v
}

// LookupAttr returns an attribute by namespace and name and whether it is there.
func (e *Element) LookupAttr(space, local string) (string, bool) {
	if e == nil {
		return "", false
	}
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name.Local == local && a.Name.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// Lang returns the element's own xml:lang, "" if it has none.
func (e *Element) Lang() string {
	v, _ := e.LookupAttr(nsXML, "lang")
	return v
}

// Child returns the first child of that namespace and name, or nil. It looks at
// direct children only; every method accepts a nil receiver, so look-ups chain.
func (e *Element) Child(space, local string) *Element {
	if e == nil {
		return nil
	}
	for i := range e.Nodes {
		if c := e.Nodes[i].Element; c != nil && c.Name.Local == local && c.Name.Space == space {
			return c
		}
	}
	return nil
}

// Children returns all direct children in order.
func (e *Element) Children() []*Element {
	if e == nil {
		return nil
	}
	out := make([]*Element, 0, len(e.Nodes))
	for i := range e.Nodes {
		if c := e.Nodes[i].Element; c != nil {
			out = append(out, c)
		}
	}
	return out
}

// ChildrenNamed returns the direct children of that namespace and name in order.
func (e *Element) ChildrenNamed(space, local string) []*Element {
	var out []*Element
	if e == nil {
		return nil
	}
	for i := range e.Nodes {
		if c := e.Nodes[i].Element; c.Is(space, local) {
			out = append(out, c)
		}
	}
	return out
}

// FirstChild returns the first child element, or nil: the payload of an iq.
func (e *Element) FirstChild() *Element {
	if e == nil {
		return nil
	}
	for i := range e.Nodes {
		if c := e.Nodes[i].Element; c != nil {
			return c
		}
	}
	return nil
}

// Text returns the element's own character data, without that of its children.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	if len(e.Nodes) == 1 && e.Nodes[0].Element == nil {
		return e.Nodes[0].Text
	}
	var b strings.Builder
	for i := range e.Nodes {
		if e.Nodes[i].Element == nil {
			b.WriteString(e.Nodes[i].Text)
		}
	}
	return b.String()
}

// SetAttr sets an attribute of the empty namespace and returns e.
func (e *Element) SetAttr(local, value string) *Element {
	return e.setAttr("", local, value)
}

// SetLang sets xml:lang, or nothing when lang is empty, and returns e.
func (e *Element) SetLang(lang string) *Element {
	if lang == "" {
		return e
	}
	return e.setAttr(nsXML, "lang", lang)
}

func (e *Element) setAttr(space, local, value string) *Element {
	if space == "" {
		e.env = nil // from or to may have changed
	}
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name.Local == local && a.Name.Space == space {
			a.Value = value
			return e
		}
	}
	e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Space: space, Local: local}, Value: value})
	return e
}

// Add appends children, leaving out nil ones, and returns e.
func (e *Element) Add(children ...*Element) *Element {
	for _, c := range children {
		if c != nil {
			e.Nodes = append(e.Nodes, Node{Element: c})
		}
	}
	return e
}

// AddText appends character data and returns e. Empty text adds nothing.
func (e *Element) AddText(s string) *Element {
	if s != "" {
		e.Nodes = append(e.Nodes, Node{Text: s})
	}
	return e
}

// AddTextChild appends <local>text</local> in e's own namespace and returns e.
func (e *Element) AddTextChild(local, text string) *Element {
	return e.Add(NewElement(e.Name.Space, local).AddText(text))
}
