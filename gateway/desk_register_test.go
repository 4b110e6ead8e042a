package gateway_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/gateway"
)

func TestRegisterInOneForm(t *testing.T) {
	c := newCounter(t)
	r := c.start(c.romeo, gateway.NodeRegister)
	var names []string
	for _, f := range r.Fields {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"agree_terms", "agree_reading", "agree_metadata", "agree_region", "name"}, names); diff != "" {
		t.Error(diff)
	}
	if r.Status != gateway.ReplyExecuting || !r.Next || !r.Complete || r.Prev || !strings.Contains(r.Text, "Example Hosting") {
		t.Errorf("got %+v, want the disclosure with next and complete", r)
	}
	r = c.next(c.romeo, r, agreed("name", "Montague"))
	if r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, "Montague") {
		t.Fatalf("got %s %q, want completed with the name", r.Status, r.Text)
	}
	// XEP-0100 §4.1.1: the result, then the gateway asks for presence.
	receipt := receiptOf(t, c, c.romeo)
	want := "wall.example.org -> romeo@example.org: subscribe Wall\n" +
		"wall.example.org -> romeo@example.org: message consent-" + strings.ToLower(receipt.ID)
	if diff := cmp.Diff(want, shown(r.After)); diff != "" {
		t.Error(diff)
	}
	name, ok, err := c.desk.Registered(c.t.Context(), c.romeo)
	if name != "Montague" || !ok || err != nil {
		t.Errorf("registered: got %q %v %v, want Montague", name, ok, err)
	}
	a := c.account(c.romeo)
	if a.Standing != gateway.AccountActive || a.Agreed != 3 || a.Endpoint != "ep-Montague" || string(a.Secret) != "secret of Montague" {
		t.Errorf("got account %+v", a)
	}
	// Before the consent the platform hears of nobody.
	if diff := cmp.Diff([]string{"link - map[]", "link romeo@example.org map[name:Montague]"}, c.platform.Calls()); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(c.log.String(), "romeo") || strings.Contains(c.log.String(), "Montague") {
		t.Errorf("log names the user:\n%s", c.log)
	}
}

func TestNoEnlistmentWithoutEveryTick(t *testing.T) {
	for missing := range agreed() {
		for _, value := range []string{"", "0", "false", "no", "maybe"} {
			c := newCounter(t)
			r := c.start(c.romeo, gateway.NodeRegister)
			_, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionComplete, agreed("name", "Montague", missing, value))
			c.refused(err, gateway.NotAcceptable, gateway.BadPayload)
			if c.registered(c.romeo) {
				t.Errorf("%s=%q: registered without consent", missing, value)
			}
			if diff := cmp.Diff([]string{"link - map[]"}, c.platform.Calls()); diff != "" {
				t.Errorf("%s=%q: the platform heard of the user:\n%s", missing, value, diff)
			}
			if got, err := c.desk.Consents(c.t.Context(), c.romeo.User); len(got) != 0 || err != nil {
				t.Errorf("%s=%q: got consents %v, %v, want none", missing, value, got, err)
			}
			// The form waits for a better answer.
			if r := c.next(c.romeo, r, agreed("name", "Montague")); r.Status != gateway.ReplyCompleted {
				t.Errorf("%s=%q: second try: got %s, want completed", missing, value, r.Status)
			}
		}
	}
}

// steps is a Linker with a number, a code and a choice.
func steps(in gateway.LinkInput) (gateway.LinkStep, error) {
	switch string(in.State) {
	case "":
		return gateway.LinkStep{State: []byte("number"), Fields: []gateway.Field{{Name: "number", Label: "Number", Kind: gateway.FieldText, Required: true}}}, nil
	case "number":
		return gateway.LinkStep{State: []byte("code"), Title: "Code", Text: "A code was sent.", Fields: []gateway.Field{
			{Name: "code", Label: "Code", Kind: gateway.FieldSecret, Required: true, Value: "0000"},
			{Name: "device", Label: "Device", Kind: gateway.FieldChoice, Required: true, Options: []gateway.Choice{{ID: "p", Title: "Phone"}, {ID: "d", Title: "Desk"}}},
			{Name: "nick", Label: "Nickname", Kind: gateway.FieldText},
		}}, nil
	}
	if in.Answers["code"] != "1234" {
		return gateway.LinkStep{}, &gateway.SendError{Class: gateway.Permanent, Code: "wrong_code"}
	}
	return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "ep1", Shown: "+49 ... 56 on " + in.Answers["device"] + in.Answers["nick"]}}, nil
}

