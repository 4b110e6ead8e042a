package gatekeeper_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/adapters"
	"postern/adapters/gatekeeper"
	"postern/adapters/internal/sandboxtest"
	"postern/gateway"
)

const (
	testCode  = "424242" // the sandbox's, in these tests
	wrongCode = "424243"
	number    = "+390451239009"
)

// enlistNumber links a user by a number, which its code proves.
func enlistNumber(t *testing.T, a *gatekeeper.Adapter, user gateway.UserID, number string) gateway.Credentials {
	t.Helper()
	l := dialogue{t, a, linkInput(user), gateway.LinkStep{}}
	l.begin(number)
	l.answer(map[string]string{"code": testCode})
	if l.step.Done == nil {
		t.Fatalf("right code: got %q, want an account", l.step.Text)
	}
	return gateway.Credentials{Account: l.in.Account, User: user, Endpoint: l.step.Done.Endpoint, Secret: l.step.Done.Secret}
}

// dialogue is a link under way.
type dialogue struct {
	t    *testing.T
	a    *gatekeeper.Adapter
	in   gateway.LinkInput
	step gateway.LinkStep
}

// begin gives the number of an identifier that is phone, and wants to be asked for a code.
func (l *dialogue) begin(value string) {
	l.t.Helper()
	var err error
	if l.step, err = l.a.Link(l.t.Context(), gateway.LinkInput{Lang: "en"}); err != nil {
		l.t.Fatal(err)
	}
	l.answer(map[string]string{l.step.Fields[0].Name: value, "display": "Some " + string(l.in.User)})
	l.asksCode("gatekeeper.code.sent")
}

// answer goes one step on.
func (l *dialogue) answer(answers map[string]string) {
	l.t.Helper()
	if err := l.try(answers); err != nil {
		l.t.Fatalf("Link: %v", err)
	}
}

func (l *dialogue) try(answers map[string]string) error {
	l.in.State, l.in.Answers = l.step.State, answers
	step, err := l.a.Link(l.t.Context(), l.in)
	if err == nil {
		l.step = step
	}
	return err
}

// asksCode wants the step of the code, with a hint.
func (l *dialogue) asksCode(hint string) {
	l.t.Helper()
	if l.step.Done != nil || l.step.Text != hint || len(l.step.Fields) != 2 || l.step.Fields[1].Name != "code" {
		l.t.Fatalf("got %q, fields %+v, done %v; want %s and to be asked for the code", l.step.Text, l.step.Fields, l.step.Done != nil, hint)
	}
}

// openBy boots a sandbox and an adapter that enlists by an identifier.
func openBy(t *testing.T, by string) (*sandbox, *gatekeeper.Adapter) {
	t.Helper()
	b := newSandbox(t)
	c := config(t, b.URL)
	c.Identifier = by
	return b, b.open(c, adapters.Deps{HTTP: sandboxtest.Client(t)})
}

// sent counts the codes that are in force.
func (b *sandbox) sent() int {
	b.T.Helper()
	var out struct{ Items []any }
	b.Do(http.MethodGet, "/codes", nil, &out)
	return len(out.Items)
}

func TestProof(t *testing.T) {
	b, a := openBy(t, "phone")
	if got := a.Descriptor().Reveals; got != gateway.IdentifierPhone {
		t.Errorf("reveals: got %s, want phone", got)
	}
	l := &dialogue{t: t, a: a, in: linkInput("romeo@montague.example")}
	l.begin("+39 (045) 123-9009")
	if got := l.step.Fields[0].Value; got != "+•••9009" {
		t.Errorf("sent to: got %q, want it masked", got)
	}
	for _, wrong := range []string{wrongCode, "four", "1", strings.Repeat("4", 11), "42424२"} {
		l.answer(map[string]string{"code": wrong})
		l.asksCode("gatekeeper.code.wrong")
	}
	l.answer(map[string]string{"code": "424 242"})
	if l.step.Done == nil || l.step.Done.Shown != "+•••9009" || !strings.HasPrefix(string(l.step.Done.Endpoint), "usr_") {
		t.Fatalf("right code: got %+v, want an account, its number masked", l.step)
	}
	who := gateway.Credentials{Account: l.in.Account, User: l.in.User, Endpoint: l.step.Done.Endpoint, Secret: l.step.Done.Secret}
	if p, err := a.Resolve(t.Context(), who, "nurse"); err != nil || p.ID != "gku_nurse" {
		t.Errorf("Resolve: got %v, %v", p, err)
	}

	// Whoever has the number has the account: another user proves it anew, and gets the same.
	if again := enlistNumber(t, a, "mercutio@montague.example", number); again.Endpoint != who.Endpoint {
		t.Errorf("same number: got %s, want %s", again.Endpoint, who.Endpoint)
	}
	if other := enlistNumber(t, a, "romeo@montague.example", "+390451239008"); other.Endpoint == who.Endpoint {
		t.Error("another number of the same user: got the same account")
	}
	if err := a.Unlink(t.Context(), who); err != nil {
		t.Errorf("Unlink: %v", err)
	}
	if _, err := a.Resolve(t.Context(), who, "nurse"); gateway.ClassOf(err) != gateway.ReauthNeeded {
		t.Errorf("after Unlink: got %v, want class reauth_needed", err)
	}
	if n := b.sent(); n != 0 {
		t.Errorf("codes in force: got %d, want none", n)
	}
}

