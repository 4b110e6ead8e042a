package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxConfig is the most bytes of a configuration; hundreds of adapters need less.
const maxConfig = 1 << 20

// Load reads a configuration and judges it. The error is Problems when the file can be read but is wrong.
func Load(file string) (*Config, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("app: read configuration: %w", err)
	}
	return Parse(file, raw, os.LookupEnv)
}

// Parse turns YAML into a Config. Every mistake is reported, not only the first: the error is Problems. File names in the
// result are relative to the folder of file; env resolves ${NAME}. Parse does no I/O.
func Parse(file string, raw []byte, env func(string) (string, bool)) (*Config, error) {
	cfg := DefaultConfig()
	cfg.at = positions{file: filepath.ToSlash(file), keys: map[string]position{}}
	d := &decoder{at: cfg.at, dir: filepath.Dir(file), env: env}
	body, ok := d.document(raw)
	if ok && body != nil {
		d.structure("", body, reflect.ValueOf(&cfg).Elem())
	}
	if ok {
		d.problems = append(d.problems, cfg.judge()...)
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return &cfg, nil
}

// decoder walks the tree that the YAML library parsed along our types, so that it can say all that is wrong at once.
type decoder struct {
	at       positions
	dir      string
	env      func(string) (string, bool)
	problems Problems
}

func (d *decoder) wrong(n ast.Node, key, text string, args ...any) {
	p := Problem{File: d.at.file, Key: key, Text: fmt.Sprintf(text, args...)}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0]
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key // the tokens of both are the colon
	}
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		p.Line, p.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
	}
	d.problems = append(d.problems, p)
}

// document returns the file's one mapping; nil for an empty file. ok is false when it is no YAML at all.
func (d *decoder) document(raw []byte) (body ast.Node, ok bool) {
	if len(raw) > maxConfig {
		d.wrong(nil, "", "the file is longer than %d bytes", maxConfig)
		return nil, false
	}
	// The parser drops what a stray control character hides, such as the end of a value: they have no place in the file.
	if i := slices.IndexFunc(raw, func(b byte) bool { return b < ' ' && b != '\n' && b != '\t' && b != '\r' }); i >= 0 {
		line := 1 + strings.Count(string(raw[:i]), "\n")
		d.problems = append(d.problems, Problem{File: d.at.file, Line: line, Column: i - strings.LastIndexByte(string(raw[:i]), '\n'), Text: "control character"})
		return nil, false
	}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		d.syntax(err)
		return nil, false
	}
	for _, doc := range tree.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType:
		case body != nil:
			d.wrong(doc.Body, "", "a second document: the configuration is one document")
			return nil, false
		default:
			body = doc.Body
		}
	}
	return body, true
}

func (d *decoder) syntax(err error) {
	p := Problem{File: d.at.file, Text: err.Error()}
	if ye, ok := errors.AsType[yaml.Error](err); ok {
		p.Text = ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	d.problems = append(d.problems, p)
}

// pair is one key with its value.
type pair struct {
	key   string
	node  ast.Node // the key's
	value ast.Node
}

// pairs returns a mapping's entries; anything else is a problem.
func (d *decoder) pairs(path string, n ast.Node) []pair {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode, nil:
		return nil
	default:
		d.wrong(n, path, "want a section with keys of its own, got %s", kindOf(n))
		return nil
	}
	seen := map[string]bool{}
	var out []pair
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		switch {
		case !ok:
			d.wrong(v, path, "want a plain key, got %s", kindOf(v.Key))
		case seen[key.Value]:
			d.wrong(key, join(path, key.Value), "stands here twice")
		default:
			seen[key.Value] = true
			d.note(join(path, key.Value), key)
			out = append(out, pair{key.Value, key, v.Value})
		}
	}
	return out
}

func (d *decoder) note(path string, n ast.Node) {
	if t := n.GetToken(); t != nil && t.Position != nil {
		d.at.keys[path] = position{t.Position.Line, t.Position.Column}
	}
}

// structure fills a struct from a mapping by its yaml tags.
func (d *decoder) structure(path string, n ast.Node, into reflect.Value) {
	fields := fieldsOf(into)
	for _, p := range d.pairs(path, n) {
		if f, ok := fields[p.key]; ok {
			d.value(join(path, p.key), p.key, p.value, f)
			continue
		}
		d.unknown(path, p, fields)
	}
}

func fieldsOf(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" && v.Type().Field(i).IsExported() {
			out[name] = v.Field(i)
		}
	}
	return out
}

