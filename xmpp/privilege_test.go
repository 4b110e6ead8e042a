package xmpp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/xmpp/conformance"
)

const (
	uploadNS   = "urn:xmpp:http:upload:0" // XEP-0363
	allGranted = "<perm access='roster' type='both'/><perm access='message' type='outgoing'/><perm access='presence' type='managed_entity'/>" +
		// prosody-modules nests the namespaces in each other
		"<perm access='iq'><namespace ns='urn:xmpp:http:upload:0' type='get'><namespace ns='http://jabber.org/protocol/pubsub' type='both'/></namespace></perm>"
)

// advert is a host's advertisement (XEP-0356 §4.2).
func advert(from, space, perms string) string {
	return "<message from='" + from + "' to='gw.example'><privilege xmlns='" + space + "'>" + perms + "</privilege></message>"
}

func twoHosts(r *gatewayRig) {
	r.cfg.Users = []string{"example", "second.example"}
}

func TestPrivilegesAreBelievedOfTheirHostAlone(t *testing.T) {
	for _, tt := range []struct {
		name, raw, host string
		want            bool
	}{
		{"the host", advert("example", nsPrivilege, allGranted), "example", true},
		{"another host of ours", advert("second.example", nsPrivilege, allGranted), "second.example", true},
		{"one for another", advert("second.example", nsPrivilege, allGranted), "example", false},
		{"a user", advert("romeo@example", nsPrivilege, allGranted), "example", false},
		{"a client", advert("romeo@example/phone", nsPrivilege, allGranted), "example", false},
		{"a resource of the host", advert("example/x", nsPrivilege, allGranted), "example", false},
		{"a foreign host", advert("elsewhere.example", nsPrivilege, allGranted), "elsewhere.example", false},
		{"to a contact", "<message from='example' to='anna7@gw.example'><privilege xmlns='urn:xmpp:privilege:2'>" + allGranted + "</privilege></message>", "example", false},
		{"an error", "<message type='error' from='example' to='gw.example'><privilege xmlns='urn:xmpp:privilege:2'>" + allGranted + "</privilege></message>", "example", false},
		{"nested", "<message from='example' to='gw.example'><x xmlns='urn:x'><privilege xmlns='urn:xmpp:privilege:2'>" + allGranted + "</privilege></x></message>", "example", false},
		{"an unknown namespace", advert("example", "urn:xmpp:privilege:9", allGranted), "example", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, twoHosts, func(t *testing.T, r *gatewayRig) {
				proof := conformance.Prove(t, conformance.InProcess, 75)
				r.silent(tt.raw)
				got := r.c.privileges.Load().of(tt.host)
				proof.That(got.outgoing == tt.want && got.rosterSet == tt.want && got.iq("get", uploadNS) == tt.want, "%s: got %+v, want granted %v", tt.host, got, tt.want)
				if r.gw.count() != 0 || len(r.desk.said) != 0 {
					t.Errorf("taken for a user's message: %v %v", r.gw.asked, r.desk.said)
				}
			})
		})
	}
}

func TestPrivilegesAreReplacedWholeAndEndWithTheStream(t *testing.T) {
	bubble(t, twoHosts, func(t *testing.T, r *gatewayRig) {
		r.silent(advert("example", nsPrivilege, allGranted))
		got := r.c.privileges.Load().of("example")
		if !got.iq("set", nsPubSub) || !got.iq("get", nsPubSub) || !got.iq("get", uploadNS) || got.iq("set", uploadNS) || got.iq("get", nsPing) {
			t.Errorf("got %+v, want what was advertised", got)
		}
		// As ejabberd writes it: none is nothing.
		r.silent(advert("example", nsPrivilegeOld, "<perm access='roster' type='get'/><perm access='message' type='none'/><perm access='iq' type='both'><namespace ns='urn:xmpp:http:upload:0' type='get'/></perm>"))
		got = r.c.privileges.Load().of("example")
		if !got.rosterGet || got.rosterSet || got.outgoing || got.iq("get", uploadNS) {
			t.Errorf("got %+v, want reading rosters and nothing else", got)
		}
		r.silent(advert("second.example", nsPrivilege, allGranted))
		r.silent(advert("second.example", nsPrivilege, ""))
		if got := r.c.privileges.Load().of("second.example"); got.rosterGet || got.rosterSet || got.outgoing || got.iq("get", uploadNS) {
			t.Errorf("everything taken back: got %+v, want nothing", got)
		}
		if r.c.privileges.Load().of("example").space != nsPrivilegeOld {
			t.Error("what one host takes back is gone for another")
		}
		if r.c.privileges.Load().of("third.example").space != "" {
			t.Error("a host that said nothing has granted something")
		}
		r.Drop()
		r.Conn = r.srv.Accept(t, testDomain)
		synctest.Wait()
		if got := r.c.privileges.Load().of("example"); got.space != "" {
			t.Errorf("after a reconnect: got %+v, want nothing", got)
		}
	})
}

func TestPrivilegedIQ(t *testing.T) {
	bubble(t, twoHosts, func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 74, 75)
		payload := func() *Element { return NewElement(uploadNS, "request", "filename", "a.jpg", "size", "3") }
		ask := func(user, typ string) <-chan error {
			done := make(chan error, 1)
			go func() {
				j, err := ParseJID(user)
				if err == nil {
					_, err = r.c.privileged(context.Background(), j, typ, payload())
				}
				done <- err
			}()
			return done
		}
		synctest.Wait()
		proof.That(errors.Is(<-ask("romeo@example", "get"), errNotGranted), "before anything was granted: want a refusal of our own")
		r.silent(advert("example", nsPrivilege, allGranted))
		for _, who := range [][2]string{{"romeo@example", "set"}, {"romeo@second.example", "get"}, {"romeo@elsewhere.example", "get"}, {"example", "get"}} {
			proof.That(errors.Is(<-ask(who[0], who[1]), errNotGranted), "%v: asked, want it refused here", who)
		}
		r.Quiet(t)

		done := ask("romeo@example", "get")
		outer := r.element()
		inner := outer.Child(nsPrivilege, "privileged_iq").Child(nsClient, "iq")
		if outer.Attr("from") != "gw.example" || outer.Attr("to") != "romeo@example" || outer.Attr("type") != "get" || inner == nil ||
			inner.Attr("type") != "get" || inner.Attr("from") != "" || inner.ID() == "" || inner.Child(uploadNS, "request") == nil {
			t.Fatalf("got %s", outer)
		}
		head := "<iq type='result' from='romeo@example' to='gw.example' id='" + outer.ID() + "'>"
		r.Send(t, head+"<privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' type='result' id='x'>"+
			"<slot xmlns='urn:xmpp:http:upload:0'/></iq></forwarded></privilege></iq>")
		proof.That(<-done == nil, "an answer: want it taken")

		done = ask("romeo@example", "get")
		outer = r.element()
		r.Send(t, "<iq type='result' from='romeo@example' to='gw.example' id='"+outer.ID()+"'><privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'>"+
			"<iq xmlns='jabber:client' type='error' id='x'><error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq></forwarded></privilege></iq>")
		refused, ok := errors.AsType[*StanzaError](<-done)
		if !ok || refused.Condition != NotAcceptable {
			t.Errorf("got %v, want the error inside the answer", refused)
		}

		// ejabberd says nothing to what it does not allow.
		began := time.Now()
		done = ask("romeo@example", "get")
		r.element()
		err := <-done
		proof.That(err != nil && time.Since(began) == privilegedTimeout, "got %v after %v, want an end after %v", err, time.Since(began), privilegedTimeout)
	})
}