// TestProofEnds: a code ends by time, by guesses and by the next one; each leaves the dialogue open for another code.
func TestProofEnds(t *testing.T) {
	b, a := openBy(t, "phone")
	l := &dialogue{t: t, a: a, in: linkInput("romeo@montague.example")}
	l.begin(number)
	late := l.step.State
	b.Offset.Store(int64(2 * time.Minute))
	l.answer(map[string]string{"code": testCode})
	l.asksCode("gatekeeper.code.over")

	l.answer(map[string]string{"code": ""})
	l.asksCode("gatekeeper.code.sent")
	for range 5 { // the same guess, each time a guess
		l.answer(map[string]string{"code": wrongCode})
		l.asksCode("gatekeeper.code.wrong")
	}
	l.answer(map[string]string{"code": testCode})
	l.asksCode("gatekeeper.code.over")

	l.answer(map[string]string{})
	l.asksCode("gatekeeper.code.sent")
	now := l.step
	l.step.State = late
	l.answer(map[string]string{"code": testCode})
	l.asksCode("gatekeeper.code.over")

	// A step repeated sends nothing: the answer is the one before.
	l.step = now
	for range 3 {
		l.step.State = now.State
		l.answer(map[string]string{})
		l.asksCode("gatekeeper.code.sent")
	}
	l.answer(map[string]string{})
	err := l.try(map[string]string{}) // the sixth within an hour
	if se, ok := errors.AsType[*gateway.SendError](err); !ok || se.Class != gateway.RateLimited || se.RetryAfter <= 0 || se.RetryAfter > time.Hour {
		t.Fatalf("too many codes: got %v, want class rate_limited and for how long", err)
	}
	l.answer(map[string]string{"code": testCode})
	if l.step.Done == nil {
		t.Fatalf("the fifth code: got %q, want an account", l.step.Text)
	}
}

// TestNotANumber: what is no number is asked for again, and no request leaves.
func TestNotANumber(t *testing.T) {
	for by, values := range map[string][]string{
		"phone": {"0451239009", "+39", "romeo@montague.example", "romeo", "+39045123900912345"},
		"email": {"+390451239009", "romeo", ""},
	} {
		b, a := openBy(t, by)
		for _, value := range values {
			l := &dialogue{t: t, a: a, in: linkInput("romeo@montague.example")}
			l.step, _ = a.Link(t.Context(), gateway.LinkInput{Lang: "en"})
			l.answer(map[string]string{by: value})
			if l.step.Done != nil || l.step.Text != "gatekeeper."+by+".bad" || l.step.Fields[0].Name != by || b.sent() != 0 {
				t.Errorf("%s %q: got %q, %d codes; want to be asked again", by, value, l.step.Text, b.sent())
			}
		}
	}
}

func TestProofByMail(t *testing.T) {
	_, a := openBy(t, "email")
	l := &dialogue{t: t, a: a, in: linkInput("romeo@montague.example")}
	l.begin("romeo@mail.example")
	if got := l.step.Fields[0].Value; got != "r•••@mail.example" {
		t.Errorf("sent to: got %q, want it masked", got)
	}
	l.answer(map[string]string{"code": testCode})
	if l.step.Done == nil || l.step.Done.Shown != "r•••@mail.example" {
		t.Errorf("got %+v, want an account, its address masked", l.step)
	}
}

// TestUnproved: a gatekeeper that proves no numbers, or takes one without a proof, gets no account of us.
func TestUnproved(t *testing.T) {
	for name, tc := range map[string]struct {
		proofs, answer string
		links          int // steps that go well
	}{
		"proves none":   {"", "", 0},
		"believes us":   {`"phone":"assertion"`, "", 0},
		"takes at once": {`"phone":"code"`, `{"id":"enl_1","internal_id":"usr_1","state":"active"}`, 1},
	} {
		s, _ := script(t, func(s *scripted) { s.proofs, s.enlistment = tc.proofs, tc.answer })
		c := config(t, "https://gatekeeper.example")
		c.Identifier = "phone"
		a, err := gatekeeper.New(*c, &http.Client{Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		step, err := a.Link(t.Context(), gateway.LinkInput{})
		if (err == nil) != (tc.links > 0) {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil {
			continue
		}
		in := linkInput("romeo@montague.example")
		in.State, in.Answers = step.State, map[string]string{"phone": number}
		if step, err = a.Link(t.Context(), in); err == nil || step.Done != nil || s.calls["/v1/enlistments"] != 1 {
			t.Errorf("%s: got %+v, %v after %d requests; want an error after one", name, step, err, s.calls["/v1/enlistments"])
		}
	}
}
