package setup

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"postern/adapters"
	"postern/cmd/internal/app"
	"postern/deploy"
)

//go:embed postern.yaml.tmpl
var configTemplate string

// systemDir is where a package keeps its configuration; its state then goes where the system keeps state.
const systemDir = "/etc/postern"

// Written is one file that Write left behind.
type Written struct {
	Path string
	// Kept is true for a key or secret that was there already.
	Kept bool
	// Fetch says what the operator has to put into it, and where they get that; empty: nothing.
	Fetch string
}

// Result is what Write did.
type Result struct {
	Files []Written
	// Config is the path of postern.yaml, Snippet that of the lines for the XMPP server, Lines those lines.
	Config, Snippet, Lines string
	// Install says where Snippet goes.
	Install string
	// System is true for the folder of a package, whose service is started by the system.
	System bool
	// Page is the operator's page of the platform; empty where there is none.
	Page string
}

// Fetch lists the files that the operator still has to fill in.
func (r Result) Fetch() []Written {
	return slices.DeleteFunc(slices.Clone(r.Files), func(w Written) bool { return w.Fetch == "" })
}

// ErrExists: a file is there already and nothing was written.
var ErrExists = errors.New("setup: files exist already")

// file is one file to write. A secret that exists is never written over: what it opens would be lost.
type file struct {
	name   string
	secret bool
	text   func() (string, error)
	fetch  string // what the operator puts there
}

// Write makes all files in a.Dir, readable by their owner only, or also by the folder's group where that has the setgid bit, as
// in the folder of a package: the group is then that of the service. Without force it writes nothing when one is there. With
// force it writes the configuration and the server's lines anew; keys and secrets that exist are kept. A secret that only the
// platform gives out is left empty for the operator. Answers that do not make a configuration leave nothing behind.
func Write(a Answers, force bool) (Result, error) {
	g := a.guide()
	text, err := config(a, g)
	if err != nil {
		return Result{}, err
	}
	if _, err := app.Parse(filepath.Join(a.Dir, "postern.yaml"), []byte(text), os.LookupEnv); err != nil {
		return Result{}, fmt.Errorf("setup: these answers do not make a configuration:\n%w", err)
	}
	secretFile := a.Adapter + ".secret"
	secrets := append([]file{
		{"store.key", true, func() (string, error) { return app.NewKey(), nil }, ""},
		{secretFile, true, func() (string, error) { return token() + "\n", nil }, ""},
	}, ownSecrets(a, g)...)
	snippetName := map[string]string{string(deploy.Prosody): "postern.cfg.lua", string(deploy.Ejabberd): "postern.yml"}[a.Server]
	r := Result{Config: filepath.Join(a.Dir, "postern.yaml"), Snippet: filepath.Join(a.Dir, snippetName), Install: install(a.Server, filepath.Join(a.Dir, snippetName))}
	r.System = filepath.Clean(a.Dir) == systemDir
	if g.Page != "" {
		r.Page = "deploy/platforms/" + g.Page
	}
	rest := []file{
		{snippetName, false, func() (text string, err error) {
			secret, err := os.ReadFile(filepath.Join(a.Dir, secretFile))
			if err != nil {
				return "", err
			}
			r.Lines, err = deploy.Snippet(deploy.Server(a.Server), a.JID, a.Domain, strings.TrimSpace(string(secret)), a.Component, a.Rights == "yes")
			return r.Lines, err
		}, ""},
		{"postern.yaml", false, func() (string, error) { return text, nil }, ""},
	}
	all := slices.Concat(secrets, rest)
	if !force {
		if there := existing(a.Dir, all); len(there) > 0 {
			return Result{}, fmt.Errorf("%w: %s (--force writes the configuration anew and keeps keys and secrets; --out chooses another folder)", ErrExists, strings.Join(there, ", "))
		}
	}
	if err := os.MkdirAll(a.Dir, 0o750); err != nil {
		return Result{}, err
	}
	for _, f := range all {
		w, err := f.write(a.Dir)
		if err != nil {
			return Result{}, fmt.Errorf("setup: write %s: %w", f.name, err)
		}
		r.Files = append(r.Files, w)
	}
	return r, nil
}

// ownSecrets are the secrets of the adapter's own.
func ownSecrets(a Answers, g adapters.Guide) []file {
	var out []file
	for _, k := range g.Keys {
		if k.File == "" || k.When != nil && !k.When(a.Own) {
			continue
		}
		f := file{a.Adapter + "." + k.File, true, k.Make, k.Fetch}
		if f.text == nil {
			f.text = func() (string, error) { return "", nil }
		}
		out = append(out, f)
	}
	return out
}

func existing(dir string, files []file) []string {
	var out []string
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.name)); err == nil {
			out = append(out, filepath.Join(dir, f.name))
		}
	}
	return out
}

// write puts the text beside its place and moves it there, so that a crash leaves the old file or the new one.
func (f file) write(dir string) (Written, error) {
	path := filepath.Join(dir, f.name)
	if info, err := os.Lstat(path); err == nil && f.secret {
		if info.Size() > 0 {
			f.fetch = ""
		}
		return Written{path, true, f.fetch}, nil
	}
	text, err := f.text()
	if err != nil {
		return Written{}, err
	}
	tmp, err := os.CreateTemp(dir, "."+f.name+".*") // mode 0600
	if err != nil {
		return Written{}, err
	}
	if info, e := os.Stat(dir); e == nil && info.Mode()&fs.ModeSetgid != 0 {
		err = tmp.Chmod(0o640) // the group is the folder's (open(2))
	}
	_, e := tmp.WriteString(text)
	err = errors.Join(err, e, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return Written{}, errors.Join(err, os.Remove(tmp.Name()))
	}
	return Written{path, false, f.fetch}, nil
}

// config renders postern.yaml.
func config(a Answers, g adapters.Guide) (string, error) {
	t, err := template.New("postern.yaml").Funcs(template.FuncMap{"q": strconv.Quote}).Parse(configTemplate)
	if err != nil {
		return "", err
	}
	state := "state"
	if filepath.Clean(a.Dir) == systemDir {
		state = app.DefaultConfig().StateDir
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Answers
		State, Keys string
	}{a, state, keys(a, g)})
	return b.String(), err
}

// keys are the lines of the adapter's own keys, explained as in the example.
func keys(a Answers, g adapters.Guide) string {
	var out strings.Builder
	for _, line := range g.Lines() {
		k, ok := g.Key(line.Key)
		value := a.Own[line.Key]
		if ok && k.File != "" && (k.When == nil || k.When(a.Own)) {
			value = a.Adapter + "." + k.File
		}
		if !ok || value == "" {
			continue
		}
		fmt.Fprintf(&out, "    %s: %s", line.Key, strconv.Quote(value))
		if line.Comment != "" {
			fmt.Fprintf(&out, " # %s", line.Comment)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func install(server, snippet string) string {
	if server == string(deploy.Ejabberd) {
		return fmt.Sprintf("install -o root -g ejabberd -m 0640 %s /etc/ejabberd/postern.yml, include it in /etc/ejabberd/ejabberd.yml as its first lines say, and restart ejabberd", snippet)
	}
	return fmt.Sprintf("install -o root -g prosody -m 0640 %s /etc/prosody/conf.d/postern.cfg.lua and restart Prosody (a reload is not enough for a new component)", snippet)
}

// token is a secret that needs no quoting in any of the files: 32 characters, 192 bits.
func token() string {
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}
