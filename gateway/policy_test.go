package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/gateway/gatewaytest"
)

// house is a policy that tests write down as they go.
type house struct {
	mu    sync.Mutex
	terms map[gateway.UserID]gateway.Terms
}

func (h *house) Terms(_ context.Context, user gateway.UserID, _ gateway.AdapterID) gateway.Terms {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.terms[user]
}

func (h *house) set(user gateway.UserID, t gateway.Terms) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.terms == nil {
		h.terms = map[gateway.UserID]gateway.Terms{}
	}
	h.terms[user] = t
}

func underPolicy(t *testing.T) (*rig, *house) {
	t.Helper()
	r, h := newRig(t, &platform{caps: textCaps()}, gateway.Config{}), &house{}
	r.stop()
	r.policy = h
	r.start(gateway.Config{})
	return r, h
}

// TestRefusedUser: nothing of a refused user is taken, with the operator's reason; what is written to them arrives.
func TestRefusedUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := underPolicy(t)
		defer func() { r.stop() }()
		juliet := r.contact("juliet")
		refusedAs(t, "before", r.ask(juliet, "s1", "one"), "")
		h.set(romeo, gateway.Terms{Refused: true, Reason: "Your account is suspended."})
		bodies := map[string]gateway.OpBody{
			"message": gateway.OpMessage{Content: gateway.PlainText("two")}, "edit": gateway.OpEdit{Target: gateway.Target{Stanza: "s1"}, Content: gateway.PlainText("uno")},
			"retract": gateway.OpRetract{Target: gateway.Target{Stanza: "s1"}}, "react": gateway.OpReact{Target: gateway.Target{Stanza: "s1"}, Emojis: []string{"👍"}},
			"typing": gateway.OpTyping{On: true}, "marker": gateway.OpMarkRead{UpTo: gateway.Target{Stanza: "x"}},
		}
		for name, body := range bodies {
			err := r.gw.Ask(t.Context(), gateway.Outbound{Adapter: wall, Alias: juliet, User: romeo, Stanza: gateway.StanzaID(name), Op: gateway.Op{Body: body}}, []byte(name))
			if got := refusedAs(t, name, err, gateway.PolicyViolation); got != "Your account is suspended." {
				t.Errorf("%s: got %q, want the operator's reason", name, got)
			}
		}
		if err := r.event(said("juliet", "n1", "hello", 0)); err != nil {
			t.Fatal(err)
		}
		gatewaytest.Advance(time.Second)
		diff(t, "sent", r.platform.taken(), []string{"juliet one"})
		if got := fmt.Sprint(r.wire.lines()); !strings.Contains(got, "hello") {
			t.Errorf("got %s, want what was written to them", got)
		}
		h.set(romeo, gateway.Terms{Refused: true})
		if got := refusedAs(t, "without a reason", r.ask(juliet, "s3", "three"), gateway.PolicyViolation); !strings.Contains(got, "operator") {
			t.Errorf("got %q, want a text of the catalogue", got)
		}
		h.set(romeo, gateway.Terms{})
		refusedAs(t, "let in again", r.ask(juliet, "s4", "four"), "")
	})
}

// TestPlan: a plan's messages and new people run out beside the adapter's limits, each user's for themselves, and come again.
func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := underPolicy(t)
		defer func() { r.stop() }()
		small := gateway.Terms{Plan: "small", Limits: []gateway.Limit{
			{Scope: gateway.LimitPlan, Every: 10 * time.Minute, Burst: 4}, {Scope: gateway.LimitPlanNew, Every: time.Hour, Burst: 1}, {Scope: gateway.LimitPlanMedia, Every: time.Minute, Burst: 7},
		}}
		h.set("busy@example.org", small)
		h.set("calm@example.org", small)
		busy, chats := r.person("busy", 2)
		calm, other := r.person("calm", 1)
		for n := range 4 {
			refusedAs(t, "of the plan", r.askAs(busy, chats[n%2], fmt.Sprint("b", n)), "")
		}
		if got := refusedAs(t, "past the plan", r.askAs(busy, chats[0], "b4"), gateway.PolicyViolation); !strings.Contains(got, "10 min") {
			t.Errorf("got %q, want a text that says ten minutes", got)
		}
		refusedAs(t, "somebody else of the same plan", r.askAs(calm, other[0], "c0"), "")
		h.set(romeo, small)
		fresh := func(id gateway.ContactID) gateway.Alias {
			c, err := r.identity.PutContact(t.Context(), r.account, gateway.Contact{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			return c.Alias
		}
		anna, ben := fresh("anna"), fresh("ben")
		refusedAs(t, "anna", r.ask(anna, "a0", "hello"), "")
		refusedAs(t, "anna again", r.ask(anna, "a1", "hello"), "")
		if got := refusedAs(t, "ben", r.ask(ben, "n0", "hello"), gateway.PolicyViolation); !strings.Contains(got, "60 min") {
			t.Errorf("got %q, want a text that says an hour", got)
		}
		var left []string
		for range 2 { // looking spends nothing
			allowance, err := r.gw.Allowance(t.Context(), romeo, wall)
			if err != nil {
				t.Fatal(err)
			}
			left = nil
			for _, l := range allowance.Limits {
				left = append(left, fmt.Sprint(l.Scope, " ", l.Left, " of ", l.Burst))
			}
		}
		diff(t, "left", left, []string{"plan_messages 2 of 4", "plan_new_contacts 0 of 1", "plan_media 7 of 7"})
		gatewaytest.Advance(10 * time.Minute)
		refusedAs(t, "ten minutes later", r.askAs(busy, chats[0], "b5"), "")
		gatewaytest.Advance(51 * time.Minute)
		refusedAs(t, "ben, an hour later", r.ask(ben, "n1", "hello"), "")
		if _, err := r.gw.Allowance(t.Context(), romeo, "nowhere"); err == nil {
			t.Error("got an allowance on an adapter that is none")
		}
	})
}

