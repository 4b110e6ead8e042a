package xmpp

import "testing"

func TestCapsVer(t *testing.T) {
	contact := []string{
		"urn:xmpp:receipts", "http://jabber.org/protocol/caps", "http://jabber.org/protocol/chatstates",
		"http://jabber.org/protocol/disco#info", "urn:xmpp:chat-markers:0", "urn:xmpp:message-correct:0",
		"urn:xmpp:reactions:0",
	}
	identity := []discoIdentity{{category: "client", typ: "phone", name: "WhatsApp contact"}}
	tests := []struct {
		name string
		info discoInfo
		want string
	}{
		// XEP-0115 §5.2.
		{"simple example", discoInfo{
			identities: []discoIdentity{{category: "client", typ: "pc", name: "Exodus 0.9.1"}},
			features: []string{
				"http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#info",
				"http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/caps",
			},
		}, "QgayPKawpkPSDYmwT/WM94uAlu0="},
		// XEP-0115 §5.3.
		{"complex example", discoInfo{
			identities: []discoIdentity{
				{category: "client", typ: "pc", lang: "en", name: "Psi 0.11"},
				{category: "client", typ: "pc", lang: "el", name: "Ψ 0.11"},
			},
			features: []string{
				"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info",
				"http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/muc",
			},
			forms: []discoForm{{"urn:xmpp:dataforms:softwareinfo", []discoField{
				{"os", []string{"Mac"}},
				{"ip_version", []string{"ipv6", "ipv4"}},
				{"os_version", []string{"10.5.1"}},
				{"software", []string{"Psi"}},
				{"software_version", []string{"0.11"}},
			}}},
		}, "q07IKJEyjvHSyhy//CH0CxmKi8w="},
		{"contact", discoInfo{identities: identity, features: contact}, "N3fYO6shN1I7Uuq/fgYt4RVgK0A="},
		{"contact, duplicates", discoInfo{identities: append(identity, identity...), features: append(contact, contact...)}, "N3fYO6shN1I7Uuq/fgYt4RVgK0A="},
		{"contact with restrictions", discoInfo{identities: identity, features: contact, forms: []discoForm{
			{"urn:xmpp:reactions:0:restrictions", []discoField{{"max_reactions_per_user", []string{"1"}}}},
		}}, "98pvqzSv8gVFZ3cRI09UflD6UFs="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.info.ver(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDiscoElement(t *testing.T) {
	d := discoInfo{
		identities: []discoIdentity{{category: "gateway", typ: "whatsapp", name: "WhatsApp & co"}},
		features:   []string{"b", "a", "a"},
		forms:      []discoForm{{"urn:f", []discoField{{"k", []string{"v"}}}}},
	}
	got := d.element("n#v").String()
	want := "<query xmlns='http://jabber.org/protocol/disco#info' node='n#v'>" +
		"<identity category='gateway' type='whatsapp' name='WhatsApp &amp; co'/>" +
		"<feature var='a'/><feature var='b'/>" +
		"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:f</value></field>" +
		"<field var='k'><value>v</value></field></x></query>"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCapsElement(t *testing.T) {
	d := discoInfo{
		identities: []discoIdentity{{category: "client", typ: "pc", name: "Exodus 0.9.1"}},
		features: []string{
			"http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#info",
			"http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/caps",
		},
	}
	want := "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://gw.example/caps' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>"
	if got := d.capsElement("https://gw.example/caps").String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
