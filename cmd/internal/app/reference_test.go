package app

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/adapters"
)

// TestConfigurationReference: deploy/configuration.md is what the Config structs say: each key, its default, and the struct's own words.
func TestConfigurationReference(t *testing.T) {
	r := reference{t: t, docs: map[string]map[string]*ast.TypeSpec{}, words: map[*ast.TypeSpec]string{}}
	r.WriteString(referenceHead)
	r.section("", "", reflect.ValueOf(DefaultConfig()))
	r.section("policy.plans.<name>", "", reflect.ValueOf(Plan{}))
	r.section("policy.rules, each", "They are looked through in order: the first that fits a user and an adapter counts. Where none does, the service at `policy.url` is asked.", reflect.ValueOf(Rule{}))
	r.section("adapters.<name>", "Every adapter has these.", reflect.ValueOf(Adapter{Limits: defaultLimits(), Canary: defaultCanary()}))
	for _, typ := range adapters.All() {
		r.section("adapters.<name> with type: "+typ.Name, "Besides those that every adapter has.", reflect.ValueOf(typ.Config()).Elem())
	}
	const file = "../../../deploy/configuration.md"
	if *update {
		if err := os.WriteFile(file, []byte(r.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.String(), string(raw)); diff != "" {
		t.Errorf("deploy/configuration.md and the structs (-structs +file); go test ./cmd/internal/app -run %s -update:\n%s", t.Name(), diff)
	}
}

const referenceHead = `# Configuration reference

Made from the program's own types by ` + "`go test ./cmd/internal/app -run TestConfigurationReference -update`" + `. [postern.yaml](postern.yaml) has the same keys as
a file to start from, ` + "`postern init`" + ` writes a first one, ` + "`postern check`" + ` says what is wrong with one.

- Names of files are relative to the folder of the configuration. Secrets stand in files of their own, for their owner alone, or come from the environment: ` + "`${NAME}`" + `.
- A duration is written as ` + "`90s`, `10m` or `24h`" + `, a size as ` + "`500KiB`, `100MiB` or `10GiB`" + `, a rate as ` + "`300/1m`" + ` (so many at once, and as many more in each stretch of time) or ` + "`off`" + `, a volume
  in the same way as ` + "`500MiB/24h`" + `.
- A key that is not known is an error.
`

// reference writes tables out of structs.
type reference struct {
	strings.Builder
	t     *testing.T
	docs  map[string]map[string]*ast.TypeSpec // by package and name
	words map[*ast.TypeSpec]string
}

// section writes a struct's keys, then those of the structs in it.
func (r *reference) section(path, intro string, v reflect.Value) {
	spec := r.spec(v.Type())
	if path != "" {
		fmt.Fprintf(r, "\n## %s\n\n%s\n", path, strings.TrimSpace(sentence(r.words[spec], v.Type().Name())+" "+intro))
	}
	type inner struct {
		path string
		v    reflect.Value
	}
	var inners []inner
	var rows [][]string
	fields := spec.Type.(*ast.StructType).Fields.List
	for _, f := range fields {
		if f.Tag == nil {
			continue
		}
		for _, name := range f.Names {
			field, _ := v.Type().FieldByName(name.Name)
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if key == "" || key == "-" {
				continue
			}
			value := v.FieldByIndex(field.Index)
			if value.Kind() == reflect.Struct && field.Type != reflect.TypeFor[Rate]() && field.Type != reflect.TypeFor[Volume]() {
				inners = append(inners, inner{strings.TrimPrefix(path+"."+key, "."), value})
				continue
			}
			if value.Kind() == reflect.Map {
				continue // adapters and plans, which come below
			}
			if field.Type == reflect.TypeFor[[]Rule]() {
				continue // below as well
			}
			doc := inKeys(strings.Join(strings.Fields(f.Doc.Text()), " "), v.Type())
			row := []string{"`" + key + "`", kind(field.Type), shown(value), doc}
			if doc == "" && len(rows) > 0 { // one comment for several keys
				last := rows[len(rows)-1]
				row = []string{last[0] + "<br>" + row[0], last[1] + "<br>" + row[1], last[2] + "<br>" + row[2], last[3]}
				rows = rows[:len(rows)-1]
			}
			rows = append(rows, row)
		}
	}
	if len(rows) > 0 {
		r.WriteString("\n| key | | default | |\n|---|---|---|---|\n")
		for _, row := range rows {
			fmt.Fprintf(r, "| %s |\n", strings.Join(row, " | "))
		}
	}
	for _, in := range inners {
		r.section(in.path, "", in.v)
	}
}

// sentence is a doc comment without the name that Go wants at its beginning.
func sentence(doc, name string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	for _, verb := range []string{"is", "says", "bounds", "names", "are", "holds"} {
		if rest, ok := strings.CutPrefix(doc, name+" "+verb+" "); ok {
			if verb == "is" || verb == "are" {
				return strings.ToUpper(rest[:1]) + rest[1:]
			}
			return strings.ToUpper(verb[:1]) + verb[1:] + " " + rest
		}
	}
	return doc
}

var goName = regexp.MustCompile(`(^|[.,;] | and )([A-Z][A-Za-z]+)\b`)

// inKeys writes keys where a comment has the names of fields: as a subject, since Redis is a field and a program.
func inKeys(doc string, t reflect.Type) string {
	return goName.ReplaceAllStringFunc(doc, func(match string) string {
		m := goName.FindStringSubmatch(match)
		if f, ok := t.FieldByName(m[2]); ok {
			if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
				return m[1] + "`" + key + "`"
			}
		}
		return match
	})
}

func kind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[Rate]():
		return "rate"
	case t == reflect.TypeFor[Volume]():
		return "volume"
	case t == reflect.TypeFor[Size]():
		return "size"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Slice:
		return "list of " + kind(t.Elem())
	}
	return t.String()
}