func TestRegisterInSteps(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: steps})
	r := c.next(c.romeo, c.start(c.romeo, gateway.NodeRegister), agreed("number", "+49 123456"))
	if r.Title != "Code" || r.Text != "A code was sent." || len(r.Fields) != 3 || !r.Prev {
		t.Fatalf("got %+v, want the code step", r)
	}
	if r.Fields[0].Value != "" {
		t.Errorf("secret field has value %q, want none", r.Fields[0].Value)
	}
	back, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionPrev, nil)
	if err != nil || len(back.Fields) != 5 || back.Prev {
		t.Fatalf("prev: got %+v, %v, want the first step", back, err)
	}
	_, err = c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionPrev, nil)
	c.refused(err, gateway.BadRequest, gateway.BadAction)
	r = c.next(c.romeo, r, agreed("number", "+49 123456"))
	_, err = c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"code": "9", "device": "p"})
	if text := c.refused(err, gateway.NotAcceptable, ""); !strings.Contains(text, "wrong_code") {
		t.Errorf("got %q, want the platform's code", text)
	}
	_, err = c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionNext, map[string]string{"code": "1234", "device": "laptop"})
	c.refused(err, gateway.NotAcceptable, gateway.BadPayload)
	// A restart between two steps is harmless.
	c.restart()
	r = c.next(c.romeo, r, map[string]string{"code": "1234", "device": "d", "FORM_TYPE": "x"})
	if r.Status != gateway.ReplyCompleted || !strings.Contains(r.Text, "on d") {
		t.Errorf("got %s %q, want completed", r.Status, r.Text)
	}
	if got, err := c.desk.Consents(c.t.Context(), c.romeo.User); len(got) != 1 || err != nil {
		t.Errorf("got %d consents, %v, want one for all tries", len(got), err)
	}
}

func TestRegisterOnAPage(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: func(in gateway.LinkInput) (gateway.LinkStep, error) {
		if in.State == nil {
			return gateway.LinkStep{Title: "Sign in", Redirect: "https://wall.example/in?u=" + string(in.User), State: []byte("at page")}, nil
		}
		return gateway.LinkStep{Done: &gateway.Linked{Endpoint: "ep1", Shown: "Romeo"}}, nil
	}})
	r := c.start(c.romeo, gateway.NodeRegister)
	if r.Redirect != "" || len(r.Fields) != 4 {
		t.Fatalf("got redirect %q, %d fields, want the consent alone", r.Redirect, len(r.Fields))
	}
	r = c.next(c.romeo, r, agreed())
	if r.Redirect != "https://wall.example/in?u=romeo@example.org" {
		t.Errorf("got redirect %q, want the page of the user", r.Redirect)
	}
	if r = c.next(c.romeo, r, nil); r.Status != gateway.ReplyCompleted {
		t.Errorf("got %s, want completed", r.Status)
	}
}

func TestLinkFailures(t *testing.T) {
	for class, want := range map[gateway.Class]gateway.Condition{
		gateway.Uncertain: gateway.RemoteServerTimeout, gateway.Retryable: gateway.RemoteServerTimeout,
		gateway.RateLimited: gateway.ResourceConstraint, gateway.ReauthNeeded: gateway.NotAuthorized,
		gateway.WindowClosed: gateway.NotAllowed, gateway.Unsupported: gateway.NotAllowed,
		gateway.NotReachable: gateway.NotAllowed, gateway.Permanent: gateway.NotAcceptable,
	} {
		c := newCounter(t)
		c.platform.Play(script{Link: func(in gateway.LinkInput) (gateway.LinkStep, error) {
			if in.User == "" {
				return gateway.LinkStep{}, nil
			}
			return gateway.LinkStep{}, &gateway.SendError{Class: class, Code: "no"}
		}})
		r := c.start(c.romeo, gateway.NodeRegister)
		_, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, "", agreed())
		c.refused(err, want, "")
		if c.registered(c.romeo) {
			t.Errorf("%s: registered", class)
		}
	}
	c := newCounter(t)
	bug := errors.New("bug")
	c.platform.Play(script{Link: func(gateway.LinkInput) (gateway.LinkStep, error) { return gateway.LinkStep{}, bug }})
	if _, err := c.desk.Start(c.t.Context(), c.romeo, gateway.NodeRegister); !errors.Is(err, bug) {
		t.Errorf("got %v, want the bug itself", err)
	}
}

func TestConflictLeavesTheOwnerAlone(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	r := c.start(c.juliet, gateway.NodeRegister)
	_, err := c.desk.Continue(c.t.Context(), c.juliet, r.Session, gateway.ActionNext, agreed("name", "Montague"))
	c.refused(err, gateway.Conflict, "")
	if c.registered(c.juliet) || !c.registered(c.romeo) {
		t.Error("the endpoint changed hands")
	}
	if slices.Contains(c.platform.Calls(), "unlink ep-Montague") {
		t.Error("the owner's link was ended")
	}
}

