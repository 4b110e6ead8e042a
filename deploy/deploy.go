// Package deploy holds what an operator copies into an XMPP server's configuration so that Postern can join it.
package deploy

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/template"
	"unicode"
)

//go:embed prosody/postern.cfg.lua.tmpl ejabberd/postern.yml.tmpl
var snippets embed.FS

// Server names an XMPP server that a snippet is written for.
type Server string

// The servers with a snippet.
const (
	Prosody  Server = "prosody"
	Ejabberd Server = "ejabberd"
)

// Component is one gateway domain that logs in to the server (XEP-0114).
type Component struct {
	JID          string // domain of the component, such as telegram.example.org
	Secret       string // shared with Postern's configuration
	Name         string // shown in service lists; empty stands for JID
	NoPrivileges bool   // leaves out the rights of XEP-0356
}

// Params fills a snippet.
type Params struct {
	Domain     string      // host of the users
	Addr       string      // IP address and port on which the server accepts components
	Upload     string      // domain of the upload service (XEP-0363); Prosody needs it to let the gateway in
	Components []Component // at least one
}

// ErrServer is returned for a server without a snippet.
var ErrServer = errors.New("deploy: unknown server, want prosody or ejabberd")

// Snippet returns the configuration that lets one component join the server: a file to include for either server. rights
// grants it the users' rosters and messages in their names (XEP-0356). addr is host:port.
func Snippet(server Server, component, domain, secret, addr string, rights bool) (string, error) {
	return Render(server, Params{
		Domain: domain, Addr: addr,
		Components: []Component{{JID: component, Secret: secret, NoPrivileges: !rights}},
	})
}

// Render returns the configuration for all components of p.
func Render(server Server, p Params) (string, error) {
	var file string
	switch server {
	case Prosody:
		file = "prosody/postern.cfg.lua.tmpl"
	case Ejabberd:
		file = "ejabberd/postern.yml.tmpl"
	default:
		return "", ErrServer
	}
	v, err := newView(p)
	if err != nil {
		return "", err
	}
	t, err := template.New("").Funcs(template.FuncMap{"q": quote}).ParseFS(snippets, file)
	if err != nil {
		return "", fmt.Errorf("deploy: parse %s: %w", file, err)
	}
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, file[strings.LastIndexByte(file, '/')+1:], v); err != nil {
		return "", fmt.Errorf("deploy: render %s: %w", file, err)
	}
	return b.String(), nil
}

// view is Params as the templates read it.
type view struct {
	Domain, Upload, Host string
	Port                 int
	Components           []Component
	Privileged           []Component
}

func newView(p Params) (view, error) {
	if p.Domain == "" || len(p.Components) == 0 {
		return view{}, errors.New("deploy: a domain and a component are needed")
	}
	host, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		return view{}, fmt.Errorf("deploy: component address: %w", err)
	}
	// Both servers bind to addresses, not to names.
	if net.ParseIP(host) == nil {
		return view{}, fmt.Errorf("deploy: component address %q: want an IP address and a port", p.Addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return view{}, fmt.Errorf("deploy: component address %q: bad port", p.Addr)
	}
	v := view{Domain: p.Domain, Upload: p.Upload, Host: host, Port: int(n)}
	if !plain(p.Domain) || !plain(p.Upload) {
		return view{}, errors.New("deploy: control character in a domain")
	}
	for _, c := range p.Components {
		if c.JID == "" || c.Secret == "" {
			return view{}, errors.New("deploy: a component needs a domain and a secret")
		}
		if c.Name == "" {
			c.Name = c.JID
		}
		if !plain(c.JID) || !plain(c.Secret) || !plain(c.Name) {
			return view{}, fmt.Errorf("deploy: component %q: control character", c.JID)
		}
		v.Components = append(v.Components, c)
		if !c.NoPrivileges {
			v.Privileged = append(v.Privileged, c)
		}
	}
	return v, nil
}

// plain reports whether s can be quoted for Lua and YAML alike.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// quote writes s as a string of Lua and of YAML: for printable text both escape the quote and the backslash only.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
