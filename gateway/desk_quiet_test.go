package gateway_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

// befriend gives a visitor's account a contact.
func (c *counter) befriend(a *gateway.Account, id gateway.ContactID, name string) *gateway.Contact {
	c.t.Helper()
	made, err := c.identity.PutContact(c.t.Context(), a, gateway.Contact{ID: id, Name: name, Subscribed: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return made
}

// contact is what the store has of a contact.
func (c *counter) contact(a *gateway.Account, alias gateway.Alias) *gateway.Contact {
	c.t.Helper()
	got, err := gateway.NewIdentity(c.store, c.keys).Contact(c.t.Context(), a, alias)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// moderates lets the platform take blocks and reports.
func (c *counter) moderates() {
	c.platform.Chats.Levels = map[gateway.Feature]gateway.Level{gateway.FeatureBlock: gateway.Native, gateway.FeatureReport: gateway.Native, gateway.FeatureText: gateway.Native}
}

func TestBlockByChat(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.moderates()
	a := c.account(c.romeo)
	anna := c.befriend(a, "id-anna", "Anna")

	r := c.say(c.romeo, "block anna")
	if !strings.Contains(r.Text, "Anna is blocked") || !c.contact(a, anna.Alias).Blocked {
		t.Errorf("got %q, contact %+v, want blocked", r.Text, c.contact(a, anna.Alias))
	}
	if diff := cmp.Diff(string(anna.Alias)+"@wall.example.org -> romeo@example.org: presence available=false away=false", shown(r.After)); diff != "" {
		t.Error(diff)
	}
	if r := c.say(c.romeo, "contacts"); !strings.Contains(r.Text, "(blocked)") {
		t.Errorf("list: got %q", r.Text)
	}
	r = c.say(c.romeo, "unblock "+string(anna.Alias)+"@wall.example.org")
	if !strings.Contains(r.Text, "not blocked any more") || c.contact(a, anna.Alias).Blocked {
		t.Errorf("got %q, want unblocked", r.Text)
	}
	want := []string{"block ep-Montague id-anna true", "block ep-Montague id-anna false"}
	if got := c.platform.Calls(); !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("got %q, want %q at the end", got, want)
	}
	// What the platform does not take works here all the same.
	c.platform.Play(script{Moderate: func(gateway.ContactID) error { return &gateway.SendError{Class: gateway.Retryable} }})
	if r := c.say(c.romeo, "block anna"); !strings.Contains(r.Text, "could not be told") || !c.contact(a, anna.Alias).Blocked {
		t.Errorf("platform away: got %q", r.Text)
	}
	c.platform.Chats.Levels = nil
	if r := c.say(c.romeo, "block anna"); !strings.Contains(r.Text, "takes no blocks") || !c.contact(a, anna.Alias).Blocked {
		t.Errorf("platform without blocks: got %q", r.Text)
	}
	if r := c.say(c.romeo, "block tybalt"); !strings.Contains(r.Text, "no such contact") {
		t.Errorf("unknown: got %q", r.Text)
	}
	c.say(c.romeo, "cancel")
}

// TestWhichContact asks when a name fits several, and never offers another user's.
func TestWhichContact(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.register(c.juliet, "Capulet")
	a := c.account(c.romeo)
	first, second := c.befriend(a, "id-1", "Anna Karenina"), c.befriend(a, "id-2", "Joanna")
	c.befriend(c.account(c.juliet), "id-3", "Annabel")

	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeMute), map[string]string{"contact": "anna", "for": "3600"})
	if r.Status != gateway.ReplyExecuting || len(r.Fields) != 1 || len(r.Fields[0].Options) != 2 {
		t.Fatalf("got %+v, want a choice of two", r)
	}
	for _, o := range r.Fields[0].Options {
		if strings.Contains(o.Title, "Annabel") {
			t.Errorf("another user's contact is offered: %v", o)
		}
	}
	r = c.next(c.romeo, r, map[string]string{"contact": r.Fields[0].Options[1].ID})
	if !strings.Contains(r.Text, "Joanna is muted") {
		t.Errorf("got %q", r.Text)
	}
	if got := c.contact(a, second.Alias).Muted - time.Now().Unix(); got < 3500 || got > 3600 {
		t.Errorf("muted for %d s, want an hour", got)
	}
	if c.contact(a, first.Alias).Muted != 0 {
		t.Error("the other one is muted too")
	}
	// In a chat the name comes with the command, and the missing answer is asked for.
	if r := c.say(c.romeo, "mute joanna"); !strings.Contains(r.Text, "For how long") {
		t.Fatalf("got %q, want the next question", r.Text)
	}
	if r := c.say(c.romeo, "4"); !strings.Contains(r.Text, "is muted") || c.contact(a, second.Alias).Muted != gateway.MuteForever {
		t.Errorf("got %q, contact %+v, want muted for ever", r.Text, c.contact(a, second.Alias))
	}
	if r := c.say(c.romeo, "unmute joanna"); !strings.Contains(r.Text, "not muted any more") || c.contact(a, second.Alias).Muted != 0 {
		t.Errorf("got %q", r.Text)
	}
	// Another user's choice is no choice.
	theirs := c.account(c.juliet)
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeBlock), map[string]string{"contact": "anna"})
	_, err := c.desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"contact": string(theirs.ID) + "/" + string(theirs.Keys.Alias("id-3"))})
	c.refused(err, gateway.NotAcceptable, gateway.BadPayload)
}