// TestTakingBackSparesTheOwner: the store fails while the desk finds out whose the endpoint is.
func TestTakingBackSparesTheOwner(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	b := &brittle{Store: c.store, loads: map[gateway.RecordKind]int{}}
	c.desk = c.open(b)
	r := c.start(c.juliet, gateway.NodeRegister)
	b.loads[gateway.RecordEndpoint] = 1
	_, err := c.desk.Continue(c.t.Context(), c.juliet, r.Session, gateway.ActionNext, agreed("name", "Montague"))
	if _, ok := errors.AsType[*gateway.Refusal](err); ok || err == nil {
		t.Errorf("got %v, want an internal error", err)
	}
	if slices.Contains(c.platform.Calls(), "unlink ep-Montague") {
		t.Error("the owner's link was ended")
	}
	got, err := gateway.NewIdentity(c.store, c.keys).ByEndpoint(c.t.Context(), "wall", "ep-Montague")
	if err != nil || got.User != c.romeo.User {
		t.Errorf("endpoint leads to %v, %v, want its owner", got, err)
	}
}

func TestNothingHalfMadeStays(t *testing.T) {
	for _, kind := range []gateway.RecordKind{gateway.RecordEndpoint, gateway.RecordAccount, gateway.RecordMember, gateway.RecordLinks} {
		c := newCounter(t)
		b := &brittle{Store: c.store, fails: map[gateway.RecordKind]bool{}}
		c.desk = c.open(b)
		r := c.start(c.romeo, gateway.NodeRegister)
		b.fails[kind] = true
		_, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionNext, agreed("name", "Montague"))
		if _, ok := errors.AsType[*gateway.Refusal](err); ok || err == nil {
			t.Errorf("%s: got %v, want an internal error", kind, err)
		}
		if !slices.Contains(c.platform.Calls(), "unlink ep-Montague") {
			t.Errorf("%s: the platform keeps the link", kind)
		}
		delete(b.fails, kind)
		// Nothing is in the way of another user, who has the endpoint now.
		r = c.start(c.juliet, gateway.NodeRegister)
		if r := c.next(c.juliet, r, agreed("name", "Montague")); r.Status != gateway.ReplyCompleted {
			t.Errorf("%s: got %s, want completed", kind, r.Status)
		}
	}
}

// TestCrashBetweenLinkAndAccount ends the process at each write: registering again heals what is left.
func TestCrashBetweenLinkAndAccount(t *testing.T) {
	for _, kind := range []gateway.RecordKind{gateway.RecordAccount, gateway.RecordMember, gateway.RecordLinks} {
		c := newCounter(t)
		b := &brittle{Store: c.store, fails: map[gateway.RecordKind]bool{kind: true}}
		a := gateway.Account{Adapter: "wall", Endpoint: "ep-Montague", User: c.romeo.User, Standing: gateway.AccountActive}
		if _, err := gateway.NewIdentity(b, c.keys).Create(c.t.Context(), a); err == nil {
			t.Fatalf("%s: account made, want a crash", kind)
		}
		c.register(c.romeo, "Montague")
		if a := c.account(c.romeo); a.Endpoint != "ep-Montague" {
			t.Errorf("%s: got endpoint %q", kind, a.Endpoint)
		}
		got, err := gateway.NewIdentity(c.store, c.keys).ByEndpoint(c.t.Context(), "wall", "ep-Montague")
		if err != nil || got.ID != c.account(c.romeo).ID {
			t.Errorf("%s: endpoint leads to %v, %v", kind, got, err)
		}
		members := 0
		err = c.identity.Members(c.t.Context(), "wall", func(gateway.UserID, gateway.AccountID) error { members++; return nil })
		if members != 1 || err != nil {
			t.Errorf("%s: got %d members, %v, want 1", kind, members, err)
		}
	}
}

