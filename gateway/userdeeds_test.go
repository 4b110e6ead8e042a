package gateway_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// deeds are the actions of a user's deeds, each proved, oldest first.
func (c *counter) deeds(user gateway.UserID) []string {
	c.t.Helper()
	all, err := c.desk.Deeds(c.t.Context(), user)
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, d := range all {
		if !d.Proves(user) || d.Proves("eve@example.org") {
			c.t.Errorf("line %d of %s is not proved, or about anybody", d.Seq, user)
		}
		if strings.HasPrefix(d.Action, "case.") {
			_, more, _ := strings.Cut(d.Object, " ") // behind the id
			d.Object = strings.TrimSpace("CASE " + more)
		}
		out = append(out, strings.TrimSpace(d.Actor+" "+d.Action+" "+d.Object))
	}
	return out
}

// lines is the whole audit log, held together.
func (c *counter) lines() []gateway.AuditEntry {
	c.t.Helper()
	lines, err := gateway.NewAudit(c.store, c.keys).Lines(c.t.Context(), 0, 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	return lines
}

// What a user does to their accounts and contacts stands in the audit log, which names nobody and holds together; which lines are about
// whom can be shown as long as they are not erased.
func TestUserDeeds(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.moderates()
	c.befriend(c.account(c.romeo), "id-tybalt", "Tybalt")
	for _, line := range []string{"block tybalt", "block tybalt", "unblock tybalt", "unblock tybalt", "pause", "resume", "resume"} {
		c.say(c.romeo, line) // what changes nothing is no deed
	}
	c.next(c.romeo, c.start(c.romeo, gateway.NodeReport), map[string]string{"contact": "tybalt", "reason": "abuse", "statement": "He bit his thumb.", "block": "true"})
	c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("name", "Montague"))
	code := c.moveCode(c.romeo)
	c.next(c.juliet, c.start(c.juliet, gateway.NodeClaim), agreed("code", code))
	c.next(c.juliet, c.start(c.juliet, gateway.NodeUnregister), map[string]string{"confirm": "true"})

	romeos := []string{
		"user consent.give wall", "user account.add wall", "user contact.block wall", "user contact.unblock wall", "user account.pause wall", "user account.resume wall",
		"user case.open CASE", "user contact.block wall", "user consent.give wall", "user account.renew wall", "user account.move wall", "user account.given wall",
	}
	if diff := gocmp.Diff(romeos, c.deeds(c.romeo.User)); diff != "" {
		t.Errorf("romeo (-want +got):\n%s", diff)
	}
	juliets := []string{"user consent.give wall", "user account.claim wall", "user account.withdraw wall"}
	if diff := gocmp.Diff(juliets, c.deeds(c.juliet.User)); diff != "" {
		t.Errorf("juliet (-want +got):\n%s", diff)
	}
	lines := c.lines()
	if len(lines) != len(romeos)+len(juliets) {
		t.Errorf("got %d lines, want %d", len(lines), len(romeos)+len(juliets))
	}
	subjects := map[string]bool{}
	for _, e := range lines {
		subjects[e.Subject] = true
		for _, word := range []string{"romeo", "juliet", "Montague", "tybalt", "Tybalt", "thumb", code} {
			if strings.Contains(fmt.Sprint(e), word) {
				t.Errorf("line %d holds %q", e.Seq, word)
			}
		}
	}
	if len(subjects) != len(lines) {
		t.Error("two lines about one user can be told to be")
	}

	// A user has them out, and takes the link with them.
	all, _ := c.exported(c.romeo.User)
	n := len(slices.DeleteFunc(all, func(e gateway.Exported) bool { return e.Kind != "deed" || e.Deed.Salt == "" }))
	if n != len(romeos) {
		t.Errorf("export: got %d deeds, want %d", n, len(romeos))
	}
	if _, err := c.desk.Erase(t.Context(), c.romeo.User); err != nil {
		t.Fatal(err)
	}
	if got := c.deeds(c.romeo.User); got != nil {
		t.Errorf("after an erasure: got %q, want that nothing can be shown", got)
	}
	if diff := gocmp.Diff(lines, c.lines()); diff != "" {
		t.Errorf("the log changed:\n%s", diff)
	}
}

