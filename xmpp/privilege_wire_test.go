package xmpp

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway"
	"postern/xmpp/conformance"
)

func waiting(stanzas ...string) []gateway.Waiting {
	var out []gateway.Waiting
	for _, s := range stanzas {
		out = append(out, gateway.Waiting{Bytes: []byte(s), At: time.Now()})
	}
	return out
}

const (
	ownText   = "<message from='romeo@example' to='anna7@gw.example' id='own-1' type='chat'><body>from my phone</body><origin-id xmlns='urn:xmpp:sid:0' id='own-1'/></message>"
	annasText = "<message from='anna7@gw.example/gateway' to='romeo@example' id='a1' type='chat'><body>and then</body></message>"
	otherText = "<message from='bruno9@gw.example/gateway' to='romeo@example' id='b1' type='chat'><body>nobody waits</body></message>"
)

// counted keeps what the component counts.
func counted(into map[string]int) func(*gatewayRig) {
	var mu sync.Mutex
	return func(r *gatewayRig) {
		r.cfg.Count = func(event string) {
			mu.Lock()
			defer mu.Unlock()
			into[event]++
		}
	}
}

func TestOwnMessageIsWrapped(t *testing.T) {
	for _, space := range []string{nsPrivilege, nsPrivilegeOld} {
		bubble(t, nil, func(t *testing.T, r *gatewayRig) {
			r.silent(advert("example", space, "<perm access='message' type='outgoing'/>"))
			old := waiting(ownText)
			old[0].At = time.Now().Add(-time.Hour)
			r.outbox.batches <- old
			el := r.element()
			in := el.Child(space, "privilege").Child(nsForward, "forwarded").Child(nsClient, "message")
			if el.Attr("from") != "gw.example" || el.Attr("to") != "example" || in == nil || in.Attr("from") != "romeo@example" || in.Attr("to") != "anna7@gw.example" {
				t.Fatalf("got %s", el)
			}
			if body, _ := in.Body(); body != "from my phone" || in.ID() != "own-1" || in.Child(nsDelay, "delay").Attr("from") != "gw.example" {
				t.Errorf("got %s, want the message with its time", in)
			}
			if !strings.Contains(el.String(), "<message xmlns='jabber:client'") {
				t.Errorf("got %s, want the inner message in its own namespace (XEP-0297 §3)", el)
			}
			if err := <-r.outbox.taken; err != nil {
				t.Error(err)
			}
		})
	}
}

// After a connect the advertisement comes a moment later: what goes by it waits,
// in order with its conversation, and nothing else does.
func TestOwnMessageWaitsForTheAdvertisement(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *gatewayRig) {
		synctest.Wait()
		r.outbox.batches <- waiting(ownText, annasText, otherText)
		if el := r.element(); el.ID() != "b1" {
			t.Fatalf("got %s, want the other conversation first", el)
		}
		<-time.After(advertTimeout / 2)
		r.Quiet(t)
		r.Send(t, advert("example", nsPrivilege, allGranted))
		if el := r.element(); el.ID() != "own-1" || el.Child(nsPrivilege, "privilege") == nil {
			t.Errorf("got %s, want the own message", el)
		}
		if el := r.element(); el.ID() != "a1" {
			t.Errorf("got %s, want the rest of the conversation", el)
		}
		if err := <-r.outbox.taken; err != nil {
			t.Error(err)
		}
	})
}

func TestWithoutRightsNothingIsSaidForAUser(t *testing.T) {
	for name, said := range map[string]string{
		"nothing": "", "none": advert("example", nsPrivilegeOld, "<perm access='message' type='none'/><perm access='roster' type='get'/>"),
		"another host's": advert("second.example", nsPrivilege, allGranted),
	} {
		t.Run(name, func(t *testing.T) {
			count := map[string]int{}
			bubble(t, func(r *gatewayRig) { twoHosts(r); counted(count)(r) }, func(t *testing.T, r *gatewayRig) {
				proof := conformance.Prove(t, conformance.InProcess, 74, 75)
				synctest.Wait()
				if said != "" {
					r.silent(said)
				}
				entry := "<iq from='gw.example' to='romeo@example' id='roster' type='set'><query xmlns='jabber:iq:roster'><item jid='anna7@gw.example'/></query></iq>"
				subscribe := "<presence from='bruno9@gw.example' to='romeo@example' type='subscribe'/>"
				r.outbox.batches <- waiting(ownText, entry, annasText, subscribe)
				var raw []string
				for range 2 {
					raw = append(raw, r.Next(t).Raw)
				}
				if err := <-r.outbox.taken; err != nil {
					t.Error(err)
				}
				synctest.Wait()
				r.Quiet(t)
				all := strings.Join(raw, "\n")
				proof.That(strings.Contains(all, "'a1'") && strings.Contains(all, "subscribe"), "got %q, want the message and the request", raw)
				proof.That(!strings.Contains(all, "privilege") && !strings.Contains(all, "forward") && !strings.Contains(all, "from my phone"), "got %q, want nothing of the own message", raw)
				proof.That(count["own_dropped"] == 1, "counted %v, want one message left out", count)
			})
		})
	}
}

