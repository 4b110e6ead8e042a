package app

import (
	"fmt"
	"maps"
	"reflect"

	"github.com/goccy/go-yaml/ast"

	"postern/adapters"
)

// size reads a number of bytes, with or without a unit.
func (d *decoder) size(path string, n ast.Node, into *Size) {
	var s string
	if number, ok := n.(*ast.IntegerNode); ok {
		s = fmt.Sprint(number.Value)
	} else if text, ok := d.text(path, n); ok {
		s = text
	} else {
		return
	}
	v, ok := parseSize(s)
	if !ok {
		d.wrong(n, path, "want a size such as 64KiB, 100MiB or 10GiB, got %q", s)
		return
	}
	*into = v
}

// parsed reads a text of a form of its own; want says which, and gets what was there.
func parsed[T any](d *decoder, path string, n ast.Node, into *T, parse func(string) (T, bool), want string) {
	s, ok := d.text(path, n)
	if !ok {
		return
	}
	v, ok := parse(s)
	if !ok {
		d.wrong(n, path, want+", got %q", s)
		return
	}
	*into = v
}

// rate reads how many of something there may be in a time.
func (d *decoder) rate(path string, n ast.Node, into *Rate) {
	parsed(d, path, n, into, parseRate, "want so many in a time from 1s to 744h, such as 120/1m or 50/24h, or off")
}

// volume reads how many bytes there may be in a time.
func (d *decoder) volume(path string, n ast.Node, into *Volume) {
	parsed(d, path, n, into, parseVolume, "want a size in a time from 1s to 744h, such as 500MiB/24h, or off")
}

// plans reads plans by name.
func (d *decoder) plans(path string, n ast.Node) map[string]Plan {
	out := map[string]Plan{}
	for _, p := range d.pairs(path, n) {
		var plan Plan
		if p.value != nil && p.value.Type() != ast.NullType {
			d.structure(join(path, p.key), p.value, reflect.ValueOf(&plan).Elem())
		}
		out[p.key] = plan
	}
	return out
}

// instances reads the adapters: the common keys and the type's own stand side by side.
func (d *decoder) instances(path string, n ast.Node) map[string]Adapter {
	out := map[string]Adapter{}
	for _, p := range d.pairs(path, n) {
		out[p.key] = d.instance(join(path, p.key), p.value)
	}
	return out
}

func (d *decoder) instance(path string, n ast.Node) Adapter {
	a := Adapter{Limits: defaultLimits(), Canary: defaultCanary()}
	fields := fieldsOf(reflect.ValueOf(&a).Elem())
	entries := d.pairs(path, n)
	for _, p := range entries {
		if f, ok := fields[p.key]; ok {
			d.value(join(path, p.key), p.key, p.value, f)
		}
	}
	a.Own = ownConfig(a.Type)
	if a.Own == nil {
		return a // without its type nothing can be said about its other keys
	}
	own := fieldsOf(reflect.ValueOf(a.Own).Elem())
	all := map[string]reflect.Value{}
	maps.Copy(all, fields)
	maps.Copy(all, own)
	for _, p := range entries {
		switch _, common := fields[p.key]; {
		case common:
		case own[p.key].IsValid():
			d.value(join(path, p.key), p.key, p.value, own[p.key])
		default:
			d.unknown(path, p, all)
		}
	}
	return a
}

// ownConfig returns a type's own configuration with its defaults, or nil for an unknown type.
func ownConfig(name string) adapters.Config {
	for _, t := range adapters.All() {
		if t.Name == name {
			return t.Config()
		}
	}
	return nil
}
