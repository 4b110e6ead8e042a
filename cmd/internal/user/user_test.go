package user

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestElementIsWrittenAsRead(t *testing.T) {
	for _, text := range []string{
		`<message to='a@b' id='1'><body>x &amp; &lt;y&gt;</body></message>`,
		`<iq type='get' id='1'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>`,
		`<message xml:lang='en'><x xmlns='urn:1'><y xmlns='urn:2'>t</y><z/></x><body/></message>`,
	} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, e.String()); diff != "" {
			t.Errorf("written, want - got +\n%s", diff)
		}
	}
	if e, err := Parse("<message><body></message>"); err == nil {
		t.Errorf("got %v, want an error for unbalanced tags", e)
	}
}

func TestStanzaValues(t *testing.T) {
	tests := map[string]struct {
		xml  string
		want Stanza
	}{
		"message": {
			`<message from='g@x/1' to='r@y' id='i' type='chat'><body>hi</body><request xmlns='urn:xmpp:receipts'/>` +
				`<markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='o'/><stanza-id xmlns='urn:xmpp:sid:0' by='r@y' id='7'/>` +
				`<active xmlns='http://jabber.org/protocol/chatstates'/><delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/></message>`,
			Stanza{
				Kind: Message, From: "g@x/1", To: "r@y", ID: "i", Type: "chat", Body: "hi", WantsReceipt: true, Markable: true, OriginID: "o",
				StanzaIDs: map[string]string{"r@y": "7"}, State: "active", Delay: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			},
		},
		"receipt": {
			`<message from='g@x'><received xmlns='urn:xmpp:receipts' id='i'/></message>`,
			Stanza{Kind: Message, From: "g@x", Received: "i"},
		},
		"marker": {
			`<message from='g@x'><displayed xmlns='urn:xmpp:chat-markers:0' id='i'/></message>`,
			Stanza{Kind: Message, From: "g@x", Displayed: "i"},
		},
		"error": {
			`<presence from='g@x' type='error'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text></error></presence>`,
			Stanza{Kind: Presence, From: "g@x", Type: "error", Condition: "forbidden", ErrorText: "no"},
		},
		"body of another namespace": {
			`<message from='g@x'><body xmlns='urn:other'>no</body></message>`,
			Stanza{Kind: Message, From: "g@x"},
		},
		"carbon": {
			`<message from='r@y'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='r@y/2' to='g@x'><body>mine</body></message></forwarded></sent></message>`,
			Stanza{Kind: Message, From: "r@y/2", To: "g@x", Body: "mine", Carbon: "sent"},
		},
		"carbon of a stranger": {
			`<message from='evil@y'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='r@y/2' to='g@x'><body>mine</body></message></forwarded></sent></message>`,
			Stanza{Kind: Message, From: "evil@y"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := Parse(tt.xml)
			if err != nil {
				t.Fatal(err)
			}
			got := newStanza(e, "r@y")
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(Stanza{}, "Element")); diff != "" {
				t.Errorf("values, want - got +\n%s", diff)
			}
		})
	}
}

func TestFormIsAnswered(t *testing.T) {
	e, err := Parse(`<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='form'><title>T</title><instructions>one</instructions>` +
		`<field var='FORM_TYPE' type='hidden'><value>f</value></field><field type='fixed'><value>note</value></field>` +
		`<field var='agree' type='boolean' label='Yes?'><required/></field><field var='name' type='text-single'><value>old</value></field></x></query>`)
	if err != nil {
		t.Fatal(err)
	}
	f := parseForm(e)
	if diff := cmp.Diff(map[string]string{"agree": "true"}, f.Agree()); diff != "" {
		t.Errorf("consents, want - got +\n%s", diff)
	}
	if got, want := f.Text(), "T\none\nnote\nYes?\nold"; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
	got := answerForm(f, f.Agree())
	want := `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>f</value></field><field var='agree'><value>true</value></field><field var='name'><value>old</value></field></x>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("submission, want - got +\n%s", diff)
	}
}