func TestEchoGoesNowhere(t *testing.T) {
	count := map[string]int{}
	bubble(t, counted(count), func(t *testing.T, r *gatewayRig) {
		proof := conformance.Prove(t, conformance.InProcess, 71)
		for _, payload := range []string{
			"<body>from my phone</body>", "<body>?OTR?v23?</body>", "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>",
			"<retract xmlns='urn:xmpp:message-retract:1' id='x'/><body>gone</body>", "<reactions xmlns='urn:xmpp:reactions:0' id='x'><reaction>x</reaction></reactions>",
		} {
			r.silent("<message from='romeo@example' to='anna7@gw.example' id='own-1' type='chat'>" + payload + "</message>")
		}
		for _, from := range []string{"example", "romeo@example"} {
			r.silent("<message type='error' from='" + from + "' to='gw.example' id='own-1'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
		}
		proof.That(r.gw.count() == 0 && len(r.desk.said) == 0, "asked %+v, said %v: want nothing", r.gw.asked, r.desk.said)
		proof.That(len(r.gw.bounced) == 0 && count["own_refused"] == 2, "bounced %v, counted %v: want the refusals counted and no more", r.gw.bounced, count)
	})
}

func TestOwnRendering(t *testing.T) {
	own := func(what gateway.Shown) ([]*Element, error) {
		return testRenderer().elements(gateway.Rendering{Component: testDomain, From: "anna7", To: "romeo@example", Own: true, What: what})
	}
	for _, tt := range []struct {
		what   gateway.Shown
		author string // of what is answered
	}{
		{gateway.ShowMessage{IDs: []gateway.StanzaID{"o1"}, Content: text("hi"), ReplyTo: &gateway.ShownTarget{Stanza: "a1", Quote: "hello"}}, "anna7@gw.example/gateway"},
		{gateway.ShowMessage{IDs: []gateway.StanzaID{"o1"}, Content: text("hi"), ReplyTo: &gateway.ShownTarget{Stanza: "u1", Mine: true}}, "romeo@example"},
		{gateway.ShowEdit{ID: "o1", Of: "u1", Content: text("hi there")}, ""},
		{gateway.ShowRetract{ID: "o1", Of: "u1"}, ""},
		{gateway.ShowReact{ID: "o1", Of: "a1", Emojis: []string{"♥"}}, ""},
		{gateway.ShowDisplayed{ID: "o1", Of: "a1"}, ""},
	} {
		got, err := own(tt.what)
		if err != nil || len(got) != 1 {
			t.Fatalf("%T: got %v, %v, want one stanza", tt.what, got, err)
		}
		el := got[0]
		if el.Attr("from") != "romeo@example" || el.Attr("to") != "anna7@gw.example" || el.ID() != "o1" || el.Child(nsSID, "origin-id").Attr("id") != "o1" || el.Child(nsReply, "reply").Attr("to") != tt.author {
			t.Errorf("%T: got %s, want it from the user to the contact, both bare", tt.what, el)
		}
	}
	for _, what := range []gateway.Shown{gateway.ShowPresence{}, gateway.ShowSubscription{Verb: gateway.Subscribe}, gateway.ShowError{Of: "u1"}, gateway.ShowReceipt{ID: "r1", Of: "u1"}} {
		if got, err := own(what); err == nil {
			t.Errorf("%T: got %v, want it refused: no user says that", what, got)
		}
	}
}