// mediaPlan allows so many KiB, and one more each minute.
func mediaPlan(kib int) gateway.Terms {
	return gateway.Terms{Plan: "files", Limits: []gateway.Limit{{Scope: gateway.LimitPlanMedia, Every: time.Minute, Burst: kib}}}
}

// TestPlanFileOut: a file is charged once, however often it is tried, and what does not fit is refused with the time when it does.
func TestPlanFileOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newMediaPlatform(), &house{}
		r, files := newMediaRig(t, p)
		r.stop()
		r.policy = h
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		h.set(romeo, mediaPlan(10))
		files.Host("https://up.example/six", []byte(gif+strings.Repeat("x", 6<<10-len(gif)-1)))
		files.Host("https://up.example/twelve", []byte(strings.Repeat("x", 12<<10)))
		p.fails = []error{&gateway.SendError{Class: gateway.Retryable}, &gateway.SendError{Class: gateway.Retryable}}
		juliet := r.contact("juliet")
		r.askFile(juliet, "s1", "https://up.example/six")
		gatewaytest.Advance(time.Minute / 2)
		diff(t, "uploads, two of which failed", p.uploads, 3)
		diff(t, "told", spoken(r.wire.lines()), []string(nil))
		r.askFile(juliet, "s2", "https://up.example/six")
		gatewaytest.Advance(time.Second)
		got := strings.Join(spoken(r.wire.lines()), "\n")
		if !strings.Contains(got, "error policy-violation for s2") || p.uploads != 3 {
			t.Errorf("got %q and %d uploads, want a refusal and no further upload", got, p.uploads)
		}
		r.askFile(juliet, "s3", "https://up.example/twelve")
		gatewaytest.Advance(3 * time.Minute)
		if got := strings.Join(spoken(r.wire.lines()), "\n"); !strings.Contains(got, "error policy-violation for s3") {
			t.Errorf("got %q, want a refusal of what is more than the whole quota", got)
		}
		r.askFile(juliet, "s4", "https://up.example/six")
		gatewaytest.Advance(time.Second)
		diff(t, "uploads, when there is quota again", p.uploads, 4)
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
	})
}

// TestPlanFileIn: instead of a file that the plan does not allow there is a line that names it and says when; its text arrives.
func TestPlanFileIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := newMediaPlatform(), &house{}
		r, files := newMediaRig(t, p)
		r.stop()
		r.policy = h
		r.start(gateway.Config{})
		defer func() { r.stop() }()
		h.set(romeo, mediaPlan(10))
		p.held["six"], p.held["other"], p.held["twelve"] = strings.Repeat("x", 6<<10), strings.Repeat("y", 6<<10), strings.Repeat("z", 12<<10)
		for n, handle := range []string{"six", "six", "other", "twelve"} {
			r.mustEvent(picture(fmt.Sprint("n", n), handle, gateway.Text{Text: handle}))
			gatewaytest.Advance(time.Second)
		}
		got := shownTexts(r.wire.lines())
		got = append(got[:0:0], got...)
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], " text/plain")
		}
		doubt := "[Picture: cat.png, 6 KB] This came from Wall as what it is not: it is a file of the type"
		diff(t, "shown", got, []string{
			"https://up.example/1/cat.png", doubt, "https://up.example/1/cat.png", doubt,
			"[Picture: cat.png, 20 MB] This file is not shown here: what your plan allows of files is used up, and suffices for one like this again in 2 min. Please open it on Wall.|other",
			"[Picture: cat.png, 20 MB] This file is not shown here: it is larger than all that your plan allows at once, 10 KB. Please open it on Wall.|twelve",
		})
		diff(t, "published", len(files.Published()), 1)
		if n := files.Open(); n != 0 {
			t.Errorf("got %d files left open", n)
		}
	})
}

// TestRefusedRegistration: who is refused hears why, in a form, as a command and in a chat, and nothing is registered; also when it
// comes while a registration is under way.
func TestRefusedRegistration(t *testing.T) {
	c, h := newCounter(t), &house{}
	c.policy = h
	c.restart()
	open := c.start(c.romeo, gateway.NodeRegister)
	h.set(c.romeo.User, gateway.Terms{Refused: true, Reason: "Your account is suspended."})
	_, err := c.desk.Continue(t.Context(), c.romeo, open.Session, gateway.ActionNext, agreed("name", "Montague"))
	diff(t, "under way", c.refused(err, gateway.PolicyViolation, ""), "Your account is suspended.")
	_, err = c.desk.Start(t.Context(), c.romeo, gateway.NodeRegister)
	diff(t, "a start", c.refused(err, gateway.PolicyViolation, ""), "Your account is suspended.")
	if got := c.say(c.romeo, "register").Text; !strings.Contains(got, "Your account is suspended.") {
		t.Errorf("in a chat: got %q, want the reason", got)
	}
	if c.registered(c.romeo) || strings.Contains(fmt.Sprint(c.platform.Calls()), "link romeo") {
		t.Errorf("got a registration, or a platform that heard of it: %q", c.platform.Calls())
	}
	c.register(c.juliet, "Capulet")
	h.set(c.juliet.User, gateway.Terms{Refused: true, Reason: "Not here."})
	_, err = c.desk.Resolve(t.Context(), c.juliet, "somebody")
	diff(t, "a lookup of who is registered", c.refused(err, gateway.PolicyViolation, ""), "Not here.")
	c.start(c.juliet, gateway.NodeUnregister) // whoever is refused may still leave
}
