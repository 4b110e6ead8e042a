package xmpp

import (
	"errors"
	"fmt"
	"testing"
	"time"

	fluux "gosrc.io/xmpp/stanza"
)

func TestDecodePayload(t *testing.T) {
	tests := []struct{ name, stanza, want string }{
		{"origin-id", "<message><origin-id xmlns='urn:xmpp:sid:0' id='a'/></message>", "*xmpp.OriginID"},
		{"stanza-id", "<message><stanza-id xmlns='urn:xmpp:sid:0' id='a' by='b'/></message>", "*xmpp.StanzaID"},
		{"store", "<message><store xmlns='urn:xmpp:hints'/></message>", "*xmpp.HintStore"},
		{"no-store", "<message><no-store xmlns='urn:xmpp:hints'/></message>", "*xmpp.HintNoStore"},
		{"no-permanent-store", "<message><no-permanent-store xmlns='urn:xmpp:hints'/></message>", "*xmpp.HintNoPermanentStore"},
		{"no-copy", "<message><no-copy xmlns='urn:xmpp:hints'/></message>", "*xmpp.HintNoCopy"},
		{"delay", "<message><delay xmlns='urn:xmpp:delay' stamp='x'/></message>", "*xmpp.Delay"},
		{"encryption", "<message><encryption xmlns='urn:xmpp:eme:0' namespace='x'/></message>", "*xmpp.Encryption"},
		{"replace", "<message><replace xmlns='urn:xmpp:message-correct:0' id='x'/></message>", "*xmpp.Replace"},
		{"receipt", "<message><received xmlns='urn:xmpp:receipts' id='x'/></message>", "*stanza.ReceiptReceived"},
		{"composing", "<message><composing xmlns='http://jabber.org/protocol/chatstates'/></message>", "*stanza.StateComposing"},
		{"displayed", "<message><displayed xmlns='urn:xmpp:chat-markers:0' id='x'/></message>", "*stanza.MarkDisplayed"},
		{"nick", "<presence><nick xmlns='http://jabber.org/protocol/nick'>Anna</nick></presence>", "*xmpp.Nick"},
		{"caps", "<presence><c xmlns='http://jabber.org/protocol/caps' ver='x'/></presence>", "*xmpp.Caps"},
		{"vcard update", "<presence><x xmlns='vcard-temp:x:update'><photo/></x></presence>", "*xmpp.VCardUpdate"},
		{"register", "<iq><query xmlns='jabber:iq:register'/></iq>", "*xmpp.Register"},
		{"gateway", "<iq><query xmlns='jabber:iq:gateway'/></iq>", "*xmpp.GatewayPrompt"},
		{"ping", "<iq><ping xmlns='urn:xmpp:ping'/></iq>", "*xmpp.Ping"},
		{"version", "<iq><query xmlns='jabber:iq:version'/></iq>", "*stanza.Version"},
		{"disco", "<iq><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", "*stanza.DiscoInfo"},
		{"command", "<iq><command xmlns='http://jabber.org/protocol/commands' node='x'/></iq>", "*stanza.Command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			el := mustParse(t, tt.stanza)
			v, err := DecodePayload(el, el.FirstChild())
			if got := fmt.Sprintf("%T", v); err != nil || got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
	el := mustParse(t, "<message><fish xmlns='urn:fish'/></message>")
	if _, err := DecodePayload(el, el.FirstChild()); !errors.Is(err, errNoPayloadType) {
		t.Errorf("got %v, want %v", err, errNoPayloadType)
	}
}

func TestRegisterRoundTrip(t *testing.T) {
	in := "<query xmlns='jabber:iq:register'><remove/><username>anna</username>" +
		"<x xmlns='jabber:x:data' type='submit'><field var='token'><value>a&lt;b</value></field></x></query>"
	var r Register
	if err := mustParse(t, in).Decode(&r); err != nil {
		t.Fatal(err)
	}
	if r.Remove == nil || r.Registered != nil || r.Username == nil || *r.Username != "anna" {
		t.Errorf("got %+v, want remove and username", r)
	}
	if r.Form == nil || r.Form.Type != fluux.FormTypeSubmit || r.Form.Fields[0].ValuesList[0] != "a<b" {
		t.Fatalf("form: got %+v, want one field a<b", r.Form)
	}
	out, err := Encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Child(nsForm, "x").Child(nsForm, "field").Child(nsForm, "value").Text(); got != "a<b" {
		t.Errorf("got %q in %s, want a<b", got, out)
	}
	if out.Child(nsRegister, "remove") == nil || out.Child(nsRegister, "password") != nil {
		t.Errorf("got %s, want remove and no password", out)
	}
}

// Struct tags match attributes by local name; a foreign one must not get through.
func TestDecodeIgnoresForeignAttributes(t *testing.T) {
	var c fluux.Command
	el := mustParse(t, "<command xmlns='http://jabber.org/protocol/commands' node='list' xmlns:e='urn:e' e:node='admin'/>")
	if err := el.Decode(&c); err != nil || c.Node != "list" {
		t.Errorf("got %q (%v), want list", c.Node, err)
	}
}

func TestDelayTime(t *testing.T) {
	want := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	for _, stamp := range []string{"2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00", FormatTime(want)} {
		if got, ok := (&Delay{Stamp: stamp}).Time(); !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, want %v", stamp, got, want)
		}
	}
	if _, ok := (&Delay{Stamp: "yesterday"}).Time(); ok {
		t.Error("yesterday: got a time, want none")
	}
}
