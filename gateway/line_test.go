package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// linePlatform is a platform where the operator's own bot serves many users.
type linePlatform struct{ *platform }

func (linePlatform) Line() (gateway.Linked, bool) {
	return gateway.Linked{Endpoint: "bot", Secret: []byte("token"), Shown: "@verona_bot"}, true
}

func (linePlatform) InviteURL(_ context.Context, a gateway.Credentials, token string) (string, error) {
	return "https://wall.example/" + string(a.Endpoint) + "?start=" + token, nil
}

func (linePlatform) Link(context.Context, gateway.LinkInput) (gateway.LinkStep, error) {
	return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "bot", Secret: []byte("token"), Shown: "@verona_bot"}}, nil
}

func (linePlatform) Unlink(context.Context, gateway.Credentials) error {
	panic("a line is never unlinked")
}

const juliet gateway.UserID = "juliet@example.org"

// lineRig is a gateway on a line with two registered users, and a desk beside it.
type lineRig struct {
	*rig
	desk *gateway.Desk
}

func newLineRig(t *testing.T, caps gateway.Caps, strangers gateway.UserID) *lineRig {
	t.Helper()
	r := newRig(t, &platform{caps: caps}, gateway.Config{})
	r.stop()
	if err := r.identity.Remove(t.Context(), r.account); err != nil {
		t.Fatal(err)
	}
	inst := gateway.Instance{ID: wall, Component: gate, Name: "Wall", Adapter: linePlatform{r.platform}, Strangers: strangers, Window: gateway.WindowReopen}
	r.adapter, r.strangers = inst.Adapter, strangers
	r.window = inst.Window
	r.start(gateway.Config{})
	l := &lineRig{rig: r, desk: gateway.NewDesk(gateway.DeskConfig{
		Identity: r.identity, Store: r.store, Keyring: r.keys, Instances: []gateway.Instance{inst}, Texts: gateway.NewTexts(), Log: slog.New(slog.DiscardHandler),
	})}
	return l
}

// register lets a user register on the line.
func (l *lineRig) register(user gateway.UserID) gateway.Visitor {
	l.t.Helper()
	v := gateway.Visitor{Adapter: wall, User: user, Resource: "phone"}
	r, err := l.desk.Start(l.t.Context(), v, gateway.NodeRegister)
	if err != nil {
		l.t.Fatal(err)
	}
	if r, err = l.desk.Continue(l.t.Context(), v, r.Session, gateway.ActionNext, agreed()); err != nil || r.Status != gateway.ReplyCompleted {
		l.t.Fatalf("register %s: got %+v, %v", user, r, err)
	}
	gatewaytest.Advance(6 * time.Second) // what comes for a new account waits for its user to meet the gateway
	return v
}

// away lets time pass without a process: one that runs through days of virtual time takes long to do so.
func (l *lineRig) away(d time.Duration) {
	l.stop()
	gatewaytest.Advance(d)
	l.start(gateway.Config{})
	gatewaytest.Advance(6 * time.Minute)
}

// invite returns the token of a new invite.
func (l *lineRig) invite(v gateway.Visitor, name string) string {
	l.t.Helper()
	r, err := l.desk.Start(l.t.Context(), v, gateway.NodeInvite)
	if err == nil {
		r, err = l.desk.Continue(l.t.Context(), v, r.Session, gateway.ActionNext, map[string]string{"name": name})
	}
	_, token, ok := strings.Cut(r.Text, "?start=")
	if err != nil || !ok || len(token) != 26 {
		l.t.Fatalf("invite: got %q, %v", r.Text, err)
	}
	return token
}

// from is something that a person does on the line.
func from(person gateway.ContactID, key string, body gateway.EventBody) gateway.Event {
	return gateway.Event{
		Dedupe: key, Endpoint: "bot", Chat: gateway.Chat{Kind: gateway.ChatDirect, Contact: person}, From: person, At: time.Now(), Body: body,
	}
}

func writes(person gateway.ContactID, id, text string) gateway.Event {
	return from(person, "msg:"+id, gateway.Message{ID: gateway.MessageID(id), Content: gateway.PlainText(text), Name: string(person)})
}

func opens(person gateway.ContactID, token string) gateway.Event {
	ev := from(person, "start:"+token+string(person), gateway.ContactUpdate{Consent: gateway.ConsentAccepted, Name: new(string(person))})
	ev.Invite = token
	return ev
}

