package xmpp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
)

func iqXML(from, to, typ, payload string) string {
	return "<iq type='" + typ + "' from='" + from + "' to='" + to + "' id='q1'>" + payload + "</iq>"
}

// ask sends a request from romeo and returns the answer.
func (r *gatewayRig) ask(to, typ, payload string) *Element {
	r.t.Helper()
	return r.answer(iqXML("romeo@example/phone", to, typ, payload))
}

// result requires a result and returns its payload.
func (r *gatewayRig) result(to, typ, payload string) *Element {
	r.t.Helper()
	el := r.ask(to, typ, payload)
	if el.Attr("type") != "result" || el.ID() != "q1" || el.Attr("from") != to || el.Attr("to") != "romeo@example/phone" {
		r.t.Fatalf("got %s, want a result", el)
	}
	return el.FirstChild()
}

func features(q *Element) map[string]bool {
	out := map[string]bool{}
	for _, f := range q.ChildrenNamed(nsDiscoInfo, "feature") {
		out[f.Attr("var")] = true
	}
	return out
}

// Every request gets an answer, whatever it asks (RFC 6120 §8.2.3).
func TestUnknownRequests(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, to := range []string{"gw.example", "gw.example/x", "anna7@gw.example", "anna7@gw.example/gateway", "nobody@gw.example"} {
			for _, typ := range []string{"get", "set"} {
				for _, payload := range []string{
					"<query xmlns='urn:unknown'/>", "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate'/>", "<query xmlns='jabber:iq:private'/>",
					"<query xmlns='jabber:iq:privacy'/>", "<query xmlns='jabber:iq:roster'/>", "<query xmlns='urn:xmpp:mam:2'/>",
				} {
					wantError(t, r.ask(to, typ, payload), to, "romeo@example/phone", "q1", ServiceUnavailable, "cancel")
				}
				wantError(t, r.ask(to, typ, ""), to, "romeo@example/phone", "q1", BadRequest, "modify")
				wantError(t, r.ask(to, typ, "<a xmlns='x'/><b xmlns='x'/>"), to, "romeo@example/phone", "q1", BadRequest, "modify")
			}
		}
		for _, payload := range []string{"<query xmlns='http://jabber.org/protocol/disco#info'/>", "<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:register'/>"} {
			el := r.answer(iqXML("eve@elsewhere.example/x", "gw.example", "get", payload))
			wantError(t, el, "gw.example", "eve@elsewhere.example/x", "q1", Forbidden, "auth")
		}
		// A server may look, and no more.
		if el := r.answer(iqXML("example", "gw.example", "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")); el.Attr("type") != "result" {
			t.Errorf("got %s", el)
		}
		wantError(t, r.answer(iqXML("example", "gw.example", "get", "<query xmlns='jabber:iq:register'/>")), "gw.example", "example", "q1", Forbidden, "auth")
	})
}

func TestPingAndVersion(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, to := range []string{"gw.example", "anna7@gw.example", "anna7@gw.example/gateway"} {
			if got := r.result(to, "get", "<ping xmlns='urn:xmpp:ping'/>"); got != nil {
				t.Errorf("got %s, want an empty result", got)
			}
			q := r.result(to, "get", "<query xmlns='jabber:iq:version'/>")
			if q.Child(nsVersion, "name").Text() != "Postern" || q.Child(nsVersion, "version").Text() != "1.2" {
				t.Errorf("got %s", q)
			}
		}
	})
}

func TestDiscoGateway(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		q := r.result("gw.example", "get", "<query xmlns='"+nsDiscoInfo+"'/>")
		id := q.Child(nsDiscoInfo, "identity")
		if id.Attr("category") != "gateway" || id.Attr("type") != "whatsapp" || id.Attr("name") != "Castle (Example)" {
			t.Errorf("got %s", id)
		}
		has := features(q)
		for _, f := range []string{nsDiscoInfo, nsDiscoItems, nsRegister, nsGateway, nsCommands, featEscaping, nsPing, nsVersion} {
			if !has[f] {
				t.Errorf("lacks %s", f)
			}
		}
		node := r.c.profile.node + "#" + r.c.profile.gwVer()
		if again := r.result("gw.example", "get", "<query xmlns='"+nsDiscoInfo+"' node='"+node+"'/>"); len(features(again)) != len(has) || again.Attr("node") != node {
			t.Errorf("got %s for the caps node", again)
		}
		wantError(t, r.ask("gw.example", "get", "<query xmlns='"+nsDiscoInfo+"' node='no'/>"), "gw.example", "romeo@example/phone", "q1", ItemNotFound, "cancel")

		var nodes []string
		items := r.result("gw.example", "get", "<query xmlns='"+nsDiscoItems+"' node='"+nsCommands+"'/>")
		for _, i := range items.ChildrenNamed(nsDiscoItems, "item") {
			nodes = append(nodes, i.Attr("node"))
			if i.Attr("jid") != testDomain {
				t.Errorf("got %s", i)
			}
			info := r.result("gw.example", "get", "<query xmlns='"+nsDiscoInfo+"' node='"+i.Attr("node")+"'/>")
			if info.Child(nsDiscoInfo, "identity").Attr("type") != "command-node" || !features(info)[nsForm] {
				t.Errorf("got %s", info)
			}
		}
		if got, want := strings.Join(nodes, " "), "jabber:iq:register help status"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		info := r.result("gw.example", "get", "<query xmlns='"+nsDiscoInfo+"' node='"+nsCommands+"'/>")
		if info.Child(nsDiscoInfo, "identity").Attr("type") != "command-list" {
			t.Errorf("got %s", info)
		}
		if got := r.result("gw.example", "get", "<query xmlns='"+nsDiscoItems+"'/>"); len(got.Children()) != 0 {
			t.Errorf("got %s, want no items", got)
		}
	})
}