func shown(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return "`" + duration(x) + "`"
	case Secret:
		if x == "" {
			return ""
		}
		return "`" + string(x) + "`"
	case Rate:
		if x.N > 0 {
			return fmt.Sprintf("`%d/%s`", x.N, duration(x.Per))
		}
		return "`off`"
	case Volume:
		return "`" + x.String() + "`"
	case Size:
		return fmt.Sprintf("`%v`", x)
	}
	switch list := v.Kind() == reflect.Slice; {
	case list && v.Len() == 0:
		return "`[]`"
	case list:
		return fmt.Sprintf("`[%s]`", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(v.Interface())), ", "), "[]"))
	case v.Kind() == reflect.String && v.Len() == 0:
		return ""
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// duration writes 10m for 10m0s.
func duration(d time.Duration) string {
	s := d.String()
	if d == 0 {
		return "0s"
	}
	s = strings.TrimSuffix(s, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(s, "m0s")]
	return strings.TrimSuffix(s, "h0m") + map[bool]string{true: "h"}[strings.HasSuffix(s, "h0m")]
}

// spec finds the source of a struct.
func (r *reference) spec(typ reflect.Type) *ast.TypeSpec {
	r.t.Helper()
	pkg := typ.PkgPath()
	if r.docs[pkg] == nil {
		r.docs[pkg] = map[string]*ast.TypeSpec{}
		files, err := filepath.Glob(filepath.Join("../../..", strings.TrimPrefix(pkg, "postern/"), "*.go"))
		if err != nil {
			r.t.Fatal(err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, d := range file.Decls {
				gen, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, s := range gen.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok {
						r.docs[pkg][ts.Name.Name], r.words[ts] = ts, gen.Doc.Text()
					}
				}
			}
		}
	}
	spec := r.docs[pkg][typ.Name()]
	if spec == nil {
		r.t.Fatalf("no source of %s", typ)
	}
	return spec
}
