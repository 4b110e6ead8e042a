package deploy

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestRender(t *testing.T) {
	full := Params{
		Domain: "example.org", Addr: "127.0.0.1:5347", Upload: "upload.example.org",
		Components: []Component{
			{JID: "telegram.example.org", Secret: `a"b\c`, Name: "Telegram"},
			{JID: "plain.example.org", Secret: "s3cret", NoPrivileges: true},
		},
	}
	for _, c := range []struct {
		server Server
		params Params
		file   string
	}{
		{Prosody, full, "prosody-full.cfg.lua"},
		{Ejabberd, full, "ejabberd-full.yml"},
	} {
		got, err := Render(c.server, c.params)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		golden(t, c.file, got)
	}
	for _, server := range []Server{Prosody, Ejabberd} {
		got, err := Snippet(server, "gw.example.org", "example.org", "s3cret", "[::1]:5347", false)
		if err != nil {
			t.Errorf("%s: %v", server, err)
			continue
		}
		golden(t, string(server)+"-one.txt", got)
	}
}

// What is granted is said, and a component without rights gets none.
func TestRights(t *testing.T) {
	for _, server := range []Server{Prosody, Ejabberd} {
		for _, rights := range []bool{true, false} {
			got, err := Snippet(server, "gw.example.org", "example.org", "s3cret", "127.0.0.1:5347", rights)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got, "outgoing") != rights || strings.Contains(got, "privilege") != rights {
				t.Errorf("%s, rights %v: got\n%s", server, rights, got)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", name, diff)
	}
}

func TestRenderRefuses(t *testing.T) {
	ok := func() Params {
		return Params{Domain: "example.org", Addr: "127.0.0.1:5347", Components: []Component{{JID: "gw.example.org", Secret: "s3cret"}}}
	}
	for name, c := range map[string]struct {
		change func(*Params)
		want   string
	}{
		"no domain":         {func(p *Params) { p.Domain = "" }, "a domain and a component"},
		"no component":      {func(p *Params) { p.Components = nil }, "a domain and a component"},
		"no secret":         {func(p *Params) { p.Components[0].Secret = "" }, "needs a domain and a secret"},
		"no port":           {func(p *Params) { p.Addr = "127.0.0.1" }, "component address"},
		"host name":         {func(p *Params) { p.Addr = "localhost:5347" }, "want an IP address"},
		"port 0":            {func(p *Params) { p.Addr = "127.0.0.1:0" }, "bad port"},
		"port too large":    {func(p *Params) { p.Addr = "127.0.0.1:70000" }, "bad port"},
		"line in a secret":  {func(p *Params) { p.Components[0].Secret = "a\nb" }, "control character"},
		"line in a domain":  {func(p *Params) { p.Domain = "a\nb" }, "control character"},
		"control in a name": {func(p *Params) { p.Components[0].Name = "a\x1bb" }, "control character"},
	} {
		p := ok()
		c.change(&p)
		for _, server := range []Server{Prosody, Ejabberd} {
			if got, err := Render(server, p); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: got %q, %v, want error %q", server, name, got, err, c.want)
			} else if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s, %s: the error holds the secret: %v", server, name, err)
			}
		}
	}
	if _, err := Render("openfire", ok()); !errors.Is(err, ErrServer) {
		t.Errorf("unknown server: got %v, want ErrServer", err)
	}
}
