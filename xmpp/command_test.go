package xmpp

import (
	"testing"

	"postern/gateway"
	"postern/xmpp/conformance"
)

func command(attrs, inner string) string {
	return "<command xmlns='" + nsCommands + "' " + attrs + ">" + inner + "</command>"
}

func submit(fields string) string {
	return "<x xmlns='jabber:x:data' type='submit'>" + fields + "</x>"
}

func TestCommandStages(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 19, 20)
		run := func(attrs, inner string) *Element {
			t.Helper()
			el := r.result("gw.example", "set", command(attrs, inner))
			if el.Attr("status") == "executing" {
				actions := el.Child(nsCommands, "actions")
				def := actions.Attr("execute")
				proof.That(def != "" && actions.Child(nsCommands, def) != nil, "got %s, want a default action that is allowed", el)
			}
			return el
		}
		first := run("node='jabber:iq:register' action='execute'", "")
		id := first.Attr("sessionid")
		if first.Attr("status") != "executing" || id == "" || first.Child(nsCommands, "actions").Child(nsCommands, "prev") != nil || first.Child(nsForm, "x").Attr("type") != "form" {
			t.Fatalf("got %s", first)
		}
		at := "node='jabber:iq:register' sessionid='" + id + "'"
		second := run(at+" action='next'", submit(field("phone", "+39")))
		if second.Child(nsCommands, "actions").Child(nsCommands, "prev") == nil || second.Child(nsCommands, "actions").Child(nsCommands, "complete") == nil {
			t.Errorf("got %s", second)
		}
		if back := run(at+" action='prev'", ""); back.Child(nsCommands, "actions").Child(nsCommands, "next") == nil {
			t.Errorf("got %s", back)
		}
		run(at, submit(field("phone", "+39"))) // no action: the default
		if done := run(at+" action='complete'", submit(field("agree", "1"))); done.Attr("status") != "completed" || done.Attr("sessionid") != id || done.Child(nsCommands, "note").Text() != "Done" {
			t.Errorf("got %s", done)
		}
		if r.desk.last["agree"] != "1" {
			t.Errorf("got answers %v", r.desk.last)
		}
		el := r.ask("gw.example", "set", command(at+" action='next'", ""))
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", NotAllowed, "cancel")
		if app := ParseStanzaError(el).App; !app.Is(nsCommands, "session-expired") {
			t.Errorf("got %s, want session-expired", app)
		}
		other := run("node='jabber:iq:register'", "").Attr("sessionid")
		if got := run("node='jabber:iq:register' action='cancel' sessionid='"+other+"'", "").Attr("status"); got != "canceled" {
			t.Errorf("got %s, want canceled", got)
		}
	})
}

func TestCommandErrors(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		id := r.result("gw.example", "set", command("node='jabber:iq:register'", "")).Attr("sessionid")
		for _, tt := range []struct {
			name, attrs, inner string
			condition          Condition
			typ, app           string
		}{
			{"unknown node", "node='nope'", "", ItemNotFound, "cancel", ""},
			{"no node", "", "", BadRequest, "modify", ""},
			{"unknown action", "node='help' action='dance'", "", BadRequest, "modify", gateway.MalformedAction},
			{"next of nothing", "node='help' action='next'", "", BadRequest, "modify", gateway.BadAction},
			{"prev of the first", "node='jabber:iq:register' action='prev' sessionid='" + id + "'", "", BadRequest, "modify", gateway.BadAction},
			{"unknown session", "node='jabber:iq:register' action='next' sessionid='s99'", "", BadRequest, "modify", gateway.BadSessionID},
			{"no submission", "node='jabber:iq:register' action='next' sessionid='" + id + "'", "<x xmlns='jabber:x:data' type='form'/>", BadRequest, "modify", gateway.BadPayload},
			{"answer missing", "node='jabber:iq:register' action='next' sessionid='" + id + "'", submit(""), NotAcceptable, "modify", gateway.BadPayload},
		} {
			el := r.ask("gw.example", "set", command(tt.attrs, tt.inner))
			wantError(t, el, "gw.example", "romeo@example/phone", "q1", tt.condition, tt.typ)
			if app := ParseStanzaError(el).App; tt.app != "" && !app.Is(nsCommands, tt.app) || tt.app == "" && app != nil {
				t.Errorf("%s: got %v, want %q", tt.name, app, tt.app)
			}
		}
		el := r.answer(iqXML("juliet@example/x", "gw.example", "set", command("node='jabber:iq:register' sessionid='"+id+"'", submit(field("phone", "+40")))))
		wantError(t, el, "gw.example", "juliet@example/x", "q1", BadRequest, "modify")
		to := "anna7@gw.example"
		wantError(t, r.ask(to, "set", command("node='help'", "")), to, "romeo@example/phone", "q1", ServiceUnavailable, "cancel")
		// The same user at another device goes on where they were.
		el = r.answer(iqXML("romeo@example/laptop", "gw.example", "set", command("node='jabber:iq:register' sessionid='"+id+"'", submit(field("phone", "+39")))))
		if el.Attr("type") != "result" {
			t.Errorf("got %s", el)
		}
	})
}

func TestCommandAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		el := r.result("gw.example", "set", command("node='help'", ""))
		if el.Attr("status") != "completed" || el.Attr("sessionid") == "" || el.Child(nsCommands, "actions") != nil {
			t.Errorf("got %s", el)
		}
		if note := el.Child(nsCommands, "note"); note.Text() != "Help\nAsk away" || note.Attr("type") != "info" {
			t.Errorf("got %s", note)
		}
	})
}

func TestCommandElement(t *testing.T) {
	el := commandElement(gateway.Reply{Session: "s", Node: "n", Status: gateway.ReplyCompleted, Note: "no", NoteError: true, Redirect: "https://x.example"})
	want := "<command xmlns='http://jabber.org/protocol/commands' node='n' status='completed' sessionid='s'><note type='error'>no</note>" +
		"<x xmlns='jabber:x:oob'><url>https://x.example</url></x></command>"
	if got := el.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