// An erasure by the operator is no deed of the user's.
func TestEraseIsNoUserDeed(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	before := c.lines()
	if _, err := c.desk.Erase(t.Context(), c.romeo.User); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(before, c.lines()); diff != "" {
		t.Errorf("the log:\n%s", diff)
	}
}

// What cannot be written down is not done.
func TestUserDeedNotWritten(t *testing.T) {
	for _, kind := range []gateway.RecordKind{gateway.RecordAudit, gateway.RecordDeed} {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		a := c.account(c.romeo)
		tybalt := c.befriend(a, "id-tybalt", "Tybalt")
		desk := c.open(&brittle{Store: c.store, fails: map[gateway.RecordKind]bool{kind: true}})
		for _, line := range []string{"block tybalt", "pause"} {
			if r, err := desk.Say(t.Context(), c.romeo, line); err == nil {
				t.Errorf("%s without %s: got %q, want an error", line, kind, r.Text)
			}
		}
		if c.contact(a, tybalt.Alias).Blocked || !c.account(c.romeo).Paused.IsZero() {
			t.Errorf("without %s it was done all the same", kind)
		}
	}
}

// The log keeps every line, so nobody writes into it all day; a block is never refused.
func TestUserDeedsHaveABudget(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	a := c.account(c.romeo)
	tybalt := c.befriend(a, "id-tybalt", "Tybalt")
	for n := range 100 {
		if c.say(c.romeo, "block tybalt"); !c.contact(a, tybalt.Alias).Blocked {
			t.Fatalf("block %d was refused", n)
		}
		if _, err := c.desk.Say(t.Context(), c.romeo, "unblock tybalt"); err != nil {
			t.Fatal(err)
		}
		c.say(c.romeo, "cancel")
	}
	if n := len(c.lines()); n > 2+2*31 {
		t.Errorf("got %d lines", n)
	}
}

// A line that another hand wrote over is not shown as anybody's.
func TestUserDeedTampered(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	if err := c.store.Save(context.Background(), "audit", gateway.Change{Kind: gateway.RecordAudit, Name: "000000000001", Value: []byte("forged")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.desk.Deeds(t.Context(), c.romeo.User); !errors.Is(err, gateway.ErrAudit) {
		t.Errorf("got %v, want ErrAudit", err)
	}
}

// Neither does whoever agrees to the terms again and again.
func TestConsentHasABudget(t *testing.T) {
	c := newCounter(t)
	refused := 0
	for range 100 {
		r, err := c.desk.Start(t.Context(), c.romeo, gateway.NodeRegister)
		if err == nil {
			_, err = c.desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, agreed("name", "Montague"))
		}
		if err != nil {
			c.refused(err, gateway.ResourceConstraint, "")
			refused++
		}
	}
	if n := len(c.lines()); n == 0 || n > 2*31 || refused < 60 {
		t.Errorf("got %d lines, %d refused, want what an hour's budget has", n, refused)
	}
}

// A failover of the store may lose a line whose salt is kept, and its number is given out again: neither is shown as the user's.
func TestUserDeedLost(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.say(c.romeo, "pause")
	before := c.deeds(c.romeo.User)
	records, _, err := c.store.List(t.Context(), "audit", gateway.RecordAudit, "", 100)
	if err != nil || len(before) < 2 {
		t.Fatalf("deeds %q, %v", before, err)
	}
	var first, last string
	for name := range records {
		if strings.Trim(name, "0123456789") == "" {
			first, last = min(name, cmp.Or(first, name)), max(name, last)
		}
	}
	if err := c.store.Save(t.Context(), "audit", gateway.Change{Kind: gateway.RecordAudit, Name: last}); err != nil {
		t.Fatal(err)
	}
	if got := c.deeds(c.romeo.User); len(got) != len(before)-1 {
		t.Errorf("got %q, want all but the last of %q", got, before)
	}
}
