package gateway_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway"
)

// accounts are a visitor's, oldest first.
func (c *counter) accounts(v gateway.Visitor) []*gateway.Account {
	c.t.Helper()
	all, err := gateway.NewIdentity(c.store, c.keys).Of(c.t.Context(), v.Adapter, v.User)
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

func TestSecondAccount(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	r := c.start(c.romeo, gateway.NodeRegister)
	i := slices.IndexFunc(r.Fields, func(f gateway.Field) bool { return f.Name == "connection" })
	if i < 0 || len(r.Fields[i].Options) != 2 || r.Fields[i].Required {
		t.Fatalf("got %+v, want to be asked whether to renew or to add", r.Fields)
	}
	// One endpoint is one account: adding it again is a conflict.
	_, err := c.desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionComplete, agreed("name", "Montague", "connection", "new"))
	if text := c.refused(err, gateway.Conflict, ""); !strings.Contains(text, "have already") {
		t.Errorf("got %q", text)
	}
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("name", "Mask", "connection", "new"))
	if r.Status != gateway.ReplyCompleted {
		t.Fatalf("got %+v", r)
	}
	all := c.accounts(c.romeo)
	if len(all) != 2 || all[0].Shown != "Montague" || all[1].Shown != "Mask" {
		t.Fatalf("got %+v, want two accounts", all)
	}
	if r := c.say(c.romeo, "status"); !strings.Contains(r.Text, "Montague") || !strings.Contains(r.Text, "Mask") {
		t.Errorf("status: got %q, want both", r.Text)
	}

	// Renewing one leaves the other alone.
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("name", "Mask2", "connection", string(all[1].ID)))
	if now := c.accounts(c.romeo); len(now) != 2 || now[1].ID != all[1].ID || now[1].Endpoint != "ep-Mask2" || now[0].Endpoint != "ep-Montague" {
		t.Errorf("renewed: got %+v, %q", now, r.Text)
	}

	// Add asks which account shall have the contact.
	r = c.start(c.romeo, gateway.NodeAdd)
	if len(r.Fields) != 2 || r.Fields[1].Name != "connection" {
		t.Fatalf("add: got %+v, want to be asked which", r.Fields)
	}
	c.next(c.romeo, r, map[string]string{"query": "anna", "connection": string(all[1].ID)})
	if _, err := c.identity.Contact(t.Context(), all[1], all[1].Keys.Alias("id-anna")); err != nil {
		t.Errorf("anna of the second account: %v", err)
	}
	if r := c.say(c.romeo, "add benvolio"); !strings.Contains(r.Text, "Which of your connections") {
		t.Errorf("add by chat: got %q, want to be asked which", r.Text)
	}
	if r := c.say(c.romeo, "1"); !strings.Contains(r.Text, "Added benvolio") {
		t.Errorf("add by chat: got %q", r.Text)
	}

	// Pause takes one or all.
	r = c.start(c.romeo, gateway.NodePause)
	c.next(c.romeo, r, map[string]string{"connection": string(all[0].ID)})
	if now := c.accounts(c.romeo); !now[0].PausedAt(time.Now()) || now[1].PausedAt(time.Now()) {
		t.Error("pause of the first account: want that one alone")
	}
	c.next(c.romeo, c.start(c.romeo, gateway.NodeResume), map[string]string{"connection": "all"})

	// Leaving takes one, and the gateway stays with the other.
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeUnregister), map[string]string{"connection": string(all[0].ID), "confirm": "1"})
	if left := c.accounts(c.romeo); len(left) != 1 || left[0].ID != all[1].ID {
		t.Errorf("left: got %+v, want the second account", left)
	}
	if lines := shown(r.After); strings.Contains(lines, "\nwall.example.org -> romeo@example.org: unsubscribed") || !strings.Contains(lines, "unsubscribed") {
		t.Errorf("got %q, want farewells of the contact and not of the gateway", lines)
	}
}

// TestSecondAccountIsNotReadable: two accounts of one user never share an address.
func TestSecondAccountIsNotReadable(t *testing.T) {
	c := newCounter(t)
	c.readable = true
	c.restart()
	c.register(c.romeo, "Montague")
	c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("name", "Mask", "connection", "new"))
	c.register(c.juliet, "Capulet")
	all := c.accounts(c.romeo)
	if len(all) != 2 || !all[0].Readable || all[1].Readable || !c.account(c.juliet).Readable {
		t.Fatalf("got %+v, want the first of each user readable", all)
	}
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeAdd), map[string]string{"query": "anna@there", "connection": string(all[0].ID)})
	if !strings.Contains(r.Text, `id-anna\40there@wall.example.org`) {
		t.Errorf("added: got %q, want a readable address", r.Text)
	}
	local, err := c.desk.Resolve(t.Context(), c.romeo, "anna@there")
	if err != nil || local != `id-anna\40there` {
		t.Errorf("prompt: got %q, %v", local, err)
	}
	// A renewal changes no address, whatever the configuration says by now.
	c.readable = false
	c.restart()
	c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("name", "Montague", "connection", string(all[0].ID)))
	if !c.accounts(c.romeo)[0].Readable {
		t.Error("a renewal made the addresses opaque")
	}
	// Who leaves parts under the address they were known by.
	r, err = c.desk.Remove(t.Context(), c.romeo)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.After, func(s gateway.Rendering) bool { return s.Local == `id-anna\40there` }) {
		t.Errorf("farewells: got %+v, want the readable address", r.After)
	}
}
