package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// twoUsers is a line whose nurse is a contact of romeo's and may become one of juliet's: the second invite is still to be opened.
func twoUsers(t *testing.T) (l *lineRig, second string) {
	t.Helper()
	l = newLineRig(t, textCaps(), "")
	l.stop()
	l.platform.desc.Renames = true
	l.start(gateway.Config{})
	r, j := l.register(romeo), l.register(juliet)
	l.comes(opens("nurse", l.invite(r, "Romeo")))
	return l, l.invite(j, "Juliet")
}

// reached asserts who saw a text.
func (l *lineRig) reached(text string, user, other gateway.UserID) {
	l.t.Helper()
	if !l.sawText(user, text) || l.sawText(other, text) {
		l.t.Errorf("%q: got %q and %q, want it at %s alone", text, l.toldTo(user), l.toldTo(other), user)
	}
}

func later(ev gateway.Event, d time.Duration) gateway.Event {
	ev.At = ev.At.Add(d)
	return ev
}

// What a person wrote after an invite is for whom it came from, however late both come.
func TestWhatFollowsALateInvite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, second := twoUsers(t)
		defer func() { l.stop() }()
		invite := opens("nurse", second)
		before, after := later(writes("nurse", "n1", "still to romeo"), -5*time.Second), later(writes("nurse", "n2", "to juliet"), 5*time.Second)
		gatewaytest.Advance(time.Minute)
		l.comes(invite)
		l.comes(before, after)
		l.reached("still to romeo", romeo, juliet)
		l.reached("to juliet", juliet, romeo)
	})
}

// What comes again does not turn the person back.
func TestOldTurnsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, second := twoUsers(t)
		defer func() { l.stop() }()
		invite := opens("nurse", second)
		l.comes(invite)
		gatewaytest.Advance(5 * time.Second)
		first := writes("nurse", "c1", "/switch 1")
		l.comes(first)
		l.comes(invite)
		l.comes(writes("nurse", "n1", "to romeo"))
		l.reached("to romeo", romeo, juliet)
		gatewaytest.Advance(5 * time.Second)
		l.comes(writes("nurse", "c2", "/switch 2"))
		l.comes(first)
		l.comes(writes("nurse", "n2", "to juliet"))
		l.reached("to juliet", juliet, romeo)
	})
}

// A person with another id is the same for everybody whose contact they are: also what is about messages from before finds them.
func TestAnotherIDForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, second := twoUsers(t)
		defer func() { l.stop() }()
		l.comes(opens("nurse", second)) // she writes to juliet now
		l.asks(romeo, "nurse", "r1", "hello")
		moved := from("angelica", "moved", gateway.ContactUpdate{})
		moved.Also = []gateway.ContactID{"nurse"}
		l.comes(moved)
		l.asks(romeo, "nurse", "r2", "is it you?")
		diff(t, "sent", l.platform.taken(), []string{"nurse Romeo (/switch 1): hello", "angelica Romeo (/switch 1): is it you?"})
		l.comes(from("angelica", "failed", gateway.Status{
			IDs: []gateway.MessageID{"m1"}, State: gateway.StatusFailed, Failure: &gateway.Failure{Class: gateway.NotReachable, Code: "gone"},
		}))
		l.reached("cannot be reached", romeo, juliet)
	})
}

// Somebody who brings an invite under a new id stays the contact of those who knew them under the old one.
func TestInviteUnderAnotherID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, second := twoUsers(t)
		defer func() { l.stop() }()
		invite := opens("angelica", second)
		invite.Also = []gateway.ContactID{"nurse"}
		l.comes(invite)
		l.comes(writes("angelica", "n1", "to juliet"))
		l.reached("to juliet", juliet, romeo)
		l.comes(writes("angelica", "c1", "/switch 1"))
		l.comes(writes("angelica", "n2", "to romeo"))
		l.reached("to romeo", romeo, juliet)
	})
}

// Two strangers who turn out to be one person are the contact of all who knew either.
func TestTwoIDsOfOnePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, second := twoUsers(t)
		defer func() { l.stop() }()
		gatewaytest.Advance(5 * time.Second)
		l.comes(opens("angelica", second))
		both := writes("angelica", "n1", "to juliet")
		both.Also = []gateway.ContactID{"nurse"}
		l.comes(both)
		l.reached("to juliet", juliet, romeo)
		l.comes(writes("angelica", "c1", "/switch 1"))
		l.comes(writes("angelica", "n2", "to romeo"))
		l.reached("to romeo", romeo, juliet)
	})
}

// A bot that somebody has linked as their own does not become a line by the configuration alone: nobody's mail is given to them.
func TestLineThatIsSomebodysOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		_, err := l.identity.Create(t.Context(), gateway.Account{Adapter: wall, Endpoint: "bot", User: romeo, Standing: gateway.AccountActive})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.event(writes("peter", "p1", "to whoever serves the line")); err == nil {
			t.Error("got no error, want the platform to keep it")
		}
		diff(t, "shown", l.toldTo(romeo), []string(nil))
	})
}

// What our own side writes in the platform's app to somebody who is nobody's contact is no reason to answer them.
func TestOwnSideIsNoStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), romeo)
		defer func() { l.stop() }()
		l.register(romeo)
		ev := writes("peter", "p1", "from the page's inbox")
		ev.FromMe = true
		l.comes(ev)
		diff(t, "sent", l.platform.taken(), []string(nil))
		diff(t, "shown", l.toldTo(romeo), []string(nil))
	})
}
