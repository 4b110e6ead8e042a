package gateway_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

func TestCommandsFollowRegistration(t *testing.T) {
	c := newCounter(t)
	nodes := func(v gateway.Visitor) (out []string) {
		cmds, err := c.desk.Commands(c.t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		for _, cmd := range cmds {
			if cmd.Title == "" {
				t.Errorf("%s has no title", cmd.Node)
			}
			out = append(out, cmd.Node)
		}
		return out
	}
	if diff := cmp.Diff([]string{"jabber:iq:register", "claim", "help"}, nodes(c.romeo)); diff != "" {
		t.Error(diff)
	}
	for _, node := range []string{gateway.NodeStatus, gateway.NodeAdd, gateway.NodeContacts, gateway.NodeUnregister} {
		_, err := c.desk.Start(c.t.Context(), c.romeo, node)
		c.refused(err, gateway.RegistrationRequired, "")
	}
	_, err := c.desk.Start(c.t.Context(), c.romeo, "make-me-admin")
	c.refused(err, gateway.ItemNotFound, "")
	c.register(c.romeo, "Montague")
	if diff := cmp.Diff([]string{
		"jabber:iq:register", "status", "add", "search", "contacts", "import", "features", "block", "unblock", "report", "appeal",
		"mute", "unmute", "pause", "resume", "late", "move", "claim", "export", "unregister", "erase", "help",
	}, nodes(c.romeo)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"jabber:iq:register", "claim", "help"}, nodes(c.juliet)); diff != "" {
		t.Error(diff)
	}
	if _, err := c.desk.Commands(c.t.Context(), gateway.Visitor{Adapter: "moat", User: "romeo@example.org"}); err != nil {
		t.Errorf("unknown instance: %v", err)
	}
}

func TestAddContact(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	r := c.start(c.romeo, gateway.NodeAdd)
	if len(r.Fields) != 1 || r.Fields[0].Label != "phone number or user name" || !r.Complete || r.Next {
		t.Fatalf("got %+v, want one question by the platform's addressing", r)
	}
	r = c.next(c.romeo, r, map[string]string{"query": " anna "})
	a := c.account(c.romeo)
	alias := a.Keys.Alias("id-anna")
	if r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, string(alias)+"@wall.example.org") || strings.Contains(r.Text, "accept") {
		t.Errorf("got %s %q, want the address", r.Status, r.Text)
	}
	want := string(alias) + "@wall.example.org -> romeo@example.org: subscribe anna"
	if diff := cmp.Diff(want, shown(r.After)); diff != "" {
		t.Error(diff)
	}

	// Adding somebody again keeps what is known about them.
	known, err := c.identity.PutContact(c.t.Context(), a, gateway.Contact{ID: "id-anna", Name: "anna", Subscribed: true, Chat: "chat7"})
	if err != nil {
		t.Fatal(err)
	}
	c.platform.Play(script{Resolve: func(string) (gateway.Person, error) { return gateway.Person{ID: "id-anna", Name: "Anna"}, nil }})
	c.restart()
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeAdd), map[string]string{"query": "anna"})
	if !strings.Contains(r.Text, "Anna has to accept") {
		t.Errorf("got %q, want that Anna has to accept", r.Text)
	}
	got, err := c.identity.Contact(c.t.Context(), a, known.Alias)
	want2 := gateway.Contact{Alias: known.Alias, ID: "id-anna", Name: "Anna", Subscribed: true, Chat: "chat7", Pending: true}
	if err != nil || *got != want2 {
		t.Errorf("got %+v, %v, want %+v", got, err, want2)
	}
}

func TestResolve(t *testing.T) {
	c := newCounter(t)
	_, err := c.desk.Resolve(c.t.Context(), c.romeo, "anna")
	c.refused(err, gateway.RegistrationRequired, "")
	c.register(c.romeo, "Montague")
	if desc, prompt := c.desk.Prompt(c.romeo); prompt != "phone number or user name" || !strings.Contains(desc, "Wall") {
		t.Errorf("got prompt %q %q", desc, prompt)
	}
	alias, err := c.desk.Resolve(c.t.Context(), c.romeo, " anna ")
	if a := c.account(c.romeo); err != nil || alias != a.Keys.Alias("id-anna") {
		t.Fatalf("got %q, %v", alias, err)
	}
	if _, err := c.identity.Contact(c.t.Context(), c.account(c.romeo), alias); err != nil {
		t.Errorf("no contact behind the address: %v", err)
	}
	for _, query := range []string{"", "  ", strings.Repeat("x", 5000)} {
		_, err := c.desk.Resolve(c.t.Context(), c.romeo, query)
		c.refused(err, gateway.NotAcceptable, "")
	}
	// Nobody, opted out and blocked are one answer: condition and text.
	var texts []string
	for _, reason := range []error{gateway.ErrNoPerson, fmt.Errorf("wall: %w", gateway.ErrNoPerson), &gateway.SendError{Class: gateway.NotReachable, Code: "opted_out"}} {
		c.platform.Play(script{Resolve: func(string) (gateway.Person, error) { return gateway.Person{}, reason }})
		_, err := c.desk.Resolve(c.t.Context(), c.romeo, "+49 30 1")
		texts = append(texts, c.refused(err, gateway.ItemNotFound, ""))
	}
	if len(slices.Compact(texts)) != 1 {
		t.Errorf("the answers tell nobody from opted out: %q", texts)
	}
	c.platform.Play(script{Resolve: func(string) (gateway.Person, error) {
		return gateway.Person{}, &gateway.SendError{Class: gateway.Retryable}
	}})
	_, err = c.desk.Resolve(c.t.Context(), c.romeo, "+49 30 1")
	c.refused(err, gateway.RemoteServerTimeout, "")
	bug := errors.New("bug")
	c.platform.Play(script{Resolve: func(string) (gateway.Person, error) { return gateway.Person{}, bug }})
	if _, err = c.desk.Resolve(c.t.Context(), c.romeo, "+49 30 1"); !errors.Is(err, bug) {
		t.Errorf("got %v, want the bug itself", err)
	}
	if strings.Contains(c.log.String(), "+49") {
		t.Errorf("log names a number:\n%s", c.log)
	}
}

