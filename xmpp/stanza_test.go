package xmpp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConstructors(t *testing.T) {
	m := testMessage(t, "c@gw.example/bridge", "u@example", "")
	if len(m.ID()) != 22 {
		t.Errorf("id: got %q, want 22 characters", m.ID())
	}
	m.SetAttr("id", "1").AddTextChild("body", "x")
	if got, want := m.String(), "<message from='c@gw.example/bridge' to='u@example' id='1' type='chat'><body>x</body></message>"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p := NewPresence(m.From(), m.To(), "")
	if _, has := p.LookupAttr("", "type"); has || p.ID() == "" {
		t.Errorf("got %s, want an id and no type", p)
	}
	if m.ID() == p.ID() {
		t.Error("two stanzas of one id")
	}
}

func TestSetAttrMovesAddresses(t *testing.T) {
	m := testMessage(t, "a@example", "b@example", "1").SetAttr("from", "c@example")
	if got := m.From().String(); got != "c@example" {
		t.Errorf("got %s, want c@example", got)
	}
}

func TestErrorReply(t *testing.T) {
	const addr = " from='u@example/phone' to='c@gw.example/x' id='1'"
	tests := []struct {
		name, req string
		err       StanzaError
		want      string // "" for no answer at all
	}{
		{
			"message", "<message" + addr + "><body>x</body></message>",
			StanzaError{Condition: ItemNotFound},
			"<message from='c@gw.example/x' to='u@example/phone' type='error' id='1'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		},
		{
			"text, by, app", "<iq type='set'" + addr + "><x xmlns='x'/></iq>",
			StanzaError{Condition: NotAllowed, Type: "wait", Text: "a<b", Lang: "en", By: "gw.example", App: NewElement("urn:app", "why")},
			"<iq from='c@gw.example/x' to='u@example/phone' type='error' id='1'><error type='wait' by='gw.example'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" +
				"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>a&lt;b</text><why xmlns='urn:app'/></error></iq>",
		},
		{
			"register has a code", "<iq type='set'" + addr + "><query xmlns='jabber:iq:register'/></iq>",
			StanzaError{Condition: NotAcceptable},
			"<iq from='c@gw.example/x' to='u@example/phone' type='error' id='1'><error type='modify' code='406'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
		},
		{
			"unknown condition", "<message" + addr + "/>",
			StanzaError{Condition: "x/><evil", Type: "fatal"},
			"<message from='c@gw.example/x' to='u@example/phone' type='error' id='1'><error type='cancel'><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		},
		{
			"presence", "<presence type='subscribe'" + addr + "/>",
			StanzaError{Condition: Forbidden},
			"<presence from='c@gw.example/x' to='u@example/phone' type='error' id='1'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
		},
		{
			"no id", "<message from='u@example/phone' to='c@gw.example'/>",
			StanzaError{Condition: Gone},
			"<message from='c@gw.example' to='u@example/phone' type='error'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		},
		{"message error", "<message type='error'" + addr + "/>", StanzaError{Condition: BadRequest}, ""},
		{"presence error", "<presence type='error'" + addr + "/>", StanzaError{Condition: BadRequest}, ""},
		{"iq error", "<iq type='error'" + addr + "/>", StanzaError{Condition: BadRequest}, ""},
		{"iq result", "<iq type='result'" + addr + "/>", StanzaError{Condition: BadRequest}, ""},
		{"iq of no type", "<iq" + addr + "/>", StanzaError{Condition: BadRequest}, ""},
		{"no sender", "<message to='c@gw.example'/>", StanzaError{Condition: BadRequest}, ""},
		{"invalid recipient", "<message from='u@example' to='@'/>", StanzaError{Condition: BadRequest}, ""},
		{"no stanza", "<fish" + addr + "/>", StanzaError{Condition: BadRequest}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reply := ErrorReply(mustParse(t, tt.req), &tt.err)
			if got := reply.String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestResultReply(t *testing.T) {
	req := mustParse(t, "<iq type='get' id='1' from='u@example/r' to='c@gw.example'/>")
	if got, want := ResultReply(req, nil).String(), "<iq from='c@gw.example' to='u@example/r' type='result' id='1'/>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, s := range []string{"<iq type='result' id='1' from='u@example/r' to='c@gw.example'/>", "<message from='u@example/r' to='c@gw.example'/>"} {
		if got := ResultReply(mustParse(t, s), nil); got != nil {
			t.Errorf("%s: got %s, want nothing", s, got)
		}
	}
}

func TestParseStanzaError(t *testing.T) {
	const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
	tests := []struct {
		name, in string
		want     *StanzaError
	}{
		{
			"no code", "<message type='error'><error type='wait'><remote-server-timeout " + ns + "/></error></message>",
			&StanzaError{Condition: RemoteServerTimeout, Type: "wait"},
		},
		{
			"full", "<iq type='error'><error type='cancel' by='x' code='503'><service-unavailable " + ns + "/><text " + ns + " xml:lang='it'>no</text></error></iq>",
			&StanzaError{Condition: ServiceUnavailable, Type: "cancel", Text: "no", Lang: "it", By: "x"},
		},
		{
			"nested error does not count", "<message type='error'><x xmlns='x'><error type='wait'><gone " + ns + "/></error></x></message>",
			&StanzaError{Condition: UndefinedCondition, Type: "cancel"},
		},
		{
			"unknown", "<message type='error'><error type='modify'><fish " + ns + "/></error></message>",
			&StanzaError{Condition: UndefinedCondition, Type: "modify"},
		},
		{"not an error", "<message><error type='wait'><gone " + ns + "/></error></message>", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ParseStanzaError(mustParse(t, tt.in))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
