package gateway_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

var moveCode = regexp.MustCompile(`claim ([a-z2-7-]{19})`)

// asks for the code of a move.
func (c *counter) moveCode(v gateway.Visitor) string {
	c.t.Helper()
	r := c.say(v, "move")
	got := moveCode.FindStringSubmatch(r.Text)
	if got == nil {
		c.t.Fatalf("move: got %q, want a code", r.Text)
	}
	return got[1]
}

func TestMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		before := c.account(c.romeo)
		anna := c.befriend(before, "id-anna", "Anna")
		met := *anna
		met.Follows, met.Listed, met.ListedAs, met.Removed, met.Told, met.Muted = true, true, "Anna", true, "x", gateway.MuteForever
		if _, err := c.identity.PutContact(t.Context(), before, met); err != nil {
			t.Fatal(err)
		}
		code := c.moveCode(c.romeo)

		// The new user reads and agrees first; a wrong code says nothing, one's own neither.
		_, err := c.desk.Continue(t.Context(), c.juliet, c.start(c.juliet, gateway.NodeClaim).Session, gateway.ActionComplete, map[string]string{"code": code})
		c.refused(err, gateway.NotAcceptable, gateway.BadPayload)
		_, err = c.desk.Continue(t.Context(), c.juliet, c.start(c.juliet, gateway.NodeClaim).Session, gateway.ActionComplete, agreed("code", "aaaa-bbbb-cccc-dddd"))
		c.refused(err, gateway.ItemNotFound, "")
		_, err = c.desk.Continue(t.Context(), c.romeo, c.start(c.romeo, gateway.NodeClaim).Session, gateway.ActionComplete, agreed("code", code))
		c.refused(err, gateway.Conflict, "")
		if c.registered(c.juliet) || !c.registered(c.romeo) {
			t.Fatal("something moved before the code was given")
		}

		r := c.next(c.juliet, c.start(c.juliet, gateway.NodeClaim), agreed("code", code))
		if r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, "Montague is here now") {
			t.Fatalf("got %s %q", r.Status, r.Text)
		}
		c.restart()
		if c.registered(c.romeo) {
			t.Error("the old user still has the account")
		}
		a := c.account(c.juliet)
		if a.ID != before.ID || a.User != c.juliet.User || a.Endpoint != before.Endpoint || string(a.Secret) != string(before.Secret) {
			t.Errorf("got %+v, want the account itself", a)
		}
		got, err := c.identity.Contact(t.Context(), a, anna.Alias)
		want := &gateway.Contact{Alias: anna.Alias, ID: "id-anna", Name: "Anna", Muted: gateway.MuteForever}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("contact: %v, want Anna under her address, without the old user's subscription and roster (-want +got):\n%s", err, diff)
		}
		if !slices.Equal(c.unparked, []gateway.AccountID{a.ID}) {
			t.Errorf("woken: got %v, want what waited for the old user", c.unparked)
		}
		if _, _, err := c.identity.Find(t.Context(), "wall", c.romeo.User, anna.Alias); err == nil {
			t.Error("the old user still finds the contact")
		}
		lines := shown(r.After)
		for _, want := range []string{
			string(anna.Alias) + "@wall.example.org -> romeo@example.org: unsubscribed", "wall.example.org -> romeo@example.org: message moved-",
			"wall.example.org -> romeo@example.org: unsubscribed", "wall.example.org -> juliet@example.org: subscribe", "wall.example.org -> juliet@example.org: message consent-",
		} {
			if !strings.Contains(lines, want) {
				t.Errorf("shown: got\n%s\nwant %q", lines, want)
			}
		}
		receipts, err := c.desk.Consents(t.Context(), c.juliet.User)
		if err != nil || len(receipts) != 1 || receipts[0].Account != a.ID || !receipts[0].Verify() {
			t.Errorf("consents: got %+v, %v, want one for the account", receipts, err)
		}
		// The code is spent, and members by adapter name the new user.
		_, err = c.desk.Continue(t.Context(), c.romeo, c.start(c.romeo, gateway.NodeClaim).Session, gateway.ActionComplete, agreed("code", code))
		c.refused(err, gateway.ItemNotFound, "")
		var members []gateway.UserID
		if err := c.identity.Members(t.Context(), "wall", func(u gateway.UserID, _ gateway.AccountID) error { members = append(members, u); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(members, []gateway.UserID{c.juliet.User}) {
			t.Errorf("members: got %v", members)
		}
		// Erasing the old user's key takes nothing from the new one.
		if r := c.say(c.juliet, "contacts"); !strings.Contains(r.Text, "Anna") {
			t.Errorf("contacts: got %q", r.Text)
		}
	})
}

func TestMoveCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		code := c.moveCode(c.romeo)
		gatewaytest.Advance(15*time.Minute + time.Second)
		_, err := c.desk.Continue(t.Context(), c.juliet, c.start(c.juliet, gateway.NodeClaim).Session, gateway.ActionComplete, agreed("code", code))
		c.refused(err, gateway.ItemNotFound, "")
	})
}

