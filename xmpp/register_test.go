package xmpp

import (
	"strings"
	"testing"

	"postern/gateway"
	"postern/xmpp/conformance"
)

const registerGet = "<query xmlns='jabber:iq:register'/>"

func registerForm(session, fields string) string {
	return "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>jabber:iq:register</value></field>" +
		"<field var='" + formSession + "'><value>" + session + "</value></field>" + fields + "</x></query>"
}

func field(name, value string) string {
	return "<field var='" + name + "'><value>" + value + "</value></field>"
}

func sessionOf(q *Element) string { return formAnswers(q.Child(nsForm, "x"))[formSession] }

func TestRegister(t *testing.T) {
	bubble(t, func(r *gatewayRig) {
		r.desk.registered["romeo@example"] = false
		r.desk.after = []gateway.Rendering{{Component: testDomain, To: "romeo@example", What: gateway.ShowSubscription{Verb: gateway.Subscribe}}}
	}, func(t *testing.T, r *gatewayRig) {
		q := r.result("gw.example", "get", registerGet)
		x := q.Child(nsForm, "x")
		if q.Child(nsRegister, "registered") != nil || x.Attr("type") != "form" || q.Child(nsRegister, "instructions").Text() != "Step" {
			t.Errorf("got %s", q)
		}
		if strings.Contains(q.String(), "must-not-show") {
			t.Error("a secret is shown")
		}
		types := map[string]string{}
		for _, f := range x.ChildrenNamed(nsForm, "field") {
			types[f.Attr("var")] = f.Attr("type")
		}
		for name, want := range map[string]string{"FORM_TYPE": "hidden", "phone": "text-single", "pin": "text-private", "region": "list-single", "": "fixed"} {
			if types[name] != want {
				t.Errorf("field %q: got type %q, want %q", name, types[name], want)
			}
		}
		session := sessionOf(q)

		proof := conformance.Prove(t, conformance.InProcess, 14, 15)
		proof.That(!strings.Contains(q.String(), "must-not-show") && q.Child(nsRegister, "registered") == nil, "form before: got %s", q)
		el := r.ask("gw.example", "set", registerForm(session, field("phone", "")))
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", NotAcceptable, "modify")
		code := el.Child(nsClient, "error").Attr("code")
		proof.That(code == "406", "got legacy code %q, want 406", code)
		// A step that is not the last leaves the registration incomplete, and its form comes along.
		el = r.ask("gw.example", "set", registerForm(session, field("phone", "+39")))
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", NotAcceptable, "modify")
		next := el.Child(nsRegister, "query")
		if sessionOf(next) != session || formAnswers(next.Child(nsForm, "x"))["agree"] != "" {
			t.Errorf("got %s", el)
		}
		if len(r.gw.shown) != 0 {
			t.Errorf("got %v shown before the registration is complete", r.gw.shown)
		}
		// XEP-0100 §4.1: the result first, then the subscription.
		written := r.c.live.Load().stream.w.count()
		r.gw.onShow = func() {
			if r.c.live.Load().stream.w.count() == written {
				t.Error("the subscription was handed over before the result was written")
			}
		}
		if got := r.result("gw.example", "set", registerForm(session, field("phone", "+39")+field("agree", "true"))); got != nil {
			t.Errorf("got %s, want an empty result", got)
		}
		if _, leaked := r.desk.last[formSession]; leaked || r.desk.last["phone"] != "+39" {
			t.Errorf("got answers %v", r.desk.last)
		}
		r.silent("<presence from='romeo@example/phone' to='gw.example'/>")
		if len(r.gw.shown) != 1 {
			t.Errorf("got %v shown after the result, want the subscription", r.gw.shown)
		}

		q = r.result("gw.example", "get", registerGet)
		if q.Child(nsRegister, "registered") == nil || q.Child(nsRegister, "username").Text() != "+39 ***34" || q.Child(nsForm, "x") != nil {
			t.Errorf("got %s", q)
		}
		el = r.ask("gw.example", "set", registerForm(session, field("phone", "+39")))
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", NotAllowed, "cancel")
	})
}

// Clients without forms send the fields alone (XEP-0077 §3.1).
func TestRegisterPlainFields(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		delete(r.desk.registered, "romeo@example")
		r.result("gw.example", "set", "<query xmlns='jabber:iq:register'><phone>+39</phone><agree>true</agree></query>")
		if !r.desk.registered["romeo@example"] {
			t.Error("not registered")
		}
	})
}

func TestRegisterCancel(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		delete(r.desk.registered, "romeo@example")
		session := sessionOf(r.result("gw.example", "get", registerGet))
		r.result("gw.example", "set", "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='cancel'>"+field(formSession, session)+"</x></query>")
		if r.desk.registered["romeo@example"] || !r.desk.sessions[session].over {
			t.Error("the dialogue goes on")
		}
	})
}

func TestRegisterRemove(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		el := r.ask("gw.example", "set", "<query xmlns='jabber:iq:register'><remove/><username>x</username></query>")
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", BadRequest, "modify")
		r.desk.after = []gateway.Rendering{{Component: testDomain, To: "romeo@example", What: gateway.ShowPresence{}}}
		r.result("gw.example", "set", "<query xmlns='jabber:iq:register'><remove/></query>")
		el = r.ask("gw.example", "set", "<query xmlns='jabber:iq:register'><remove/></query>")
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", RegistrationRequired, "auth")
		if got := el.Child(nsClient, "error").Attr("code"); got != "407" {
			t.Errorf("got legacy code %q, want 407", got)
		}
		if len(r.gw.shown) != 1 {
			t.Errorf("got %v shown, want the goodbye", r.gw.shown)
		}
		if !r.desk.registered["juliet@example"] {
			t.Error("somebody else was removed")
		}
	})
}

// Another user's session is no session.
func TestRegisterForeignSession(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		delete(r.desk.registered, "romeo@example")
		session := sessionOf(r.result("gw.example", "get", registerGet))
		el := r.answer(iqXML("juliet@example/x", "gw.example", "set", registerForm(session, field("phone", "+40")+field("agree", "true"))))
		wantError(t, el, "gw.example", "juliet@example/x", "q1", BadRequest, "modify")
	})
}