func TestResolveNeedsAWorkingAccount(t *testing.T) {
	for _, standing := range []gateway.AccountStanding{gateway.AccountReauthNeeded, gateway.AccountReconsentNeeded, gateway.AccountSuspended} {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		a := *c.account(c.romeo)
		a.Standing = standing
		if err := c.identity.Update(c.t.Context(), a); err != nil {
			t.Fatal(err)
		}
		c.restart()
		_, err := c.desk.Resolve(c.t.Context(), c.romeo, "anna")
		c.refused(err, gateway.NotAuthorized, "")
		if slices.Contains(c.platform.Calls(), "resolve anna") {
			t.Errorf("%s: the platform was asked", standing)
		}
	}
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.platform.Describe.Version++
	_, err := c.desk.Resolve(c.t.Context(), c.romeo, "anna")
	if text := c.refused(err, gateway.NotAuthorized, ""); !strings.Contains(text, "terms of Wall have changed") {
		t.Errorf("got %q, want that the terms changed", text)
	}
	c.register(c.romeo, "Montague")
	if _, err := c.desk.Resolve(c.t.Context(), c.romeo, "anna"); err != nil {
		t.Errorf("after the new consent: %v", err)
	}
}

func TestLookupBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		c.register(c.juliet, "Capulet")
		for i := range 30 {
			if _, err := c.desk.Resolve(c.t.Context(), c.romeo, fmt.Sprint("p", i)); err != nil {
				t.Fatalf("lookup %d: %v", i, err)
			}
		}
		_, err := c.desk.Resolve(c.t.Context(), c.romeo, "one more")
		c.refused(err, gateway.ResourceConstraint, "")
		if slices.Contains(c.platform.Calls(), "resolve one more") {
			t.Error("the platform was asked all the same")
		}
		if _, err := c.desk.Resolve(c.t.Context(), c.juliet, "anna"); err != nil {
			t.Errorf("another user pays: %v", err)
		}
		gatewaytest.Advance(time.Hour)
		if _, err := c.desk.Resolve(c.t.Context(), c.romeo, "one more"); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

func TestStatusAndContacts(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.register(c.juliet, "Capulet")
	if r := c.start(c.romeo, gateway.NodeContacts); r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, "no contacts") {
		t.Errorf("got %q, want none", r.Text)
	}
	a := c.account(c.romeo)
	for _, name := range []string{"tybalt", "Anna", "Mercutio"} {
		if _, err := c.identity.PutContact(c.t.Context(), a, gateway.Contact{ID: gateway.ContactID(name), Name: name, Pending: name == "Anna"}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name gateway.ContactID) string { return string(a.Keys.Alias(name)) + "@wall.example.org" }
	want := "Anna " + at("Anna") + " (has not accepted yet)\nMercutio " + at("Mercutio") + "\ntybalt " + at("tybalt")
	if diff := cmp.Diff(want, c.start(c.romeo, gateway.NodeContacts).Text); diff != "" {
		t.Error(diff)
	}
	if r := c.start(c.juliet, gateway.NodeContacts); !strings.Contains(r.Text, "no contacts") {
		t.Errorf("another user sees %q", r.Text)
	}
	if r := c.start(c.romeo, gateway.NodeStatus); !strings.HasPrefix(r.Text, "Wall account: Montague\nState: active\nContacts: 3\nWho can read") {
		t.Errorf("got %q", r.Text)
	}
	if r := c.start(c.juliet, gateway.NodeStatus); !strings.Contains(r.Text, "Capulet") || !strings.Contains(r.Text, "Contacts: 0") {
		t.Errorf("got %q", r.Text)
	}
	c.platform.Describe.Version++
	if r := c.start(c.romeo, gateway.NodeStatus); !strings.Contains(r.Text, "terms have changed") {
		t.Errorf("got %q, want that the terms changed", r.Text)
	}
}

func TestLongContactListIsCapped(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	for i := range 201 {
		if _, err := c.identity.PutContact(c.t.Context(), a, gateway.Contact{ID: gateway.ContactID(fmt.Sprint(i)), Name: "n"}); err != nil {
			t.Fatal(err)
		}
	}
	r := c.start(c.romeo, gateway.NodeContacts)
	if n := strings.Count(r.Text, "@wall.example.org"); n != 200 || !strings.Contains(r.Note, "200") {
		t.Errorf("got %d contacts, note %q, want 200 and a note", n, r.Note)
	}
	if r := c.say(c.romeo, "list"); !strings.Contains(r.Text, "Only 200") {
		t.Error("a chat does not say that the list is cut")
	}
}