// The announced hash is the one that XEP-0115 §5.1 computes from the answer, and
// the answer says what the chat supports now.
func TestDiscoContact(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		node := r.c.profile.node + "#" + r.c.profile.cVer
		for _, ask := range []string{"", " node='" + node + "'"} {
			q := r.result("anna7@gw.example/gateway", "get", "<query xmlns='"+nsDiscoInfo+"'"+ask+"/>")
			if got := parsedInfo(q).ver(); got != r.c.profile.cVer {
				t.Errorf("%q: got ver %s, want %s", ask, got, r.c.profile.cVer)
			}
			if strings.Contains(q.String(), "Secret") {
				t.Error("the contact's name is in the description that all share")
			}
		}
		q := r.result("anna7@gw.example", "get", "<query xmlns='"+nsDiscoInfo+"'/>")
		if got := len(q.ChildrenNamed(nsDiscoInfo, "identity")); got != 3 {
			t.Errorf("got %d identities at the bare address, want account, pep and client", got)
		}
		r.gw.caps = gateway.Caps{}
		has := features(r.result("anna7@gw.example/gateway", "get", "<query xmlns='"+nsDiscoInfo+"'/>"))
		if has[nsReactions] || has[nsCorrect] || has[nsReceipts] || !has[nsDiscoInfo] {
			t.Errorf("got %v after a downgrade", has)
		}
		to := "anna7@gw.example/gateway"
		wantError(t, r.ask(to, "get", "<query xmlns='"+nsDiscoInfo+"' node='x#y'/>"), to, "romeo@example/phone", "q1", ItemNotFound, "cancel")
		wantError(t, r.ask("nobody@gw.example", "get", "<query xmlns='"+nsDiscoInfo+"'/>"), "nobody@gw.example", "romeo@example/phone", "q1", ServiceUnavailable, "cancel")
		if got := r.result(to, "get", "<query xmlns='"+nsDiscoItems+"'/>"); len(got.Children()) != 0 {
			t.Errorf("got %s", got)
		}
	})
}

// parsedInfo reads a disco#info answer.
func parsedInfo(q *Element) discoInfo {
	var d discoInfo
	for _, i := range q.ChildrenNamed(nsDiscoInfo, "identity") {
		d.identities = append(d.identities, discoIdentity{i.Attr("category"), i.Attr("type"), i.Lang(), i.Attr("name")})
	}
	for f := range features(q) {
		d.features = append(d.features, f)
	}
	for _, x := range q.ChildrenNamed(nsForm, "x") {
		var f discoForm
		for _, el := range x.ChildrenNamed(nsForm, "field") {
			var values []string
			for _, v := range el.ChildrenNamed(nsForm, "value") {
				values = append(values, v.Text())
			}
			if el.Attr("var") == "FORM_TYPE" {
				f.formType = values[0]
			} else {
				f.fields = append(f.fields, discoField{el.Attr("var"), values})
			}
		}
		d.forms = append(d.forms, f)
	}
	return d
}