// TestMoveSurvivesAStore: whatever write fails, the account is one user's alone, and the same code finishes the move.
func TestMoveSurvivesAStore(t *testing.T) {
	for _, kind := range []gateway.RecordKind{gateway.RecordMember, gateway.RecordLinks, gateway.RecordDataKey, gateway.RecordContact} {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		c.befriend(c.account(c.romeo), "id-anna", "Anna")
		code := c.moveCode(c.romeo)
		r := c.start(c.juliet, gateway.NodeClaim)
		broken := c.open(&brittle{Store: c.store, fails: map[gateway.RecordKind]bool{kind: true}})
		if _, err := broken.Continue(t.Context(), c.juliet, r.Session, gateway.ActionComplete, agreed("code", code)); err == nil || isRefusal(err) {
			t.Fatalf("%s: got %v, want the store's error", kind, err)
		}
		c.restart()
		if c.registered(c.romeo) && c.registered(c.juliet) {
			t.Errorf("%s: both users have the account", kind)
		}
		done := c.next(c.juliet, c.start(c.juliet, gateway.NodeClaim), agreed("code", code))
		if done.Status != gateway.ReplyCompleted || !c.registered(c.juliet) || c.registered(c.romeo) {
			t.Errorf("%s: again: got %s %q, want moved", kind, done.Status, done.Text)
		}
	}
}

// TestJIDAccountsStay: where people know a user by their address here, an account cannot be another user's.
func TestJIDAccountsStay(t *testing.T) {
	c := newCounter(t)
	c.platform.Describe.Reveals = gateway.IdentifierJID
	c.register(c.romeo, "Montague")
	if r := c.say(c.romeo, "move"); !strings.Contains(r.Text, "cannot move") {
		t.Errorf("got %q, want that it cannot move", r.Text)
	}
	_, err := c.desk.Start(t.Context(), c.juliet, gateway.NodeClaim)
	c.refused(err, gateway.ItemNotFound, "")
	if r := c.start(c.romeo, gateway.NodeRegister); slices.ContainsFunc(r.Fields, func(f gateway.Field) bool { return f.Name == "connection" }) {
		t.Errorf("a second account is offered: %+v", r.Fields)
	}
}

// TestMoveEndsAnOpenRegistration: what was begun with an account before it moved cannot overwrite it afterwards.
func TestMoveEndsAnOpenRegistration(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	anna := c.befriend(c.account(c.romeo), "id-anna", "Anna")
	open := c.start(c.romeo, gateway.NodeRegister)
	c.next(c.juliet, c.start(c.juliet, gateway.NodeClaim), agreed("code", c.moveCode(c.romeo)))

	_, err := c.desk.Continue(t.Context(), c.romeo, open.Session, gateway.ActionComplete, agreed("name", "Mercutio"))
	c.refused(err, gateway.NotAllowed, gateway.SessionExpired)
	c.restart()
	if a := c.account(c.juliet); a.Endpoint != "ep-Montague" || c.contact(a, anna.Alias).Name != "Anna" {
		t.Errorf("got %+v, want the new user's account untouched", a)
	}
	if c.registered(c.romeo) {
		t.Error("the old user took the account back")
	}
	if r := c.register(c.romeo, "Mercutio"); r.Status != gateway.ReplyCompleted || c.account(c.romeo).ID == c.account(c.juliet).ID {
		t.Errorf("registering anew: got %q, want an account of its own", r.Text)
	}
}

// TestMoveByChat sends the very line that move tells: it asks for the agreement, which the code does not replace.
func TestMoveByChat(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	code := c.moveCode(c.romeo)
	if r := c.say(c.juliet, "claim aaaa-bbbb-cccc-dddd"); !strings.Contains(r.Text, "Do you agree") || !strings.Contains(r.Text, "Who can read") {
		t.Fatalf("got %q, want the disclosure and the question", r.Text)
	}
	if r := c.say(c.juliet, "yes"); !strings.Contains(r.Text, "not known") || !strings.Contains(r.Text, "The code") || c.registered(c.juliet) {
		t.Fatalf("a wrong code: got %q, want to be asked for another", r.Text)
	}
	if r := c.say(c.juliet, strings.ToUpper(code)); !strings.Contains(r.Text, "Montague is here now") || !c.registered(c.juliet) {
		t.Errorf("got %q, want the account moved", r.Text)
	}
	// And back, with the right code in the line.
	back := c.moveCode(c.juliet)
	c.say(c.romeo, "claim "+back)
	if c.registered(c.romeo) {
		t.Fatal("the account moved without an agreement")
	}
	if r := c.say(c.romeo, "ok"); !strings.Contains(r.Text, "Montague is here now") || c.registered(c.juliet) {
		t.Errorf("got %q, want the account moved back", r.Text)
	}
}