// comes gives the gateway events and waits.
func (l *lineRig) comes(evs ...gateway.Event) {
	l.t.Helper()
	if err := l.event(evs...); err != nil {
		l.t.Fatal(err)
	}
	gatewaytest.Advance(2 * time.Second)
}

// toldTo returns what the clients of a user were shown, as texts.
func (l *lineRig) toldTo(user gateway.UserID) []string {
	return texts(slices.DeleteFunc(l.wire.lines(), func(s string) bool { return !strings.Contains(s, string(user)) }))
}

func (l *lineRig) sawText(user gateway.UserID, text string) bool {
	return slices.ContainsFunc(l.toldTo(user), func(s string) bool { return strings.Contains(s, text) })
}

// alias is under which name a user has a person.
func (l *lineRig) alias(user gateway.UserID, person gateway.ContactID) gateway.Alias {
	l.t.Helper()
	all, err := l.identity.Of(l.t.Context(), wall, user)
	if err != nil || len(all) != 1 {
		l.t.Fatalf("accounts of %s: got %v, %v", user, all, err)
	}
	return all[0].Keys.Alias(person)
}

func (l *lineRig) asks(user gateway.UserID, person gateway.ContactID, stanza, text string) {
	l.t.Helper()
	err := l.gw.Ask(l.t.Context(), gateway.Outbound{
		Adapter: wall, Alias: l.alias(user, person), User: user, Resource: "phone", Stanza: gateway.StanzaID(stanza),
		Op: gateway.Op{Body: gateway.OpMessage{Content: gateway.PlainText(text)}},
	}, []byte(text))
	if err != nil {
		l.t.Fatalf("ask %s: %v", stanza, err)
	}
	gatewaytest.Advance(2 * time.Second)
}

// A person who opens an invite becomes the contact of who gave it, and of nobody else.
func TestInvite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		token := l.invite(l.register(romeo), "Romeo M.")
		l.register(juliet)
		l.comes(opens("nurse", token))
		l.comes(writes("nurse", "n1", "good morrow"))
		if !l.sawText(romeo, "good morrow") || len(l.toldTo(juliet)) != 0 {
			t.Errorf("romeo got %q and juliet %q, want the message at romeo's alone", l.toldTo(romeo), l.toldTo(juliet))
		}
		l.asks(romeo, "nurse", "s1", "good nurse")
		diff(t, "sent", l.platform.taken(), []string{"nurse good nurse"})

		// The same person again changes nothing; another gets nothing by it.
		l.comes(opens("nurse", token), opens("peter", token))
		got := l.platform.taken()
		if len(got) != 2 || !strings.HasPrefix(got[1], "peter This is @verona_bot. The invite") {
			t.Errorf("got %q, want peter told that the invite is used up", got)
		}
		l.comes(writes("peter", "p1", "anybody there?"))
		if l.sawText(romeo, "anybody") {
			t.Error("what a person wrote who came with a used invite was shown")
		}
	})
}

// Who is nobody's contact is told how to reach somebody: once a day, and what they wrote goes nowhere.
func TestStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		l.register(romeo)
		l.comes(writes("peter", "p1", "a secret"), writes("peter", "p2", "another"))
		got := l.platform.taken()
		if len(got) != 1 || !strings.Contains(got[0], "peter This is @verona_bot") {
			t.Errorf("got %q, want one answer", got)
		}
		diff(t, "shown", l.toldTo(romeo), []string(nil))
		l.away(25 * time.Hour)
		l.comes(writes("peter", "p3", "still nobody?"))
		if got := l.platform.taken(); len(got) != 2 {
			t.Errorf("got %q, want another answer on another day", got)
		}
	})
}

// An operator may name a user who takes what strangers write.
func TestStrangersHaveSomebody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), romeo)
		defer func() { l.stop() }()
		l.comes(writes("peter", "p0", "before")) // nobody is registered yet
		if got := l.platform.taken(); len(got) != 1 {
			t.Errorf("got %q, want the stranger's answer", got)
		}
		l.register(romeo)
		l.comes(writes("peter", "p1", "a word"))
		if !l.sawText(romeo, "a word") {
			t.Errorf("got %q, want the word", l.toldTo(romeo))
		}
	})
}