// Clients ask for keys before an encrypted chat; they hear at once that there are none.
func TestDeviceLists(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, to := range []string{"anna7@gw.example", "nobody@gw.example", "gw.example"} {
			for _, node := range []string{"eu.siacs.conversations.axolotl.devicelist", "eu.siacs.conversations.axolotl.bundles:1", "urn:xmpp:omemo:2:devices", "urn:xmpp:avatar:metadata"} {
				el := r.ask(to, "get", "<pubsub xmlns='"+nsPubSub+"'><items node='"+node+"'/></pubsub>")
				wantError(t, el, to, "romeo@example/phone", "q1", ItemNotFound, "cancel")
			}
			el := r.ask(to, "set", "<pubsub xmlns='"+nsPubSub+"'><publish node='x'/></pubsub>")
			wantError(t, el, to, "romeo@example/phone", "q1", Forbidden, "auth")
			el = r.ask(to, "set", "<pubsub xmlns='"+nsPubSub+"'><subscribe node='x'/></pubsub>")
			wantError(t, el, to, "romeo@example/phone", "q1", FeatureNotImplemented, "cancel")
		}
	})
}

func TestPrompt(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		q := r.answer("<iq xml:lang='it' type='get' from='romeo@example/phone' to='gw.example' id='q1'><query xmlns='jabber:iq:gateway'/></iq>").FirstChild()
		if q.Child(nsGateway, "prompt").Text() != "Numero" || q.Child(nsGateway, "desc").Text() != "Chi cerchi?" {
			t.Errorf("got %s", q)
		}
		q = r.result("gw.example", "set", "<query xmlns='jabber:iq:gateway'><prompt> +39 333 </prompt></query>")
		if got := q.Child(nsGateway, "jid").Text(); got != "carla2@gw.example" {
			t.Errorf("got %q", got)
		}
		for _, typed := range []string{"garbage", " ", ""} {
			el := r.ask("gw.example", "set", "<query xmlns='jabber:iq:gateway'><prompt>"+typed+"</prompt></query>")
			wantError(t, el, "gw.example", "romeo@example/phone", "q1", NotAcceptable, "modify")
			if got := ParseStanzaError(el).Text; got != "that is no number" {
				t.Errorf("%q: got text %q", typed, got)
			}
		}
		wantError(t, r.ask("gw.example", "set", "<query xmlns='jabber:iq:gateway'><prompt>nobody</prompt></query>"), "gw.example", "romeo@example/phone", "q1", ItemNotFound, "cancel")
		wantError(t, r.ask("gw.example", "set", "<query xmlns='jabber:iq:gateway'/>"), "gw.example", "romeo@example/phone", "q1", BadRequest, "modify")
	})
}

// One user never learns anything of another's contacts: every request about them
// gets the very answer that an address nobody has gets.
func TestStrangersSeeNothing(t *testing.T) {
	payloads := []string{
		"<query xmlns='" + nsDiscoInfo + "'/>", "<query xmlns='" + nsDiscoItems + "'/>", "<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:version'/>",
		"<query xmlns='jabber:iq:register'/>", "<query xmlns='jabber:iq:register'><remove/></query>", "<query xmlns='jabber:iq:gateway'/>",
		"<query xmlns='jabber:iq:search'/>", "<query xmlns='jabber:iq:last'/>", "<query xmlns='jabber:iq:roster'/>", "<query xmlns='urn:xmpp:mam:2'/>",
		"<command xmlns='" + nsCommands + "' node='status'/>", "<vCard xmlns='vcard-temp'/>", "<time xmlns='urn:xmpp:time'/>",
		"<pubsub xmlns='" + nsPubSub + "'><items node='urn:xmpp:avatar:metadata'/></pubsub>", "<pubsub xmlns='" + nsPubSub + "'><items node='urn:xmpp:vcard4'/></pubsub>",
		"<query xmlns='http://jabber.org/protocol/muc#admin'/>", "<query xmlns='http://jabber.org/protocol/bytestreams'/>",
	}
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		for _, payload := range payloads {
			for _, typ := range []string{"get", "set"} {
				for _, res := range []string{"", "/gateway", "/x"} {
					theirs := r.ask("bruno9@gw.example"+res, typ, payload).String()
					nobody := r.ask("nobody@gw.example"+res, typ, payload).String()
					if strings.ReplaceAll(theirs, "bruno9", "nobody") != nobody {
						t.Errorf("%s %s: got %s for another's contact, %s for nobody", typ, payload, theirs, nobody)
					}
					if strings.Contains(theirs, "Bruno") || strings.Contains(theirs, "Secret") {
						t.Errorf("%s %s: got %s", typ, payload, theirs)
					}
				}
			}
		}
		theirs := r.answer(chatTo("bruno9@gw.example", "<body>x</body>")).String()
		nobody := r.answer(chatTo("nobody@gw.example", "<body>x</body>")).String()
		if strings.ReplaceAll(theirs, "bruno9", "nobody") != nobody {
			t.Errorf("got %s and %s", theirs, nobody)
		}
		if r.gw.count() != 0 {
			t.Error("a message to another's contact was taken")
		}
	})
}

