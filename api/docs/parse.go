package docs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// doc is an OpenAPI 3.1 document, as far as it is shown.
type doc struct {
	Title, Summary, Version, Text string
	Groups                        []group
	Schemas                       []named
}

// group is the operations of one server.
type group struct {
	ID, Name, URL string
	Ops           []operation
}

type operation struct {
	ID, Verb, Path, Summary, Text string
	Secured                       bool
	Params                        []param
	Body                          []media
	Answers                       []answer
	Problems                      []string // the statuses of those that are problem details (RFC 9457), told in short
}

type param struct {
	Name, In, Text string
	Required       bool
	Schema         *schema
}

type media struct {
	Type   string
	Schema *schema
}

type answer struct {
	Status, Text string
	Media        []media
	Headers      []param
}

type named struct {
	Name   string
	Schema *schema
}

// schema is one, or the name of one that stands elsewhere.
type schema struct {
	Ref, Type, Text string
	Limits          []string
	Fields          []field
	Items           *schema
}

type field struct {
	Name     string
	Required bool
	Schema   *schema
}

// tree reads the document, which is in the program: what is not there is empty.
type tree struct{ root yaml.MapSlice }

func in(node any, path ...string) any {
	for _, name := range path {
		m, _ := node.(yaml.MapSlice)
		at := slices.IndexFunc(m, func(i yaml.MapItem) bool { return fmt.Sprint(i.Key) == name })
		if at < 0 {
			return nil
		}
		node = m[at].Value
	}
	return node
}

func text(node any, path ...string) string {
	v := in(node, path...)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func items(node any, path ...string) yaml.MapSlice {
	m, _ := in(node, path...).(yaml.MapSlice)
	return m
}

func list(node any, path ...string) []any {
	l, _ := in(node, path...).([]any)
	return l
}

// resolve follows a reference inside of the document.
func (t tree) resolve(node any) any {
	ref := text(node, "$ref")
	if ref == "" {
		return node
	}
	return in(t.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

var verbs = []string{"get", "head", "post", "put", "patch", "delete"}

func parse(raw []byte) (doc, error) {
	var t tree
	if err := yaml.UnmarshalWithOptions(raw, &t.root, yaml.UseOrderedMap()); err != nil {
		return doc{}, fmt.Errorf("docs: %w", err)
	}
	d := doc{Title: text(t.root, "info", "title"), Summary: text(t.root, "info", "summary"), Version: text(t.root, "info", "version"), Text: text(t.root, "info", "description")}
	for _, p := range items(t.root, "paths") {
		servers := list(p.Value, "servers")
		if servers == nil {
			servers = list(t.root, "servers")
		}
		g := d.group(servers)
		for _, verb := range verbs {
			if op := in(p.Value, verb); op != nil {
				g.Ops = append(g.Ops, t.operation(verb, fmt.Sprint(p.Key), op, list(p.Value, "parameters")))
			}
		}
	}
	for _, s := range items(t.root, "components", "schemas") {
		d.Schemas = append(d.Schemas, named{fmt.Sprint(s.Key), t.schema(s.Value)})
	}
	return d, nil
}

// group is the one of the first of some servers, made when it is asked for first.
func (d *doc) group(servers []any) *group {
	g := group{}
	if len(servers) > 0 {
		g.Name, g.URL = text(servers[0], "description"), text(servers[0], "url")
	}
	g.ID = "server-" + cmp.Or(g.Name, "any")
	at := slices.IndexFunc(d.Groups, func(o group) bool { return o.ID == g.ID })
	if at < 0 {
		d.Groups, at = append(d.Groups, g), len(d.Groups)
	}
	return &d.Groups[at]
}

func (t tree) operation(verb, path string, op any, shared []any) operation {
	o := operation{
		ID: text(op, "operationId"), Verb: verb, Path: path, Summary: text(op, "summary"), Text: text(op, "description"), Secured: len(list(op, "security")) > 0,
	}
	for _, p := range append(slices.Clone(shared), list(op, "parameters")...) {
		p = t.resolve(p)
		o.Params = append(o.Params, param{text(p, "name"), text(p, "in"), text(p, "description"), text(p, "required") == "true", t.schema(in(p, "schema"))})
	}
	o.Body = t.media(items(t.resolve(in(op, "requestBody")), "content"))
	for _, a := range items(op, "responses") {
		of := t.resolve(a.Value)
		out := answer{Status: fmt.Sprint(a.Key), Text: text(of, "description"), Media: t.media(items(of, "content"))}
		for _, h := range items(of, "headers") {
			out.Headers = append(out.Headers, param{Name: fmt.Sprint(h.Key), Text: text(h.Value, "description"), Schema: t.schema(in(h.Value, "schema"))})
		}
		if len(out.Media) == 1 && out.Media[0].Type == "application/problem+json" {
			o.Problems = append(o.Problems, out.Status)
			continue
		}
		o.Answers = append(o.Answers, out)
	}
	return o
}

func (t tree) media(content yaml.MapSlice) (out []media) {
	for _, c := range content {
		out = append(out, media{fmt.Sprint(c.Key), t.schema(in(c.Value, "schema"))})
	}
	return out
}

// limits are keywords that are shown as they stand.
var limits = []string{"format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default", "const"}

func (t tree) schema(node any) *schema {
	if node == nil {
		return nil
	}
	if ref := text(node, "$ref"); ref != "" {
		return &schema{Ref: ref[strings.LastIndexByte(ref, '/')+1:]}
	}
	s := &schema{Type: text(node, "type"), Text: text(node, "description")}
	if all := list(node, "enum"); all != nil {
		words := make([]string, len(all))
		for i, v := range all {
			if words[i] = fmt.Sprint(v); words[i] == "" {
				words[i] = `""`
			}
		}
		s.Limits = append(s.Limits, "one of "+strings.Join(words, ", "))
	}
	for _, name := range limits {
		if v := text(node, name); v != "" {
			s.Limits = append(s.Limits, name+" "+v)
		}
	}
	var required []string
	for _, name := range list(node, "required") {
		required = append(required, fmt.Sprint(name))
	}
	for _, p := range items(node, "properties") {
		name := fmt.Sprint(p.Key)
		s.Fields = append(s.Fields, field{name, slices.Contains(required, name), t.schema(p.Value)})
	}
	s.Items = t.schema(in(node, "items"))
	if s.Type == "" {
		s.Type = "any"
	}
	return s
}
