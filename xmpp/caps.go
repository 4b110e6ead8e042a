package xmpp

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strings"
)

const nsDiscoInfo = "http://jabber.org/protocol/disco#info" // XEP-0030

// discoInfo describes what an entity is and can do, and is the one source of
// both its disco#info answer and its caps hash.
type discoInfo struct {
	identities []discoIdentity
	features   []string
	forms      []discoForm
}

// discoIdentity is one identity (XEP-0030 §3.1); name and lang may be empty.
type discoIdentity struct{ category, typ, lang, name string }

// discoForm is an extended information form (XEP-0128), formType its FORM_TYPE.
type discoForm struct {
	formType string
	fields   []discoField
}

type discoField struct {
	name   string // var
	values []string
}

// sorted returns the same description with everything in canonical order and
// without duplicates, which make receivers ignore the hash (XEP-0115 §5.4).
func (d discoInfo) sorted() discoInfo {
	out := discoInfo{features: sortedSet(d.features)}
	out.identities = slices.Clone(d.identities)
	slices.SortFunc(out.identities, func(a, b discoIdentity) int { return strings.Compare(a.key(), b.key()) })
	out.identities = slices.Compact(out.identities)
	for _, f := range d.forms {
		g := discoForm{formType: f.formType}
		for _, field := range f.fields {
			g.fields = append(g.fields, discoField{field.name, sortedSet(field.values)})
		}
		slices.SortFunc(g.fields, func(a, b discoField) int { return strings.Compare(a.name, b.name) })
		out.forms = append(out.forms, g)
	}
	slices.SortFunc(out.forms, func(a, b discoForm) int { return strings.Compare(a.formType, b.formType) })
	return out
}

func sortedSet(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// key orders identities by category, type, lang, name (XEP-0115 §5.1).
func (i discoIdentity) key() string {
	return i.category + "/" + i.typ + "/" + i.lang + "/" + i.name
}

// ver returns the verification string (XEP-0115 §5.1): base64 of SHA-1.
func (d discoInfo) ver() string {
	d = d.sorted()
	var b strings.Builder
	put := func(s string) {
		// A bare '<' within a value would let two descriptions hash alike.
		b.WriteString(strings.ReplaceAll(s, "<", "&lt;"))
		b.WriteByte('<')
	}
	for _, i := range d.identities {
		put(i.key())
	}
	for _, f := range d.features {
		put(f)
	}
	for _, form := range d.forms {
		put(form.formType)
		for _, field := range form.fields {
			put(field.name)
			for _, v := range field.values {
				put(v)
			}
		}
	}
	sum := sha1.Sum([]byte(b.String()))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// element renders the disco#info answer; node is that of the question, or empty.
func (d discoInfo) element(node string) *Element {
	d = d.sorted()
	q := NewElement(nsDiscoInfo, "query")
	if node != "" {
		q.SetAttr("node", node)
	}
	for _, i := range d.identities {
		el := NewElement(nsDiscoInfo, "identity", "category", i.category, "type", i.typ).SetLang(i.lang)
		if i.name != "" {
			el.SetAttr("name", i.name)
		}
		q.Add(el)
	}
	for _, f := range d.features {
		q.Add(NewElement(nsDiscoInfo, "feature", "var", f))
	}
	for _, form := range d.forms {
		x := NewElement(nsForm, "x", "type", "result")
		x.Add(NewElement(nsForm, "field", "var", "FORM_TYPE", "type", "hidden").AddTextChild("value", form.formType))
		for _, field := range form.fields {
			el := NewElement(nsForm, "field", "var", field.name)
			for _, v := range field.values {
				el.AddTextChild("value", v)
			}
			x.Add(el)
		}
		q.Add(x)
	}
	return q
}

// capsElement renders <c/> for presence (XEP-0115 §6.1); node is the gateway's own URI.
func (d discoInfo) capsElement(node string) *Element {
	return NewElement(nsCaps, "c", "hash", "sha-1", "node", node, "ver", d.ver())
}