// What waits for a platform holds up nobody's messages and nobody else's
// questions; what does not fit is refused.
func TestDeskBusy(t *testing.T) {
	hold := make(chan struct{})
	bubble(t, func(r *gatewayRig) { r.desk.hold = make(chan struct{}); hold = r.desk.hold }, func(t *testing.T, r *gatewayRig) {
		refused := 0
		for i := range errandDepth + 5 {
			r.Send(t, fmt.Sprintf("<iq type='set' from='romeo@example/phone' to='gw.example' id='c%d'><command xmlns='%s' node='help'/></iq>", i, nsCommands))
			if i == 0 {
				synctest.Wait() // the worker has the first in hand, and its queue is empty
			}
		}
		synctest.Wait()
		for range 4 {
			wantError(t, r.element(), "gw.example", "romeo@example/phone", fmt.Sprintf("c%d", errandDepth+1+refused), ResourceConstraint, "wait")
			refused++
		}
		r.Quiet(t)
		wantError(t, r.answer(chatTo("gw.example", "<body>help</body>")), "gw.example", "romeo@example/phone", "u1", ResourceConstraint, "wait")
		r.silent(chatTo("anna7@gw.example", "<body>meanwhile</body>"))
		if r.gw.count() != 1 {
			t.Error("a message waited for the desk")
		}
		close(hold)
		for i := range errandDepth + 1 {
			if el := r.element(); el.ID() != fmt.Sprintf("c%d", i) || el.Attr("type") != "result" {
				t.Errorf("got %s", el)
			}
		}
	})
}

func TestPresence(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.gw.presence = []gateway.Rendering{
			{Component: testDomain, From: "anna7", To: "romeo@example", What: gateway.ShowSubscription{Verb: gateway.Subscribed}},
			{Component: testDomain, From: "anna7", To: "romeo@example", Resource: "phone", What: gateway.ShowPresence{Available: true}},
		}
		r.Send(t, "<presence type='subscribe' from='romeo@example' to='anna7@gw.example'/>")
		r.Expect(t, "type='subscribed'", "from='anna7@gw.example'", "to='romeo@example'")
		el := r.element()
		if el.Attr("from") != "anna7@gw.example/gateway" || el.Attr("to") != "romeo@example/phone" || el.Child(nsCaps, "c").Attr("ver") != r.c.profile.cVer {
			t.Errorf("got %s", el)
		}
		r.gw.presence = nil
		for _, typ := range []string{"", "unavailable", "probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed"} {
			attr := " type='" + typ + "'"
			if typ == "" {
				attr = ""
			}
			r.silent("<presence" + attr + " from='romeo@example/phone' to='gw.example'><priority>999</priority></presence>")
			r.silent("<presence type='nonsense' from='romeo@example' to='gw.example'/>")
		}
		want := []gateway.PresenceKind{
			gateway.PresenceSubscribe, gateway.PresenceAvailable, gateway.PresenceUnavailable, gateway.PresenceProbe, gateway.PresenceSubscribe,
			gateway.PresenceSubscribed, gateway.PresenceUnsubscribe, gateway.PresenceUnsubscribed,
		}
		if fmt.Sprint(r.gw.kinds) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", r.gw.kinds, want)
		}
		r.silent("<presence from='eve@elsewhere.example/x' to='anna7@gw.example'/>")
		el = r.answer("<presence type='subscribe' from='eve@elsewhere.example' to='anna7@gw.example' id='p'/>")
		wantError(t, el, "anna7@gw.example", "eve@elsewhere.example", "p", Forbidden, "auth")
		el = r.answer("<presence from='romeo@example/phone' to='room@gw.example/nick' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
		wantError(t, el, "room@gw.example/nick", "romeo@example/phone", "j", ServiceUnavailable, "cancel")
		r.gw.err = &gateway.Refusal{Condition: gateway.ResourceConstraint, Text: "later"}
		el = r.answer("<presence type='subscribe' from='romeo@example' to='anna7@gw.example' id='p'/>")
		wantError(t, el, "anna7@gw.example", "romeo@example", "p", ResourceConstraint, "wait")
		r.silent("<presence from='romeo@example/phone' to='gw.example'/>")
	})
}

// A slow platform gets no more of a client's patience than there is.
func TestDeskTimeout(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		r.c.gateway[iqKind{"set", nsGateway, "query"}] = iqRoute{desk: true, serve: slowly}
		began := time.Now()
		el := r.ask("gw.example", "set", "<query xmlns='jabber:iq:gateway'><prompt>x</prompt></query>")
		wantError(t, el, "gw.example", "romeo@example/phone", "q1", RemoteServerTimeout, "wait")
		if waited := time.Since(began); waited != deskTimeout {
			t.Errorf("got an answer after %v, want %v", waited, deskTimeout)
		}
	})
}