func TestRenewKeepsTheAccount(t *testing.T) {
	for _, name := range []string{"Montague", "Capulet"} { // the same endpoint, and another
		c := newCounter(t)
		c.register(c.romeo, "Montague")
		old := c.account(c.romeo)
		if _, err := c.identity.PutContact(c.t.Context(), old, gateway.Contact{ID: "mercutio"}); err != nil {
			t.Fatal(err)
		}
		stale := *old
		stale.Standing = gateway.AccountReconsentNeeded
		if err := c.identity.Update(c.t.Context(), stale); err != nil {
			t.Fatal(err)
		}
		c.platform.Describe.Version = 4
		c.restart()
		r := c.register(c.romeo, name)
		a := c.account(c.romeo)
		if a.ID != old.ID || a.Standing != gateway.AccountActive || a.Agreed != 4 || a.Endpoint != gateway.Endpoint("ep-"+name) {
			t.Errorf("%s: got %+v, want the same account renewed", name, a)
		}
		if diff := cmp.Diff([]gateway.AccountID{old.ID}, c.unparked); diff != "" {
			t.Errorf("%s: unparked %s", name, diff)
		}
		if strings.Contains(shown(r.After), "subscribe") {
			t.Errorf("%s: a renewal asks for presence again", name)
		}
		if _, err := c.identity.Contact(c.t.Context(), a, a.Keys.Alias("mercutio")); err != nil {
			t.Errorf("%s: contact lost: %v", name, err)
		}
		got, err := c.identity.ByEndpoint(c.t.Context(), "wall", "ep-Montague")
		if moved := name != "Montague"; moved != errors.Is(err, gateway.ErrNoAccount) {
			t.Errorf("%s: old endpoint leads to %v, %v", name, got, err)
		}
		if moved := slices.Contains(c.platform.Calls(), "unlink ep-Montague"); moved != (name != "Montague") {
			t.Errorf("%s: old link ended: %v", name, moved)
		}
	}
}

func TestRenewToAnEndpointOfAnother(t *testing.T) {
	c := newCounter(t)
	c.register(c.romeo, "Montague")
	c.register(c.juliet, "Capulet")
	r := c.start(c.romeo, gateway.NodeRegister)
	_, err := c.desk.Continue(c.t.Context(), c.romeo, r.Session, gateway.ActionNext, agreed("name", "Capulet"))
	c.refused(err, gateway.Conflict, "")
	if a := c.account(c.romeo); a.Endpoint != "ep-Montague" {
		t.Errorf("got endpoint %q, want the old one", a.Endpoint)
	}
}

func TestDisclosureChangesUnderTheUser(t *testing.T) {
	c := newCounter(t)
	r := c.start(c.romeo, gateway.NodeRegister)
	c.platform.Describe.Out = gateway.ModeCleartext
	c.restart()
	r = c.next(c.romeo, r, agreed("name", "Montague"))
	if r.Status != gateway.ReplyExecuting || c.registered(c.romeo) {
		t.Fatalf("got %s, want the new text first", r.Status)
	}
	if r = c.next(c.romeo, r, agreed("name", "Montague")); r.Status != gateway.ReplyCompleted {
		t.Errorf("got %s, want completed", r.Status)
	}
}

func TestWithoutLinkerNobodyRegisters(t *testing.T) {
	c := newCounter(t)
	d := gateway.NewDesk(gateway.DeskConfig{
		Identity: c.identity, Store: c.store, Keyring: c.keys, Texts: gateway.NewTexts(),
		Instances: []gateway.Instance{{ID: "wall", Component: "wall.example.org", Adapter: sender{c.platform}}},
	})
	_, err := d.Start(c.t.Context(), c.romeo, gateway.NodeRegister)
	c.refused(err, gateway.ItemNotFound, "")
	cmds, err := d.Commands(c.t.Context(), c.romeo)
	if err != nil || len(cmds) != 1 || cmds[0].Node != gateway.NodeHelp {
		t.Errorf("got %v, %v, want help alone", cmds, err)
	}
}

// sender is a platform without any optional interface.
type sender struct{ all gateway.Adapter }

func (s sender) Descriptor() gateway.Descriptor        { return s.all.Descriptor() }
func (s sender) Caps(f gateway.ChatFacts) gateway.Caps { return s.all.Caps(f) }
func (s sender) Send(ctx context.Context, a gateway.Credentials, op gateway.Op) (gateway.Sent, error) {
	return s.all.Send(ctx, a, op)
}

// TestLinkBudget: a visitor cannot have a platform send codes to number after number.
func TestLinkBudget(t *testing.T) {
	c := newCounter(t)
	c.platform.Play(script{Link: func(gateway.LinkInput) (gateway.LinkStep, error) {
		return gateway.LinkStep{Fields: []gateway.Field{{Name: "phone", Kind: gateway.FieldText}}, State: []byte("asked")}, nil
	}})
	r := c.start(c.romeo, gateway.NodeRegister)
	for n := range 31 {
		next, err := c.desk.Continue(t.Context(), c.romeo, r.Session, gateway.ActionNext, agreed("phone", "+39045123900"+string(rune('0'+n%10))))
		if n == 30 {
			c.refused(err, gateway.ResourceConstraint, "")
			break
		}
		if err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		r = next
	}
	c.next(c.juliet, c.start(c.juliet, gateway.NodeRegister), agreed("phone", "+390451239001"))
}