func (d *decoder) unknown(path string, p pair, fields map[string]reflect.Value) {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	d.wrong(p.node, join(path, p.key), "unknown key%s", nearest(p.key, known))
}

// nearest suggests what was probably meant, or lists what there is.
func nearest(got string, known []string) string {
	slices.Sort(known)
	best, score := "", 0.0
	for _, k := range known {
		if s := levenshtein.Match(strings.ToLower(got), k, nil); s > score {
			best, score = k, s
		}
	}
	if score >= 0.5 {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return fmt.Sprintf(" (known: %s)", strings.Join(known, ", "))
}

// value fills one field.
func (d *decoder) value(path, key string, n ast.Node, into reflect.Value) {
	switch ptr := into.Addr().Interface().(type) {
	case *map[string]Adapter:
		*ptr = d.instances(path, n)
		return
	case *map[string]Plan:
		*ptr = d.plans(path, n)
		return
	case *time.Duration:
		if s, ok := d.text(path, n); ok {
			v, err := time.ParseDuration(s)
			if err != nil {
				d.wrong(n, path, "want a time such as 10s, 5m or 24h, got %q", s)
				return
			}
			*ptr = v
		}
		return
	}
	if size, ok := reflect.TypeAssert[*Size](into.Addr()); ok {
		d.size(path, n, size)
		return
	}
	if rate, ok := reflect.TypeAssert[*Rate](into.Addr()); ok {
		d.rate(path, n, rate)
		return
	}
	if volume, ok := reflect.TypeAssert[*Volume](into.Addr()); ok {
		d.volume(path, n, volume)
		return
	}
	if n == nil || n.Type() == ast.NullType {
		return // a key without a value keeps its default
	}
	switch into.Kind() {
	case reflect.Struct:
		d.structure(path, n, into)
	case reflect.String:
		if s, ok := d.text(path, n); ok {
			into.SetString(d.file(key, s))
		}
	case reflect.Slice:
		d.list(path, key, n, into)
	default:
		if err := yaml.NodeToValue(n, into.Addr().Interface(), yaml.Strict()); err != nil || !fits(n, into.Kind()) {
			got := kindOf(n)
			if s, ok := n.(*ast.StringNode); ok {
				got = strconv.Quote(s.Value)
			}
			d.wrong(n, path, "want %s, got %s", wanted(into.Kind()), got)
		}
	}
}

// fits keeps the library from reading "8" as 8 or 1.5 as 1.
func fits(n ast.Node, k reflect.Kind) bool {
	switch n.Type() {
	case ast.IntegerType:
		return k != reflect.Bool
	case ast.FloatType:
		return k == reflect.Float64 || k == reflect.Float32
	case ast.BoolType:
		return k == reflect.Bool
	default:
		return false
	}
}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

func kindOf(n ast.Node) string {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return n.String()
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias (write the value out)"
	case *ast.TagNode:
		return "a tag (write the value without)"
	}
	return "something else"
}

func (d *decoder) list(path, key string, n ast.Node, into reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrong(n, path, "want a list, got %s", kindOf(n))
		return
	}
	out := reflect.MakeSlice(into.Type(), len(seq.Values), len(seq.Values))
	for i, v := range seq.Values {
		at := fmt.Sprintf("%s.%d", path, i)
		d.note(at, v)
		if out.Index(i).Kind() != reflect.Struct {
			at = path
		}
		d.value(at, key, v, out.Index(i))
	}
	into.Set(out)
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// text returns a string with ${NAME} replaced from the environment.
func (d *decoder) text(path string, n ast.Node) (string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.NullNode, nil:
		return "", false
	default:
		hint := ""
		switch n.Type() {
		case ast.IntegerType, ast.FloatType, ast.BoolType:
			hint = " (put it in quotes)"
		default:
		}
		d.wrong(n, path, "want text, got %s%s", kindOf(n), hint)
		return "", false
	}
	s = variable.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-1]
		v, set := d.env(name)
		if !set {
			d.wrong(n, path, "the environment variable %s is not set", name)
			return m // there is something, though not what was meant: nothing else is wrong with the key
		}
		return v
	})
	return s, true
}

// file makes the value of a *_file, *_dir or dir key relative to the configuration's folder.
func (d *decoder) file(key, s string) string {
	if s == "" || filepath.IsAbs(s) || !strings.HasSuffix(key, "_file") && !strings.HasSuffix(key, "_dir") && key != "dir" {
		return s
	}
	return filepath.Join(d.dir, s)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
