package app

import (
	"fmt"
	"strings"
	"testing"

	"postern/xmpp/xmpptest"
)

// An operator is who their server says that they are: neither a resource, nor another domain, nor an address that only looks like theirs
// passes for one.
func TestAdminsAreNotForged(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir)
	cfg := configured(t, dir)
	cfg.Access.Admins = []string{"Anna@Example.org"}
	srv := xmpptest.NewServer()
	r := start(t, cfg, srv)
	c := srv.Accept(t, domain)
	waitFor(t, "the component is up", func() bool { return strings.Contains(r.log.String(), "xmpp stream up") })
	n := 0
	ask := func(from, typ, payload string) string {
		t.Helper()
		n++
		c.Send(t, fmt.Sprintf("<iq type='%s' id='q%d' from='%s' to='%s'>%s</iq>", typ, n, from, domain, payload))
		return c.Expect(t, fmt.Sprintf("id='q%d'", n)).Raw
	}
	const (
		list  = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"
		state = "<command xmlns='http://jabber.org/protocol/commands' node='operator/status' action='execute'/>"
	)
	for _, from := range []string{
		"romeo@example.org/anna@example.org", "anna@example.org.evil.example/x", "anna@evil.example/anna@example.org", "example.org/anna@example.org", "anna.example.org/x", "anna\\40example.org@example.org/x",
		"аnna@example.org/x", // a Cyrillic letter
	} {
		if got := ask(from, "get", list); strings.Contains(got, "operator/") {
			t.Errorf("%s is shown operators' commands: %s", from, got)
		}
		if got := ask(from, "set", state); !strings.Contains(got, "type='error'") || !strings.Contains(got, "<forbidden") {
			t.Errorf("%s: got %s, want forbidden", from, got)
		}
	}
	for _, from := range []string{"anna@example.org/x", "ANNA@example.org/y", "anna@EXAMPLE.org/z"} { // RFC 7622: one address
		if got := ask(from, "get", list); !strings.Contains(got, "operator/dead-letters") {
			t.Errorf("%s is not shown operators' commands: %s", from, got)
		}
		if got := ask(from, "set", state); !strings.Contains(got, "gatekeeper runs.") {
			t.Errorf("%s: got %s", from, got)
		}
	}
	// Who is an operator is read again with the configuration.
	next := *cfg
	next.Access.Admins = nil
	if applied, _, err := r.Reload(&next); err != nil || len(applied) != 1 || !strings.HasPrefix(applied[0], "access.admins") {
		t.Fatalf("reload: got %q, %v", applied, err)
	}
	if got := ask("anna@example.org/x", "set", state); !strings.Contains(got, "<forbidden") {
		t.Errorf("after the reload: got %s, want forbidden", got)
	}
	c.CloseStream(t)
}
