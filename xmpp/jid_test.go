package xmpp

import (
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"postern/gateway"
)

func TestParseJID(t *testing.T) {
	tests := []struct{ in, local, domain, resource string }{
		{"gw.example", "", "gw.example", ""},
		{"anna@example", "anna", "example", ""},
		{"anna@example/phone", "anna", "example", "phone"},
		{"gw.example/bot@host", "", "gw.example", "bot@host"},
		{"ANNA@Example.ORG/Phone", "anna", "example.org", "Phone"},
		{"anna\\40mail.it@gw.example/a b/c", "anna\\40mail.it", "gw.example", "a b/c"},
		{"+393331234@gw.example", "+393331234", "gw.example", ""},
		{"è@exämple/ñ", "è", "exämple", "ñ"},
		{"anna@example.", "anna", "example", ""},
		{"anna@127.0.0.1", "anna", "127.0.0.1", ""},
		{"anna@[::1]/x", "anna", "[::1]", "x"},
	}
	for _, tt := range tests {
		j, err := ParseJID(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		got := [3]string{j.Local(), j.Domain(), j.Resource()}
		if want := [3]string{tt.local, tt.domain, tt.resource}; got != want {
			t.Errorf("%s: got %q, want %q", tt.in, got, want)
		}
		if again, err := ParseJID(j.String()); err != nil || again != j {
			t.Errorf("%s: %q does not parse back: %v", tt.in, j, err)
		}
		if b := j.Bare(); b.Resource() != "" || !b.IsBare() || b.Local() != tt.local || b.Domain() != tt.domain {
			t.Errorf("%s: bare: got %q", tt.in, b)
		}
		if got, want := j.IsBare(), tt.resource == ""; got != want {
			t.Errorf("%s: IsBare: got %v, want %v", tt.in, got, want)
		}
	}
}

func TestParseJIDRejects(t *testing.T) {
	long := strings.Repeat("a", 1024)
	for _, in := range []string{
		"", "@", "/", "@example", "anna@", "anna@example/", "anna@/x", "a&b@example", "a b@example", "a\x00b@example",
		"a:b@example", "a\u00adb@example\u202e", "\xff@example", "anna@exa mple", "anna@example/\x00",
		long + "@example", "anna@" + long, "anna@example/" + long, "anna@a..b", long + long + long + long,
	} {
		if j, err := ParseJID(in); err == nil {
			t.Errorf("%.40q: got %.40q, want an error", in, j.String())
		}
	}
}

func TestNewJID(t *testing.T) {
	local, err := gateway.EscapeLocal("anna@mail.it")
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewJID(local, "GW.example", "")
	if err != nil || j.String() != `anna\40mail.it@gw.example` {
		t.Errorf("got %s (%v)", j, err)
	}
	full, err := j.WithResource("bridge")
	if err != nil || full.String() != `anna\40mail.it@gw.example/bridge` || full.Bare() != j {
		t.Errorf("got %s (%v)", full, err)
	}
	for _, bad := range [][3]string{{"a@b", "gw.example", ""}, {"a", "", ""}, {"a", "..", ""}, {"a", "gw.example", "\x00"}} {
		if j, err := NewJID(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%q: got %s, want an error", bad, j)
		}
	}
}

// The short way must give what the long way gives.
func FuzzParseJID(f *testing.F) {
	for _, s := range []string{"a@b.c/d", "a-@b.c", "a@-b", "1@2.3", "a@b-/c", "a@xn--b", "a%b+c_d\\20@e/f g", "A@b", "a@b.", "a@1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, ok := parsePlain(s)
		if !ok {
			return
		}
		m, err := jid.Parse(s)
		if err != nil {
			t.Fatalf("%q: accepted, but: %v", s, err)
		}
		if m.String() != plain.String() || m.Localpart() != plain.Local() || m.Domainpart() != plain.Domain() || m.Resourcepart() != plain.Resource() {
			t.Fatalf("%q: got %q, want %q", s, plain, m)
		}
	})
}

// TestNewPlain: what is put together without the library is what the library makes of the parts.
func TestNewPlain(t *testing.T) {
	parts := []string{"", "anna", "a/b", "a@b", "x@y/z", "gw.example", "Anna", "é", "a b", `a\40b`, "-", ".", "a..b", "127.0.0.1"}
	taken := 0
	for _, local := range parts {
		for _, domain := range parts {
			for _, resource := range parts {
				got, ok := newPlain(local, domain, resource)
				if !ok {
					continue
				}
				taken++
				m, err := jid.New(local, domain, resource)
				if err != nil || got.Local() != m.Localpart() || got.Domain() != m.Domainpart() || got.Resource() != m.Resourcepart() {
					t.Errorf("%q, %q, %q: got %q, want %q (%v)", local, domain, resource, got, m, err)
				}
			}
		}
	}
	if taken == 0 {
		t.Error("got no plain address, want some")
	}
}