// A person may be connected with several users: they write to one at a time, and see who writes to them.
func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		r, j := l.register(romeo), l.register(juliet)
		l.comes(opens("nurse", l.invite(r, "Romeo")))
		l.asks(romeo, "nurse", "r1", "alone")
		l.comes(opens("nurse", l.invite(j, "Juliet")))
		l.comes(writes("nurse", "n1", "to juliet"))
		l.asks(juliet, "nurse", "j1", "hello")
		l.asks(romeo, "nurse", "r2", "hark")
		diff(t, "sent", l.platform.taken(), []string{"nurse alone", "nurse Juliet: hello", "nurse Romeo (/switch 1): hark"})
		late := writes("nurse", "n2", "from before")
		gatewaytest.Advance(5 * time.Second)
		l.comes(writes("nurse", "c1", "/who"), writes("nurse", "c2", "/switch 1"))
		got := l.platform.taken()[3:]
		if len(got) != 2 || !strings.Contains(got[0], "1. Romeo\n2. Juliet ✓") || !strings.Contains(got[1], "1. Romeo ✓\n2. Juliet") {
			t.Errorf("got %q, want both lists", got)
		}
		l.comes(writes("nurse", "n3", "to romeo"))
		l.comes(late) // what the platform repeats from before the switch
		for _, w := range []struct {
			user gateway.UserID
			text string
			saw  bool
		}{{juliet, "to juliet", true}, {romeo, "to juliet", false}, {romeo, "to romeo", true}, {juliet, "to romeo", false}, {juliet, "from before", true}, {romeo, "from before", false}} {
			if l.sawText(w.user, w.text) != w.saw {
				t.Errorf("%s saw %q: got %v, want %v", w.user, w.text, !w.saw, w.saw)
			}
		}
		// What is about a message goes to whom it was with, whomever the person writes to now.
		l.comes(from("nurse", "re1", gateway.Reacted{Target: gateway.Target{IDs: []gateway.MessageID{"m2"}}, Emojis: []string{"👍"}}))
		l.comes(from("nurse", "re2", gateway.Reacted{Target: gateway.Target{IDs: []gateway.MessageID{"n1"}}, Emojis: []string{"👎"}}))
		if !l.sawText(juliet, "👍") || l.sawText(romeo, "👍") || !l.sawText(juliet, "👎") || l.sawText(romeo, "👎") {
			t.Errorf("got %q and %q, want both reactions at juliet's alone", l.toldTo(romeo), l.toldTo(juliet))
		}
	})
}

// Whoever unregisters leaves the line as it is; the person writes to whom is left, or is a stranger again.
func TestLeavingALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		r, j := l.register(romeo), l.register(juliet)
		l.comes(opens("nurse", l.invite(r, "")), opens("nurse", l.invite(j, "")))
		leave := func(v gateway.Visitor) {
			t.Helper()
			reply, err := l.desk.Start(t.Context(), v, gateway.NodeUnregister)
			if err == nil {
				reply, err = l.desk.Continue(t.Context(), v, reply.Session, gateway.ActionNext, map[string]string{"confirm": "true"})
			}
			if err != nil || reply.Status != gateway.ReplyCompleted {
				t.Fatalf("unregister: got %+v, %v", reply, err)
			}
		}
		leave(j)
		l.comes(writes("nurse", "n1", "to whom?"))
		if !l.sawText(romeo, "to whom?") {
			t.Errorf("got %q, want the message at who is left", l.toldTo(romeo))
		}
		leave(r)
		l.comes(writes("nurse", "n2", "and now?"))
		if got := l.platform.taken(); len(got) != 1 || !strings.Contains(got[0], "nurse This is @verona_bot") {
			t.Errorf("got %q, want the stranger's answer", got)
		}
	})
}

// On a line people see the operator's bot, and the user's name: the disclosure says so, in every language.
func TestDisclosureOfALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer l.stop()
		seen := map[string]bool{}
		for _, lang := range []string{"en", "de", "fr", "it", "es", "pl"} {
			for _, p := range l.desk.Disclosure(gateway.Visitor{Adapter: wall, User: romeo, Lang: lang}).Points {
				if p.Name != "identifier" {
					continue
				}
				if !strings.Contains(p.Text, "@verona_bot") || !strings.Contains(p.Text, "Wall") {
					t.Errorf("%s: got %q, want the line", lang, p.Text)
				}
				seen[p.Text] = true
			}
		}
		if len(seen) != 6 {
			t.Errorf("got %d texts, want 6: %v", len(seen), seen)
		}
	})
}

