package lab

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"postern/deploy"
)

//go:embed config
var configs embed.FS

// Component is a gateway domain that may log in to an XMPP server of the lab (XEP-0114).
type Component struct {
	Domain     string
	Secret     string
	Privileged bool // has the rights of XEP-0356
}

// Login is a user of an XMPP server of the lab.
type Login struct {
	User     string // localpart
	Domain   string // the server's own, or one of XMPPConfig.Hosts; the server's own when empty
	Password string
}

// XMPPConfig describes an XMPP server. The zero value serves localhost without components and users.
type XMPPConfig struct {
	Domain     string   // host of the users; localhost when empty
	Hosts      []string // further hosts, which grant the privileged components nothing
	Granting   []string // further hosts that do, and keep archives and carbons
	Components []Component
	Users      []Login
}

// XMPP is a running Prosody or ejabberd.
type XMPP struct {
	*Server
	kind    deploy.Server
	domain  string
	hosts   []host
	granted []string // components with the rights of XEP-0356

	c2s, comp, web, secure int // ports; web without TLS and secure with it

	addUser func(context.Context, Login) error
}

// host is a further host as the templates read it.
type host struct {
	Name   string
	Grants bool
}

// Kind tells which of the two servers it is.
func (x *XMPP) Kind() deploy.Server { return x.kind }

// Domain returns the host of the users.
func (x *XMPP) Domain() string { return x.domain }

// Upload returns the domain of the upload service (XEP-0363).
func (x *XMPP) Upload() string { return "upload." + x.domain }

// Rooms returns the domain of the group chats (XEP-0045).
func (x *XMPP) Rooms() string { return "rooms." + x.domain }

// ClientAddr returns host:port for clients, without TLS.
func (x *XMPP) ClientAddr() string { return loopback(x.c2s) }

// ComponentAddr returns host:port for components.
func (x *XMPP) ComponentAddr() string { return loopback(x.comp) }

// HTTPAddr returns host:port of BOSH and WebSocket, without TLS.
func (x *XMPP) HTTPAddr() string { return loopback(x.web) }

// UploadAddr returns host:port of uploaded files: https, by a certificate of Lab.CA.
func (x *XMPP) UploadAddr() string { return loopback(x.secure) }

// WebSocketURL returns the address for web clients (RFC 7395).
func (x *XMPP) WebSocketURL() string {
	path := "/xmpp-websocket"
	if x.kind == deploy.Ejabberd {
		path = "/ws"
	}
	return "ws://" + x.HTTPAddr() + path
}

// AddUser creates a user, or sets the password of one that exists, while the server runs.
func (x *XMPP) AddUser(ctx context.Context, u Login) error {
	if u.Domain == "" {
		u.Domain = x.domain
	}
	return x.addUser(ctx, u)
}

// prepare picks ports and a directory, and writes the configuration of either server: the lab's file named
// conf, which includes the snippet that operators copy.
func (l *Lab) prepare(ctx context.Context, cfg XMPPConfig, kind deploy.Server, acct account) (*XMPP, error) {
	domain := cfg.Domain
	if domain == "" {
		domain = "localhost"
	}
	ports, err := l.ports(ctx, 4, false)
	if err != nil {
		return nil, err
	}
	x := &XMPP{kind: kind, domain: domain, c2s: ports[0], comp: ports[1], web: ports[2], secure: ports[3]}
	for _, name := range cfg.Hosts {
		x.hosts = append(x.hosts, host{Name: name})
	}
	for _, name := range cfg.Granting {
		x.hosts = append(x.hosts, host{Name: name, Grants: true})
	}
	name := l.name(string(kind))
	dir, err := l.home(name, acct)
	if err != nil {
		return nil, err
	}
	x.Server = &Server{name: name, dir: dir, probe: x.ready(cfg.Components)}
	if err := l.certify(dir, acct); err != nil {
		return nil, err
	}

	p := deploy.Params{Domain: domain, Addr: x.ComponentAddr(), Upload: x.Upload()}
	for _, c := range cfg.Components {
		if c.Privileged {
			x.granted = append(x.granted, c.Domain)
		}
		p.Components = append(p.Components, deploy.Component{JID: c.Domain, Secret: c.Secret, NoPrivileges: !c.Privileged})
	}
	if len(p.Components) == 0 {
		// A server without its component port is none that a gateway could be tried on.
		return nil, errors.New("lab: an XMPP server needs a component")
	}
	snippet, err := deploy.Render(kind, p)
	if err != nil {
		return nil, err
	}
	conf, main, include := dir, "prosody.cfg.lua", "postern.cfg.lua"
	if kind == deploy.Ejabberd {
		conf, main, include = filepath.Join(dir, "conf"), "ejabberd.yml", "postern.yml"
		if err := os.MkdirAll(conf, 0o750); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	text, err := x.render(main)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(conf, include), snippet, acct); err != nil {
		return nil, err
	}
	return x, writeFile(filepath.Join(conf, main), text, acct)
}

// render fills one file of config/.
func (x *XMPP) render(file string) (string, error) {
	quote := func(parts ...string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(filepath.Join(parts...)) + `"`
	}
	file += ".tmpl"
	t, err := template.New(file).Funcs(template.FuncMap{"q": quote}).ParseFS(configs, "config/"+file)
	if err != nil {
		return "", fmt.Errorf("lab: parse %s: %w", file, err)
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Dir": x.dir, "Domain": x.domain, "Hosts": x.hosts, "Upload": x.Upload(), "Rooms": x.Rooms(), "C2S": x.c2s, "HTTP": x.web,
		"HTTPS": x.secure, "Granted": x.granted,
	})
	if err != nil {
		return "", fmt.Errorf("lab: render %s: %w", file, err)
	}
	return b.String(), nil
}

// ready asks whether clients, every component and HTTP are served. It opens streams without logging in: a
// login would throw out the component that reconnects while the server is being restarted.
func (x *XMPP) ready(components []Component) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := openStream(ctx, x.ClientAddr(), "jabber:client", x.domain, "PLAIN"); err != nil {
			return fmt.Errorf("clients: %w", err)
		}
		for _, c := range components {
			if err := openStream(ctx, x.ComponentAddr(), "jabber:component:accept", c.Domain, " id="); err != nil {
				return fmt.Errorf("component %s: %w", c.Domain, err)
			}
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+x.HTTPAddr()+"/", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
}

// openStream opens a stream and reads until the answer holds want.
func openStream(ctx context.Context, addr, ns, to, want string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(conn, `<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>`, ns, to)
	if err != nil {
		return err
	}
	var got []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(got), want) {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return fmt.Errorf("%w after %q", err, got)
		}
		if strings.Contains(string(got), "<stream:error") {
			return fmt.Errorf("stream error: %q", got)
		}
	}
	return nil
}
