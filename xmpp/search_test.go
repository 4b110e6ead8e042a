package xmpp

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/gateway"
	"postern/xmpp/conformance"
)

func TestSearchAnswers(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		const get, form = "<query xmlns='jabber:iq:search'/>", "<query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'>"
		delete(r.desk.registered, "romeo@example")
		wantError(t, r.ask("gw.example", "get", get), "gw.example", "romeo@example/phone", "q1", RegistrationRequired, "auth")
		wantError(t, r.ask("gw.example", "set", form+field("name", "carla")+"</x></query>"), "gw.example", "romeo@example/phone", "q1", RegistrationRequired, "auth")
		r.desk.registered["romeo@example"] = true

		q := r.result("gw.example", "get", get)
		var names []string
		for _, f := range q.Child(nsForm, "x").ChildrenNamed(nsForm, "field") {
			names = append(names, f.Attr("var"))
		}
		if got := strings.Join(names, " "); got != "FORM_TYPE name number" {
			t.Errorf("form: got fields %q", got)
		}
		x := r.result("gw.example", "set", form+field("name", "carla")+"</x></query>").Child(nsForm, "x")
		if x.Attr("type") != "result" || x.Child(nsForm, "reported") == nil {
			t.Errorf("got %s", x)
		}
		var jids []string
		for _, item := range x.ChildrenNamed(nsForm, "item") {
			jids = append(jids, item.FirstChild().Child(nsForm, "value").Text())
		}
		if got := strings.Join(jids, " "); got != `carla2@gw.example carla\40there@gw.example` {
			t.Errorf("got %q", got)
		}
		for _, payload := range []string{form + "</x></query>", form + field("name", "nobody") + "</x></query>"} {
			if x := r.result("gw.example", "set", payload).Child(nsForm, "x"); len(x.ChildrenNamed(nsForm, "item")) != 0 {
				t.Errorf("%s: got %s, want nobody", payload, x)
			}
		}
		// XEP-0055 §3.1: without a data form.
		q = r.result("gw.example", "set", "<query xmlns='jabber:iq:search'><email>+39 333</email></query>")
		if item := q.Child(nsSearch, "item"); item.Attr("jid") != "carla2@gw.example" || item.Child(nsSearch, "nick").Text() != "Carla" {
			t.Errorf("got %s", q)
		}
	})
}

func TestClocks(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		q := r.result("gw.example", "get", "<query xmlns='jabber:iq:last'/>")
		if _, err := strconv.Atoi(q.Attr("seconds")); err != nil {
			t.Errorf("last activity: got %s", q)
		}
		el := r.result("gw.example", "get", "<time xmlns='urn:xmpp:time'/>")
		at, err := time.Parse(time.RFC3339, el.Child(nsTime, "utc").Text())
		if err != nil || time.Since(at).Abs() > time.Second || el.Child(nsTime, "tzo").Text() != "+00:00" {
			t.Errorf("time: got %s", el)
		}
	})
}

func TestContactList(t *testing.T) {
	r := NewRenderer(gateway.NewTexts())
	g := gateway.Rendering{Component: testDomain, To: "romeo@example", What: gateway.ShowContacts{
		ID: "list1", Group: "Castle", Items: []gateway.ContactItem{{Local: "carla2", Name: "Carla\x00"}, {Local: `c\40d`}},
	}}
	stanzas, err := r.Render(g)
	if err != nil || len(stanzas) != 1 {
		t.Fatalf("got %d stanzas, %v, want one", len(stanzas), err)
	}
	proof := conformance.Prove(t, conformance.InProcess, 36)
	long := gateway.ShowContacts{ID: "list2", Items: make([]gateway.ContactItem, 51)}
	for i := range long.Items {
		long.Items[i].Local = "carla2"
	}
	_, err = r.Render(gateway.Rendering{Component: testDomain, To: "romeo@example", What: long})
	proof.That(err != nil, "51 contacts went into one stanza")
	// XEP-0144 §3.1.
	want := `<x xmlns='http://jabber.org/protocol/rosterx'><item action='add' jid='carla2@gw.example' name='Carla'><group>Castle</group></item><item action='add' jid='c\40d@gw.example'><group>Castle</group></item></x>`
	if got := string(stanzas[0]); !strings.Contains(got, want) || !strings.Contains(got, "from='gw.example'") {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

func TestReadableAddressOnTheWire(t *testing.T) {
	r := NewRenderer(gateway.NewTexts())
	stanzas, err := r.Render(gateway.Rendering{
		Component: testDomain, From: "abcdefghijklmnop", Local: `nurse\40capulet.example`, To: "romeo@example", What: gateway.ShowTyping{On: true},
	})
	if err != nil || len(stanzas) != 1 || !strings.Contains(string(stanzas[0]), `from='nurse\40capulet.example@gw.example/gateway'`) {
		t.Errorf("got %s, %v, want the address that the user knows", stanzas, err)
	}
}

func TestDataPolicyForms(t *testing.T) {
	d := gateway.Descriptor{DiscoType: "whatsapp", Retention: 90 * 60e9, TermsURL: "https://wall.example/terms"}
	for _, c := range []struct {
		out, in, media gateway.Mode
		want           string
	}{
		{gateway.ModeRelay, gateway.ModeRelay, gateway.ModeRelay, "gre"},
		{gateway.ModeRelay, gateway.ModeTerminate, gateway.ModeRelay, "e2e"},
		{gateway.ModeTerminate, gateway.ModeTerminate, gateway.ModeCleartext, "encrypted"},
		{gateway.ModeRelay, gateway.ModeRelay, "", "encrypted"},
		{gateway.ModeSelfHosted, gateway.ModeSelfHosted, gateway.ModeSelfHosted, "e2e"},
	} {
		d.Out, d.In, d.Media = c.out, c.in, c.media
		forms := map[string]map[string]string{}
		for _, f := range gatewayForms(d, map[string][]string{"abuse": {"mailto:abuse@example.org"}}) {
			forms[f.formType] = map[string]string{}
			for _, field := range f.fields {
				forms[f.formType][field.name] = strings.Join(field.values, " ")
			}
		}
		platform := forms["urn:xmpp:data-policy:identity:gateway:whatsapp:0"]
		if own := forms["urn:xmpp:data-policy:0"]; own["data_transmission"] != c.want || platform["data_transmission"] != c.want || own["data_retention"] != "2" {
			t.Errorf("%s %s %s: got %v and %v, want %s", c.out, c.in, c.media, own, platform, c.want)
		}
		if platform["data_retention"] != "unknown" || platform["tos"] != "https://wall.example/terms" || forms[nsServerInfo]["abuse-addresses"] != "mailto:abuse@example.org" {
			t.Errorf("got %v", forms)
		}
	}
}