// windowed is a platform that lets nobody write to a person who has been silent for a day.
func windowed() gateway.Caps {
	caps := textCaps()
	caps.Window = &gateway.WindowRule{For: 24 * time.Hour, Reopen: true}
	return caps
}

// A message for a closed window waits, the person is asked once to write, and what waits goes when they do, in order.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, windowed(), "")
		defer func() { l.stop() }()
		r, j := l.register(romeo), l.register(juliet)
		l.comes(opens("nurse", l.invite(r, "")), opens("nurse", l.invite(j, "")))
		l.asks(romeo, "nurse", "s0", "in time")
		l.away(25 * time.Hour)
		for n := range 3 {
			l.asks(romeo, "nurse", fmt.Sprint("s", n+1), fmt.Sprint("late ", n))
		}
		l.away(26 * time.Hour)
		gatewaytest.Advance(10 * time.Minute)
		diff(t, "sent", l.platform.taken(), []string{"nurse romeo (/switch 1): in time", "nurse reopen"})
		held := 0
		for _, s := range l.toldTo(romeo) {
			if strings.Contains(s, "They were asked to") {
				held++
			}
		}
		if held != 1 {
			t.Errorf("got %d notices in %q, want one", held, l.toldTo(romeo))
		}
		l.comes(writes("nurse", "n1", "here I am")) // to juliet; the window is the line's
		diff(t, "sent", l.platform.taken()[2:], []string{"nurse romeo (/switch 1): late 0", "nurse romeo (/switch 1): late 1", "nurse romeo (/switch 1): late 2"})
	})
}

// A message for whom nobody answered in a week is an error that the sender sees.
func TestWindowStaysClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, windowed(), "")
		defer func() { l.stop() }()
		l.comes(opens("nurse", l.invite(l.register(romeo), "")))
		l.away(25 * time.Hour)
		l.asks(romeo, "nurse", "s1", "late")
		l.away(8 * 24 * time.Hour)
		diff(t, "sent", l.platform.taken(), []string{"nurse reopen"})
		if !l.sawText(romeo, "Not delivered: ") {
			t.Errorf("got %q, want the sender told", l.toldTo(romeo))
		}
	})
}

// A token that the platform refuses is the operator's business: everything waits, users are told once, and what waits goes with
// the next token, without anybody's registering anew.
func TestLineIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		l.comes(opens("nurse", l.invite(l.register(romeo), "")))
		refused := func(gateway.Op) (gateway.Sent, error) {
			return gateway.Sent{}, &gateway.SendError{Class: gateway.ReauthNeeded, Code: "401"}
		}
		l.platform.mu.Lock()
		l.platform.send = refused
		l.platform.mu.Unlock()
		l.asks(romeo, "nurse", "s1", "one")
		l.asks(romeo, "nurse", "s2", "two")
		gatewaytest.Advance(12 * time.Minute)
		told := 0
		for _, s := range l.toldTo(romeo) {
			if strings.Contains(s, "does not let this gateway in") {
				told++
			}
		}
		if told != 1 || len(l.platform.taken()) != 0 {
			t.Errorf("told %d times, sent %q; want once and nothing", told, l.platform.taken())
		}
		l.stop()
		l.platform.mu.Lock()
		l.platform.send = nil
		l.platform.mu.Unlock()
		l.start(gateway.Config{})
		gatewaytest.Advance(30 * time.Second)
		diff(t, "sent", l.platform.taken(), []string{"nurse one", "nurse two"})
	})
}

// A guest who comes under another id is still whose contact they were.
func TestGuestWithAnotherID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, textCaps(), "")
		defer func() { l.stop() }()
		l.stop()
		l.platform.desc.Renames = true
		l.start(gateway.Config{})
		l.comes(opens("nurse", l.invite(l.register(romeo), "")))
		moved := writes("angelica", "n1", "by another id")
		moved.Also = []gateway.ContactID{"nurse"}
		l.comes(moved)
		l.comes(writes("angelica", "n2", "that alone"))
		if !l.sawText(romeo, "by another id") || !l.sawText(romeo, "that alone") {
			t.Errorf("got %q, want both", l.toldTo(romeo))
		}
		l.asks(romeo, "nurse", "s1", "hello")
		diff(t, "sent", l.platform.taken(), []string{"angelica hello"})
	})
}