func TestReport(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.moderates()
	a := c.account(c.romeo)
	tybalt := c.befriend(a, "id-tybalt", "Tybalt")
	answers := map[string]string{"contact": "tybalt", "reason": "abuse", "statement": "He bit his thumb.", "block": "true"}
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeReport), answers)
	if !strings.Contains(r.Text, "passed to Wall") || !c.contact(a, tybalt.Alias).Blocked {
		t.Errorf("got %q, contact %+v, want reported and blocked", r.Text, c.contact(a, tybalt.Alias))
	}
	calls := c.platform.Calls()
	if want := []string{"block ep-Montague id-tybalt true", `report ep-Montague id-tybalt abuse "He bit his thumb."`}; !slices.Equal(calls[len(calls)-2:], want) {
		t.Errorf("got %q, want %q at the end", calls, want)
	}
	// Where the platform takes no reports, the operator has them all the same.
	c.platform.Chats.Levels = nil
	r = c.next(c.romeo, c.start(c.romeo, gateway.NodeReport), map[string]string{"contact": "tybalt", "reason": "spam"})
	if !strings.Contains(r.Text, "takes no reports") || !strings.Contains(r.Text, "The operator of this gateway has yours") {
		t.Errorf("got %q, want whom to turn to", r.Text)
	}
	if strings.Contains(c.log.String(), "thumb") {
		t.Errorf("log holds the statement:\n%s", c.log)
	}
}

func TestPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		r := c.say(c.romeo, "pause")
		if !strings.Contains(r.Text, "messages wait") || !c.account(c.romeo).PausedAt(time.Now()) {
			t.Fatalf("got %q, want paused", r.Text)
		}
		if got := shown(r.After); got != "wall.example.org -> romeo@example.org: presence available=true away=true" {
			t.Errorf("presence: got %q", got)
		}
		if r := c.say(c.romeo, "status"); !strings.Contains(r.Text, "Paused until") {
			t.Errorf("status: got %q", r.Text)
		}
		r = c.say(c.romeo, "resume")
		if !strings.Contains(r.Text, "going on") || c.account(c.romeo).PausedAt(time.Now()) || len(c.unparked) != 1 {
			t.Errorf("got %q, woken %v, want resumed", r.Text, c.unparked)
		}
		if r := c.say(c.romeo, "resume"); !strings.Contains(r.Text, "is not paused") {
			t.Errorf("got %q", r.Text)
		}
	})
}
