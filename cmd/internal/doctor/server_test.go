package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/xmpp"
)

// TestGranted says of each thing that a server lacks what users will not have.
func TestGranted(t *testing.T) {
	good := xmpp.Host{Name: "example.org", Listed: true, Carbons: true, Upload: "upload.example.org", UploadMax: 64 << 20, Rosters: true, Words: true, Requests: true}
	refused := func(condition string) joined { return joined{err: &xmpp.StreamError{Condition: condition}} }
	seen := func(change func(*xmpp.Host)) joined {
		h := good
		change(&h)
		return joined{seen: xmpp.Surroundings{Software: "Prosody", Hosts: []xmpp.Host{h}}}
	}
	for _, tt := range []struct {
		name  string
		j     joined
		level Level
		text  string
		lines string // one of those to add
	}{
		{"name", refused("host-unknown"), Fault, "does not know gatekeeper.example.org", `Component "gatekeeper.example.org"`},
		{"secret", refused("not-authorized"), Fault, "refuses the secret of gatekeeper.example.org, or does not know", "listen:"},
		{"conflict", refused("conflict"), Fault, "somebody else is connected as gatekeeper.example.org", ""},
		{"stream", refused("system-shutdown"), Fault, "ended the stream", ""},
		{"network", joined{err: errors.New("eof")}, Fault, "could not look around (eof)", ""},
		{"list", seen(func(h *xmpp.Host) { h.Listed = false }), Loss, "does not list gatekeeper.example.org", "disco_items"},
		{"upload", seen(func(h *xmpp.Host) { h.Upload = "" }), Loss, "has no upload service", ""},
		{"slot", seen(func(h *xmpp.Host) { h.UploadRefused, h.Requests = "forbidden", false }), Loss, "gives gatekeeper.example.org no place for files (forbidden)", "http_file_share_access"},
		{"slot in a user's name", seen(func(h *xmpp.Host) { h.UploadRefused = "forbidden" }), OK, "files go to upload.example.org, up to 64 MiB each", ""},
		{"rosters", seen(func(h *xmpp.Host) { h.Rosters = false }), Loss, "does not grant rosters (", "privileged_entities"},
		{"words", seen(func(h *xmpp.Host) { h.Words, h.Requests = false, false }), Loss, "does not grant messages, uploads in a user's name (", "privileged_entities"},
		{"carbons", seen(func(h *xmpp.Host) { h.Carbons = false }), Loss, "has no carbons", ""},
		{"well", seen(func(*xmpp.Host) {}), OK, "grants rosters, messages and uploads", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
			v.granted(v.parts.Instances[0], tt.j)
			f := v.want(t, tt.level, tt.text)
			if !strings.Contains(strings.Join(f.Lines, "\n"), tt.lines) {
				t.Errorf("got the lines %q, want %q among them", f.Lines, tt.lines)
			}
			losses := slices.DeleteFunc(slices.Clone(v.findings), func(f Finding) bool { return f.Level == OK })
			if want := map[bool]int{true: 0, false: 1}[tt.level == OK]; len(losses) != want && tt.name != "slot" {
				t.Errorf("got %d misses, want %d: %+v", len(losses), want, losses)
			}
		})
	}
}

// TestPort is a server that is there, or not, with TLS and without.
func TestPort(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // ends the goroutine below
	cert := overAt(t, time.Now().Add(time.Hour))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = tls.Server(conn, cert).HandshakeContext(t.Context()) // who speaks no TLS is gone
			_ = conn.Close()
		}
	}()
	v := rig(t, "redis://127.0.0.1:1/0", "p:", "", Options{Now: time.Now})
	if v.port(t.Context()) {
		t.Error("got somebody where nobody is")
	}
	v.want(t, Fault, "nobody answers at 127.0.0.1:1 (connection refused)")
	v.cfg.Server.Component = l.Addr().String()
	v.parts.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1", RootCAs: x509.NewCertPool()}
	if v.port(t.Context()) {
		t.Error("a certificate that nobody knows was taken")
	}
	v.want(t, Fault, "not as server.tls wants it")
	known, err := x509.ParseCertificate(cert.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	v.parts.TLS.RootCAs.AddCert(known)
	if !v.port(t.Context()) {
		t.Error("a good certificate was refused")
	}
	v.want(t, OK, "answers, with TLS")
	v.parts.TLS = nil
	if !v.port(t.Context()) {
		t.Error("plain text was refused")
	}
	v.want(t, OK, "answers, in plain text")
}
